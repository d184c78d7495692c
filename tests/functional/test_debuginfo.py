# SPDX-License-Identifier: Apache-2.0
"""gdb and goheap share one libelf and one libdw in a process: gdb finds debug information after us as
it does without us, by debuglink, by build id, by file and from a debuginfod server."""

import http.server
import os
import pathlib
import re
import subprocess
import threading
from typing import Dict, Iterator, List

import pytest

from lib import gdb, installed, programs

SOURCE = """
struct shelf { int width; struct shelf *above; const char *label; };
typedef unsigned long long parcel_count;
static struct shelf top = {1, 0, "top"};
parcel_count stack(struct shelf *on)
{
	parcel_count n = on->width;
	return on->above ? n + stack(on->above) : n;
}
int main(void) { return (int)stack(&top); }
"""
ASKED = ["info line stack", "info types shelf|parcel", "ptype struct shelf", "info scope stack",
         "print top", "print *top.label@3", "info source", "list stack", "info address stack"]
# What only debug information tells.
TOLD = ["starts at address", "parcel_count", "const char *label", "width = 1"]
OF_GO = ["info line main.main", "info types main.Session", "ptype main.Session", "info scope main.main",
         "whatis runtime.allgs", "backtrace -3"]


class Stripped:
    """A C program without debug information, and that in a file of its own."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.exe = folder / "shelf"
        self.debug = folder / "away" / "shelf.debug"
        self.debug.parent.mkdir()
        (folder / "shelf.c").write_text(SOURCE)
        self._do("cc", "-g", "-O0", "-no-pie", "-Wl,--build-id=sha1", "shelf.c", "-o", "shelf")
        self._do("objcopy", "--only-keep-debug", "shelf", str(self.debug))
        self._do("strip", "--strip-debug", "shelf")
        notes = self._do("readelf", "-n", "shelf")
        self.build_id = re.search("Build ID: ([0-9a-f]+)", notes).group(1)  # type: ignore

    def _do(self, *words: str) -> str:
        return subprocess.run(words, cwd=self.folder, check=True, text=True,
                              stdout=subprocess.PIPE).stdout

    def link(self) -> None:
        """Let the program name the file, and put it beside it."""
        beside = self.folder / "shelf.debug"
        beside.write_bytes(self.debug.read_bytes())
        self._do("objcopy", "--add-gnu-debuglink=shelf.debug", "shelf")

    def file_by_build_id(self) -> pathlib.Path:
        """Put the file where its build id leads, and return the folder for gdb."""
        to = self.folder / "debug" / ".build-id" / self.build_id[:2]
        to.mkdir(parents=True)
        (to / (self.build_id[2:] + ".debug")).write_bytes(self.debug.read_bytes())
        return self.folder / "debug"


@pytest.fixture(name="stripped")
def _stripped(tmp_path: pathlib.Path) -> Stripped:
    return Stripped(tmp_path)


@pytest.fixture(scope="module", name="files")
def _files(tmp_path_factory: pytest.TempPathFactory) -> List[pathlib.Path]:
    folder = tmp_path_factory.mktemp("core")
    minor = ".".join(programs.RELEASES[-1].split(".")[:2])
    subprocess.run([str(programs.ROOT / "corefiles" / "unpack"), minor, str(folder)], check=True)
    return [folder / ("shop-" + minor), folder / ("shop-%s.core" % minor)]


def ask(files: List[pathlib.Path], commands: List[str], with_us: bool,
        environment: Dict[str, str] = {}, debuginfod: str = "off") -> str:
    """Return what gdb says to some commands, after goheap has read the core and all of its DWARF."""
    ours = ["source %s" % gdb.SCRIPT, "goheap top -n 3", "goheap goroutines -n 3"] if with_us else []
    again = ["echo <again>\\n", "inferior 1", "goheap top -n 3"] if with_us else []
    answer = gdb.run(["echo <asked>\\n", "set debuginfod enabled " + debuginfod, *commands, *again],
                     files, source=False, before=ours, environment=environment)
    told, _, rest = answer.out.partition("<asked>\n")[2].partition("<again>\n")
    if with_us:  # and we are not disturbed by gdb either
        assert "live objects" in rest
    return re.sub(r"(?m)^Downloading.*\n?", "", told)


def same(files: List[pathlib.Path], commands: List[str], environment: Dict[str, str] = {},
         debuginfod: str = "off") -> str:
    """Return what gdb says, which must be the same with and without goheap."""
    without = ask(files, commands, False, environment, debuginfod)
    assert ask(files, commands, True, environment, debuginfod) == without
    return without


def look_at(stripped: Stripped) -> List[str]:
    """Return commands that make gdb load the C program beside the core.

    Without -no-connection gdb 13 takes the core for the new program's as well, and crashes.
    """
    return ["add-inferior -no-connection -exec %s" % stripped.exe, "inferior 2"]


def test_the_go_program_itself(files: List[pathlib.Path]) -> None:
    text = same(files, OF_GO)
    assert "main.Session" in text and ".go" in text


def test_nothing_is_told_without_the_file(files: List[pathlib.Path], stripped: Stripped) -> None:
    text = same(files, look_at(stripped) + ASKED)
    assert not [told for told in TOLD if told in text]


def test_by_debuglink(files: List[pathlib.Path], stripped: Stripped) -> None:
    stripped.link()
    text = same(files, look_at(stripped) + ASKED)
    assert not [told for told in TOLD if told not in text], text


def test_by_build_id(files: List[pathlib.Path], stripped: Stripped) -> None:
    folder = stripped.file_by_build_id()
    text = same(files, ["set debug-file-directory %s" % folder, *look_at(stripped), *ASKED])
    assert not [told for told in TOLD if told not in text], text


@pytest.mark.parametrize("command", ["symbol-file", "add-symbol-file"])
def test_by_file(files: List[pathlib.Path], stripped: Stripped, command: str) -> None:
    text = same(files, ["set confirm off", *look_at(stripped),
                        "%s %s" % (command, stripped.debug), *ASKED])
    assert not [told for told in TOLD if told not in text], text


class Server:
    """A debuginfod server for one file, on this machine."""

    def __init__(self, stripped: Stripped) -> None:
        self.asked: List[str] = []
        wanted, data, asked = (
            "/buildid/%s/debuginfo" % stripped.build_id, stripped.debug.read_bytes(), self.asked)

        class Handler(http.server.BaseHTTPRequestHandler):
            """Serves the file."""

            def do_GET(self) -> None:  # pylint: disable=invalid-name
                """Answer one request."""
                asked.append(self.path)
                self.send_response(200 if self.path == wanted else 404)
                body = data if self.path == wanted else b""
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:  # pylint: disable=arguments-differ
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.wanted = wanted

    def environment(self, cache: pathlib.Path) -> Dict[str, str]:
        """Return what makes gdb ask this server, and keep what it got in a folder of its own."""
        return {"DEBUGINFOD_URLS": "http://127.0.0.1:%d" % self.server.server_port,
                "DEBUGINFOD_CACHE_PATH": str(cache), "no_proxy": "127.0.0.1"}


@pytest.fixture(name="server")
def _server(stripped: Stripped) -> Iterator[Server]:
    server = Server(stripped)
    yield server
    server.server.shutdown()
    server.server.server_close()


def test_by_debuginfod(files: List[pathlib.Path], stripped: Stripped, server: Server,
                       tmp_path: pathlib.Path) -> None:
    commands = look_at(stripped) + ASKED
    texts = []
    for with_us in (False, True):
        server.asked.clear()
        environment = server.environment(tmp_path / ("cache%d" % with_us))
        texts.append(ask(files, commands, with_us, environment, "on"))
        if server.wanted not in server.asked and not with_us:
            pytest.skip("this gdb has no debuginfod")
        assert server.wanted in server.asked
    assert texts[0] == texts[1]
    assert not [told for told in TOLD if told not in texts[0]], texts[0]


def test_of_the_installed_module(files: List[pathlib.Path], stripped: Stripped,
                                 tmp_path: pathlib.Path) -> None:
    stripped.link()
    script = installed.Prefix(tmp_path / "prefix").script
    commands = look_at(stripped) + ASKED
    told = [installed.gdb([*ours, "echo <asked>\\n", *commands], files).split("<asked>\n")[1]
            for ours in ([], ["source %s" % script, "goheap top"])]
    assert told[0] == told[1]
    assert os.path.exists(script) and TOLD[1] in told[0]
