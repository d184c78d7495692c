// SPDX-License-Identifier: Apache-2.0
// Tracebacks in one line. See traceback.h.
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
static bool is_exported_runtime(const char *name)
{
	const char *rest = name + strlen("runtime."), *dot = strrchr(rest, '.');
	const char *receiver = rest;

	if (!dot)
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
static bool is_shown(const struct gh_source_frame *frame, bool first, enum gh_func_id callee)
{
	const char *name = frame->function;

	if (!name || is_hidden_wrapper(frame, callee))
		return false;
	if (strcmp(name, "runtime.gopanic") == 0 && !first)
		return true;
	return strchr(name, '.') &&
	       (strncmp(name, "runtime.", 8) != 0 || is_exported_runtime(name));
}

struct walk {
	const struct gh_runtime *rt;
	struct gh_traceback result;
	const char *first; // name of the very first frame
	enum gh_func_id callee;
	bool is_first;
};

static void visit(struct walk *walk, const struct gh_source_frame *frame)
{
	struct gh_traceback *ret = &walk->result;

	if (!walk->first)
		walk->first = frame->function;
	if (!ret->top && is_shown(frame, walk->is_first, walk->callee))
		ret->top = frame->function;
	if (!ret->wait_function && frame->function && frame->id != GH_FUNC_WRAPPER &&
	    !gh_is_standard(walk->rt, frame->function)) {
		ret->wait_function = frame->function;
		ret->wait_file = frame->file;
		ret->wait_line = frame->line;
	}
	walk->callee = frame->id;
	walk->is_first = false;
}

static struct gh_error *walk_frames(struct walk *walk, const struct gh_frame_vec *frames)
{
	struct gh_source_frame_vec logical = {0};
	bool fine = true;

	for (size_t i = 0; fine && i < frames->len; i++) {
		const struct gh_frame *frame = &frames->data[i];

		logical.len = 0;
		fine = gh_func_source_frames(walk->rt, &frame->func, frame->sym_pc, &logical);
		for (size_t k = 0; fine && k < logical.len; k++)
			visit(walk, &logical.data[k]);
		if (walk->result.top && walk->result.wait_function)
			break;
	}
	gh_source_frame_vec_deinit(&logical);
	return fine ? NULL : gh_error_nomem();
}

/* The function that holds the go statement, as printcreatedby names it: never an inlined one. */
static const char *find_creator(const struct gh_runtime *rt, const struct gh_goroutine *g)
{
	struct gh_func func;

	if (g->go_pc == 0 || g->goid == 1 || !gh_func_find(rt, g->go_pc - 1, &func))
		return NULL;
	return gh_func_name(rt, &func);
}

struct gh_error *gh_traceback_summary(const struct gh_runtime *rt, const struct gh_goroutine *g,
				      struct gh_traceback *ret)
{
	struct walk walk = {.rt = rt, .is_first = true};
	struct gh_frame_vec frames = {0};
	enum gh_unwind_end end = GH_UNWIND_UNREADABLE;
	struct gh_error *err = gh_stack_unwind(rt, g, &frames, &end);

	if (!err)
		err = walk_frames(&walk, &frames);
	gh_frame_vec_deinit(&frames);
	if (err)
		return err;
	if (!walk.result.top)
		walk.result.top = walk.first;
	walk.result.created_by = find_creator(rt, g);
	walk.result.complete = end == GH_UNWIND_COMPLETE;
	*ret = walk.result;
	return NULL;
}
