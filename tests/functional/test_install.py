# SPDX-License-Identifier: Apache-2.0
"""What `meson install` leaves behind works on its own: from any folder, in any place, beside gdb."""

import json
import os
import pathlib
import subprocess
from typing import Dict, List

import pytest

from lib import goheap, installed, programs

PUBLIC = r"goheap_\w+"
EXAMPLE = programs.ROOT / "examples" / "biggest.c"


class Core:
    """A bundled core and its executable, and what the program answers to some commands."""

    def __init__(self, folder: pathlib.Path) -> None:
        minor = ".".join(programs.RELEASES[-1].split(".")[:2])
        subprocess.run([str(programs.ROOT / "corefiles" / "unpack"), minor, str(folder)],
                       check=True)
        self.exe = folder / ("shop-" + minor)
        self.core = folder / ("shop-%s.core" % minor)
        self.documents = goheap.ask(self.core, self.exe, "info", "top", "objects", "objects --dead")

    def objects(self, which: str = "objects") -> List[dict]:
        """Return the rows of `objects`."""
        return goheap.rows(self.documents[which], "objects")


@pytest.fixture(scope="module", name="core")
def _core(tmp_path_factory: pytest.TempPathFactory) -> Core:
    return Core(tmp_path_factory.mktemp("core"))


@pytest.fixture(scope="module", name="prefix")
def _prefix(tmp_path_factory: pytest.TempPathFactory) -> installed.Prefix:
    return installed.Prefix(tmp_path_factory.mktemp("prefix"))


def without_args(document: dict) -> dict:
    """Return a document without the words that asked for it, which differ."""
    return {key: value for key, value in document.items() if key != "args"}


def test_the_program_runs(prefix: installed.Prefix, core: Core) -> None:
    out = installed.call([prefix.program, core.core, core.exe, "top", "--json"])
    assert without_args(json.loads(out)) == without_args(core.documents["top"])


def test_nothing_knows_the_build_tree(prefix: installed.Prefix) -> None:
    for file in prefix.root.rglob("*"):
        if not file.is_symlink() and file.is_file():
            assert str(installed.BUILD).encode() not in file.read_bytes(), file


def test_only_our_names_leave_the_library(prefix: installed.Prefix) -> None:
    names = installed.defined(prefix.library)
    assert "goheap_open" in names
    assert not installed.strangers(prefix.library, PUBLIC)
    header = (prefix.root / "include" / "goheap.h").read_text()
    assert not [name for name in names if " %s(" % name not in header.replace("*", " ")]


def test_a_name_that_leaks_is_seen(tmp_path: pathlib.Path) -> None:
    source, library = tmp_path / "leak.c", tmp_path / "leak.so"
    source.write_text("int goheap_fine(void) { return 1; }\nint xmalloc(void) { return 2; }\n")
    installed.call(["cc", "-shared", "-fPIC", source, "-o", library])
    assert installed.strangers(library, PUBLIC) == ["xmalloc"]


def test_only_the_header_is_installed(prefix: installed.Prefix) -> None:
    headers = [file.name for file in prefix.root.rglob("*.h")]
    assert headers == ["goheap.h"]
    assert prefix.library.name.startswith("libgoheap.so.")
    dynamic = installed.call(["readelf", "-d", prefix.library])
    assert "[libgoheap.so.0]" in dynamic
    for file in (prefix.library, prefix.program):
        assert "PATH" not in installed.call(["readelf", "-d", file])


@pytest.fixture(scope="module", name="biggest")
def _biggest(prefix: installed.Prefix,
             tmp_path_factory: pytest.TempPathFactory) -> "tuple":
    program = tmp_path_factory.mktemp("example") / "biggest"
    return program, prefix.compile(EXAMPLE, program)


def test_the_example_in_c(biggest: "tuple", core: Core) -> None:
    program, environment = biggest
    count, *lines = installed.call([program, core.core, core.exe], environment).splitlines()
    rows = core.objects()
    assert count == "%d live objects" % len(rows)
    largest = sorted(rows, key=lambda row: -row["bytes"])[:5]
    assert lines[:5] == ["{address} {bytes} {type} ({strength})".format(**row) for row in largest]
    assert without_args(json.loads(lines[5])) == without_args(core.documents["info"])


def test_the_example_meets_no_core(biggest: "tuple") -> None:
    program, environment = biggest
    process = subprocess.run([program, "/none"], env={**os.environ, **environment}, check=False,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert (process.returncode, process.stdout) == (1, "")
    assert "/none" in process.stderr and "code 4" in process.stderr


API = """
#include <assert.h>
#include <goheap.h>
#include <string.h>

static int stop(void *ctx, const char *stage, uint64_t done, uint64_t total)
{
	int *countdown = ctx;

	return --*countdown < 0 && stage && done <= total + !total * done;
}

static bool count(void *ctx, const char *text, size_t len)
{
	*(size_t *)ctx += len;
	return text != NULL;
}

static enum goheap_error_code code(struct goheap_error *error)
{
	enum goheap_error_code ret;

	assert(error && *goheap_error_message(error));
	ret = goheap_error_code(error);
	goheap_error_destroy(error);
	return ret;
}

int main(int argc, char **argv)
{
	const char *const top[] = {"top", NULL}, *const bad[] = {"tpo", NULL};
	const char *const help[] = {"help", NULL}, *const none[] = {NULL};
	int countdown = 1 << 30;
	struct goheap_open_options options = {
		.size = sizeof(options), .poll = stop, .ctx = &countdown};
	struct goheap_open_options old = {.size = 24, .core = argv[1], .sysroot = (char *)1};
	struct goheap_objects *objects = NULL;
	struct goheap_object one;
	struct goheap_session *session = NULL;
	size_t len = 0, n = 7, total = 0;

	assert(argc == 3);
	assert(code(goheap_open(&options, &session)) == GOHEAP_ERROR_USAGE && !session);
	options.core = argv[1];
	options.pid = 1;
	assert(code(goheap_open(&options, &session)) == GOHEAP_ERROR_USAGE && !session);
	options.pid = 0;
	options.size = 0;
	assert(code(goheap_open(&options, &session)) == GOHEAP_ERROR_USAGE && !session);
	options.size = sizeof(options);
	options.core = argv[2];
	assert(code(goheap_open(&options, &session)) == GOHEAP_ERROR_FORMAT && !session);
	assert(!goheap_open(&old, &session)); // a caller that knows the first members only
	goheap_close(session);
	options.core = argv[1];
	options.exe = argv[2];
	assert(!goheap_open(&options, &session));
	assert(code(goheap_run(session, bad, count, &len, NULL)) == GOHEAP_ERROR_USAGE);
	assert(code(goheap_run(session, none, count, &len, NULL)) == GOHEAP_ERROR_USAGE);
	assert(code(goheap_run(NULL, top, count, &len, NULL)) == GOHEAP_ERROR_USAGE && !len);
	assert(!goheap_run(NULL, help, count, &len, NULL) && len);
	countdown = 1;
	assert(code(goheap_objects_create(session, GOHEAP_LIVE, NULL, &objects)) ==
	       GOHEAP_ERROR_CANCELLED && !objects);
	countdown = 1 << 30;
	assert(!goheap_objects_create(session, GOHEAP_LIVE, "main.Session", &objects));
	while (!goheap_objects_next(objects, &one, 1, &n) && n) {
		assert(!strcmp(one.type, "main.Session") && one.strength <= GOHEAP_EXACT);
		total++;
	}
	assert(n == 0 && !goheap_objects_next(objects, &one, 1, &n) && n == 0);
	goheap_objects_destroy(objects);
	goheap_objects_destroy(NULL);
	assert(!goheap_objects_create(session, GOHEAP_DEAD, "no.Such", &objects));
	assert(!goheap_objects_next(objects, &one, 1, &n) && n == 0);
	goheap_objects_destroy(objects);
	goheap_close(session);
	goheap_close(NULL);
	goheap_error_destroy(NULL);
	return total == 4000 ? 0 : 1;
}
"""


def test_every_call_of_the_header(prefix: installed.Prefix, core: Core,
                                  tmp_path: pathlib.Path) -> None:
    source, program = tmp_path / "api.c", tmp_path / "api"
    source.write_text(API)
    environment = prefix.compile(source, program)
    assert len([row for row in core.objects() if row["type"] == "main.Session"]) == 4000
    installed.call([program, core.core, core.exe], environment)
