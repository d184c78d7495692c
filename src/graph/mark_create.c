// SPDX-License-Identifier: Apache-2.0
// What a mark stands on: classes, the state of each slot, codes, stacks. See mark_state.h.
#include <stdlib.h>
#include <sys/mman.h>

#include "base/bitmap.h"
#include "goruntime/sizeclass.h"
#include "graph/mark_state.h"

enum {
	FIRST_STACK = 4096,
	MIN_LOOSE = 1 << 18,	 // facts that are kept for inference in the smallest heap
	SLOTS_A_LOOSE_FACT = 16, // and in larger ones: a byte a slot at most
};

static struct mark_class class_of(const struct gh_span_class *from, uint8_t spanclass)
{
	uint32_t cur = from->elem_bytes, prev = 0;
	struct mark_class k = {
		.elem_bytes = cur,
		.div_mul = from->div_mul,
		.nelems = from->nelems,
		.words = cur / 8,
		.heap_bits_offset = from->heap_bits_offset,
		.scan = !(spanclass & 1),
	};

	if (spanclass < 2 || spanclass / 2 >= GH_SIZE_CLASSES) {
		k.nelems = spanclass < 2;
		k.div_mul = 0;
		k.elem_bytes = UINT32_MAX;
		k.cover_hi = UINT32_MAX;
		k.cover_lo = UINT32_MAX; // decided by covers_large
		return k;
	}
	prev = gh_size_class_bytes[spanclass / 2 - 1];
	if (k.scan && cur > GH_HEAP_BITS_MAX)
		k.header = GH_MALLOC_HEADER_BYTES;
	k.cover_hi = cur - k.header;
	k.cover_lo = prev;
	if (k.header && prev > GH_HEAP_BITS_MAX)
		k.cover_lo = prev - k.header;
	if (spanclass == GH_TINY_SPAN_CLASS)
		k.cover_lo = cur - 1; // what is smaller shares its block
	return k;
}

static void *map_anonymous(size_t bytes, int flags)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1,
		       0);

	return p == MAP_FAILED ? NULL : p;
}

/* Eight bits of the allocation bitmap as states: DEAD where one is set, FREE where none is. */
static uint64_t eight_states(uint8_t bits)
{
	const uint64_t each = 0x0101010101010101, bit_in_each = 0x8040201008040201;

	return ((((uint8_t)~bits * each & bit_in_each) + 0x7f * each) >> 7 & each) * GH_SLOT_FREE;
}

/* All slots free but the allowed ones; one more state at the end for what is no slot. */
static bool create_states(struct gh_mark *m, const uint64_t *allocated)
{
	struct gh_budget *budget = gh_runtime_budget(m->heap->rt);
	uint64_t words = gh_bitmap_words(m->nslots);

	m->narrow_bytes = (words * 64 + 1) * sizeof(*m->states.narrow);
	m->wide_bytes = (m->nslots + 1) * sizeof(*m->states.wide);
	if (!gh_budget_take(budget, m->narrow_bytes, "what each slot is"))
		return false;
	m->states.narrow = map_anonymous(m->narrow_bytes, 0);
	if (!m->states.narrow) {
		gh_budget_give(budget, m->narrow_bytes);
		return false;
	}
	madvise(m->states.narrow, m->narrow_bytes, MADV_HUGEPAGE); // if it does not, so be it
	m->states.wide = map_anonymous(m->wide_bytes, MAP_NORESERVE); // what is touched counts
	if (!m->states.wide)
		return false;
	for (uint64_t i = 0; i < words; i++)
		for (int k = 0; k < 8; k++) {
			uint64_t states = eight_states((uint8_t)(allocated[i] >> (8 * k)));

			memcpy(m->states.narrow + i * 64 + k * 8, &states, sizeof(states));
		}
	m->states.narrow[m->nslots] = GH_SLOT_NO_HEAP;
	return true;
}

/* Room for all codes, committed as they come: nobody must see the array move. */
static struct code_words *reserve_codes(void)
{
	void *p = mmap(NULL, GH_CODES * sizeof(struct code_words), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static bool create_codes(struct gh_mark *m)
{
	gh_type_id string = gh_types_string(m->types);

	m->pointers = calloc(GH_CODES, 1);
	m->words = reserve_codes();
	if (!m->pointers || !m->words)
		return false;
	for (int code = 0; code < GH_CODE_FIRST; code++) {
		struct gh_code c = {0};

		if (code == GH_CODE_TINY)
			c = (struct gh_code){0, GH_FORM_TINY, GH_STRENGTH_DECLARED};
		if (!gh_code_vec_push(&m->codes, c))
			return false;
		m->pointers[code] = 2;
		m->words[code].ready = true;
	}
	m->string_code = gh_code_for(m, string, GH_FORM_ONE, GH_STRENGTH_DECLARED);
	return !m->nomem && m->string_code != GH_CODE_UNKNOWN;
}

static void modules_range(const struct gh_runtime *rt, struct gh_mark *m)
{
	gh_addr lo = UINT64_MAX, hi = 0;

	for (size_t i = 0; i < rt->modules.len; i++) {
		const struct gh_module *module = &rt->modules.data[i];

		lo = gh_min_u64(lo, gh_min_u64(module->text, module->types));
		hi = gh_max_u64(hi, gh_max_u64(module->end, module->etypes));
	}
	m->modules_lo = hi > lo ? lo : 0;
	m->modules_bytes = hi > lo ? hi - lo : 0;
}

struct gh_error *gh_mark_create(const struct gh_heap *heap, struct gh_types *types,
				const uint64_t *allocated, struct gh_mark **ret)
{
	struct gh_mark *m = calloc(1, sizeof(*m));

	if (!m)
		return gh_error_nomem();
	m->heap = heap;
	m->types = types;
	m->lo = heap->lo;
	m->span_bytes = heap->hi - heap->lo;
	m->pages = heap->pages;
	m->nslots = heap->table.nslots;
	// no key of that slot: the first entry must not stand for a missing type
	m->eface[0].key = m->iface[0].key = UINT64_MAX;
	m->nthreads = 1;
	modules_range(heap->rt, m);
	gh_user_arenas_init(m);
	m->max_loose = gh_max_u64(MIN_LOOSE, m->nslots / SLOTS_A_LOOSE_FACT);
	for (int i = 0; i < NCLASSES; i++)
		m->classes[i] = class_of(&heap->table.classes[i], (uint8_t)i);
	if (!create_states(m, allocated) || !create_codes(m)) {
		gh_mark_destroy(m);
		return gh_error_nomem();
	}
	*ret = m;
	return NULL;
}

void gh_mark_destroy(struct gh_mark *mark)
{
	if (!mark)
		return;
	gh_code_vec_deinit(&mark->codes);
	free(mark->pointers);
	if (mark->words)
		munmap(mark->words, GH_CODES * sizeof(*mark->words));
	free(mark->code_of);
	free(mark->tiles);
	gh_arena_deinit(&mark->arena);
	gh_user_arenas_deinit(mark);
	gh_inference_destroy(mark->inference);
	gh_round_destroy(mark->round);
	gh_budget_give(gh_runtime_budget(mark->heap->rt),
		       mark->loose.cap * sizeof(*mark->loose.data) +
			       (mark->states.narrow ? mark->narrow_bytes : 0));
	loose_fact_vec_deinit(&mark->loose);
	if (mark->states.narrow)
		munmap(mark->states.narrow, mark->narrow_bytes);
	if (mark->states.wide)
		munmap(mark->states.wide, mark->wide_bytes);
	gh_mark_free_stack(mark, &mark->stacks[0]);
	gh_mark_free_stack(mark, &mark->stacks[1]);
	free(mark);
}

bool gh_mark_reserve(struct gh_mark *m, struct mark_stack *stack, size_t more)
{
	size_t cap = stack->cap ? stack->cap : FIRST_STACK;
	void *p;

	if (stack->len + more <= stack->cap)
		return true;
	while (cap < stack->len + more)
		cap *= 2;
	if (!gh_budget_take(gh_runtime_budget(m->heap->rt),
			    (cap - stack->cap) * sizeof(*stack->data),
			    "objects that wait to be scanned"))
		return false;
	// a stack may take half of what the mark does: it grows where nothing is copied or left over
	p = stack->data ? mremap(stack->data, stack->cap * sizeof(*stack->data),
				 cap * sizeof(*stack->data), MREMAP_MAYMOVE)
			: map_anonymous(cap * sizeof(*stack->data), MAP_NORESERVE);
	if (!p || p == MAP_FAILED) {
		gh_budget_give(gh_runtime_budget(m->heap->rt),
			       (cap - stack->cap) * sizeof(*stack->data));
		return false;
	}
	stack->data = p;
	stack->cap = cap;
	return true;
}

void gh_mark_free_stack(struct gh_mark *m, struct mark_stack *stack)
{
	gh_budget_give(gh_runtime_budget(m->heap->rt), stack->cap * sizeof(*stack->data));
	if (stack->data)
		munmap(stack->data, stack->cap * sizeof(*stack->data));
	*stack = (struct mark_stack){0};
}
