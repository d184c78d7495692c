// SPDX-License-Identifier: Apache-2.0
// Pointer masks of types: built ones, GC programs (up to go1.23), and masks that the runtime has
// not built yet (go1.24+). Mirrors runtime/type.go (getGCMask, buildGCMask), mbitmap.go
// (runGCProg).
#include "base/bitmap.h"
#include "goruntime/rtype.h"

enum { MAX_DEPTH = 64, MAX_PROGRAM_OPS = 1 << 24 };

/* A mask being built: bits at and beyond nwords are dropped. */
struct mask {
	const struct gh_runtime *rt;
	uint64_t *words;
	uint64_t nwords;
	uint64_t budget; // types still to look at: a damaged type graph must end
};

static void set(struct mask *m, uint64_t word)
{
	if (word < m->nwords)
		gh_bitmap_set(m->words, word);
}

static bool copy_mask(struct mask *m, gh_addr from, uint64_t at, uint64_t n)
{
	const uint8_t *p = gh_image_at(m->rt->image, from, (n + 7) / 8);

	if (!p)
		return false;
	for (uint64_t i = 0; i < n; i++)
		if (p[i / 8] >> (i % 8) & 1)
			set(m, at + i);
	return true;
}

static bool build(struct mask *m, gh_addr addr, uint64_t at, int depth);

static bool build_array(struct mask *m, const struct gh_rtype *t, uint64_t at, int depth)
{
	struct gh_rtype elem;

	if (!gh_rtype_read(m->rt, t->elem, &elem) || elem.size == 0)
		return false;
	for (uint64_t i = 0; i < t->len && at < m->nwords; i++, at += elem.size / 8)
		if (!build(m, t->elem, at, depth + 1))
			return false;
	return true;
}

/* Mask of the type at addr, from word `at` on, by its shape. */
static bool build(struct mask *m, gh_addr addr, uint64_t at, int depth)
{
	struct gh_rtype t;
	struct gh_rfield field;

	if (depth > MAX_DEPTH || m->budget == 0 || !gh_rtype_read(m->rt, addr, &t))
		return false;
	m->budget--;
	if (t.ptr_bytes == 0)
		return true;
	if (!t.mask_on_demand && !t.gc_program && t.gcdata)
		return copy_mask(m, t.gcdata, at, gh_min_u64(t.ptr_bytes / 8, m->nwords));
	switch (t.kind) {
	case GH_KIND_ARRAY:
		return build_array(m, &t, at, depth);
	case GH_KIND_STRUCT:
		for (uint64_t i = 0; i < t.nfields; i++)
			if (!gh_rtype_field(m->rt, &t, i, &field) ||
			    !build(m, field.type, at + field.offset / 8, depth + 1))
				return false;
		return true;
	case GH_KIND_INTERFACE:
		set(m, at);
		set(m, at + 1);
		return true;
	default: // pointers, and the first word of strings and slices
		set(m, at);
		return true;
	}
}

/* Run a GC program: literal bits, and repeats of the bits before. */
static bool run_program(struct mask *m, gh_addr p)
{
	uint64_t out = 0, n, count;
	uint8_t op, byte = 0;

	p += 4; // length of the program
	for (uint64_t ops = 0; ops < MAX_PROGRAM_OPS && out < m->nwords; ops++) {
		if (!gh_read_u8(m->rt->image, p++, &op))
			return false;
		if (op == 0)
			return true;
		n = op & 0x7f;
		if (!(op & 0x80)) {
			for (uint64_t i = 0; i < n; i++, out++) {
				if (i % 8 == 0 && !gh_read_u8(m->rt->image, p++, &byte))
					return false;
				if (byte >> (i % 8) & 1)
					set(m, out);
			}
			continue;
		}
		if ((n == 0 && !gh_read_uvarint(m->rt->image, &p, &n)) || 
		    !gh_read_uvarint(m->rt->image, &p, &count) || n > out)
			return false;
		for (uint64_t c = 0; c < count && out < m->nwords; c++)
			for (uint64_t i = 0; i < n && out < m->nwords; i++, out++)
				if (gh_bitmap_test(m->words, out - n))
					set(m, out);
	}
	return true;
}

bool gh_rtype_mask(const struct gh_runtime *rt, const struct gh_rtype *type, uint64_t nwords,
		   uint64_t *words)
{
	struct mask m = {.rt = rt, .words = words, .nwords = nwords, .budget = nwords * 8 + 1024};
	gh_addr built;

	nwords = gh_min_u64(nwords, type->ptr_bytes / 8);
	m.nwords = nwords;
	if (nwords == 0)
		return true;
	if (type->gc_program)
		return run_program(&m, type->gcdata);
	if (!type->mask_on_demand)
		return copy_mask(&m, type->gcdata, 0, nwords);
	// a word in bss: 0 not built yet, or &runtime.inProgress while it is being built
	if (gh_read_u64(rt->image, type->gcdata, &built) && built &&
	    built != rt->var[GH_V_inProgress] && copy_mask(&m, built, 0, nwords))
		return true;
	return build(&m, type->addr, 0, 0);
}
