# SPDX-License-Identifier: Apache-2.0
"""What `meson install` leaves behind works on its own: from any folder, in any place, beside gdb."""

import json
import os
import pathlib
import shutil
import struct
import subprocess
from typing import Dict, Iterator, List

import pytest

from conftest import RELEASES
from lib import gocore, goheap, installed, programs

HELD = 20000  # nHeld in tests/programs/allocator
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


def test_only_the_init_function_leaves_the_module(prefix: installed.Prefix) -> None:
    module = prefix.find("_goheap.abi3.so")
    assert module.parent.name == "goheap"
    assert installed.defined(module) == ["PyInit__goheap"]
    needed = installed.call(["readelf", "-d", module])
    assert "libpython" not in needed and "libgoheap" not in needed


PYTHON = """
import json, pathlib, sys, threading
import goheap
core, exe = map(pathlib.Path, sys.argv[1:3])
calls = []
with goheap.open(core, exe, progress=lambda *a: calls.append(a)) as session:
    top = session.run("top", "-n", "5")
    assert len(top["tables"]["types"]["rows"]) == 5
    live = list(session.objects())
    assert live[0]._fields == ("address", "type", "bytes", "strength")
    assert [o for o in live if o.type == "main.Session"] == list(session.objects("main.Session"))
    assert not list(session.objects(type="no.Such"))
    assert "live objects" in session.text("top", width=80)
    assert session.text("top", "--csv").startswith("type,count")
    both = zip(session.objects(), session.objects())  # two iterators at once
    assert all(a == b for a, b in both)
    dead = list(session.objects(dead=True))
    for words, error, base in ((["tpo"], goheap.UsageError, ValueError),
                               (["top", "--help"], goheap.UsageError, ValueError),
                               (["top", "--csv"], goheap.UsageError, ValueError),
                               (["top", "--max-mem", "1"], None, None)):
        try:
            session.run(*words)
        except goheap.Error as caught:
            assert error is None or (type(caught) is error and isinstance(caught, base)), words
            assert str(caught) and caught.code
        else:
            assert error is None, words
    left = session.objects()
    next(left)
for use in (lambda: session.run("top"), lambda: list(session.objects()), lambda: list(left)):
    try:
        use()
    except ValueError as caught:
        assert "closed" in str(caught)
        continue
    if use() != []:
        raise SystemExit("closed, and yet it answers")
assert calls
for arguments, error, base in (({"core": "/none"}, goheap.FileError, OSError),
                               ({"core": exe}, goheap.FormatError, ValueError),
                               ({}, goheap.UsageError, ValueError),
                               ({"core": core, "pid": 1}, goheap.UsageError, ValueError),
                               ({"pid": 2 ** 31 - 1}, goheap.FileError, OSError)):
    try:
        goheap.open(**arguments)
    except goheap.Error as caught:
        assert type(caught) is error and isinstance(caught, base), (arguments, repr(caught))
        continue
    raise SystemExit("opened: %s" % arguments)
try:
    goheap.Nonsense
except AttributeError:
    pass
assert goheap.__version__
print(json.dumps([top, live, dead]))
"""


def python(prefix: installed.Prefix, code: str, *arguments: object) -> str:
    """Run code in the system's Python that finds the installed package."""
    folder = next(path for path in prefix.root.rglob("goheap/__init__.py")
                  if path.parent.parent != prefix.script.parent).parent.parent
    return installed.call(["/usr/bin/python3", "-B", "-c", code, *arguments],
                          {"PYTHONPATH": str(folder), "GOHEAP_MODULE": ""})


def test_the_package_in_a_plain_python(prefix: installed.Prefix, core: Core) -> None:
    top, live, dead = json.loads(python(prefix, PYTHON, core.core, core.exe))
    types = core.documents["top"]["tables"]["types"]
    assert top["tables"]["types"]["rows"] == types["rows"][:5]
    assert top["tables"]["types"]["total"] == types["total"]
    for ours, theirs in ((live, core.objects()), (dead, core.objects("objects --dead"))):
        assert [("0x%x" % address, *rest) for address, *rest in ours] == \
            [(row["address"], row["type"], row["bytes"], row["strength"]) for row in theirs]


STUBS = """
import ast, inspect, pathlib, sys
import goheap
stub = ast.parse(pathlib.Path(goheap.__file__).with_suffix(".pyi").read_text())
def check(body, there, path):
    for node in body:
        if isinstance(node, ast.FunctionDef):
            given = node.args
            names = [a.arg for a in given.args + given.kwonlyargs if a.arg != "self"]
            real = getattr(there, node.name)
            if node.name not in ("text", "__exit__"):  # their arguments come as **how, *_
                params = inspect.signature(real).parameters.values()
                assert names == [p.name for p in params if p.name != "self" and
                                 p.kind != p.VAR_POSITIONAL], (path, node.name)
            assert real.__doc__ or node.name.startswith("__"), (path, node.name)
        elif isinstance(node, ast.ClassDef):
            real = getattr(there, node.name)
            for base in node.bases:
                name = ast.unparse(base)
                if name != "NamedTuple":
                    assert name in [c.__name__ for c in real.__mro__], (node.name, name)
            check(node.body, real, node.name)
        elif isinstance(node, ast.AnnAssign):
            assert path == "Error" or hasattr(there, node.target.id), node.target.id
check(stub.body, goheap, "goheap")
native = goheap.module.load()
made = {name for name, value in vars(native).items()
        if isinstance(value, type) and issubclass(value, native.Error)}
assert made == {n.name for n in stub.body if isinstance(n, ast.ClassDef)} - {"Object", "Session"}
assert (pathlib.Path(goheap.__file__).parent / "py.typed").exists()
"""


def test_the_stubs_are_true(prefix: installed.Prefix) -> None:
    python(prefix, STUBS)


def test_python_goes_on_meanwhile(prefix: installed.Prefix, core: Core) -> None:
    python(prefix, "import sys, threading, goheap\n"
           "ticks, done = [], threading.Event()\n"
           "thread = threading.Thread(target=lambda: [ticks.append(1) for _ in\n"
           "                          iter(lambda: done.wait(0.001), True)])\n"
           "sys.setswitchinterval(1000)\n"  # nobody takes the lock away: it is given
           "thread.start()\n"
           "during = 0\n"
           "for _ in range(50):\n"  # it takes a moment, in which a busy machine may do other things
           "    session = goheap.open(*sys.argv[1:])\n"
           "    before = len(ticks)\n"
           "    session.run('top')\n"
           "    during += len(ticks) - before\n"
           "    if during: break\n"
           "done.set(); thread.join()\n"
           "assert during, 'nobody else ran'\n", core.core, core.exe)


def test_gdb_finds_it(prefix: installed.Prefix, core: Core, tmp_path: pathlib.Path) -> None:
    out = installed.gdb(["source %s" % prefix.script, "echo <answer>\\n", "goheap top --json"],
                        [core.exe, core.core], cwd=str(tmp_path))
    document = json.loads(out.split("<answer>\n")[1])
    assert without_args(document) == without_args(core.documents["top"])
    out = installed.gdb(["source %s" % prefix.script,
                         "python import sys; print(sys.modules['_goheap'].__spec__.origin)"])
    assert out.strip() == str(prefix.find("_goheap.abi3.so"))


def test_gdb_has_the_package_as_well(prefix: installed.Prefix, core: Core) -> None:
    out = installed.gdb(["source %s" % prefix.script, "python import goheap",
                         "python print(len(list(goheap.open(%r, %r).objects())))"
                         % (str(core.core), str(core.exe))])
    assert out.strip() == str(len(core.objects()))


def test_gdb_without_the_module_says_where_it_looked(prefix: installed.Prefix) -> None:
    module = prefix.find("_goheap.abi3.so")
    away = module.with_suffix(".away")
    module.rename(away)
    try:
        out = installed.gdb(["source %s" % prefix.script])
    finally:
        away.rename(module)
    assert "there is no %s" % module in out and "goheap CORE EXE top" in out


def test_gdbinit_makes_gdb_know_it(prefix: installed.Prefix, core: Core,
                                   tmp_path: pathlib.Path) -> None:
    installed.call(["meson", "setup", tmp_path / "build", programs.ROOT, "-Dtests=false",
                    "--prefix", prefix.root, "-Dgdbinit-dir=etc/gdb/gdbinit.d"])
    places = json.loads(installed.call(["meson", "introspect", "--installed", tmp_path / "build"]))
    snippet = tmp_path / "build" / "plugin" / "goheap.gdb"
    assert places[str(snippet)] == str(prefix.root / "etc" / "gdb" / "gdbinit.d" / "goheap.gdb")
    out = installed.gdb(["source %s" % snippet, "goheap info -n 1"], [core.exe, core.core])
    assert "go version" in out or "go1." in out
    assert not [path for path in places.values() if not path.startswith(str(prefix.root))]


def manual(prefix: installed.Prefix) -> pathlib.Path:
    """Return the manual page."""
    return prefix.root / "share" / "man" / "man1" / "goheap.1"


def rendered(page: pathlib.Path) -> str:
    """Return the page as people read it; a warning fails the test."""
    process = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-P-cbou", str(page)], check=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             encoding="utf-8", env={**os.environ, "LC_ALL": "C.UTF-8"})
    assert process.stderr == "", process.stderr
    return " ".join(process.stdout.replace("\u2010\n", "").split())


def test_the_manual_says_what_help_says(prefix: installed.Prefix) -> None:
    text = rendered(manual(prefix))
    squeezed = text.replace(" ", "")
    listed = json.loads(goheap.run(["help", "--json"]).out)
    for row in goheap.rows(listed, "commands"):
        assert row["summary"].replace(" ", "") in squeezed, row["command"]
        about = json.loads(goheap.run(["help", row["command"], "--json"]).out)
        for option in goheap.rows(about, "options"):
            assert option["option"] in text, option
            assert option["help"].replace(" ", "").replace("`", "") in squeezed, option
    for option in goheap.run(["--complete", "-"]).out.split():
        assert option in text or option == "--version", option
    assert str(pathlib.Path("/usr/local/share/goheap/goheap.py")) in text
    assert "@" not in text.replace("@SCRIPT", "")


def test_a_manual_that_is_broken_is_seen(prefix: installed.Prefix, tmp_path: pathlib.Path) -> None:
    broken = tmp_path / "goheap.1"
    broken.write_text(manual(prefix).read_text() + ".nosuch request\n")
    with pytest.raises(AssertionError):
        rendered(broken)


def complete(prefix: installed.Prefix, *words: str, cwd: str = "/") -> List[str]:
    """Return what bash offers for the last word, the file of completions loaded as bash does it."""
    script = prefix.root / "share" / "bash-completion" / "completions" / "goheap"
    code = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
            'spec=$(complete -p goheap); [[ $spec == *" -F _goheap goheap" ]] || exit 1; '
            '_goheap "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"; '
            'printf "%s\\n" "${COMPREPLY[@]}"')
    return installed.call(["bash", "--norc", "-c", code, "bash", script, prefix.program, *words],
                          cwd=cwd).split("\n")[:-1]


@pytest.fixture(name="folder")
def _folder(tmp_path: pathlib.Path) -> str:
    (tmp_path / "a core").write_text("")
    (tmp_path / "tops").mkdir()
    return str(tmp_path)


COMPLETED: Dict[str, List[str]] = {
    "go": ["goroutines", "goroutine"],
    "to": ["tops", "top"],
    "a": ["a core"],
    "core exe to": ["top"],  # both files are there
    "core exe top --so": ["--sort"],
    "core top --sort wei": [],
    "core top --sort strengt": ["strength"],
    "core --sort x -n 3 top --sort strengt": ["strength"],
    "core help inf": ["info"],
    "core -e inf": ["info"],
    "core top --forc": ["--force"],
    "core top --exe a": ["a core"],
    "core --exe = a": ["a core"],  # --exe=a, as bash splits it
    "--scratch ": ["tops"],
    "--pid 1 to": ["tops", "top"],
    "--pid ": [""],
    "--pid 1 exe inf": ["info"],
    "--vers": ["--version"],
    "core top nothing": [],
    "--nothing": [],
}


@pytest.mark.parametrize("line", COMPLETED)
def test_bash_completes(prefix: installed.Prefix, folder: str, line: str) -> None:
    found = complete(prefix, *line.split(" "), cwd=folder)
    assert [word for word in found if word] == [word for word in COMPLETED[line] if word]


def test_bash_offers_every_command(prefix: installed.Prefix, folder: str) -> None:
    listed = json.loads(goheap.run(["help", "--json"]).out)
    names = [row["command"] for row in goheap.rows(listed, "commands")]
    assert complete(prefix, "core", "exe", "", cwd=folder) == names


# What zsh calls: stubs print what they are given.
IN_ZSH = """
compadd() { shift; [[ $1 == choices ]] && print -rl -- "${choices[@]}" }
_files() { print -r -- "files $*" }
compset() { [[ $1 == -P && $PREFIX == *=* ]] }
source "$1"; shift
words=("$@"); CURRENT=$#; PREFIX=${words[-1]}
_goheap
true
"""
IN_ZSH_COMPLETED = {"core exe to": ["top"], "core top --so": ["--sort"],
                    "core top --sort strengt": ["strength"], "core help inf": ["info"],
                    "core top --sort=strengt": ["strength"], "--scratch ": ["files -/"],
                    "a": ["files "], "core top nothing": []}


def test_zsh_completes(prefix: installed.Prefix, folder: str) -> None:
    """Where there is a zsh; everywhere its file is where it looks for it."""
    script = prefix.root / "share" / "zsh" / "site-functions" / "_goheap"
    assert script.read_text().startswith("#compdef goheap\n")
    zsh = shutil.which("zsh")
    # autoloaded, the file calls its function: not before there are words
    body = prefix.root / "completion.zsh"
    body.write_text(script.read_text().replace('\n_goheap "$@"\n', "\n"))
    for line, found in IN_ZSH_COMPLETED.items() if zsh else ():
        out = installed.call([zsh, "-f", "-c", IN_ZSH, "zsh", body, prefix.program,
                              *line.split(" ")], cwd=folder)
        assert out.splitlines() == found, line
    body.unlink()


def test_every_call_of_the_header_under_sanitizers(core: Core, tmp_path: pathlib.Path) -> None:
    source, program = tmp_path / "api.c", tmp_path / "api"
    source.write_text(API)
    library = goheap.path().parent / "src" / "api"
    dynamic = installed.call(["readelf", "-d", library / "libgoheap.so"])
    if "libasan" not in dynamic:
        pytest.skip("the program under test is not sanitized")
    installed.call(["cc", "-fsanitize=address,undefined", "-I", programs.ROOT / "src", source, "-o",
                    program, "-L", library, "-lgoheap"])
    installed.call([program, core.core, core.exe],
                   {**goheap.SANITIZERS, "LD_LIBRARY_PATH": str(library)})


BY_PID = """
#include <goheap.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	struct goheap_open_options options = {
		.size = sizeof(options), .pid = argc > 1 ? (uint32_t)atoi(argv[1]) : 0};
	struct goheap_session *session;
	struct goheap_objects *objects;
	struct goheap_object batch[1000];
	size_t n;

	if (goheap_open(&options, &session) ||
	    goheap_objects_create(session, GOHEAP_LIVE, NULL, &objects))
		return 1;
	while (!goheap_objects_next(objects, batch, 1000, &n) && n)
		for (size_t i = 0; i < n; i++)
			printf("%llu\\n", (unsigned long long)batch[i].address);
	goheap_objects_destroy(objects);
	goheap_close(session);
	return 0;
}
"""


@pytest.fixture(name="running")
def _running(workshop: programs.Workshop, tmp_path: pathlib.Path) -> Iterator["tuple"]:
    """A process that makes and drops objects, and the addresses of those that it always holds."""
    exe = workshop.build(programs.Build("allocator", RELEASES[-1], "plain"))
    process = programs.start(exe, tmp_path, {"GOHEAP_CHURN": "allocate"})
    try:
        programs.wait_for_line(tmp_path / "stdout", process, programs.RUN_SECONDS)
        where = gocore.Symbols(str(exe)).address["main.heldAddresses"]
        with open("/proc/%d/mem" % process.pid, "rb") as memory:
            memory.seek(where)
            held = {address for address, in struct.iter_unpack("<Q", memory.read(HELD * 8))}
        yield process.pid, held
        assert process.poll() is None  # it runs on
    finally:
        process.kill()
        process.wait()


def test_a_running_process(prefix: installed.Prefix, running: "tuple",
                           tmp_path: pathlib.Path) -> None:
    pid, held = running
    source, program = tmp_path / "by_pid.c", tmp_path / "by_pid"
    source.write_text(BY_PID)
    environment = prefix.compile(source, program)
    assert held <= set(map(int, installed.call([program, pid], environment).split()))
    out = python(prefix, "import goheap, sys\n"
                 "for o in goheap.open(pid=int(sys.argv[1])).objects(): print(o.address)", pid)
    assert held <= set(map(int, out.split()))
