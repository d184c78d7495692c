// SPDX-License-Identifier: Apache-2.0
// IP addresses as people write them (RFC 5952), and as Go's net and net/netip do.
#pragma once

#include "base/strbuf.h"

/** Four bytes: "192.0.2.1". */
void gh_ipv4_add(struct gh_strbuf *sb, const uint8_t *ip);

/** Sixteen bytes: "2001:db8::1". */
void gh_ipv6_add(struct gh_strbuf *sb, const uint8_t *ip);

/** Four bytes, sixteen, or sixteen that hold four; in_brackets: "[2001:db8::1]", as before a port. */
void gh_ip_add(struct gh_strbuf *sb, const uint8_t *ip, bool is_v4, bool in_brackets);

/** Do sixteen bytes hold an address of four (::ffff:0:0/96)? The last four of them. */
bool gh_ipv6_is_mapped(const uint8_t *ip);
