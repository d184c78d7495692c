// SPDX-License-Identifier: Apache-2.0
// Visiting the roots. See roots.h.
#include "graph/roots.h"

#include "base/cleanup.h"
#include "goruntime/special.h"
#include "graph/stacktypes.h"

enum {
	MAX_BLOCKS = 1 << 16,	// of a queue
	BLOCK_BYTES = 4096,	// runtime/mfinal.go, mcleanup.go: at most
	POLL_EVERY = 1024,	// goroutines
	AHEAD = 4, // of them: their stacks are asked for before they are scanned
};

struct visit {
	const struct gh_heap *heap;
	const struct gh_runtime *rt;
	struct gh_types *types;
	struct gh_statics *statics;
	const struct gh_root_sink *sink;
	struct gh_root_counts counts;
	struct gh_root_owner owner;
	struct gh_stack_scan scan;
	struct gh_dlocal_vec locals, locals_after; // of the frame looked at last
	uint32_t frame_of_locals;
	struct gh_stack_types stack_types;
};

const char *gh_root_kind_name(enum gh_root_kind kind)
{
	static const char *const names[GH_ROOT_KINDS] = {
		"global",    "goroutine", "timer", "defer",
		"finalizer", "cleanup",   "weak",  "runtime"};

	return kind < GH_ROOT_KINDS ? names[kind] : "unknown";
}

static void emit(struct visit *v, const struct gh_root *root)
{
	if (root->value && v->sink->word)
		v->sink->word(v->sink->ctx, &v->owner, root);
}

static void emit_static(void *ctx, const char *name, const struct gh_root *root)
{
	struct visit *v = ctx;

	v->owner = (struct gh_root_owner){.kind = GH_ROOT_GLOBAL, .name = name};
	emit(v, root);
}

/* One pointer word in memory of the runtime. */
static void emit_at(struct visit *v, gh_addr at, struct gh_edge edge)
{
	struct gh_root root = {.at = at, .edge = edge, .exact = true};

	if (gh_read_u64(v->rt->image, at, &root.value))
		emit(v, &root);
}

static const struct gh_edge func_edge = {.kind = GH_EDGE_FUNC};
static const struct gh_edge no_edge = {.kind = GH_EDGE_UNKNOWN};

/* What a finalizer was set on: ot is the *T given to SetFinalizer. */
static struct gh_edge finalized(struct visit *v, gh_addr ot)
{
	struct gh_rtype t;
	gh_type_id type = 0;

	if (gh_module_of_types(v->rt, ot) && gh_rtype_read(v->rt, ot, &t) &&
	    t.kind == GH_KIND_POINTER)
		type = gh_types_of_rtype(v->types, t.elem);
	return (struct gh_edge){.type = type, .kind = type ? GH_EDGE_POINTER : GH_EDGE_UNKNOWN};
}

/* runtime/mfinal.go: blocks of finalizers that are due. */
static void visit_finalizer_queue(struct visit *v)
{
	const struct gh_runtime *rt = v->rt;
	int32_t size = rt->layout.struct_size[GH_S_finalizer];
	uint64_t block = 0;
	int steps = 0;

	v->owner = (struct gh_root_owner){.kind = GH_ROOT_FINALIZER, .name = "finalizer queue"};
	if (!rt->var[GH_V_allfin] || size <= 0 || !gh_has(&rt->layout, GH_F_finblock_fin))
		return;
	gh_read_u64(rt->image, rt->var[GH_V_allfin], &block);
	for (; block && steps < MAX_BLOCKS; steps++) {
		gh_addr first = block + (uint64_t)rt->layout.offset[GH_F_finblock_fin];
		uint64_t n, max = gh_image_readable(rt->image, first, BLOCK_BYTES) / (uint64_t)size;

		if (!gh_field(rt, block, GH_F_finblock_cnt, &n))
			break;
		for (uint64_t i = 0; i < gh_min_u64(n, max); i++) {
			gh_addr at = first + i * (uint64_t)size;
			gh_addr ot = gh_field_or_zero(rt, at, GH_F_finalizer_ot);

			emit_at(v, at + (uint64_t)rt->layout.offset[GH_F_finalizer_fn], func_edge);
			emit_at(v, at + (uint64_t)rt->layout.offset[GH_F_finalizer_arg],
				finalized(v, ot));
			emit_at(v, at + (uint64_t)rt->layout.offset[GH_F_finalizer_fint], no_edge);
			emit_at(v, at + (uint64_t)rt->layout.offset[GH_F_finalizer_ot], no_edge);
		}
		if (!gh_field(rt, block, GH_F_finblock_alllink, &block))
			break;
	}
	v->counts.damaged_lists += block != 0;
}

/* A cleanup: a closure (go1.24, go1.25), or {call, fn, arg} (go1.26+). */
static void visit_cleanup(struct visit *v, gh_addr at)
{
	emit_at(v, at, func_edge);
	if (!v->rt->release->cleanup_is_struct)
		return;
	emit_at(v, at + 8, no_edge);
	emit_at(v, at + 16, no_edge);
}

/* runtime/mcleanup.go (go1.25+): blocks of cleanups that are due. */
static void visit_cleanup_queue(struct visit *v)
{
	const struct gh_runtime *rt = v->rt;
	uint64_t size = rt->release->cleanup_is_struct ? 24 : 8, block = 0;
	int steps = 0;

	v->owner = (struct gh_root_owner){.kind = GH_ROOT_CLEANUP, .name = "cleanup queue"};
	if (!rt->var[GH_V_gcCleanups] || !gh_has(&rt->layout, GH_F_cleanupQueue_all) ||
	    !gh_has(&rt->layout, GH_F_cleanupBlock_cleanups))
		return;
	gh_field(rt, rt->var[GH_V_gcCleanups], GH_F_cleanupQueue_all, &block);
	for (; block && steps < MAX_BLOCKS; steps++) {
		gh_addr first = block + (uint64_t)rt->layout.offset[GH_F_cleanupBlock_cleanups];
		uint64_t n, max = gh_image_readable(rt->image, first, BLOCK_BYTES) / size;

		if (!gh_field(rt, block, GH_F_cleanupBlockHeader_n, &n))
			break;
		for (uint64_t i = 0; i < gh_min_u64(n, max); i++)
			visit_cleanup(v, first + i * size);
		if (!gh_field(rt, block, GH_F_cleanupBlockHeader_alllink, &block))
			break;
	}
	v->counts.damaged_lists += block != 0;
}

static void visit_finalizer(struct visit *v, gh_addr record, gh_addr object)
{
	struct gh_edge edge =
		finalized(v, gh_field_or_zero(v->rt, record, GH_F_specialfinalizer_ot));

	v->owner = (struct gh_root_owner){.kind = GH_ROOT_FINALIZER, .name = "finalizers"};
	if (v->sink->contents)
		v->sink->contents(v->sink->ctx, &v->owner, object, edge);
	if (gh_has(&v->rt->layout, GH_F_specialfinalizer_fn))
		emit_at(v, record + (uint64_t)v->rt->layout.offset[GH_F_specialfinalizer_fn],
			func_edge);
	v->counts.has_specials |= edge.type != 0;
	if (edge.type && v->sink->names_object)
		v->sink->names_object(v->sink->ctx, object, edge.type);
}

/* runtime/mgcmark.go:markrootSpans. */
static void visit_special(struct visit *v, const struct gh_special *special)
{
	const struct gh_layout *layout = &v->rt->layout;
	gh_addr record = special->record;

	switch (special->kind) {
	case GH_SPECIAL_FINALIZER:
		visit_finalizer(v, record, special->object);
		break;
	case GH_SPECIAL_WEAK_HANDLE:
		v->owner = (struct gh_root_owner){.kind = GH_ROOT_WEAK, .name = "weak handles"};
		if (gh_has(layout, GH_F_specialWeakHandle_handle))
			emit_at(v, record + (uint64_t)layout->offset[GH_F_specialWeakHandle_handle],
				no_edge);
		break;
	case GH_SPECIAL_CLEANUP:
		v->owner = (struct gh_root_owner){.kind = GH_ROOT_CLEANUP, .name = "cleanups"};
		if (gh_has(layout, GH_F_specialCleanup_fn))
			visit_cleanup(v, record + (uint64_t)layout->offset[GH_F_specialCleanup_fn]);
		break;
	default:
		break;
	}
}

/* The span says what its one object is. */
static void visit_user_arena(struct visit *v, const struct gh_span *span)
{
	if (!span->is_user_arena)
		return;
	v->counts.has_specials = true;
	if (v->sink->names_object)
		v->sink->names_object(v->sink->ctx, span->base, gh_types_user_arena(v->types));
}

static void visit_specials(struct visit *v)
{
	const struct gh_span_vec *spans = &v->heap->table.spans;
	struct gh_special special;

	for (size_t i = 0; i < spans->len; i++) {
		struct gh_special_walk walk = {0};

		visit_user_arena(v, &spans->data[i]);
		while (gh_special_next(v->rt, &spans->data[i], &walk, &special))
			visit_special(v, &special);
		v->counts.damaged_lists += walk.is_damaged;
	}
}

/*
 * A part of a variable that the compiler took apart (cmd/compile/internal/ssa/func.go: SplitString,
 * SplitInterface, SplitSlice): "x.data" of an interface has the type *uint8 whatever it leads to,
 * "x.ptr" that of one element. No source has such names but for fields of structs taken apart.
 */
static bool is_split(const struct visit *v, const struct gh_dlocal *local)
{
	const char *dot = strrchr(local->name, '.');
	const struct gh_dtype_info *info;

	if (!dot || strcmp(dot, ".data") != 0)
		return dot && !strcmp(dot, ".ptr");
	info = gh_dwarf_type(v->rt->dwarf, local->type);
	info = info && info->kind == GH_DK_POINTER ? gh_dwarf_type(v->rt->dwarf, info->elem) : NULL;
	return info && info->go_kind == GH_KIND_UINT8;
}

/*
 * The data word of an interface whose type word the compiler keeps elsewhere in the frame: what
 * that type says. Without the type word nothing is known.
 */
static struct gh_edge edge_of_data(struct visit *v, const struct gh_dlocal_vec *locals,
				   const struct gh_frame *frame, const struct gh_dlocal *data,
				   struct gh_edge edge)
{
	gh_addr found = 0, type;

	for (size_t i = 0; i < locals->len; i++) {
		const struct gh_dlocal *local = &locals->data[i];

		if (strcmp(local->name, data->name) != 0 || local->type != data->type ||
		    local->type_offset + 8 != data->type_offset || local->size < 8)
			continue;
		if (!gh_read_u64(v->rt->image, frame->fp + (uint64_t)local->cfa_offset, &type) ||
		    (found && found != type))
			return no_edge; // of another variable of that name
		found = type;
	}
	if (edge.kind == GH_EDGE_IFACE)
		found = gh_itab_type(v->rt, found);
	return gh_module_of_types(v->rt, found) ? gh_types_dynamic(v->types, found) : no_edge;
}

/* The variable that DWARF puts at this word of the frame, if exactly one kind of edge fits. */
static struct gh_edge stack_edge(struct visit *v, const struct gh_dlocal_vec *locals,
				 const struct gh_frame *frame, gh_addr at, struct gh_root *root)
{
	struct gh_edge edge = no_edge, one;

	for (size_t i = 0; i < locals->len; i++) {
		const struct gh_dlocal *local = &locals->data[i];
		uint64_t inside = at - (frame->fp + (uint64_t)local->cfa_offset);
		const struct gh_edge *edges;
		struct gh_type type;
		gh_type_id id;

		if (inside >= local->size || (inside + local->type_offset) % 8 ||
		    is_split(v, local))
			continue;
		id = gh_types_of_dwarf(v->types, local->type);
		edges = id ? gh_types_edges(v->types, id) : NULL;
		type = *gh_types_get(v->types, id);
		if (!edges || (inside + local->type_offset) / 8 >= type.nwords)
			continue;
		one = edges[(inside + local->type_offset) / 8];
		if (inside == 0 && local->type_offset &&
		    (one.kind == GH_EDGE_EFACE || one.kind == GH_EDGE_IFACE))
			one = edge_of_data(v, locals, frame, local, one);
		if (edge.kind != GH_EDGE_UNKNOWN &&
		    (edge.kind != one.kind || edge.type != one.type))
			return no_edge; // variables of different types share the place
		edge = one;
		root->before = (uint32_t)(inside / 8);
		root->after = (uint32_t)((local->size - inside) / 8 - 1);
	}
	return edge;
}

static void load_locals(struct visit *v, gh_addr pc, struct gh_dlocal_vec *locals)
{
	_cleanup_error_ struct gh_error *err = NULL;

	locals->len = 0;
	if (v->rt->dwarf)
		err = gh_dwarf_locals(v->rt->dwarf, pc - v->rt->target->exe_bias, locals);
}

/*
 * What the variables of a frame say of its word. Up to the end of a call instruction DWARF may have
 * a variable in a register that the call does not keep; behind it, in the slot where it was all
 * the time.
 */
static struct gh_edge frame_edge(struct visit *v, const struct gh_stack_word *word,
				 const struct gh_frame *frame, struct gh_root *root)
{
	struct gh_edge edge;

	if (v->frame_of_locals != word->frame) {
		load_locals(v, frame->sym_pc, &v->locals);
		v->locals_after.len = 0;
		if (frame->pc != frame->sym_pc)
			load_locals(v, frame->pc, &v->locals_after);
		v->frame_of_locals = word->frame;
	}
	edge = stack_edge(v, &v->locals, frame, word->at, root);
	return edge.kind != GH_EDGE_UNKNOWN
		       ? edge
		       : stack_edge(v, &v->locals_after, frame, word->at, root);
}

/* The word as the variables of its frame tell. */
static struct gh_root root_of_word(struct visit *v, const struct gh_stack_word *word)
{
	struct gh_root root = {.value = word->value, .at = word->at};
	const struct gh_frame *frame =
		word->frame < v->scan.frames.len ? &v->scan.frames.data[word->frame] : NULL;

	if (!frame || !word->at)
		return root;
	root.edge = frame_edge(v, word, frame, &root);
	return root;
}

static void find_host(struct visit *v, gh_addr at, struct gh_root *root)
{
	root->host = gh_image_at(v->rt->image, at - root->before * 8ULL,
				 (root->before + root->after + 1ULL) * 8);
	if (root->host)
		root->host += root->before * 8ULL;
}

static void visit_stack_word(struct visit *v, const struct gh_stack_word *word)
{
	struct gh_root root = {.value = word->value, .at = word->at};

	if (v->sink->raw) {
		emit(v, &root);
		return;
	}
	root = root_of_word(v, word);
	v->counts.stack_words++;
	if (word->at && root.edge.kind == GH_EDGE_UNKNOWN) {
		const struct gh_stack_typed *typed = gh_stack_types_at(&v->stack_types, word->at);

		if (typed) {
			root.edge = typed->edge;
			root.before = typed->before;
			root.after = typed->after;
		}
	}
	if (word->at)
		find_host(v, word->at, &root);
	v->counts.typed_stack_words += root.edge.kind != GH_EDGE_UNKNOWN;
	emit(v, &root);
}

/* What lies on the stack without a name, by the pointers that lead to it. */
static struct gh_error *type_stack(struct visit *v, const struct gh_goroutine *g)
{
	struct gh_error *err =
		gh_stack_types_begin(&v->stack_types, v->rt, v->types, g, &v->scan);

	for (size_t i = 0; i < v->scan.inner.len && !err; i++) {
		const struct gh_stack_word *word = &v->scan.inner.data[i];
		struct gh_root root = root_of_word(v, word);

		if (root.edge.kind == GH_EDGE_UNKNOWN)
			continue;
		find_host(v, word->at, &root);
		gh_stack_types_follow(&v->stack_types, &root);
	}
	return err ? err : gh_stack_types_spread(&v->stack_types);
}

static void note_scan(struct visit *v)
{
	v->counts.goroutines++;
	v->counts.goroutines_skipped += v->scan.skipped;
	v->counts.goroutines_off_safepoint += v->scan.off_safepoint;
	v->counts.goroutines_incomplete += v->scan.whole_stack;
	v->counts.conservative_frames += v->scan.conservative_frames;
}

static struct gh_error *visit_goroutine(struct visit *v, const struct gh_goroutine *g,
					bool conservative)
{
	struct gh_error *err = gh_stack_scan(v->rt, g, &v->scan);

	if (err)
		return err;
	v->frame_of_locals = UINT32_MAX;
	v->owner = (struct gh_root_owner){.kind = GH_ROOT_GOROUTINE, .goid = g->goid, .g = g};
	if (!conservative)
		note_scan(v);
	if (!conservative && v->sink->scanned)
		v->sink->scanned(v->sink->ctx, &v->owner, &v->scan);
	if (!conservative && v->sink->word && !v->sink->raw)
		err = type_stack(v, g);
	for (size_t i = 0; !err && i < v->scan.words.len; i++) {
		const struct gh_stack_word *word = &v->scan.words.data[i];

		if (word->conservative != conservative)
			continue;
		if (!conservative && v->sink->word)
			visit_stack_word(v, word);
		else if (conservative && v->sink->conservative)
			v->sink->conservative(v->sink->ctx, &v->owner, word->value);
	}
	return err;
}

static struct gh_error *visit_goroutines(struct visit *v, const struct gh_goroutine_vec *all,
					 const struct gh_poll *poll)
{
	_cleanup_free_ bool *again = gh_alloc_array(all->len, sizeof(*again));
	struct gh_error *err = NULL;

	if (!again)
		return gh_error_nomem();
	for (size_t i = 0; !err && i < all->len; i++) {
		uint64_t before = v->counts.conservative_frames;

		if (i + AHEAD < all->len)
			gh_stack_prefetch(v->rt, &all->data[i + AHEAD]);
		if (gh_goroutine_is_dead(&all->data[i]))
			continue;
		err = visit_goroutine(v, &all->data[i], false);
		again[i] = v->counts.conservative_frames != before || v->scan.off_safepoint ||
			   v->scan.whole_stack;
		if (!err && i % POLL_EVERY == 0)
			err = gh_poll(poll, "scanning stacks", i, all->len);
	}
	for (size_t i = 0; !err && i < all->len; i++)
		if (again[i])
			err = visit_goroutine(v, &all->data[i], true);
	return err;
}

struct gh_error *gh_roots_visit(const struct gh_heap *heap, struct gh_types *types,
				struct gh_statics *statics,
				const struct gh_goroutine_vec *goroutines,
				const struct gh_poll *poll, const struct gh_root_sink *sink,
				struct gh_root_counts *counts_ret)
{
	struct visit v = {
		.heap = heap, .rt = heap->rt, .types = types, .statics = statics, .sink = sink};
	struct gh_error *err;

	if (sink->word) // a visit for the rest alone spares the types of all words
		gh_statics_visit(statics, sink->names, emit_static, &v);
	visit_finalizer_queue(&v);
	visit_cleanup_queue(&v);
	visit_specials(&v);
	err = visit_goroutines(&v, goroutines, poll);
	gh_stack_scan_deinit(&v.scan);
	gh_dlocal_vec_deinit(&v.locals);
	gh_dlocal_vec_deinit(&v.locals_after);
	gh_stack_types_deinit(&v.stack_types);
	if (counts_ret)
		*counts_ret = v.counts;
	return err;
}
