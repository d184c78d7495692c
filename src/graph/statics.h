// SPDX-License-Identifier: Apache-2.0
// Package variables and other static data: which words the collector scans (the modules' data and
// bss masks), and what each of them points to, as far as DWARF's variables tell and pointers
// between static values (`var c = &Cache{}`) carry on.
#pragma once

#include "graph/mark.h"

struct gh_statics;

/** Errors: NOMEM, CANCELLED. rt->dwarf may be NULL: then no word is typed to begin with. */
struct gh_error *gh_statics_create(const struct gh_runtime *rt, struct gh_types *types,
				   const struct gh_poll *poll,
				   struct gh_statics **ret) GH_MUST_CHECK;
void gh_statics_destroy(struct gh_statics *statics);

/**
 * Called for each root word; name is the package variable's. A value without a name (`var c =
 * &Cache{}`) counts for the variable that leads to it. The section's where none is known.
 */
typedef void (*gh_static_fn)(void *ctx, const char *name, const struct gh_root *root);

/** All scanned words that are not 0, by address. names: look up the variables' names too. */
void gh_statics_visit(struct gh_statics *statics, bool names, gh_static_fn fn, void *ctx);

/** Bytes of the address range, from *lo_ret, that holds all static data with pointers (and more).
 */
uint64_t gh_statics_range(const struct gh_statics *statics, gh_addr *lo_ret);

/**
 * A pointer to `count` values of the type leads to addr: type the words there that have no type
 * yet, and those that they lead to. fn is called for each heap pointer among the newly typed words.
 */
void gh_statics_type(struct gh_statics *statics, gh_addr addr, gh_type_id type, uint64_t count,
		     gh_static_fn fn, void *ctx);

/** Is it known that the same call of gh_statics_type would change nothing? Changes nothing. */
bool gh_statics_knows(const struct gh_statics *statics, gh_addr addr, gh_type_id type,
		      uint64_t count);

/** Words without a type; words scanned. */
uint64_t gh_statics_untyped(const struct gh_statics *statics);
uint64_t gh_statics_words(const struct gh_statics *statics);

/** Words that were not looked at: they are missing, or what tells pointers from numbers there is. */
uint64_t gh_statics_lost(const struct gh_statics *statics);

/** A package variable. */
struct gh_static_var {
	const char *name; // "main.cache"; the statics' or DWARF's
	gh_addr addr;
	uint64_t size;
	gh_dtype type; // 0: not known
};

/** The package variable at addr, by DWARF or else the symbol table. False: none with a name. */
bool gh_statics_variable(struct gh_statics *s, gh_addr addr, struct gh_static_var *ret);

/**
 * The word of static data that leads to the static value around addr: the nearest one that begins
 * at or before it, with no variable between. False: none.
 */
bool gh_statics_link(struct gh_statics *s, gh_addr addr, struct gh_root *ret);

/** The word at an address that the collector scans. False: it is none. */
bool gh_statics_word(const struct gh_statics *s, gh_addr at, struct gh_root *ret);

enum { GH_STATICS_MAX_LINKS = 32 }; // from a variable to a value without a name

/** Name of the variable that addr counts for; `otherwise` where there is none. */
const char *gh_statics_owner_name(struct gh_statics *s, gh_addr addr, const char *otherwise);
