// SPDX-License-Identifier: Apache-2.0
// The vocabulary that every layer shares: target addresses, attributes, checked arithmetic and
// width-safe reads of little-endian target bytes. No state, no allocation.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** An address in the analysed process. Never a C pointer. */
typedef uint64_t gh_addr;

#define GH_MUST_CHECK	     __attribute__((warn_unused_result))
#define GH_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define GH_LIKELY(x)	     __builtin_expect(!!(x), 1)
#define GH_UNLIKELY(x)	     __builtin_expect(!!(x), 0)
#define GH_ARRAY_SIZE(a)     (sizeof(a) / sizeof((a)[0]))

/** Checked arithmetic: true when the result does not fit (and *ret is unspecified). */
#define gh_add(a, b, ret) __builtin_add_overflow(a, b, ret)
#define gh_mul(a, b, ret) __builtin_mul_overflow(a, b, ret)

static inline uint64_t gh_min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t gh_max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/** Round up to a power of two `align`; saturates instead of wrapping. */
static inline uint64_t gh_align_up(uint64_t x, uint64_t align)
{
	uint64_t r;

	if (gh_add(x, align - 1, &r))
		return UINT64_MAX & ~(align - 1);
	return r & ~(align - 1);
}

/** Unaligned little-endian reads. Targets are little-endian; so must the host be. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "goheap needs a little-endian host");

static inline uint64_t gh_u64_at(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t gh_u32_at(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint16_t gh_u16_at(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}
