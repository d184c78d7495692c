// SPDX-License-Identifier: Apache-2.0
// Tracebacks. See traceback.h.
#include "goruntime/traceback.h"

/* Bytes of the package path of a function: up to the first dot after the last slash. */
static size_t package_len(const char *name)
{
	size_t end = strcspn(name, "[("), start = 0;
	const char *dot;

	for (size_t i = 0; i < end; i++)
		if (name[i] == '/')
			start = i;
	dot = memchr(name + start, '.', end - start);
	return dot ? (size_t)(dot - name) : 0;
}

static bool is_in_module(const char *package, size_t len, const char *path, size_t path_len)
{
	return path_len && len >= path_len && memcmp(package, path, path_len) == 0 &&
	       (len == path_len || package[path_len] == '/');
}

/* Is the package part of a module that the build info lists? */
static bool is_in_modules(const char *modinfo, const char *package, size_t len)
{
	for (const char *line = modinfo; line && *line;) {
		size_t n = strcspn(line, "\n");
		const char *path = NULL;

		if (strncmp(line, "mod\t", 4) == 0 || strncmp(line, "dep\t", 4) == 0)
			path = line + 4;
		else if (strncmp(line, "path\t", 5) == 0)
			path = line + 5;
		if (path && is_in_module(package, len, path, strcspn(path, "\t\n")))
			return true;
		line += n + (line[n] == '\n');
	}
	return false;
}

bool gh_is_standard(const struct gh_runtime *rt, const char *function)
{
	size_t len = package_len(function);
	size_t first = strcspn(function, "/");

	if (len == 0) // assembly and C of the runtime: "rt0_go", "_cgo_…"
		return true;
	if (len == 4 && memcmp(function, "main", 4) == 0)
		return false;
	if (is_in_modules(rt->modinfo, function, len))
		return false;
	// import paths of others have a dot in their first element, those of the library have none
	return memchr(function, '.', first < len ? first : len) == NULL &&
	       strncmp(function, "command-line-arguments.", 23) != 0;
}

void gh_function_print(struct gh_strbuf *sb, const char *name)
{
	const char *open = strchr(name, '['), *close = strrchr(name, ']');

	if (strcmp(name, "runtime.gopanic") == 0) {
		gh_strbuf_puts(sb, "panic");
		return;
	}
	if (!open || !close || close < open) {
		gh_strbuf_puts(sb, name);
		return;
	}
	gh_strbuf_add(sb, name, (size_t)(open - name));
	gh_strbuf_puts(sb, "[...]");
	gh_strbuf_puts(sb, close + 1);
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

/* runtime.GC, runtime.(*Frames).Next: shown even where the runtime's frames are not. */
static bool is_exported_runtime(const struct gh_runtime *rt, const char *name)
{
	const char *rest = name + strlen("runtime."), *dot = strrchr(rest, '.');
	const char *receiver = rest;

	if (!dot || !rt->release->shows_exported_methods)
		return is_upper(*rest);
	if (strncmp(receiver, "(*", 2) == 0)
		receiver += 2;
	return is_upper(dot[1]) && is_upper(*receiver);
}

/* Wrappers are hidden but where they call what ends a goroutine (elideWrapperCalling). */
static bool is_hidden_wrapper(const struct gh_source_frame *frame, enum gh_func_id callee)
{
	return frame->id == GH_FUNC_WRAPPER &&
	       !(callee == GH_FUNC_GOPANIC || callee == GH_FUNC_SIGPANIC ||
		 callee == GH_FUNC_PANICWRAP);
}

/* showfuncinfo at the default GOTRACEBACK. */
static bool is_shown(const struct gh_runtime *rt, const struct gh_source_frame *frame, bool first,
		     enum gh_func_id callee)
{
	const char *name = frame->function;

	if (!name || is_hidden_wrapper(frame, callee))
		return false;
	if (rt->release->shows_runners &&
	    (frame->id == GH_FUNC_RUN_FINALIZERS || frame->id == GH_FUNC_RUN_CLEANUPS))
		return true;
	if (strcmp(name, "runtime.gopanic") == 0 && !first)
		return true;
	return strchr(name, '.') &&
	       (strncmp(name, "runtime.", 8) != 0 || is_exported_runtime(rt, name));
}

struct gh_error *gh_traceback_frames(const struct gh_runtime *rt, const struct gh_frame_vec *frames,
				     struct gh_trace_frame_vec *ret)
{
	struct gh_source_frame_vec logical = {0};
	enum gh_func_id callee = GH_FUNC_NORMAL;
	bool fine = true, first = true;

	for (size_t i = 0; fine && i < frames->len; i++) {
		const struct gh_frame *frame = &frames->data[i];

		logical.len = 0;
		fine = gh_func_source_frames(rt, &frame->func, frame->sym_pc, &logical);
		for (size_t k = 0; fine && k < logical.len; k++) {
			struct gh_trace_frame f = {
				.source = logical.data[k],
				.physical = (uint32_t)i,
				.shown = is_shown(rt, &logical.data[k], first, callee),
			};

			fine = gh_trace_frame_vec_push(ret, f);
			callee = f.source.id;
			first = false;
		}
	}
	gh_source_frame_vec_deinit(&logical);
	return fine ? NULL : gh_error_nomem();
}

/* The go statement, as printcreatedby names it: its function is never an inlined one. */
static void find_creator(const struct gh_runtime *rt, const struct gh_goroutine *g,
			 struct gh_traceback *ret)
{
	struct gh_source_frame frame = {0};
	struct gh_func func;

	if (g->go_pc == 0 || g->goid == 1 || !gh_func_find(rt, g->go_pc - 1, &func))
		return;
	gh_func_line(rt, &func, g->go_pc - 1, &frame);
	ret->created_by = frame.function;
	ret->created_file = frame.file;
	ret->created_line = frame.line;
}

void gh_traceback_of(const struct gh_runtime *rt, const struct gh_goroutine *g,
		     const struct gh_trace_frame_vec *frames, struct gh_traceback *ret)
{
	*ret = (struct gh_traceback){0};
	for (size_t i = 0; i < frames->len && !(ret->top && ret->wait_function); i++) {
		const struct gh_source_frame *frame = &frames->data[i].source;

		if (!ret->top && frames->data[i].shown)
			ret->top = frame->function;
		if (!ret->wait_function && frame->function && frame->id != GH_FUNC_WRAPPER &&
		    !gh_is_standard(rt, frame->function)) {
			ret->wait_function = frame->function;
			ret->wait_file = frame->file;
			ret->wait_line = frame->line;
		}
	}
	if (!ret->top && frames->len)
		ret->top = frames->data[0].source.function;
	find_creator(rt, g, ret);
}

struct gh_error *gh_traceback_summary(const struct gh_runtime *rt, const struct gh_goroutine *g,
				      struct gh_traceback *ret)
{
	struct gh_trace_frame_vec logical = {0};
	struct gh_frame_vec frames = {0};
	enum gh_unwind_end end = GH_UNWIND_UNREADABLE;
	struct gh_error *err = gh_stack_unwind(rt, g, &frames, &end);

	if (!err)
		err = gh_traceback_frames(rt, &frames, &logical);
	if (!err) {
		gh_traceback_of(rt, g, &logical, ret);
		ret->complete = end == GH_UNWIND_COMPLETE;
	}
	gh_trace_frame_vec_deinit(&logical);
	gh_frame_vec_deinit(&frames);
	return err;
}
