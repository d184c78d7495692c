// SPDX-License-Identifier: Apache-2.0
// Go 1.25 as data. Offsets are generated; the rest is from runtime/runtime2.go (wait reasons),
// runtime/mheap.go (special kinds), internal/abi/symtab.go (function ids) of that release.
#include "goruntime/release.h"
#include "goruntime/versions/versions.h"

static const struct gh_layout layout_amd64 = {
#include "goruntime/versions/go1_25_amd64.inc"
};

static const struct gh_layout layout_arm64 = {
#include "goruntime/versions/go1_25_arm64.inc"
};

static const char *const wait_reasons[] = {
	[0] = "",
	[1] = "GC assist marking",
	[2] = "IO wait",
	[3] = "chan receive (nil chan)",
	[4] = "chan send (nil chan)",
	[5] = "dumping heap",
	[6] = "garbage collection",
	[7] = "garbage collection scan",
	[8] = "panicwait",
	[9] = "select",
	[10] = "select (no cases)",
	[11] = "GC assist wait",
	[12] = "GC sweep wait",
	[13] = "GC scavenge wait",
	[14] = "chan receive",
	[15] = "chan send",
	[16] = "finalizer wait",
	[17] = "force gc (idle)",
	[18] = "GOMAXPROCS updater (idle)",
	[19] = "semacquire",
	[20] = "sleep",
	[21] = "sync.Cond.Wait",
	[22] = "sync.Mutex.Lock",
	[23] = "sync.RWMutex.RLock",
	[24] = "sync.RWMutex.Lock",
	[25] = "sync.WaitGroup.Wait",
	[26] = "trace reader (blocked)",
	[27] = "wait for GC cycle",
	[28] = "GC worker (idle)",
	[29] = "GC worker (active)",
	[30] = "preempted",
	[31] = "debug call",
	[32] = "GC mark termination",
	[33] = "stopping the world",
	[34] = "flushing proc caches",
	[35] = "trace goroutine status",
	[36] = "trace proc status",
	[37] = "page trace flush",
	[38] = "coroutine",
	[39] = "GC weak to strong wait",
	[40] = "synctest.Run",
	[41] = "synctest.Wait",
	[42] = "chan receive (durable)",
	[43] = "chan send (durable)",
	[44] = "select (durable)",
	[45] = "sync.WaitGroup.Wait (durable)",
	[46] = "cleanup wait",
};

static const uint8_t special_kinds[] = {
	[1] = GH_SPECIAL_TINY_BLOCK, [2] = GH_SPECIAL_FINALIZER,       [3] = GH_SPECIAL_WEAK_HANDLE,
	[4] = GH_SPECIAL_PROFILE,    [5] = GH_SPECIAL_REACHABLE,       [6] = GH_SPECIAL_PIN_COUNTER,
	[7] = GH_SPECIAL_CLEANUP,    [8] = GH_SPECIAL_CHECK_FINALIZER, [9] = GH_SPECIAL_BUBBLE,
};

static const uint8_t func_ids[] = {
	[3] = GH_FUNC_ASYNC_PREEMPT,
	[4] = GH_FUNC_CGOCALLBACK,
	[5] = GH_FUNC_COROSTART,
	[6] = GH_FUNC_DEBUG_CALL,
	[8] = GH_FUNC_GOEXIT,
	[10] = GH_FUNC_GOPANIC,
	[11] = GH_FUNC_HANDLE_ASYNC_EVENT,
	[12] = GH_FUNC_MCALL,
	[13] = GH_FUNC_MORESTACK,
	[14] = GH_FUNC_MSTART,
	[15] = GH_FUNC_PANICWRAP,
	[17] = GH_FUNC_RUNTIME_MAIN,
	[18] = GH_FUNC_RUN_FINALIZERS,
	[19] = GH_FUNC_RUN_CLEANUPS,
	[20] = GH_FUNC_SIGPANIC,
	[21] = GH_FUNC_SYSTEMSTACK,
	[22] = GH_FUNC_SYSTEMSTACK_SWITCH,
	[23] = GH_FUNC_WRAPPER,
};

const struct gh_release gh_release_go1_25 = {
	.minor = 25,
	.name = "go1.25",
	.amd64 = &layout_amd64,
	.arm64 = &layout_arm64,
	.wait_reasons = wait_reasons,
	.nwait_reasons = GH_ARRAY_SIZE(wait_reasons),
	.special_kinds = special_kinds,
	.nspecial_kinds = GH_ARRAY_SIZE(special_kinds),
	.func_ids = func_ids,
	.nfunc_ids = GH_ARRAY_SIZE(func_ids),
	.map_kind = GH_MAP_SWISS,
	.old_map_extra = 48,
	.inline_marks = false,
	.gc_programs = false,
	.masks_on_demand = true,
	.elem_is_pair = false,
	.direct_iface_tflag = 0,
	.cleanup_is_struct = false,
	.shows_exported_methods = true,
	.shows_runners = true,
};
