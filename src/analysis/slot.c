// SPDX-License-Identifier: Apache-2.0
// See slot.h.
#include "analysis/slot.h"

#include "analysis/histogram.h"

/* The mark of what is live, else of what is garbage. */
static const struct gh_mark *mark_of(const struct gh_session *session, uint64_t slot)
{
	bool is_live = gh_state_is_live(gh_mark_state(session->mark, slot));

	return is_live || !session->garbage ? session->mark : session->garbage;
}

static uint64_t header_bytes(const struct gh_span *span)
{
	return gh_span_has_header(span) ? GH_MALLOC_HEADER_BYTES : 0;
}

static void find_bytes(const struct gh_session *session, struct gh_slot *slot)
{
	const struct gh_span *span = gh_span_of_slot(&session->heap->table, slot->ref.slot);
	const struct gh_type *type = gh_types_get(session->types, slot->code.type);

	if (!span)
		return;
	slot->header = header_bytes(span);
	slot->bytes = (gh_span_is_large(span) ? gh_span_large_bytes(span) : span->elem_bytes) -
		      slot->header;
	if (slot->code.type && type->size && type->size <= slot->bytes &&
	    (slot->code.form == GH_FORM_ONE || slot->code.form == GH_FORM_HEADER))
		slot->value_bytes = type->size;
	else if (slot->state == GH_SLOT_IS_LIVE && gh_span_is_large(span))
		slot->value_bytes = slot->bytes;
}

static void find_name(struct gh_session *session, struct gh_slot *slot, uint16_t state,
		      struct gh_arena *arena)
{
	slot->name = slot->state == GH_SLOT_IS_FREE ? "free slot" : "dead";
	if (!gh_state_is_live(state))
		return;
	slot->code = gh_mark_code(slot->mark, state);
	slot->strength = gh_object_strength(slot->mark, state);
	slot->name = gh_object_name(session, slot->mark, state, slot->ref.class, arena);
	if (slot->state == GH_SLOT_IS_DEAD && !slot->name)
		slot->name = "dead";
}

bool gh_slot_at(struct gh_session *session, gh_addr addr, struct gh_arena *arena,
		struct gh_slot *ret)
{
	struct gh_slot slot = {0};
	uint16_t state;

	if (!gh_heap_find(session->heap, addr, &slot.ref))
		return false;
	slot.mark = mark_of(session, slot.ref.slot);
	state = gh_mark_state(session->mark, slot.ref.slot);
	slot.state = gh_state_is_live(state)   ? GH_SLOT_IS_LIVE
		     : state == GH_SLOT_FREE ? GH_SLOT_IS_FREE
					     : GH_SLOT_IS_DEAD;
	find_name(session, &slot, gh_mark_state(slot.mark, slot.ref.slot), arena);
	find_bytes(session, &slot);
	*ret = slot;
	return true;
}

bool gh_slot_retained(const struct gh_session *session, const struct gh_slot *slot, uint64_t *ret)
{
	const struct gh_owner_graph *owners = session->owners;

	if (!session->domtree || slot->state != GH_SLOT_IS_LIVE)
		return false;
	if (gh_slot_is_leaf(owners, slot->ref.slot)) {
		*ret = slot->ref.elem_bytes;
		return true;
	}
	if (!gh_slot_is_node(owners, slot->ref.slot))
		return false;
	*ret = gh_domtree_retained(session->domtree, gh_node_of_slot(owners, slot->ref.slot));
	return true;
}

bool gh_slot_owner(const struct gh_session *session, uint64_t slot, gh_addr referrer,
		   struct gh_strbuf *sb)
{
	const struct gh_owner_graph *owners = session->owners;
	struct gh_slot_ref holder;
	gh_node node;

	if (!session->domtree)
		return false;
	if (gh_slot_is_leaf(owners, slot) && gh_heap_find(session->heap, referrer, &holder))
		slot = holder.slot;
	node = gh_slot_is_node(owners, slot) ? gh_node_of_slot(owners, slot)
					     : gh_owner_of_slot(owners, slot);
	if (node == GH_NODE_NONE)
		return false;
	while (!gh_node_is_owner(owners, node))
		node = gh_domtree_idom(session->domtree, node);
	if (node == GH_NODE_ROOT)
		gh_strbuf_puts(sb, "shared");
	else
		gh_owner_describe(owners, node, sb);
	return true;
}

struct gh_value_place gh_slot_value(const struct gh_slot *slot)
{
	enum gh_form form = (enum gh_form)slot->code.form;

	return (struct gh_value_place){
		.addr = slot->ref.base + slot->header,
		.type = form == GH_FORM_UNKNOWN || form == GH_FORM_TINY ? 0 : slot->code.type,
		.bytes = slot->bytes,
		.is_array = form == GH_FORM_ARRAY || form == GH_FORM_LOOSE,
	};
}

/* The entry of a map that byte `offset` of its groups belongs to; false: of none. */
static bool name_entry(struct gh_session *session, gh_addr base, const struct gh_type *type,
		       uint64_t offset, struct gh_strbuf *sb)
{
	uint64_t n = type->size ? offset / type->size : 0;
	size_t before = sb->len;

	if (type->shape != GH_SHAPE_GROUPS)
		return false;
	gh_value_map_name(session->types, type->source, base + n * type->size,
			  offset - n * type->size, session->no_values, sb);
	return sb->len != before;
}

void gh_slot_name_place(struct gh_session *session, const struct gh_slot *slot, uint64_t offset,
			struct gh_strbuf *sb)
{
	bool is_known = slot->code.type && slot->code.form != GH_FORM_PARTIAL;
	struct gh_type type = *gh_types_get(session->types, slot->code.type);

	if (!is_known || offset < slot->header)
		gh_strbuf_printf(sb, "+%llu", (unsigned long long)offset);
	else if (!name_entry(session, slot->ref.base + slot->header, &type, offset - slot->header,
			     sb))
		gh_types_field_name(session->types, slot->code.type,
				    slot->code.form == GH_FORM_ARRAY, offset - slot->header, sb);
}

const char *gh_slot_describe(struct gh_session *session, gh_addr addr, struct gh_arena *arena)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	struct gh_slot slot;

	if (!gh_slot_at(session, addr, arena, &slot))
		return NULL;
	gh_strbuf_puts(&sb, slot.name);
	gh_slot_name_place(session, &slot, slot.ref.offset, &sb);
	return gh_arena_strndup(arena, gh_strbuf_str(&sb), sb.len);
}
