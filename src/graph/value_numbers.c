// SPDX-License-Identifier: Apache-2.0
// Numbers of the standard library that lie in memory otherwise than people write them: math/big.Int,
// and the addresses of net/netip (math/big/int.go, net/netip/netip.go). See value.h.
#include <string.h>

#include "base/cleanup.h"
#include "base/ipaddr.h"
#include "graph/types_table.h"
#include "graph/value_reader.h"

enum {
	BIG_BYTES = 32,	 // {neg bool, abs []Word}
	BIG_WORDS = 16,	 // larger ones are cut
	DIGITS = 18,	 // of a part: below a word
	ADDR_BYTES = 24, // {addr uint128{hi, lo}, z}
	BEHIND_ADDR = ADDR_BYTES, // a port, or the bits of a prefix and 1
};

/* Decimal digits of the n words, lowest first; the words are used up. */
static void put_decimal(uint64_t *words, size_t n, struct gh_strbuf *sb)
{
	uint64_t parts[BIG_WORDS * 64 / 59 + 1]; // 10^18 has 59.8 bits
	size_t nparts = 0;

	while (n && nparts < GH_ARRAY_SIZE(parts)) {
		uint64_t rest = 0;

		for (size_t i = n; i-- > 0;) {
			unsigned __int128 value = (unsigned __int128)rest << 64 | words[i];

			words[i] = (uint64_t)(value / 1000000000000000000ULL);
			rest = (uint64_t)(value % 1000000000000000000ULL);
		}
		parts[nparts++] = rest;
		while (n && !words[n - 1])
			n--;
	}
	gh_strbuf_printf(sb, "%llu", nparts ? (unsigned long long)parts[nparts - 1] : 0);
	while (nparts-- > 1)
		gh_strbuf_printf(sb, "%0*llu", DIGITS, (unsigned long long)parts[nparts - 1]);
}

/* As big.Int.String; of long ones the first digits, in hexadecimal. */
static bool put_big(struct gh_value_reader *r, gh_addr addr, struct gh_strbuf *sb)
{
	const struct gh_image *image = r->types->rt->image;
	const uint8_t *p = gh_image_at(image, addr, BIG_BYTES), *from;
	uint64_t words[BIG_WORDS];
	struct gh_slice abs;
	uint64_t n;

	if (!p || !gh_read_slice(image, addr + 8, &abs) || abs.len > abs.cap ||
	    abs.len > UINT64_MAX / 64)
		return false;
	n = gh_min_u64(abs.len, BIG_WORDS); // the highest ones
	from = n ? gh_image_at(image, abs.data + (abs.len - n) * 8, n * 8) : NULL;
	if (n && !from)
		return false;
	for (uint64_t i = 0; i < n; i++)
		words[i] = gh_u64_at(from + i * 8);
	if (n && !words[n - 1]) // not as package big leaves it
		return false;
	gh_strbuf_puts(sb, *p ? "-" : "");
	if (n == abs.len)
		put_decimal(words, n, sb);
	else
		gh_strbuf_printf(sb, "0x%llx… (%llu bits)", (unsigned long long)words[n - 1],
				 (unsigned long long)(abs.len * 64) -
					 (unsigned long long)__builtin_clzll(words[n - 1]));
	return true;
}

/** A netip.Addr. */
struct netip {
	bool is_v6, is_valid;
	uint8_t bytes[16];
	struct gh_slice zone; // a string's two words
};

/* z: a unique.Handle of addrDetail{isV6 bool, zoneV6 string}. Up to go1.22 it says less. */
static bool read_netip(struct gh_value_reader *r, struct gh_gotype type, gh_addr addr,
		       struct netip *ret)
{
	const struct gh_image *image = r->types->rt->image;
	const uint8_t *p = gh_image_at(image, addr, ADDR_BYTES), *detail;
	struct gh_gotype_info handle;
	struct gh_gofield z;
	gh_addr at;

	if (!p || !gh_gotype_field_named(r->types, type, "z", &z) || z.offset != 16 ||
	    !gh_gotype_read(r->types, z.type, &handle) || handle.kind != GH_KIND_STRUCT)
		return false;
	*ret = (struct netip){0};
	for (int i = 0; i < 8; i++) { // two numbers, the highest byte last
		ret->bytes[i] = p[7 - i];
		ret->bytes[8 + i] = p[15 - i];
	}
	at = gh_u64_at(p + 16);
	if (!at)
		return true;
	detail = gh_image_at(image, at, 24);
	if (!detail)
		return false;
	ret->is_valid = true;
	ret->is_v6 = detail[0];
	ret->zone = (struct gh_slice){.data = gh_u64_at(detail + 8), .len = gh_u64_at(detail + 16)};
	return true;
}

static void put_netip(struct gh_value_reader *r, const struct netip *ip, struct gh_strbuf *sb)
{
	enum { MAX_ZONE = 64 };
	const char *zone;

	if (!ip->is_v6) {
		gh_ipv4_add(sb, ip->bytes + 12);
		return;
	}
	if (gh_ipv6_is_mapped(ip->bytes)) {
		gh_strbuf_puts(sb, "::ffff:");
		gh_ipv4_add(sb, ip->bytes + 12);
	} else {
		gh_ipv6_add(sb, ip->bytes);
	}
	if (!ip->zone.len)
		return;
	zone = ip->zone.len <= MAX_ZONE
		       ? gh_image_at(r->types->rt->image, ip->zone.data, ip->zone.len)
		       : NULL;
	gh_strbuf_putc(sb, '%');
	gh_strbuf_add(sb, zone ? zone : "?", zone ? ip->zone.len : 1);
}

static bool put_addr(struct gh_value_reader *r, struct gh_gotype type, gh_addr addr,
		     struct gh_strbuf *sb)
{
	struct netip ip;

	if (!read_netip(r, type, addr, &ip))
		return false;
	if (ip.is_valid)
		put_netip(r, &ip, sb);
	else
		gh_strbuf_puts(sb, "invalid IP");
	return true;
}

/* AddrPort{ip, port uint16}, Prefix{ip, bitsPlusOne uint8}. */
static bool put_with_number(struct gh_value_reader *r, struct gh_gotype type, gh_addr addr,
			    bool is_prefix, struct gh_strbuf *sb)
{
	const uint8_t *p = gh_image_at(r->types->rt->image, addr + BEHIND_ADDR, 8);
	struct gh_gofield field;
	struct netip ip;

	if (!p || !gh_gotype_field_named(r->types, type, "ip", &field) || field.offset != 0 ||
	    !read_netip(r, field.type, addr, &ip))
		return false;
	if (!ip.is_valid || (is_prefix && !*p)) {
		gh_strbuf_puts(sb, is_prefix ? "invalid Prefix" : "invalid AddrPort");
		return true;
	}
	gh_strbuf_puts(sb, ip.is_v6 && !is_prefix ? "[" : "");
	put_netip(r, &ip, sb);
	if (is_prefix)
		gh_strbuf_printf(sb, "/%u", *p - 1U);
	else
		gh_strbuf_printf(sb, "%s:%u", ip.is_v6 ? "]" : "", p[0] | (unsigned)p[1] << 8);
	return true;
}

bool gh_value_fill_number(struct gh_value_reader *r, struct gh_value *node, struct gh_gotype type)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	bool is_prefix = strcmp(node->type, "net/netip.Prefix") == 0, is_there = false;

	if (strcmp(node->type, "math/big.Int") == 0)
		is_there = put_big(r, node->addr, &sb);
	else if (strcmp(node->type, "net/netip.Addr") == 0)
		is_there = put_addr(r, type, node->addr, &sb);
	else if (is_prefix || strcmp(node->type, "net/netip.AddrPort") == 0)
		is_there = put_with_number(r, type, node->addr, is_prefix, &sb);
	if (!is_there)
		return false;
	node->is_withheld = r->limits.no_data;
	if (!node->is_withheld)
		gh_value_set_text(r, node, &sb);
	return true;
}
