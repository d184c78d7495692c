// SPDX-License-Identifier: Apache-2.0
// Types of the standard library whose fields say less than their meaning: times, locks, atomics.
// Offsets are the same in go1.22 to go1.27 (time/time.go, sync/*.go, internal/sync/mutex.go). See
// value.h.
#include "base/cleanup.h"
#include "base/text.h"
#include "graph/types_table.h"
#include "graph/value_reader.h"

#define ULL(x) ((unsigned long long)(x))

enum {
	SECONDS_A_DAY = 86400,
	NS_A_SECOND = 1000000000,
	MUTEX_LOCKED = 1,
	MUTEX_STARVING = 4,
	MUTEX_WAITERS_SHIFT = 3,
	RWMUTEX_READERS = 1 << 30,
	MAX_LOCATION = 64,
};

/* Days from 0001-01-01 to 1970-01-01, and to 1885-01-01, where times with a monotonic clock begin.
 */
#define DAYS_TO_UNIX 719162LL
#define DAYS_TO_WALL (1884LL * 365 + 1884 / 4 - 1884 / 100 + 1884 / 400)

/* Gregorian date of a day counted from 0001-01-01, of eras of 400 years from 0000-03-01. */
static void put_date(struct gh_strbuf *sb, int64_t day)
{
	int64_t z = day + 306, era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t in_era = z - era * 146097;
	int64_t year_of_era =
		(in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	int64_t in_year = in_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t month = (5 * in_year + 2) / 153, year = year_of_era + era * 400;
	int64_t in_month = in_year - (153 * month + 2) / 5 + 1;

	month += month < 10 ? 3 : -9;
	year += month <= 2;
	gh_strbuf_printf(sb, "%s%04lld-%02lld-%02lld", year < 0 ? "-" : "",
			 (long long)(year < 0 ? -year : year), (long long)month,
			 (long long)in_month);
}

static void put_fraction(struct gh_strbuf *sb, uint32_t ns)
{
	char digits[10];
	int n = 9;

	if (!ns)
		return;
	for (int i = 8; i >= 0; i--, ns /= 10)
		digits[i] = (char)('0' + ns % 10);
	while (digits[n - 1] == '0')
		n--;
	gh_strbuf_putc(sb, '.');
	gh_strbuf_add(sb, digits, (size_t)n);
}

/* "2026-11-29T20:01:02.5Z", as time.RFC3339Nano in UTC. sec: from 0001-01-01. */
static void put_time(struct gh_strbuf *sb, int64_t sec, uint32_t ns)
{
	int64_t day = sec / SECONDS_A_DAY, rest = sec % SECONDS_A_DAY;

	if (rest < 0) {
		rest += SECONDS_A_DAY;
		day--;
	}
	put_date(sb, day);
	gh_strbuf_printf(sb, "T%02d:%02d:%02d", (int)(rest / 3600), (int)(rest / 60 % 60),
			 (int)(rest % 60));
	put_fraction(sb, ns);
	gh_strbuf_putc(sb, 'Z');
}

/* The name of a *time.Location: its first field is a string. */
static void put_location(struct gh_value_reader *r, gh_addr location, struct gh_strbuf *sb)
{
	const struct gh_image *image = r->types->rt->image;
	const uint8_t *p = location ? gh_image_at(image, location, 16) : NULL;
	uint64_t len = p ? gh_u64_at(p + 8) : 0;
	const char *name = len && len <= MAX_LOCATION ? gh_image_at(image, gh_u64_at(p), len) : NULL;

	if (!name || (len == 3 && !memcmp(name, "UTC", 3)))
		return;
	gh_strbuf_putc(sb, ' ');
	gh_strbuf_add(sb, name, len);
}

/*
 * time.Time{wall, ext, loc}: with a monotonic clock (the highest bit of wall) 33 bits of seconds
 * since 1885 and 30 bits of nanoseconds in wall, the clock since the process started in ext; else
 * the seconds since the year 1 in ext.
 */
static void fill_time(struct gh_value_reader *r, struct gh_value *node, const uint8_t *p)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	uint64_t wall = gh_u64_at(p);
	int64_t ext = (int64_t)gh_u64_at(p + 8), sec = ext;
	uint32_t ns = wall & ((1U << 30) - 1);
	bool is_monotonic = wall >> 63;

	if (is_monotonic)
		sec = DAYS_TO_WALL * SECONDS_A_DAY + (int64_t)(wall << 1 >> 31);
	put_time(&sb, sec, ns < NS_A_SECOND ? ns : 0);
	put_location(r, gh_u64_at(p + 16), &sb);
	if (is_monotonic) { // as Go prints it
		uint64_t abs = ext < 0 ? -(uint64_t)ext : (uint64_t)ext;

		gh_strbuf_printf(&sb, " m=%c%llu.%09llu", ext < 0 ? '-' : '+',
				 ULL(abs / NS_A_SECOND), ULL(abs % NS_A_SECOND));
	}
	gh_value_set_text(r, node, &sb);
}

/* As time.Duration.String. */
static void fill_duration(struct gh_value_reader *r, struct gh_value *node, const uint8_t *p)
{
	static const struct {
		uint32_t ns;
		const char *unit;
	} small[] = {{1, "ns"}, {1000, "µs"}, {1000000, "ms"}};
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	int64_t v = (int64_t)gh_u64_at(p);
	uint64_t abs = v < 0 ? -(uint64_t)v : (uint64_t)v, s = abs / NS_A_SECOND;

	if (v < 0)
		gh_strbuf_putc(&sb, '-');
	if (!abs) {
		gh_strbuf_puts(&sb, "0s");
	} else if (!s) {
		int i = abs < 1000 ? 0 : abs < 1000000 ? 1 : 2;

		gh_strbuf_printf(&sb, "%llu", ULL(abs / small[i].ns));
		put_fraction(&sb, (uint32_t)(abs % small[i].ns * (NS_A_SECOND / small[i].ns)));
		gh_strbuf_puts(&sb, small[i].unit);
	} else {
		if (s >= 3600)
			gh_strbuf_printf(&sb, "%lluh", ULL(s / 3600));
		if (s >= 60)
			gh_strbuf_printf(&sb, "%llum", ULL(s / 60 % 60));
		gh_strbuf_printf(&sb, "%llu", ULL(s % 60));
		put_fraction(&sb, (uint32_t)(abs % NS_A_SECOND));
		gh_strbuf_putc(&sb, 's');
	}
	gh_value_set_text(r, node, &sb);
}

/* sync.Mutex{state int32, sema uint32}, in go1.24+ inside an internal/sync.Mutex at the same place.
 */
static void fill_mutex(struct gh_value_reader *r, struct gh_value *node, const uint8_t *p)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	uint32_t state = gh_u32_at(p), waiters = state >> MUTEX_WAITERS_SHIFT;

	gh_strbuf_puts(&sb, state & MUTEX_LOCKED ? "locked" : "unlocked");
	if (waiters)
		gh_strbuf_printf(&sb, ", %u waiting", waiters);
	if (state & MUTEX_STARVING)
		gh_strbuf_puts(&sb, ", starving");
	gh_value_set_text(r, node, &sb);
}

/*
 * sync.RWMutex{w, writerSem, readerSem, readerCount, readerWait}: a writer takes 1 << 30 from
 * readerCount; then readerWait of those before it are still at work.
 */
static void fill_rwmutex(struct gh_value_reader *r, struct gh_value *node, const uint8_t *p)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	int64_t readers = (int32_t)gh_u32_at(p + 16), leaving = (int32_t)gh_u32_at(p + 20);
	int64_t behind = readers + RWMUTEX_READERS; // where a writer has it, or waits for it

	if (readers >= 0)
		gh_strbuf_printf(&sb, readers ? "%lld reading" : "unlocked", (long long)readers);
	else if (leaving > 0)
		gh_strbuf_printf(&sb, "%lld reading, a writer waiting, %lld reader%s behind it",
				 (long long)leaving, (long long)(behind - leaving),
				 gh_plural((uint64_t)(behind - leaving)));
	else
		gh_strbuf_puts(&sb, "locked");
	if (readers < 0 && leaving <= 0 && behind > 0)
		gh_strbuf_printf(&sb, ", %lld reader%s waiting", (long long)behind,
				 gh_plural((uint64_t)behind));
	gh_value_set_text(r, node, &sb);
}

/* sync.WaitGroup{state, sema}: counter above, waiters below a flag of synctest's (go1.25+). */
static void fill_wait_group(struct gh_value_reader *r, struct gh_value *node, const uint8_t *p)
{
	_cleanup_strbuf_ struct gh_strbuf sb = {0};
	uint64_t state = gh_u64_at(p);
	uint32_t waiters = (uint32_t)state & 0x7fffffff;

	gh_strbuf_printf(&sb, "counter %d", (int32_t)(state >> 32));
	if (waiters)
		gh_strbuf_printf(&sb, ", %u waiting", waiters);
	gh_value_set_text(r, node, &sb);
}

/* sync.Once{done, m}: a number, in go1.25+ an atomic.Bool of the same width. */
static void fill_once(struct gh_value_reader *r, struct gh_value *node, const uint8_t *p)
{
	(void)r;
	node->text = gh_u32_at(p) ? "done" : "not done";
}

static void fill_atomic_bool(struct gh_value_reader *r, struct gh_value *node, const uint8_t *p)
{
	(void)r;
	node->text = gh_u32_at(p) ? "true" : "false";
}

static const struct known {
	const char *name;
	uint64_t bytes;
	bool is_data; // of the program, not of the runtime
	void (*fill)(struct gh_value_reader *r, struct gh_value *node, const uint8_t *p);
} known[] = {
	{"time.Time", 24, true, fill_time},
	{"time.Duration", 8, true, fill_duration},
	{"sync.Mutex", 8, false, fill_mutex},
	{"internal/sync.Mutex", 8, false, fill_mutex},
	{"sync.RWMutex", 24, false, fill_rwmutex},
	{"sync.WaitGroup", 12, false, fill_wait_group},
	{"sync.Once", 12, false, fill_once},
	{"sync/atomic.Bool", 4, true, fill_atomic_bool},
};

/* sync/atomic.Int64 and its like: their field v; the runtime's own: value. */
static bool fill_atomic_number(struct gh_value_reader *r, struct gh_value *node,
			       struct gh_gotype type)
{
	struct gh_gotype_info info;
	struct gh_gofield v;
	struct gh_value inner = {0};

	if ((!gh_gotype_field_named(r->types, type, "v", &v) &&
	     !gh_gotype_field_named(r->types, type, "value", &v)) ||
	    !gh_gotype_read(r->types, v.type, &info) || info.kind < GH_KIND_INT ||
	    info.kind > GH_KIND_UINTPTR)
		return false;
	inner.kind = info.kind;
	inner.addr = node->addr + v.offset;
	gh_value_fill_scalar(r, &inner);
	node->text = inner.text;
	node->is_withheld = inner.is_withheld;
	return true;
}

/* sync/atomic.Pointer[T]: its first field, of type [0]*T, tells what v points to. */
static bool fill_atomic_pointer(struct gh_value_reader *r, struct gh_value *node,
				struct gh_gotype type, struct gh_value_depth depth)
{
	struct gh_gotype_info array, pointer;
	struct gh_gofield first;

	if (!gh_gotype_field(r->types, type, 0, &first) ||
	    !gh_gotype_read(r->types, first.type, &array) || array.kind != GH_KIND_ARRAY ||
	    !gh_gotype_read(r->types, array.elem, &pointer) || pointer.kind != GH_KIND_POINTER)
		return false;
	node->kind = GH_KIND_POINTER;
	gh_value_fill_pointer(r, node, pointer.elem, depth);
	return true;
}

static bool fill_atomic(struct gh_value_reader *r, struct gh_value *node, struct gh_gotype type,
			struct gh_value_depth depth)
{
	static const char *const packages[] = {"sync/atomic.", "internal/runtime/atomic.",
					       "runtime/internal/atomic."};
	const char *name = NULL;

	for (size_t i = 0; !name && i < GH_ARRAY_SIZE(packages); i++)
		if (strncmp(node->type, packages[i], strlen(packages[i])) == 0)
			name = node->type + strlen(packages[i]);
	if (!name)
		return false;
	if (strncmp(name, "Pointer[", 8) == 0)
		return fill_atomic_pointer(r, node, type, depth);
	if (strcmp(name, "Value") == 0) {
		node->kind = GH_KIND_INTERFACE;
		gh_value_fill_interface(r, node, /* has_methods= */ false, depth);
		return true;
	}
	return fill_atomic_number(r, node, type);
}

bool gh_value_fill_known(struct gh_value_reader *r, struct gh_value *node, struct gh_gotype type,
			 struct gh_value_depth depth)
{
	const uint8_t *p;

	if (node->kind != GH_KIND_STRUCT && node->kind != GH_KIND_INT64)
		return false;
	for (size_t i = 0; i < GH_ARRAY_SIZE(known); i++) {
		if (strcmp(known[i].name, node->type) != 0)
			continue;
		p = gh_image_at(r->types->rt->image, node->addr, known[i].bytes);
		node->is_withheld = p && known[i].is_data && r->limits.no_data;
		if (!p)
			gh_value_set_missing(r, node, node->addr, known[i].bytes);
		else if (!node->is_withheld)
			known[i].fill(r, node, p);
		return true;
	}
	if (fill_atomic(r, node, type, depth) || gh_value_fill_number(r, node, type))
		return true;
	if (strcmp(node->type, "sync.Map") == 0 ||
	    strncmp(node->type, "internal/sync.HashTrieMap[", 26) == 0)
		return gh_value_fill_sync_map(r, node, type, depth);
	return false;
}
