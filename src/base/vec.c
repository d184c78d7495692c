// SPDX-License-Identifier: Apache-2.0
// Growth of typed arrays: doubling, overflow-checked.
#include "base/vec.h"

bool gh_vec_reserve(void **data, size_t *cap, size_t need, size_t size)
{
	size_t new_cap = *cap ? *cap : 16, bytes;
	void *p;

	if (need <= *cap)
		return true;
	while (new_cap < need)
		if (gh_mul(new_cap, (size_t)2, &new_cap))
			return false;
	if (gh_mul(new_cap, size, &bytes))
		return false;
	p = realloc(*data, bytes);
	if (!p)
		return false;
	*data = p;
	*cap = new_cap;
	return true;
}

bool gh_vec_reserve_exactly(void **data, size_t *cap, size_t need, size_t size)
{
	size_t bytes;
	void *p;

	if (need <= *cap)
		return true;
	if (gh_mul(need, size, &bytes))
		return false;
	p = realloc(*data, bytes);
	if (!p)
		return false;
	*data = p;
	*cap = need;
	return true;
}
