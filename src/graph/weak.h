// SPDX-License-Identifier: Apache-2.0
// Weak pointers (go1.24+): they hold a handle, a small object of its own, and the handle leads to
// the object without keeping it alive. Mirrors runtime/mheap.go: specialWeakHandle.
#pragma once

#include "graph/heap.h"

/** Address of the handle by which weak pointers to the object in a slot go; 0: there is none. */
gh_addr gh_weak_handle(const struct gh_heap *heap, uint64_t slot);
