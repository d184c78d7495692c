// SPDX-License-Identifier: Apache-2.0
// Variables of functions that lie in the frame, and what closures capture. A function is decoded
// when it is first asked for and kept as flat tables, so that ten thousand frames of it cost
// little. Go's DW_AT_frame_base is always DW_OP_call_frame_cfa: DW_OP_fbreg N is CFA + N
// (cmd/compile/internal/dwarfgen/dwarf.go).
#include "dwarf/internal.h"

#include <dwarf.h>
#include <stdlib.h>

enum {
	MAX_DEPTH = 64,	 // lexical blocks and inlined calls in each other
	PLACE_BYTES = 8, // an entry of a location or range list, about
	MAX_PIECE_BYTES = 1 << 30,
	NO_SCOPE = UINT32_MAX,
	KIND_SLICE = 23, // reflect.Kind
	KIND_STRING = 24,
};

/* A part of the function where some variables are: a block or an inlined call. */
struct scope {
	uint32_t parent; // index; NO_SCOPE for the function itself
	uint32_t first_range, nranges;
};
GH_VEC(scope_vec, struct scope);

struct range {
	gh_addr low, high;
};
GH_VEC(range_vec, struct range);

/* A piece of a variable that lies in the frame for pcs in [low, high). */
struct place {
	gh_addr low, high;
	uint32_t scope;
	struct gh_dlocal local;
};
GH_VEC(place_vec, struct place);

struct gh_dwarf_body {
	struct scope_vec scopes; // parents before children
	struct range_vec ranges;
	struct place_vec places; // by scope
	struct gh_dcapture_vec captures, others;
	struct gh_dcapture_vec params, inlined; // of the function; of the calls inlined into it
};

static void body_destroy(struct gh_dwarf_body *body)
{
	if (!body)
		return;
	scope_vec_deinit(&body->scopes);
	range_vec_deinit(&body->ranges);
	place_vec_deinit(&body->places);
	gh_dcapture_vec_deinit(&body->captures);
	gh_dcapture_vec_deinit(&body->others);
	gh_dcapture_vec_deinit(&body->params);
	gh_dcapture_vec_deinit(&body->inlined);
	free(body);
}

void gh_dwarf_local_deinit(struct gh_dwarf *dwarf)
{
	for (size_t i = 0; i < dwarf->bodies.len; i++)
		body_destroy(dwarf->bodies.data[i]);
	gh_dwarf_body_vec_deinit(&dwarf->bodies);
	gh_offset_map_deinit(&dwarf->body_of_func);
}

/* Where an expression stands: an offset from the CFA, a number, or what we do not follow. */
struct stack {
	int64_t value[4];
	bool is_cfa[4];
	int depth;
	bool unknown;
};

static void push(struct stack *stack, bool is_cfa, uint64_t value)
{
	if (stack->depth == (int)GH_ARRAY_SIZE(stack->value)) {
		stack->unknown = true;
		return;
	}
	stack->value[stack->depth] = (int64_t)value;
	stack->is_cfa[stack->depth++] = is_cfa;
}

static void step(struct stack *stack, const Dwarf_Op *op, bool frame_is_cfa)
{
	int top = stack->depth - 1;

	switch (op->atom) {
	case DW_OP_call_frame_cfa:
		push(stack, true, 0);
		return;
	case DW_OP_fbreg:
		stack->unknown |= !frame_is_cfa;
		push(stack, true, op->number);
		return;
	case DW_OP_const1u:
	case DW_OP_const1s:
	case DW_OP_const2u:
	case DW_OP_const2s:
	case DW_OP_const4u:
	case DW_OP_const4s:
	case DW_OP_const8u:
	case DW_OP_const8s:
	case DW_OP_constu:
	case DW_OP_consts:
		push(stack, false, op->number);
		return;
	case DW_OP_plus_uconst:
		if (top < 0)
			break;
		stack->value[top] = (int64_t)((uint64_t)stack->value[top] + op->number);
		return;
	case DW_OP_plus:
		if (top < 1 || (stack->is_cfa[top] && stack->is_cfa[top - 1]))
			break;
		stack->value[top - 1] =
			(int64_t)((uint64_t)stack->value[top - 1] + (uint64_t)stack->value[top]);
		stack->is_cfa[top - 1] |= stack->is_cfa[top];
		stack->depth--;
		return;
	default:
		break;
	}
	stack->unknown = true;
}

static bool lies_in_frame(const struct stack *stack)
{
	return !stack->unknown && stack->depth == 1 && stack->is_cfa[0];
}

static bool is_register(const Dwarf_Op *ops, size_t nops)
{
	return nops == 1 && ((ops->atom >= DW_OP_reg0 && ops->atom <= DW_OP_reg31) ||
			     ops->atom == DW_OP_regx);
}

/*
 * The pieces of one expression that lie in the frame. *lacks is set where words of the variable
 * have no piece. False: out of memory.
 */
static bool add_pieces(struct gh_dwarf_body *body, struct place place, const Dwarf_Op *ops,
		       size_t nops, uint64_t var_size, bool frame_is_cfa, bool *lacks)
{
	struct stack stack = {0};
	uint64_t at = 0;
	bool has_pieces = false;

	for (size_t i = 0; i < nops; i++) {
		uint64_t size = ops[i].number;

		if (ops[i].atom != DW_OP_piece) {
			step(&stack, &ops[i], frame_is_cfa);
			continue;
		}
		if (size > MAX_PIECE_BYTES)
			return true;
		has_pieces = true;
		place.local.cfa_offset = stack.value[0];
		place.local.size = size;
		place.local.type_offset = at;
		if (size && lies_in_frame(&stack) && !place_vec_push(&body->places, place))
			return false;
		at += size;
		stack = (struct stack){0};
	}
	*lacks |= has_pieces ? at + 8 <= var_size : is_register(ops, nops) && var_size > 8;
	if (has_pieces || !lies_in_frame(&stack) || var_size == 0)
		return true;
	place.local.cfa_offset = stack.value[0];
	place.local.size = var_size;
	place.local.type_offset = 0;
	return place_vec_push(&body->places, place);
}

/* What is common to all variables of a function while it is read. */
struct reader {
	struct gh_dwarf *dwarf;
	struct gh_dwarf_body *body;
	bool frame_is_cfa;
};

static bool add_capture(const struct reader *r, Dwarf_Die *die, const struct gh_dlocal *local)
{
	struct gh_dcapture capture = {.name = local->name, .type = local->type};
	Dwarf_Attribute attr;
	Dwarf_Word offset;

	if (dwarf_attr_integrate(die, GH_AT_go_closure_offset, &attr) &&
	    dwarf_formudata(&attr, &offset) == 0) {
		capture.offset = offset;
		return gh_dcapture_vec_push(&r->body->captures, capture);
	}
	capture.offset = (uint64_t)GH_NO_OFFSET;
	return local->is_param || gh_dcapture_vec_push(&r->body->others, capture);
}

/* Results are parameters of their own kind (cmd/internal/dwarf: DW_AT_variable_parameter). */
static bool is_result(Dwarf_Die *die)
{
	Dwarf_Attribute attr;
	bool is = false;

	return dwarf_attr_integrate(die, DW_AT_variable_parameter, &attr) &&
	       dwarf_formflag(&attr, &is) == 0 && is;
}

static bool add_param(const struct reader *r, Dwarf_Die *die, uint32_t scope,
		      const struct gh_dlocal *local)
{
	uint32_t parent = r->body->scopes.data[scope].parent;
	struct gh_dcapture param = {
		.name = local->name, .offset = (uint64_t)GH_NO_OFFSET, .type = local->type};

	if (is_result(die) || (parent != NO_SCOPE && parent != 0))
		return true;
	return gh_dcapture_vec_push(parent ? &r->body->params : &r->body->inlined, param);
}

/*
 * The compiler names no piece for a word that it has dropped, and no pieces at all where one word
 * is left (cmd/compile/internal/ssa/debug.go: writePendingEntry): which one is not said. Of a slice
 * or string the pointer leads to anything; of others several pieces are taken for the first.
 */
static void keep_pointer(struct gh_dwarf_body *body, size_t first, uint8_t go_kind,
			 uint64_t var_size)
{
	bool has_one = go_kind == KIND_SLICE || go_kind == KIND_STRING;
	size_t n = first;

	for (size_t i = first; i < body->places.len; i++) {
		struct place place = body->places.data[i];

		if (has_one ? place.local.type_offset != 0 : place.local.size == var_size)
			continue;
		if (has_one)
			place.local.size = gh_min_u64(place.local.size, 8);
		body->places.data[n++] = place;
	}
	body->places.len = n;
}

/* All places of a variable. False: out of memory. */
static bool add_places(const struct reader *r, Dwarf_Attribute *attr, struct place place)
{
	const struct gh_dtype_info *type = gh_dwarf_type(r->dwarf, place.local.type);
	uint64_t size = type->size;
	uint8_t go_kind = type->go_kind;
	size_t first = r->body->places.len, nops;
	Dwarf_Addr base, low, high;
	Dwarf_Op *ops;
	ptrdiff_t next = 0;
	bool lacks = false, ok = true;

	while (ok && gh_dwarf_spend(r->dwarf, PLACE_BYTES)) {
		next = dwarf_getlocations(attr, next, &base, &low, &high, &ops, &nops);
		if (next <= 0)
			break;
		place.low = low;
		place.high = high;
		ok = add_pieces(r->body, place, ops, nops, size, r->frame_is_cfa, &lacks);
	}
	if (lacks)
		keep_pointer(r->body, first, go_kind, size);
	return ok;
}

static bool add_variable(const struct reader *r, Dwarf_Die *die, uint32_t scope, bool is_param)
{
	struct place place = {.scope = scope, .local.is_param = is_param};
	Dwarf_Attribute attr;
	Dwarf_Die type;

	if (!gh_dwarf_referred(r->dwarf, die, DW_AT_type, /* integrate= */ true, &type))
		return true;
	place.local.name = gh_dwarf_go_name(r->dwarf, gh_dwarf_raw_name(r->dwarf, die));
	if (!place.local.name)
		return false;
	place.local.type = gh_dwarf_type_intern(r->dwarf, &type);
	place.local.by_ref = place.local.name[0] == '&';
	// of this function itself: an inlined closure has no object at hand
	if (r->body->scopes.data[scope].parent == NO_SCOPE && !add_capture(r, die, &place.local))
		return false;
	if (is_param && !add_param(r, die, scope, &place.local))
		return false;
	return !gh_dwarf_location_attr(die, DW_AT_location, /* integrate= */ false, &attr) ||
	       add_places(r, &attr, place);
}

/* False: out of memory. */
static bool add_scope(const struct reader *r, Dwarf_Die *die, uint32_t parent)
{
	struct gh_dwarf_body *body = r->body;
	struct scope scope = {.parent = parent, .first_range = (uint32_t)body->ranges.len};
	Dwarf_Addr base, low, high;
	ptrdiff_t next = 0;

	while (gh_dwarf_spend(r->dwarf, PLACE_BYTES)) {
		next = dwarf_ranges(die, next, &base, &low, &high);
		if (next <= 0)
			break;
		if (!range_vec_push(&body->ranges, (struct range){low, high}))
			return false;
		scope.nranges++;
	}
	return scope_vec_push(&body->scopes, scope);
}

/* Variables, blocks and inlined calls of a scope that was just added. False: out of memory. */
static bool read_scope(const struct reader *r, Dwarf_Die *parent, int depth)
{
	uint32_t scope = (uint32_t)r->body->scopes.len - 1;
	Dwarf_Die die;

	if (depth == MAX_DEPTH || !gh_dwarf_child(r->dwarf, parent, &die))
		return true;
	do {
		bool ok = true;

		switch (dwarf_tag(&die)) {
		case DW_TAG_formal_parameter:
			ok = add_variable(r, &die, scope, true);
			break;
		case DW_TAG_variable:
			ok = add_variable(r, &die, scope, false);
			break;
		case DW_TAG_lexical_block:
		case DW_TAG_inlined_subroutine:
			ok = add_scope(r, &die, scope) && read_scope(r, &die, depth + 1);
			break;
		default:
			break;
		}
		if (!ok)
			return false;
	} while (gh_dwarf_sibling(r->dwarf, &die));
	return true;
}

static bool frame_base_is_cfa(Dwarf_Die *die)
{
	Dwarf_Attribute attr;
	Dwarf_Op *ops;
	size_t n;

	return gh_dwarf_location_attr(die, DW_AT_frame_base, /* integrate= */ true, &attr) &&
	       dwarf_getlocation(&attr, &ops, &n) == 0 && n == 1 &&
	       ops[0].atom == DW_OP_call_frame_cfa;
}

static struct gh_dwarf_body *read_body(struct gh_dwarf *dwarf, const struct gh_dwarf_func *func)
{
	struct gh_dwarf_body *body = calloc(1, sizeof(*body));
	struct reader r = {.dwarf = dwarf, .body = body};
	Dwarf_Die die;

	if (!body)
		return NULL;
	if (!gh_dwarf_die_at(dwarf, func->die, &die))
		return body;
	r.frame_is_cfa = frame_base_is_cfa(&die);
	if (scope_vec_push(&body->scopes, (struct scope){.parent = NO_SCOPE}) &&
	    range_vec_push(&body->ranges, (struct range){func->low, func->high}) &&
	    read_scope(&r, &die, 0)) {
		body->scopes.data[0].nranges = 1;
		return body;
	}
	body_destroy(body);
	return NULL;
}

/* The function that holds pc; of several (what the linker folded) the last. */
static const struct gh_dwarf_func *func_at(const struct gh_dwarf *dwarf, gh_addr pc)
{
	const struct gh_dwarf_func *funcs = dwarf->funcs.data;
	size_t lo = 0, hi = dwarf->funcs.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (funcs[mid].low <= pc)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && pc < funcs[lo - 1].high ? &funcs[lo - 1] : NULL;
}

/* The decoded function at pc; *body_ret stays NULL when there is none. */
static struct gh_error *body_at(struct gh_dwarf *dwarf, gh_addr pc,
				const struct gh_dwarf_func **func_ret,
				const struct gh_dwarf_body **body_ret)
{
	struct gh_error *err = gh_dwarf_scan_all(dwarf, /* poll= */ NULL);
	const struct gh_dwarf_func *func = err ? NULL : func_at(dwarf, pc);
	struct gh_dwarf_body *body;
	uint32_t known;

	if (!func)
		return err;
	*func_ret = func;
	known = gh_offset_map_get(&dwarf->body_of_func, func->low);
	if (known) {
		*body_ret = dwarf->bodies.data[known - 1];
		return NULL;
	}
	body = read_body(dwarf, func);
	if (!body)
		return gh_error_nomem();
	if (!gh_dwarf_body_vec_push(&dwarf->bodies, body)) {
		body_destroy(body);
		return gh_error_nomem();
	}
	if (!gh_offset_map_put(&dwarf->body_of_func, func->low, (uint32_t)dwarf->bodies.len))
		return gh_error_nomem();
	*body_ret = body;
	return NULL;
}

static bool scope_has(const struct gh_dwarf_body *body, const struct scope *scope, gh_addr pc)
{
	const struct range *ranges = &body->ranges.data[scope->first_range];

	for (uint32_t i = 0; i < scope->nranges; i++)
		if (pc >= ranges[i].low && pc < ranges[i].high)
			return true;
	return false;
}

/* A scope and all those around it hold pc. */
static bool is_inside(const struct gh_dwarf_body *body, uint32_t scope, gh_addr pc)
{
	for (; scope != NO_SCOPE; scope = body->scopes.data[scope].parent)
		if (!scope_has(body, &body->scopes.data[scope], pc))
			return false;
	return true;
}

struct gh_error *gh_dwarf_locals(struct gh_dwarf *dwarf, gh_addr pc, struct gh_dlocal_vec *ret)
{
	const struct gh_dwarf_func *func = NULL;
	const struct gh_dwarf_body *body = NULL;
	struct gh_error *err = body_at(dwarf, pc, &func, &body);

	if (err || !body)
		return err;
	for (size_t i = 0; i < body->places.len; i++) {
		const struct place *place = &body->places.data[i];

		if (pc < place->low || pc >= place->high || !is_inside(body, place->scope, pc))
			continue;
		if (!gh_dlocal_vec_push(ret, place->local))
			return gh_error_nomem();
	}
	return NULL;
}

enum part { CAPTURES, OTHERS, PARAMS, INLINED };

static struct gh_error *copy_part(struct gh_dwarf *dwarf, gh_addr pc, enum part part,
				  struct gh_dcapture_vec *ret)
{
	const struct gh_dwarf_func *func = NULL;
	const struct gh_dwarf_body *body = NULL;
	struct gh_error *err = body_at(dwarf, pc, &func, &body);
	const struct gh_dcapture_vec *parts[4];

	if (err || !body || func->low != pc)
		return err;
	parts[CAPTURES] = &body->captures;
	parts[OTHERS] = &body->others;
	parts[PARAMS] = &body->params;
	parts[INLINED] = &body->inlined;
	for (size_t i = 0; i < parts[part]->len; i++)
		if (!gh_dcapture_vec_push(ret, parts[part]->data[i]))
			return gh_error_nomem();
	return NULL;
}

struct gh_error *gh_dwarf_captures(struct gh_dwarf *dwarf, gh_addr pc, struct gh_dcapture_vec *ret)
{
	return copy_part(dwarf, pc, CAPTURES, ret);
}

struct gh_error *gh_dwarf_other_variables(struct gh_dwarf *dwarf, gh_addr pc,
					  struct gh_dcapture_vec *ret)
{
	return copy_part(dwarf, pc, OTHERS, ret);
}

struct gh_error *gh_dwarf_parameters(struct gh_dwarf *dwarf, gh_addr pc, bool inlined,
				     struct gh_dcapture_vec *ret)
{
	return copy_part(dwarf, pc, inlined ? INLINED : PARAMS, ret);
}
