// SPDX-License-Identifier: Apache-2.0
// Python module _goheap (abi3, 3.8 and later): C sessions to Python and back. Converts, nothing
// else: no output, no analysis.
#define Py_LIMITED_API 0x03080000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stddef.h>
#include <time.h>

#include "analysis/objects.h"
#include "base/cleanup.h"
#include "command/complete.h"
#include "command/shown.h"

enum {
	POLL_NS = 20 * 1000 * 1000, // Python is asked for progress and cancellation that often
	BATCH = 4096,		    // objects that Objects yields at once
	NAMES = 64,		    // that it keeps as Python strings
};

/* What the session's callbacks need while C runs without the GIL. */
struct calls {
	PyObject *progress, *cancelled; // borrowed during a call; NULL: none
	struct timespec last;
	bool failed; // a Python exception is set and waits for the call to return
};

struct session {
	PyObject_HEAD struct gh_session *session; // owned; NULL once closed
	PyObject *read_memory;			  // owned; NULL for a core
	PyObject *errors;			  // owned: tuple of exception classes by code
	struct calls calls;
	bool busy;
};

/* Raise what the error's code stands for in Python. Consumes err; always returns NULL. */
static PyObject *raise_error(const struct session *self, struct gh_error *err)
{
	PyObject *type = PyTuple_GetItem(self->errors, (Py_ssize_t)err->code);
	PyObject *message =
		PyUnicode_DecodeUTF8(err->message, (Py_ssize_t)strlen(err->message), "replace");

	if (type && message)
		PyErr_SetObject(type, message);
	Py_XDECREF(message);
	gh_error_destroy(err);
	return NULL;
}

static bool is_due(struct calls *calls)
{
	struct timespec now;
	int64_t ns;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ns = (int64_t)(now.tv_sec - calls->last.tv_sec) * 1000000000 +
	     (now.tv_nsec - calls->last.tv_nsec);
	if (ns >= 0 && ns < POLL_NS)
		return false;
	calls->last = now;
	return true;
}

/* Needs the GIL. Looks for signals, too, so that Ctrl-C works without a callback. */
static void ask_python(struct calls *calls, const char *stage, uint64_t done, uint64_t total)
{
	PyObject *answer = NULL;

	if (calls->progress) {
		answer = PyObject_CallFunction(calls->progress, "sKK", stage,
					       (unsigned long long)done, (unsigned long long)total);
		calls->failed = answer == NULL;
		Py_XDECREF(answer);
	}
	if (!calls->failed && PyErr_CheckSignals())
		calls->failed = true;
	if (calls->failed || !calls->cancelled)
		return;
	answer = PyObject_CallFunction(calls->cancelled, NULL);
	if (answer && PyObject_IsTrue(answer) == 1)
		PyErr_SetNone(PyExc_KeyboardInterrupt);
	Py_XDECREF(answer);
	calls->failed = PyErr_Occurred() != NULL;
}

static void on_progress(void *ctx, const char *stage, uint64_t done, uint64_t total)
{
	struct calls *calls = ctx;
	PyGILState_STATE state;

	if (calls->failed || !is_due(calls))
		return;
	state = PyGILState_Ensure();
	ask_python(calls, stage, done, total);
	PyGILState_Release(state);
}

static bool on_cancelled(void *ctx)
{
	struct calls *calls = ctx;

	return calls->failed;
}

/* Called without the GIL, on the session's thread. */
static bool on_read(void *ctx, gh_addr addr, void *to, uint64_t len)
{
	struct session *self = ctx;
	PyGILState_STATE state;
	PyObject *bytes;
	char *data;
	Py_ssize_t got;
	bool fine = false;

	if (self->calls.failed || len > PY_SSIZE_T_MAX)
		return false;
	state = PyGILState_Ensure();
	bytes = PyObject_CallFunction(self->read_memory, "KK", (unsigned long long)addr,
				      (unsigned long long)len);
	if (bytes && bytes != Py_None && PyBytes_AsStringAndSize(bytes, &data, &got) == 0 &&
	    (uint64_t)got == len) {
		memcpy(to, data, len);
		fine = true;
	}
	Py_XDECREF(bytes);
	if (PyErr_Occurred()) {
		// unreadable memory is an answer; an interrupt is not
		if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt))
			self->calls.failed = true;
		else
			PyErr_Clear();
	}
	PyGILState_Release(state);
	return fine;
}

/* Takes the error over: an exception that a callback left wins over the "cancelled" that it caused.
 */
static PyObject *finish(struct session *self, struct gh_error *err)
{
	bool failed = self->calls.failed;

	self->calls = (struct calls){0};
	if (failed && PyErr_Occurred()) {
		gh_error_destroy(err);
		return NULL;
	}
	return raise_error(self, err);
}

/* Arrays for gh_target_callbacks, filled from Python sequences. */
struct live {
	struct gh_mapping *mappings; // owned; paths borrowed from `texts`
	bool *writable;		     // owned
	size_t nmappings;
	struct gh_thread *threads; // owned
	size_t nthreads;
	PyObject *texts; // owned list that keeps the paths alive
};

static void live_deinit(struct live *live)
{
	free(live->mappings);
	free(live->writable);
	free(live->threads);
	Py_XDECREF(live->texts);
}

static bool is_tuple(PyObject *item)
{
	if (!PyTuple_Check(item))
		PyErr_SetString(PyExc_TypeError, "mappings and threads are lists of tuples");
	return PyTuple_Check(item);
}

/* (lo, hi, file_offset, path or None, writable) */
static bool convert_mapping(PyObject *item, struct live *live)
{
	struct gh_mapping *mapping = &live->mappings[live->nmappings];
	unsigned long long lo, hi, offset;
	PyObject *path, *encoded;
	int writable;

	if (!is_tuple(item) ||
	    !PyArg_ParseTuple(item, "KKKOp", &lo, &hi, &offset, &path, &writable))
		return false;
	*mapping = (struct gh_mapping){.lo = lo, .hi = hi, .file_offset = offset};
	live->writable[live->nmappings++] = writable;
	if (path == Py_None)
		return true;
	if (!PyUnicode_FSConverter(path, &encoded))
		return false;
	mapping->path = PyBytes_AsString(encoded);
	writable = PyList_Append(live->texts, encoded);
	Py_DECREF(encoded);
	return mapping->path && writable == 0;
}

static bool convert_mappings(PyObject *sequence, struct live *live)
{
	Py_ssize_t n = PySequence_Size(sequence);

	if (n < 0)
		return false;
	live->mappings = gh_alloc_array((size_t)n, sizeof(*live->mappings));
	live->writable = gh_alloc_array((size_t)n, sizeof(*live->writable));
	live->texts = PyList_New(0);
	if (!live->mappings || !live->writable || !live->texts) {
		PyErr_NoMemory();
		return false;
	}
	for (Py_ssize_t i = 0; i < n; i++) {
		PyObject *item = PySequence_GetItem(sequence, i);
		bool fine = item && convert_mapping(item, live);

		Py_XDECREF(item);
		if (!fine)
			return false;
	}
	return true;
}

/* pc, sp and what else has a place of its own: struct user_regs_struct, user_pt_regs. */
static void name_registers(struct gh_thread *thread)
{
	if (thread->nregs == 27) { // amd64
		thread->bp = thread->regs[4];
		thread->pc = thread->regs[16];
		thread->sp = thread->regs[19];
		thread->tls = thread->regs[21];
	} else if (thread->nregs >= 33) { // arm64
		thread->bp = thread->regs[29];
		thread->sp = thread->regs[31];
		thread->pc = thread->regs[32];
	}
}

/* Numbers of a sequence, at most max of them, modulo 2^64. */
static bool convert_registers(PyObject *sequence, uint64_t *words, size_t max, uint32_t *n_ret)
{
	Py_ssize_t n = PySequence_Size(sequence);

	for (Py_ssize_t i = 0; i < n && (size_t)i < max; i++) {
		PyObject *value = PySequence_GetItem(sequence, i);

		words[i] = value ? PyLong_AsUnsignedLongLongMask(value) : 0;
		Py_XDECREF(value);
		if (PyErr_Occurred())
			return false;
		*n_ret = (uint32_t)i + 1;
	}
	return n >= 0;
}

/* (tid, signal, [registers], [words of vector registers]) */
static bool convert_thread(PyObject *item, struct gh_thread *thread)
{
	PyObject *regs, *vectors;
	unsigned tid, signal;

	if (!is_tuple(item) || !PyArg_ParseTuple(item, "IIOO", &tid, &signal, &regs, &vectors))
		return false;
	*thread = (struct gh_thread){.tid = tid, .signal = signal};
	if (!convert_registers(regs, thread->regs, GH_ARRAY_SIZE(thread->regs), &thread->nregs) ||
	    !convert_registers(vectors, thread->vectors, GH_ARRAY_SIZE(thread->vectors),
			       &thread->nvectors))
		return false;
	name_registers(thread);
	return true;
}

static bool convert_threads(PyObject *sequence, struct live *live)
{
	Py_ssize_t n = PySequence_Size(sequence);

	if (n < 0)
		return false;
	live->threads = gh_alloc_array((size_t)n, sizeof(*live->threads));
	if (!live->threads) {
		PyErr_NoMemory();
		return false;
	}
	for (Py_ssize_t i = 0; i < n; i++) {
		PyObject *item = PySequence_GetItem(sequence, i);
		bool fine = item && convert_thread(item, &live->threads[i]);

		Py_XDECREF(item);
		if (!fine)
			return false;
		live->nthreads++;
	}
	return true;
}

struct arguments {
	struct gh_target_options options;
	PyObject *read_memory, *mappings, *threads; // borrowed
	unsigned pid;
};

static struct gh_error *open_live(struct session *self, const struct arguments *arguments,
				  const struct live *live, struct gh_target **ret)
{
	struct gh_target_callbacks callbacks = {
		.read_memory = on_read,
		.ctx = self,
		.pid = arguments->pid,
		.mappings = live->mappings,
		.mapping_writable = live->writable,
		.nmappings = live->nmappings,
		.threads = live->threads,
		.nthreads = live->nthreads,
	};

	return gh_target_open_live(&arguments->options, &callbacks, ret);
}

static struct gh_error *open_target(struct session *self, const struct arguments *arguments,
				    const struct live *live, struct gh_target **ret)
{
	if (arguments->options.core_path)
		return gh_target_open_core(&arguments->options, ret);
	if (arguments->read_memory)
		return open_live(self, arguments, live, ret);
	return gh_target_open_pid(&arguments->options, arguments->pid, /* running= */ false, ret);
}

static struct gh_error *open_session(struct session *self, const struct arguments *arguments,
				     const struct live *live)
{
	struct gh_target *target = NULL;
	struct gh_error *err = open_target(self, arguments, live, &target);

	if (!err)
		err = gh_session_create(target, &self->session);
	if (!err)
		self->session->poll = (struct gh_poll){
			.progress = on_progress, .cancelled = on_cancelled, .ctx = &self->calls};
	return err;
}

/* Without the GIL from here: threads of Python go on while files are read. */
static bool open_released(struct session *self, struct arguments *arguments,
			  const struct live *live)
{
	struct gh_poll poll = {
		.progress = on_progress, .cancelled = on_cancelled, .ctx = &self->calls};
	struct gh_error *err;

	arguments->options.poll = &poll;
	self->busy = true;
	Py_BEGIN_ALLOW_THREADS err = open_session(self, arguments, live);
	Py_END_ALLOW_THREADS self->busy = false;
	if (!err) {
		self->calls = (struct calls){0};
		return true;
	}
	finish(self, err);
	return false;
}

static bool open_arguments(struct session *self, struct arguments *arguments)
{
	struct live live = {0};
	bool fine = true;

	bool has_callback = arguments->read_memory && arguments->mappings && arguments->threads;

	if (!arguments->options.core_path && !has_callback &&
	    (arguments->read_memory || !arguments->pid)) {
		PyErr_SetString(PyExc_TypeError,
				"Session needs core, pid, or read_memory, mappings and threads");
		return false;
	}
	if (!arguments->options.core_path && has_callback) {
		Py_INCREF(arguments->read_memory);
		self->read_memory = arguments->read_memory;
		fine = convert_mappings(arguments->mappings, &live) &&
		       convert_threads(arguments->threads, &live);
	}
	fine = fine && open_released(self, arguments, &live);
	live_deinit(&live);
	return fine;
}

static PyObject *session_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	static const char *const names[] = {
		"core",	    "exe",     "sysroot",  "force",	"no_mmap", "pid", "read_memory",
		"mappings", "threads", "progress", "cancelled", "scratch", NULL};
	struct arguments arguments = {0};
	int force = 0, no_mmap = 0;
	struct session *self;
	allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
	PyObject *progress = NULL, *cancelled = NULL;

	if (!PyArg_ParseTupleAndKeywords(
		    args, kwargs, "|zzzppIOOOOOz", (char **)names, &arguments.options.core_path,
		    &arguments.options.exe_path, &arguments.options.sysroot, &force, &no_mmap,
		    &arguments.pid, &arguments.read_memory, &arguments.mappings, &arguments.threads,
		    &progress, &cancelled, &arguments.options.scratch))
		return NULL;
	arguments.options.force = force;
	arguments.options.no_mmap = no_mmap;
	self = (struct session *)alloc(type, 0);
	if (!self)
		return NULL;
	self->calls.progress = progress == Py_None ? NULL : progress;
	self->calls.cancelled = cancelled == Py_None ? NULL : cancelled;
	self->errors = PyObject_GetAttrString((PyObject *)type, "errors");
	if (!self->errors || !open_arguments(self, &arguments)) {
		Py_DECREF(self);
		return NULL;
	}
	return (PyObject *)self;
}

static void close_session(struct session *self)
{
	gh_session_destroy(gh_steal(self->session));
}

static int session_traverse(PyObject *object, visitproc visit, void *arg)
{
	Py_VISIT(((struct session *)object)->read_memory);
	Py_VISIT(((struct session *)object)->errors);
	return 0;
}

static int session_clear(PyObject *object)
{
	struct session *self = (struct session *)object;

	// C may not read through the callback any more once it is gone
	close_session(self);
	Py_CLEAR(self->read_memory);
	Py_CLEAR(self->errors);
	return 0;
}

static void session_dealloc(PyObject *object)
{
	PyTypeObject *type = Py_TYPE(object);
	freefunc free_object = (freefunc)PyType_GetSlot(type, Py_tp_free);

	PyObject_GC_UnTrack(object);
	session_clear(object);
	free_object(object);
	Py_DECREF(type);
}

static bool collect_text(void *ctx, const char *text, size_t len)
{
	struct gh_strbuf *sb = ctx;

	gh_strbuf_add(sb, text, len);
	return gh_strbuf_ok(sb);
}

/* UTF-8 texts of a sequence; *items_ret keeps them alive. */
static const char **convert_words(PyObject *words, PyObject **items_ret, size_t *n_ret)
{
	PyObject *items = PySequence_List(words);
	Py_ssize_t n = items ? PyList_Size(items) : -1;
	const char **argv = n < 0 ? NULL : gh_alloc_array((size_t)n, sizeof(*argv));
	bool fine = argv != NULL;

	for (Py_ssize_t i = 0; fine && i < n; i++) {
		PyObject *encoded;

		// the list is ours: the encoded word takes the place of the word
		fine = PyUnicode_FSConverter(PyList_GetItem(items, i), &encoded) &&
		       PyList_SetItem(items, i, encoded) == 0;
		argv[i] = fine ? PyBytes_AsString(encoded) : NULL;
	}
	if (!fine) {
		if (!PyErr_Occurred())
			PyErr_NoMemory();
		free(argv);
		Py_XDECREF(items);
		return NULL;
	}
	*items_ret = items;
	*n_ret = (size_t)n;
	return argv;
}

static PyObject *run_words(struct session *self, const char **argv, size_t argc,
			   const struct gh_render_options *render)
{
	_cleanup_strbuf_ struct gh_strbuf text = {0};
	PyObject *string, *result;
	bool findings = false;
	struct gh_error *err;

	self->busy = true;
	Py_BEGIN_ALLOW_THREADS err =
		gh_command_run(self->session, argv, argc, render, collect_text, &text, &findings);
	Py_END_ALLOW_THREADS self->busy = false;
	if (err)
		return finish(self, err);
	if (self->calls.failed && PyErr_Occurred()) { // came too late to stop anything
		self->calls = (struct calls){0};
		return NULL;
	}
	self->calls = (struct calls){0};
	string = PyUnicode_DecodeUTF8(gh_strbuf_str(&text), (Py_ssize_t)text.len, "replace");
	if (!string)
		return NULL;
	result = Py_BuildValue("(OO)", string, findings ? Py_True : Py_False);
	Py_DECREF(string);
	return result;
}

static bool check_usable(const struct session *self)
{
	if (self->busy)
		PyErr_SetString(PyExc_RuntimeError, "the session is busy with another command");
	else if (!self->session)
		PyErr_SetString(PyExc_ValueError, "the session is closed");
	return !self->busy && self->session;
}

static PyObject *session_run(PyObject *object, PyObject *args, PyObject *kwargs)
{
	static const char *const names[] = {"words",	"width",     "colour",	 "json",
					    "progress", "cancelled", "how_next", NULL};
	struct session *self = (struct session *)object;
	PyObject *words, *progress = NULL, *cancelled = NULL, *items, *result;
	struct gh_render_options render = {0};
	unsigned width = 0;
	int colour = 0, json = 0;
	const char **argv;
	size_t argc;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|IppOOz", (char **)names, &words, &width,
					 &colour, &json, &progress, &cancelled, &render.how_next) ||
	    !check_usable(self))
		return NULL;
	argv = convert_words(words, &items, &argc);
	if (!argv)
		return NULL;
	render.width = width;
	render.colour = colour;
	render.format = json ? GH_FORMAT_JSON : GH_FORMAT_TEXT;
	self->calls = (struct calls){
		.progress = progress == Py_None ? NULL : progress,
		.cancelled = cancelled == Py_None ? NULL : cancelled,
	};
	result = run_words(self, argv, argc, &render);
	free(argv);
	Py_DECREF(items);
	return result;
}

/* Iterator over batches of objects. Holds its session; useless once that is closed. */
struct objects {
	PyObject_HEAD struct session *owner; // owned
	struct gh_objects objects;
	struct gh_arena arena;
	char *type; // owned; NULL: any
	struct {
		const char *key; // equal pointers are equal texts
		PyObject *text;	 // owned
	} names[NAMES];
	PyObject *strengths[GH_STRENGTHS]; // owned
};

static bool is_wanted(void *ctx, const char *type)
{
	const struct objects *self = ctx;

	return strcmp(self->type, type) == 0;
}

static struct gh_error *start_objects(struct objects *self, bool dead)
{
	struct gh_objects_query query = {
		.dead = dead,
		.wanted = self->type ? is_wanted : NULL,
		.ctx = self,
		.arena = &self->arena,
	};

	return gh_objects_init(self->owner->session, &query, &self->objects);
}

/* Compute the stages; false: an exception is set. */
static bool prepare_objects(struct objects *self, bool dead)
{
	struct session *owner = self->owner;
	struct gh_error *err;

	owner->busy = true;
	Py_BEGIN_ALLOW_THREADS err = start_objects(self, dead);
	Py_END_ALLOW_THREADS owner->busy = false;
	if (err) {
		finish(owner, err);
		return false;
	}
	owner->calls = (struct calls){0};
	for (int i = 0; i < GH_STRENGTHS; i++) {
		self->strengths[i] = PyUnicode_FromString(gh_strength_name((enum gh_strength)i));
		if (!self->strengths[i])
			return false;
	}
	return !PyErr_Occurred();
}

static PyObject *session_objects(PyObject *object, PyObject *args, PyObject *kwargs)
{
	static const char *const names[] = {"type", "dead", "progress", "cancelled", NULL};
	struct session *owner = (struct session *)object;
	PyObject *progress = NULL, *cancelled = NULL, *class;
	const char *type = NULL;
	struct objects *self;
	int dead = 0;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|zpOO", (char **)names, &type, &dead,
					 &progress, &cancelled) ||
	    !check_usable(owner))
		return NULL;
	class = PyObject_GetAttrString((PyObject *)Py_TYPE(object), "Objects");
	self = class ? (struct objects *)PyType_GenericAlloc((PyTypeObject *)class, 0) : NULL;
	Py_XDECREF(class); // the instance holds it
	if (!self)
		return NULL;
	Py_INCREF(owner);
	self->owner = owner;
	owner->calls = (struct calls){
		.progress = progress == Py_None ? NULL : progress,
		.cancelled = cancelled == Py_None ? NULL : cancelled,
	};
	self->type = type ? strdup(type) : NULL;
	if (type && !self->type)
		PyErr_NoMemory();
	if (PyErr_Occurred() || !prepare_objects(self, dead)) {
		Py_DECREF(self);
		return NULL;
	}
	return (PyObject *)self;
}

static void objects_dealloc(PyObject *object)
{
	struct objects *self = (struct objects *)object;
	PyTypeObject *type = Py_TYPE(object);
	freefunc free_object = (freefunc)PyType_GetSlot(type, Py_tp_free);

	for (int i = 0; i < NAMES; i++)
		Py_XDECREF(self->names[i].text);
	for (int i = 0; i < GH_STRENGTHS; i++)
		Py_XDECREF(self->strengths[i]);
	gh_objects_deinit(&self->objects);
	gh_arena_deinit(&self->arena);
	free(self->type);
	Py_XDECREF(self->owner);
	free_object(object);
	Py_DECREF(type);
}

/* Borrowed; few types make most objects, so that most names are there already. */
static PyObject *type_name(struct objects *self, const char *type)
{
	size_t at = ((uintptr_t)type >> 4) % NAMES;

	if (self->names[at].key != type) {
		PyObject *text = PyUnicode_DecodeUTF8(type, (Py_ssize_t)strlen(type), "replace");

		if (!text)
			return NULL;
		Py_XDECREF(self->names[at].text);
		self->names[at].key = type;
		self->names[at].text = text;
	}
	return self->names[at].text;
}

static PyObject *object_tuple(struct objects *self, const struct gh_object *object)
{
	PyObject *name = type_name(self, object->type), *tuple = NULL;
	PyObject *address = PyLong_FromUnsignedLongLong(object->addr);
	PyObject *bytes = PyLong_FromUnsignedLongLong(object->bytes);

	if (name && address && bytes)
		tuple = PyTuple_Pack(4, address, name, bytes, self->strengths[object->strength]);
	Py_XDECREF(address);
	Py_XDECREF(bytes);
	return tuple;
}

static PyObject *object_list(struct objects *self, const struct gh_object *batch, size_t n)
{
	PyObject *list = PyList_New((Py_ssize_t)n);

	for (size_t i = 0; list && i < n; i++) {
		PyObject *tuple = object_tuple(self, &batch[i]);

		if (!tuple || PyList_SetItem(list, (Py_ssize_t)i, tuple))
			Py_CLEAR(list);
	}
	return list;
}

/* (name, address, type or None, bytes) */
static PyObject *handle_tuple(const struct session *self, const struct gh_handle *handle)
{
	struct gh_arena arena = {0};
	struct gh_handle_target target;
	PyObject *tuple = NULL;
	char name[32];

	snprintf(name, sizeof(name), "%c%llu", handle->letter, (unsigned long long)handle->number);
	if (gh_handle_describe(self->session, handle, &arena, &target))
		tuple = Py_BuildValue("(sKzK)", name, (unsigned long long)target.addr, target.type,
				      (unsigned long long)target.bytes);
	else
		tuple = Py_BuildValue("(sKzK)", name, 0ULL, NULL, 0ULL);
	gh_arena_deinit(&arena);
	return tuple;
}

static PyObject *session_handles(PyObject *object, PyObject *unused)
{
	struct session *self = (struct session *)object;
	const struct gh_shown *shown;
	PyObject *list;

	if (!check_usable(self))
		return NULL;
	shown = self->session->shown;
	list = PyList_New(0);
	for (size_t i = 0; list && shown && i < shown->last.len; i++) {
		PyObject *tuple = handle_tuple(self, &shown->last.data[i]);

		if (!tuple || PyList_Append(list, tuple))
			Py_CLEAR(list);
		Py_XDECREF(tuple);
	}
	return list;
}

static PyObject *objects_next(PyObject *object)
{
	struct objects *self = (struct objects *)object;
	_cleanup_free_ struct gh_object *batch = NULL;
	struct session *owner = self->owner;
	struct gh_error *err;
	size_t n = 0;

	if (!owner) {
		PyErr_SetString(PyExc_ValueError, "made by Session.objects() only");
		return NULL;
	}
	if (!check_usable(owner))
		return NULL;
	batch = gh_alloc_array(BATCH, sizeof(*batch));
	if (!batch)
		return PyErr_NoMemory();
	owner->busy = true;
	Py_BEGIN_ALLOW_THREADS err = gh_objects_next(&self->objects, batch, BATCH, &n);
	Py_END_ALLOW_THREADS owner->busy = false;
	if (err)
		return finish(owner, err);
	owner->calls = (struct calls){0};
	if (PyErr_Occurred()) // Ctrl-C, too late to stop anything
		return NULL;
	return n ? object_list(self, batch, n) : NULL;
}

static PyObject *objects_iter(PyObject *object)
{
	Py_INCREF(object);
	return object;
}

static PyType_Slot objects_slots[] = {
	{Py_tp_doc, (void *)"Batches of objects: lists of (address, type, bytes, strength)."},
	{Py_tp_dealloc, objects_dealloc},
	{Py_tp_iter, objects_iter},
	{Py_tp_iternext, objects_next},
	{0, NULL},
};

static PyType_Spec objects_spec = {
	.name = "_goheap.Objects",
	.basicsize = sizeof(struct objects),
	.flags = Py_TPFLAGS_DEFAULT,
	.slots = objects_slots,
};

/* (before, token) -> choices; session may be NULL. */
static PyObject *complete(struct gh_session *session, PyObject *args)
{
	struct gh_choices choices = {0};
	PyObject *words, *items, *list;
	const char *token, **before;
	size_t nbefore;

	if (!PyArg_ParseTuple(args, "Os", &words, &token))
		return NULL;
	before = convert_words(words, &items, &nbefore);
	if (!before)
		return NULL;
	list = gh_command_complete(session, before, nbefore, token, &choices) ? PyList_New(0)
									      : PyErr_NoMemory();
	for (size_t i = 0; list && i < choices.words.len; i++) {
		PyObject *choice =
			PyUnicode_DecodeUTF8(choices.words.data[i],
					     (Py_ssize_t)strlen(choices.words.data[i]), "replace");

		if (!choice || PyList_Append(list, choice))
			Py_CLEAR(list);
		Py_XDECREF(choice);
	}
	gh_choices_deinit(&choices);
	free(before);
	Py_DECREF(items);
	return list;
}

static PyObject *session_complete(PyObject *object, PyObject *args)
{
	struct session *self = (struct session *)object;

	return check_usable(self) ? complete(self->session, args) : NULL;
}

static PyObject *session_close(PyObject *object, PyObject *unused)
{
	struct session *self = (struct session *)object;

	if (self->busy) {
		PyErr_SetString(PyExc_RuntimeError, "the session is busy with a command");
		return NULL;
	}
	close_session(self);
	Py_RETURN_NONE;
}

static PyMethodDef session_methods[] = {
	{"run", (PyCFunction)(void (*)(void))session_run, METH_VARARGS | METH_KEYWORDS,
	 "run(words, width=0, colour=False, json=False, progress=None, cancelled=None,\n    "
	 "how_next=None)\n--\n\n"
	 "Run one command line.\n\n"
	 ":param words: list of str, the command's name first\n"
	 ":param width: columns of the terminal, 0 for no limit\n"
	 ":param progress: called with (stage, done, total) while it takes long\n"
	 ":param cancelled: called without arguments; true stops the command\n"
	 ":param how_next: in a dialogue, what to type for more rows; rows get handles then\n"
	 ":return: (text, findings)\n"
	 ":raises ValueError: usage, or what was read is damaged\n"
	 ":raises KeyboardInterrupt: cancelled; the session stays usable\n\n"
	 ">>> Session(core='core').run(['info', '--json'])"},
	{"objects", (PyCFunction)(void (*)(void))session_objects, METH_VARARGS | METH_KEYWORDS,
	 "objects(type=None, dead=False, progress=None, cancelled=None)\n--\n\n"
	 "Return an iterator over lists of (address, type, bytes, strength), by address.\n\n"
	 ":param type: full name of the wanted type\n"
	 ":param dead: garbage instead of live objects"},
	{"complete", session_complete, METH_VARARGS,
	 "complete(before, token)\n--\n\nAs the module's, with the types of this heap and the\n"
	 "handles of the last answer."},
	{"handles", session_handles, METH_NOARGS,
	 "handles()\n--\n\n"
	 "Return what the rows of the last answer stand for, if it was given how_next.\n\n"
	 ":return: list of (name, address or 0, Go type or None, bytes or 0)"},
	{"close", session_close, METH_NOARGS,
	 "close()\n--\n\nGive files and memory back. Closing twice is harmless."},
	{NULL, NULL, 0, NULL},
};

static PyType_Slot session_slots[] = {
	{Py_tp_doc,
	 (void *)"Session(core=None, exe=None, sysroot=None, force=False, no_mmap=False, pid=0,\n"
		 "        read_memory=None, mappings=None, threads=None, progress=None, "
		 "cancelled=None,\n        scratch=None)\n--\n\n"
		 "One opened core, a process by its number, or a stopped one read through\n"
		 "callbacks.\n\n"
		 ":param read_memory: (address, length) -> bytes, or None when unreadable\n"
		 ":param mappings: list of (lo, hi, file offset, path or None, writable)\n"
		 ":param threads: list of (tid, signal, registers in the kernel's order, words of "
		 "vector "
		 "registers)"},
	{Py_tp_new, session_new},
	{Py_tp_dealloc, session_dealloc},
	{Py_tp_traverse, session_traverse},
	{Py_tp_clear, session_clear},
	{Py_tp_methods, session_methods},
	{0, NULL},
};

static PyType_Spec session_spec = {
	.name = "_goheap.Session",
	.basicsize = sizeof(struct session),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
	.slots = session_slots,
};

static PyObject *command_dict(const struct gh_command *command)
{
	struct gh_strbuf help = {0};
	PyObject *dict = NULL;

	gh_command_help(command, &help);
	if (gh_strbuf_ok(&help))
		dict = Py_BuildValue("{s:s, s:s, s:s, s:s, s:O}", "name", command->name, "summary",
				     command->summary, "usage", command->usage, "help",
				     gh_strbuf_str(&help), "needs_target",
				     command->needs_target ? Py_True : Py_False);
	gh_strbuf_deinit(&help);
	return dict;
}

static PyObject *module_commands(PyObject *module, PyObject *unused)
{
	PyObject *list = PyList_New(0);
	const struct gh_command *const *commands;
	size_t n;

	commands = gh_commands(&n);
	for (size_t i = 0; list && i < n; i++) {
		PyObject *dict = command_dict(commands[i]);

		if (!dict || PyList_Append(list, dict))
			Py_CLEAR(list);
		Py_XDECREF(dict);
	}
	return list;
}

/* A command that needs no target. */
static PyObject *module_run(PyObject *module, PyObject *args, PyObject *kwargs)
{
	static const char *const names[] = {"words", "width", "colour", NULL};
	struct gh_render_options render = {0};
	struct session self = {0};
	PyObject *words, *items, *result;
	unsigned width = 0;
	int colour = 0;
	const char **argv;
	size_t argc;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|Ip", (char **)names, &words, &width,
					 &colour))
		return NULL;
	argv = convert_words(words, &items, &argc);
	if (!argv)
		return NULL;
	render.width = width;
	render.colour = colour;
	self.errors = PyObject_GetAttrString(module, "errors");
	result = self.errors ? run_words(&self, argv, argc, &render) : NULL;
	Py_XDECREF(self.errors);
	free(argv);
	Py_DECREF(items);
	return result;
}

static PyObject *module_complete(PyObject *module, PyObject *args)
{
	return complete(NULL, args);
}

static PyMethodDef module_methods[] = {
	{"complete", module_complete, METH_VARARGS,
	 "complete(before, token)\n--\n\nReturn the words that begin with token and may follow\n"
	 "the words before it."},
	{"commands", module_commands, METH_NOARGS,
	 "commands()\n--\n\nReturn the table of commands: a list of dicts with name, summary,\n"
	 "usage, help, needs_target."},
	{"run", (PyCFunction)(void (*)(void))module_run, METH_VARARGS | METH_KEYWORDS,
	 "run(words, width=0, colour=False)\n--\n\nRun a command that needs no target (help).\n\n"
	 ":return: (text, findings)"},
	{NULL, NULL, 0, NULL},
};

/* A kind of Error and of the built-in class that fits; its attribute `code` is the code's name. */
static PyObject *error_class(PyObject *error, enum gh_error_code code)
{
	PyObject *builtins = PyImport_ImportModule("builtins");
	PyObject *base =
		builtins ? PyObject_GetAttrString(builtins, gh_error_python_base(code)) : NULL;
	PyObject *bases = base ? PyTuple_Pack(2, error, base) : NULL;
	PyObject *members = Py_BuildValue("{s:s}", "code", gh_error_code_name(code));
	PyObject *class = NULL;
	char name[64];

	snprintf(name, sizeof(name), "goheap.%s", gh_error_python_name(code));
	if (bases && members)
		class = PyErr_NewException(name, bases, members);
	Py_XDECREF(members);
	Py_XDECREF(bases);
	Py_XDECREF(base);
	Py_XDECREF(builtins);
	return class;
}

/* Steals value, which may be NULL: then an exception is set. */
static bool add(PyObject *module, const char *name, PyObject *value)
{
	if (!value || PyModule_AddObject(module, name, value)) {
		Py_XDECREF(value);
		return false;
	}
	return true;
}

/* Error and one class a code, and the tuple `errors` of the latter; borrowed. NULL: failed. */
static PyObject *add_errors(PyObject *module)
{
	PyObject *error = PyErr_NewExceptionWithDoc(
		"goheap.Error", "What goheap could not do; str() says why and what to do.", NULL,
		NULL);
	PyObject *errors = PyTuple_New(GH_ERR_COUNT);

	if (!errors || !add(module, "Error", error)) {
		Py_XDECREF(errors);
		return NULL;
	}
	for (int code = 0; code < GH_ERR_COUNT; code++) {
		PyObject *class = error_class(error, (enum gh_error_code)code);

		Py_XINCREF(class);
		if (!add(module, gh_error_python_name((enum gh_error_code)code), class) ||
		    PyTuple_SetItem(errors, code, class)) {
			Py_DECREF(errors);
			return NULL;
		}
	}
	return add(module, "errors", errors) ? errors : NULL;
}

static int module_exec(PyObject *module)
{
	PyObject *errors = add_errors(module);
	PyObject *session = errors ? PyType_FromSpec(&session_spec) : NULL;
	PyObject *objects = session ? PyType_FromSpec(&objects_spec) : NULL;
	bool fine = objects && PyObject_SetAttrString(session, "errors", errors) == 0 &&
		    PyObject_SetAttrString(session, "Objects", objects) == 0;

	Py_XDECREF(objects);
	if (!fine) {
		Py_XDECREF(session);
		return -1;
	}
	if (!add(module, "Session", session))
		return -1;
	return PyModule_AddStringConstant(module, "__version__", GOHEAP_VERSION);
}

static PyModuleDef_Slot module_slots[] = {
	{Py_mod_exec, module_exec},
	{0, NULL},
};

static struct PyModuleDef module_def = {
	PyModuleDef_HEAD_INIT,
	.m_name = "_goheap",
	.m_doc = "Go heaps out of cores and stopped processes.",
	.m_methods = module_methods,
	.m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__goheap(void);

PyMODINIT_FUNC PyInit__goheap(void)
{
	return PyModuleDef_Init(&module_def);
}
