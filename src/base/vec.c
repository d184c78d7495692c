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

int gh_addr_compare(const void *a, const void *b)
{
	gh_addr x = *(const gh_addr *)a, y = *(const gh_addr *)b;

	return x < y ? -1 : x > y;
}

void gh_addr_sort(gh_addr *addrs, size_t n)
{
	if (n)
		qsort(addrs, n, sizeof(*addrs), gh_addr_compare);
}

size_t gh_addr_unique(gh_addr *addrs, size_t n)
{
	size_t kept = 0;

	gh_addr_sort(addrs, n);
	for (size_t i = 0; i < n; i++)
		if (!kept || addrs[kept - 1] != addrs[i])
			addrs[kept++] = addrs[i];
	return kept;
}
