// SPDX-License-Identifier: Apache-2.0
// The doctor's frame, and his checks of the target and of the runtime found in it. See doctor.h.
#include "analysis/doctor.h"

#include "analysis/doctor_checks.h"
#include "base/cleanup.h"

static void check_build_ids(struct gh_doctor *doctor, const struct gh_target *target)
{
	const char *exe = target->exe ? gh_elf_build_id(target->exe) : NULL;

	if (target->exe && !exe)
		exe = gh_elf_go_build_id(target->exe);
	if (!target->exe)
		gh_doctor_add(doctor, "build ids", GH_HEALTH_BAD,
			      "pass the executable that ran with --exe", "no executable was found");
	else if (target->forced)
		gh_doctor_add(doctor, "build ids", GH_HEALTH_BAD,
			      "pass the executable that ran with --exe",
			      "%s in the process, %s in the executable: --force was given",
			      target->build_id ? target->build_id : "none", exe ? exe : "none");
	else if (!target->exe_compared)
		gh_doctor_add(doctor, "build ids", GH_HEALTH_UNKNOWN,
			      "make sure that the executable is the one that ran",
			      "memory holds no build id; that of the executable is %s",
			      exe ? exe : "none");
	else
		gh_doctor_add(doctor, "build ids", GH_HEALTH_OK, NULL, "%s", target->build_id);
}

static void check_length(struct gh_doctor *doctor, const struct gh_target *target)
{
	if (target->kind == GH_TARGET_LIVE)
		gh_doctor_add(doctor, "core is whole", GH_HEALTH_OK, NULL, "a live process");
	else if (target->truncated)
		gh_doctor_add(doctor, "core is whole", GH_HEALTH_BAD,
			      "raise the size limit of cores (ulimit -c, ProcessSizeMax of "
			      "systemd-coredump) or free disk space, and take another",
			      "%llu of %llu bytes: memory from %#llx on is lost (%llu bytes)",
			      (unsigned long long)target->core_bytes,
			      (unsigned long long)target->core_bytes_expected,
			      (unsigned long long)target->lost_lo,
			      (unsigned long long)target->lost_bytes);
	else
		gh_doctor_add(doctor, "core is whole", GH_HEALTH_OK, NULL, "%llu bytes",
			      (unsigned long long)target->core_bytes);
}

/*
 * What kernels leave out of every core: memory that was mapped and never touched, and their own
 * state for random numbers (vgetrandom). Nothing is kept in it. A coredump_filter that leaves out
 * what matters leaves out all of its kind.
 */
enum { HARMLESS_BYTES = 1 << 20 };

/* What of the process's memory is not there, by reason. */
static void check_omissions(struct gh_doctor *doctor, const struct gh_target *target)
{
	static const struct {
		enum gh_absence why;
		const char *name, *advice;
	} kinds[] = {
		{GH_NOT_IN_CORE, "memory left out of the core",
		 "writable memory left out hides what it points to: check coredump_filter"},
		{GH_TRUNCATED, "memory cut off the core", "take a whole core"},
		{GH_UNREADABLE, "memory refused by the debugger", NULL},
		{GH_NOT_COPIED, "memory left out of the copy", NULL},
	};
	const struct gh_region *regions;
	size_t nregions;

	regions = gh_image_regions(target->image, &nregions);
	for (size_t k = 0; k < GH_ARRAY_SIZE(kinds); k++) {
		uint64_t n = 0, bytes = 0, writable = 0;
		bool is_harmless;
		gh_addr lo = 0;

		for (size_t i = 0; i < nregions; i++) {
			if (regions[i].absence != kinds[k].why)
				continue;
			lo = n++ ? lo : regions[i].lo;
			bytes += regions[i].hi - regions[i].lo;
			writable += regions[i].writable ? regions[i].hi - regions[i].lo : 0;
		}
		is_harmless = writable == 0 || kinds[k].why == GH_NOT_COPIED ||
			      (kinds[k].why == GH_NOT_IN_CORE && writable <= HARMLESS_BYTES);
		if (n == 0)
			gh_doctor_add(doctor, kinds[k].name, GH_HEALTH_OK, NULL, "none");
		else
			gh_doctor_add(
				doctor, kinds[k].name,
				is_harmless ? GH_HEALTH_OK : GH_HEALTH_WARN,
				is_harmless ? NULL : kinds[k].advice,
				"%llu ranges from %#llx on, %llu bytes, %llu of them writable",
				(unsigned long long)n, (unsigned long long)lo,
				(unsigned long long)bytes, (unsigned long long)writable);
	}
}

static void check_target(struct gh_doctor *doctor, const struct gh_target *target)
{
	check_build_ids(doctor, target);
	check_length(doctor, target);
	check_omissions(doctor, target);
}

static void check_layout(struct gh_doctor *doctor, const struct gh_runtime *rt)
{
	if (!rt->dwarf)
		gh_doctor_add(doctor, "layout table against DWARF", GH_HEALTH_UNKNOWN, NULL,
			      "no DWARF: the table of %s is used as it is", rt->release->name);
	else if (rt->layout_mismatches)
		gh_doctor_add(doctor, "layout table against DWARF", GH_HEALTH_WARN,
			      "a patched toolchain or an experiment: DWARF's layout is used",
			      "%u of %u fields differ from the table of %s", rt->layout_mismatches,
			      rt->layout_compared, rt->release->name);
	else
		gh_doctor_add(doctor, "layout table against DWARF", GH_HEALTH_OK, NULL,
			      "%u fields compared, all equal", rt->layout_compared);
}

/* Not every release has every variable: what is missing is named. */
static void check_variables(struct gh_doctor *doctor, const struct gh_runtime *rt)
{
	static const enum gh_layout_var needed[] = {
		GH_V_firstmoduledata, GH_V_mheap_,	 GH_V_allgs, GH_V_allp, GH_V_allm,
		GH_V_memstats,	      GH_V_gcController, GH_V_sched,
	};
	const char *missing = NULL;
	unsigned int n = 0;

	for (size_t i = 0; i < GH_ARRAY_SIZE(needed); i++)
		if (!rt->var[needed[i]]) {
			missing = gh_layout_var_name(needed[i]);
			n++;
		}
	if (n)
		gh_doctor_add(doctor, "runtime variables", GH_HEALTH_BAD,
			      "pass an executable that has its symbols with --exe",
			      "%u are not found, among them %s", n, missing);
	else
		gh_doctor_add(doctor, "runtime variables", GH_HEALTH_OK, NULL, "all found");
}

static void check_modules(struct gh_doctor *doctor, const struct gh_runtime *rt)
{
	uint64_t text = 0, functions = 0;

	for (size_t i = 0; i < rt->modules.len; i++) {
		text += rt->modules.data[i].etext - rt->modules.data[i].text;
		functions += rt->modules.data[i].nftab ? rt->modules.data[i].nftab - 1 : 0;
	}
	gh_doctor_add(doctor, "modules", GH_HEALTH_OK, NULL,
		      "%zu, %llu functions in %llu bytes of code", rt->modules.len,
		      (unsigned long long)functions, (unsigned long long)text);
}

static void check_runtime(struct gh_doctor *doctor, const struct gh_runtime *rt)
{
	gh_doctor_add(doctor, "Go release", GH_HEALTH_OK, NULL, "%s for %s", rt->version,
		      rt->goarch);
	if (rt->dwarf)
		gh_doctor_add(doctor, "DWARF", GH_HEALTH_OK, NULL, "present");
	else
		gh_doctor_add(doctor, "DWARF", GH_HEALTH_WARN,
			      "build without -ldflags=-w, or pass an executable built so",
			      "none: variables have no names and fewer types are known");
	check_layout(doctor, rt);
	check_variables(doctor, rt);
	check_modules(doctor, rt);
}

struct gh_error *gh_doctor_run(struct gh_session *session, struct gh_doctor *ret)
{
	_cleanup_error_ struct gh_error *no_heap = NULL;
	struct gh_error *err;

	*ret = (struct gh_doctor){0};
	err = gh_session_dwarf(session);
	if (err)
		return err;
	check_target(ret, session->target);
	check_runtime(ret, session->rt);
	no_heap = gh_session_heap(session);
	if (no_heap && (no_heap->code == GH_ERR_NOMEM || no_heap->code == GH_ERR_CANCELLED)) {
		gh_doctor_deinit(ret);
		return gh_steal(no_heap);
	}
	if (no_heap)
		gh_doctor_add(ret, "heap", GH_HEALTH_BAD, "take a whole core", "%s",
			      no_heap->message);
	else
		gh_doctor_heap(ret, session->heap);
	gh_doctor_pages(ret, session->rt, no_heap ? 0 : session->heap->table.freed_arena_pages);
	err = gh_doctor_goroutines(ret, session);
	if (!err)
		gh_doctor_threads(ret, session->rt);
	if (!err)
		err = gh_doctor_live(ret, session);
	if (!err && ret->nomem)
		err = gh_error_nomem();
	if (err)
		gh_doctor_deinit(ret);
	return err;
}
