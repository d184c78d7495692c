// SPDX-License-Identifier: Apache-2.0
// See ipaddr.h.
#include "base/ipaddr.h"

#include <string.h>

void gh_ipv4_add(struct gh_strbuf *sb, const uint8_t *ip)
{
	gh_strbuf_printf(sb, "%u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
}

/* The longest run of two zero groups or more is "::"; the first of equals. */
void gh_ipv6_add(struct gh_strbuf *sb, const uint8_t *ip)
{
	int from = 8, length = 1;

	for (int i = 0, n; i < 8; i += n ? n : 1) {
		for (n = 0; i + n < 8 && !ip[2 * (i + n)] && !ip[2 * (i + n) + 1]; n++)
			;
		if (n > length) {
			from = i;
			length = n;
		}
	}
	for (int i = 0; i < 8; i++) {
		if (i == from) {
			gh_strbuf_puts(sb, "::");
			i += length - 1;
			continue;
		}
		gh_strbuf_printf(sb, "%s%x", i && i != from + length ? ":" : "",
				 ip[2 * i] << 8 | ip[2 * i + 1]);
	}
}

bool gh_ipv6_is_mapped(const uint8_t *ip)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(ip, mapped, sizeof(mapped)) == 0;
}

void gh_ip_add(struct gh_strbuf *sb, const uint8_t *ip, bool is_v4, bool in_brackets)
{
	if (is_v4) {
		gh_ipv4_add(sb, ip);
	} else if (gh_ipv6_is_mapped(ip)) {
		gh_ipv4_add(sb, ip + 12);
	} else {
		gh_strbuf_puts(sb, in_brackets ? "[" : "");
		gh_ipv6_add(sb, ip);
		gh_strbuf_puts(sb, in_brackets ? "]" : "");
	}
}
