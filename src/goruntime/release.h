// SPDX-License-Identifier: Apache-2.0
// One Go minor release as data: layouts, names of states and reasons, numbers that the runtime
// renumbered. A release is one const object in versions/; nothing above this layer asks for a
// version number.
#pragma once

#include "goruntime/layout.h"

/** Functions that unwinding treats specially (internal/abi/symtab.go, renumbered twice). */
enum gh_func_id {
	GH_FUNC_NORMAL,
	GH_FUNC_ASYNC_PREEMPT,
	GH_FUNC_CGOCALLBACK,
	GH_FUNC_COROSTART,
	GH_FUNC_DEBUG_CALL,
	GH_FUNC_GOEXIT,
	GH_FUNC_GOPANIC,
	GH_FUNC_HANDLE_ASYNC_EVENT,
	GH_FUNC_MCALL,
	GH_FUNC_MORESTACK,
	GH_FUNC_MSTART,
	GH_FUNC_PANICWRAP,
	GH_FUNC_RUN_FINALIZERS,
	GH_FUNC_RUN_CLEANUPS,
	GH_FUNC_RUNTIME_MAIN,
	GH_FUNC_SIGPANIC,
	GH_FUNC_SYSTEMSTACK,
	GH_FUNC_SYSTEMSTACK_SWITCH,
	GH_FUNC_WRAPPER,
	GH_FUNC_ID_COUNT,
};

/** Kinds of special records (runtime/mheap.go, renumbered in go1.23 and go1.25). */
enum gh_special_kind {
	GH_SPECIAL_OTHER,
	GH_SPECIAL_TINY_BLOCK,
	GH_SPECIAL_FINALIZER,
	GH_SPECIAL_WEAK_HANDLE,
	GH_SPECIAL_PROFILE,
	GH_SPECIAL_REACHABLE,
	GH_SPECIAL_PIN_COUNTER,
	GH_SPECIAL_CLEANUP,
	GH_SPECIAL_CHECK_FINALIZER,
	GH_SPECIAL_BUBBLE,
	GH_SPECIAL_SECRET,
};

enum gh_map_kind { GH_MAP_HMAP, GH_MAP_SWISS, GH_MAP_SWISS_STRIDED };

struct gh_release {
	uint32_t minor;			 // 26 for go1.26
	const char *name;		 // "go1.26"
	const struct gh_layout *amd64;	 // generated
	const struct gh_layout *arm64;	 // generated
	const char *const *wait_reasons; // by number, as the runtime prints them
	uint32_t nwait_reasons;
	const uint8_t *special_kinds; // runtime's number -> enum gh_special_kind
	uint32_t nspecial_kinds;
	const uint8_t *func_ids; // runtime's number -> enum gh_func_id
	uint32_t nfunc_ids;
	enum gh_map_kind map_kind;
	uint8_t old_map_extra; // offset of hmap.extra with GOEXPERIMENT=noswissmap; 0: no such
	bool inline_marks;	     // Green Tea by default (go1.26+): marks in the span's page
	bool gc_programs;	     // types may carry GC programs (up to go1.23)
	bool masks_on_demand;	     // types may build their mask late (go1.24+)
	bool elem_is_pair;	     // sudog.elem and sudog.c are {vp, vu} pairs (go1.26+)
	uint8_t direct_iface_tflag;  // TFlag bit of direct interface types; 0: kind bit 32
	bool cleanup_is_struct;	     // cleanups carry {call, fn, arg}, not only fn (go1.26+)
	bool scans_vector_registers; // of asynchronously preempted goroutines (go1.27+)
	bool shows_exported_methods; // runtime.(*Frames).Next is in tracebacks (go1.23+)
	bool shows_runners;	     // runFinalizers, runCleanups are in tracebacks (go1.25+)
};

/** The release of "go1.26.8", "go1.26.8-X:…"; NULL when it is not one that we know. */
const struct gh_release *gh_release_find(const char *build_version);

/** All known releases, oldest first. */
const struct gh_release *const *gh_releases(size_t *n_ret);
