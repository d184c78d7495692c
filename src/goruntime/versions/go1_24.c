// SPDX-License-Identifier: Apache-2.0
// Go 1.24 as data. Offsets are generated; the rest is from runtime/runtime2.go (wait reasons),
// runtime/mheap.go (special kinds), internal/abi/symtab.go (function ids) of that release.
#include "goruntime/release.h"
#include "goruntime/versions/versions.h"

static const struct gh_layout layout_amd64 = {
#include "goruntime/versions/go1_24_amd64.inc"
};

static const struct gh_layout layout_arm64 = {
#include "goruntime/versions/go1_24_arm64.inc"
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
	[18] = "semacquire",
	[19] = "sleep",
	[20] = "sync.Cond.Wait",
	[21] = "sync.Mutex.Lock",
	[22] = "sync.RWMutex.RLock",
	[23] = "sync.RWMutex.Lock",
	[24] = "sync.WaitGroup.Wait",
	[25] = "trace reader (blocked)",
	[26] = "wait for GC cycle",
	[27] = "GC worker (idle)",
	[28] = "GC worker (active)",
	[29] = "preempted",
	[30] = "debug call",
	[31] = "GC mark termination",
	[32] = "stopping the world",
	[33] = "flushing proc caches",
	[34] = "trace goroutine status",
	[35] = "trace proc status",
	[36] = "page trace flush",
	[37] = "coroutine",
	[38] = "GC weak to strong wait",
	[39] = "synctest.Run",
	[40] = "synctest.Wait",
	[41] = "chan receive (synctest)",
	[42] = "chan send (synctest)",
	[43] = "select (synctest)",
};

static const uint8_t special_kinds[] = {
	[1] = GH_SPECIAL_FINALIZER, [2] = GH_SPECIAL_WEAK_HANDLE, [3] = GH_SPECIAL_PROFILE,
	[4] = GH_SPECIAL_REACHABLE, [5] = GH_SPECIAL_PIN_COUNTER, [6] = GH_SPECIAL_CLEANUP,
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
	[17] = GH_FUNC_RUN_FINALIZERS,
	[18] = GH_FUNC_RUNTIME_MAIN,
	[19] = GH_FUNC_SIGPANIC,
	[20] = GH_FUNC_SYSTEMSTACK,
	[21] = GH_FUNC_SYSTEMSTACK_SWITCH,
	[22] = GH_FUNC_WRAPPER,
};

const struct gh_release gh_release_go1_24 = {
	.minor = 24,
	.name = "go1.24",
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
};
