// SPDX-License-Identifier: Apache-2.0
// See special.h.
#include "goruntime/special.h"

bool gh_special_read(const struct gh_runtime *rt, const struct gh_span *span, gh_addr record,
		     struct gh_special *ret)
{
	uint64_t number, offset;

	if (!gh_field(rt, record, GH_F_special_kind, &number) ||
	    !gh_field(rt, record, GH_F_special_offset, &offset) ||
	    number >= rt->release->nspecial_kinds || offset >= gh_span_bytes(span))
		return false;
	*ret = (struct gh_special){
		.record = record,
		.kind = rt->release->special_kinds[number],
		.object = span->base + offset / span->elem_bytes * span->elem_bytes,
		.next = gh_field_or_zero(rt, record, GH_F_special_next),
	};
	return true;
}
