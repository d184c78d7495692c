// SPDX-License-Identifier: Apache-2.0
// What the files that read values share. Others use value.h.
#pragma once

#include "graph/value.h"

/** How deep a value lies in the tree, and how many pointers may be followed below it. */
struct gh_value_depth {
	uint32_t nest, follow;
};

/** A node behind the last child of `parent` (NULL: a root); NULL: limits or memory end here. */
struct gh_value *gh_value_add(struct gh_value_reader *r, struct gh_value *parent);

/** Read a value of the type at node->addr into the node. */
void gh_value_fill(struct gh_value_reader *r, struct gh_value *node, struct gh_gotype type,
		   struct gh_value_depth depth);

/** Children [0] … of an array of `count` values of the type at addr. */
void gh_value_fill_elements(struct gh_value_reader *r, struct gh_value *node, gh_addr addr,
			    struct gh_gotype type, uint64_t count, struct gh_value_depth depth);

/** A pointer word at node->addr to a value of the type. */
void gh_value_fill_pointer(struct gh_value_reader *r, struct gh_value *node, struct gh_gotype elem,
			   struct gh_value_depth depth);

/** An interface at node->addr. */
void gh_value_fill_interface(struct gh_value_reader *r, struct gh_value *node, bool has_methods,
			     struct gh_value_depth depth);

/** Text of a number, a bool, a string; is_withheld where it is not wanted. */
void gh_value_fill_scalar(struct gh_value_reader *r, struct gh_value *node);
void gh_value_fill_string(struct gh_value_reader *r, struct gh_value *node);

/** Append bytes at addr as a Go literal or in hexadecimal, cut, and how many there are. False: they
 * are not there. */
bool gh_value_quote(struct gh_value_reader *r, gh_addr addr, uint64_t len, struct gh_strbuf *sb);
bool gh_value_hex(struct gh_value_reader *r, gh_addr addr, uint64_t len, struct gh_strbuf *sb);

/** Types with a meaning of their own (time.Time, sync.Mutex, …); false: none of these. */
bool gh_value_fill_known(struct gh_value_reader *r, struct gh_value *node, struct gh_gotype type,
			 struct gh_value_depth depth);

/** big.Int, and addresses of net/netip: one text instead of their fields. */
bool gh_value_fill_number(struct gh_value_reader *r, struct gh_value *node, struct gh_gotype type);

/** The map or channel at `addr` (hmap or maps.Map, hchan). */
void gh_value_fill_map(struct gh_value_reader *r, struct gh_value *node, gh_addr addr,
		       gh_addr group, struct gh_value_depth depth);
void gh_value_fill_chan(struct gh_value_reader *r, struct gh_value *node, gh_addr addr,
			struct gh_gotype elem, struct gh_value_depth depth);

/** Entries of a table, or of the groups or buckets that lie side by side from addr on. */
void gh_value_fill_groups(struct gh_value_reader *r, struct gh_value *node, gh_addr addr,
			  gh_addr group, uint64_t bytes, struct gh_value_depth depth);
void gh_value_fill_table(struct gh_value_reader *r, struct gh_value *node, gh_addr addr,
			 gh_addr group, struct gh_value_depth depth);

/** Entries of a sync.Map or of the trie behind it. */
bool gh_value_fill_sync_map(struct gh_value_reader *r, struct gh_value *node,
			    struct gh_gotype type, struct gh_value_depth depth);

/** Put what was built into the node's text. */
void gh_value_set_text(struct gh_value_reader *r, struct gh_value *node,
		       const struct gh_strbuf *sb);
const char *gh_value_keep(struct gh_value_reader *r, const struct gh_strbuf *sb);

/** Bytes that are not there: says why. */
void gh_value_set_missing(struct gh_value_reader *r, struct gh_value *node, gh_addr addr,
			  uint64_t bytes);
