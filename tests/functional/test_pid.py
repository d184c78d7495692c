# SPDX-License-Identifier: Apache-2.0
"""A process by its number: copied while it stands still, or read while it runs, and let go."""

import json
import os
import pathlib
import random
import re
import signal
import socket
import struct
import subprocess
import threading
import time
from typing import Dict, Iterator, Optional, Set, Tuple

import pytest

from conftest import RELEASES
from lib import gdb, gocore, goheap, programs

HELD = 20000  # nHeld in tests/programs/allocator
TABLES = ["top", "objects", "goroutines --all", "spans", "roots", "memstats",
          "retained", "retained --by type"]
KILLS = 100
MOMENTS = 3
ENTRIES = 200000  # nKept in tests/programs/loaded
ENTRY_BYTES = ENTRIES * 256  # without pointers
PATIENCE_SECONDS = 120
SLACK_SECONDS = 1  # of a machine that does other things, too
TRIES = 4          # of which one must be undisturbed by these


class Process:
    """A running test program."""

    def __init__(self, workshop: programs.Workshop, release: str, program: str,
                 folder: pathlib.Path, variant: str = "plain", churn: str = "allocate") -> None:
        self.release, self.folder = release, folder
        self.exe = workshop.build(programs.Build(program, release, variant))
        self.process = programs.start(self.exe, folder, {"GOHEAP_CHURN": churn})
        programs.wait_for_line(folder / "stdout", self.process, programs.RUN_SECONDS)
        self.pid = self.process.pid

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()

    def status(self) -> Dict[str, str]:
        """Return what /proc/PID/status says."""
        return dict(line.split(":\t", 1) for line in
                    pathlib.Path("/proc/%d/status" % self.pid).read_text().splitlines())

    def state(self) -> str:
        """Return R, S, D, T, t or Z of a process that nobody traces."""
        status = self.status()
        assert int(status["TracerPid"]) == 0
        return status["State"][0]

    def ticks(self) -> int:
        """Return how much processor time it took so far."""
        fields = pathlib.Path("/proc/%d/stat" % self.pid).read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def ask(self, *commands: str, code: int = goheap.ANSWERED) -> dict:
        """Return what goheap answers to each command in a run of its own."""
        found = {}
        for command in commands:
            answer = goheap.run(["--pid", self.pid, *command.split(), "--json"])
            assert answer.code == code, answer.err
            found.update(answer.documents())
        return found


@pytest.fixture(name="allocator")
def _allocator(workshop: programs.Workshop, release: str,
               tmp_path: pathlib.Path) -> Iterator[Process]:
    made = Process(workshop, release, "allocator", tmp_path)
    yield made
    made.close()


@pytest.fixture(name="relocated", params=sorted({RELEASES[0], RELEASES[-1]}))
def _relocated(request: pytest.FixtureRequest, workshop: programs.Workshop,
               tmp_path: pathlib.Path) -> Iterator[Process]:
    """Types and tables of functions are where the loader has written, in read-only memory. It
    rests: one that allocates may be stopped between two counters that belong together."""
    made = Process(workshop, request.param, "allocator", tmp_path, "pie", "rest")
    yield made
    made.close()


class Server(Process):
    """tests/programs/loaded: answers lines."""

    def __init__(self, workshop: programs.Workshop, release: str, folder: pathlib.Path) -> None:
        self.begun = time.monotonic_ns()
        super().__init__(workshop, release, "loaded", folder)
        host, port = (folder / "stdout").read_text().split()[0].rsplit(":", 1)
        self.address = (host, int(port))
        begin = time.monotonic_ns()
        self.request("gc")
        self.first_gc = (begin, time.monotonic_ns())

    def connect(self) -> socket.socket:
        """Return a connection whose every step is bound."""
        return socket.create_connection(self.address, timeout=PATIENCE_SECONDS)

    def request(self, word: str) -> None:
        """Ask once, and wait for the answer."""
        with self.connect() as connection:
            exchange(connection, word)

    @staticmethod
    def stood_still(document: dict) -> Tuple[float, int]:
        """Return for how many seconds, and how many MiB were copied."""
        for note in document["notes"]:
            found = re.search(r"stood still for ([\d.]+) s while (\d+) MiB", note)
            if found:
                return float(found.group(1)), int(found.group(2))
        raise AssertionError("it did not stand still: %r" % document["notes"])


def exchange(connection: socket.socket, word: str) -> None:
    """Send a line, receive a line."""
    connection.sendall(word.encode() + b"\n")
    answer = b""
    while not answer.endswith(b"\n"):
        piece = connection.recv(100)
        assert piece, "the server hung up"
        answer += piece
    assert answer == b"done\n"


class Load(threading.Thread):
    """A client that asks without a pause, and notes how long each answer took."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self.server = server
        self.answers = 0
        self.failure: Optional[BaseException] = None
        self._longest = 0.0
        self._over = threading.Event()

    def run(self) -> None:
        """Ask until told to stop."""
        try:
            with self.server.connect() as connection:
                while not self._over.is_set():
                    start = time.monotonic()
                    exchange(connection, "work")
                    self._longest = max(self._longest, time.monotonic() - start)
                    self.answers += 1
        except (OSError, AssertionError) as failure:
            self.failure = failure

    def longest(self) -> float:
        """Return the longest answer, in seconds, since the last call of this."""
        longest, self._longest = self._longest, 0.0
        return longest

    def stop(self) -> None:
        """Wait for the last answer."""
        self._over.set()
        self.join(PATIENCE_SECONDS)


@pytest.fixture(name="loaded")
def _loaded(workshop: programs.Workshop, release: str, tmp_path: pathlib.Path) -> Iterator[Server]:
    made = Server(workshop, release, tmp_path)
    yield made
    made.close()


def held(process: Process) -> Set[int]:
    """Return the objects that the allocator holds all the time."""
    symbol = gocore.Symbols(str(process.exe)).address["main.heldAddresses"]
    with open("/proc/%d/mem" % process.pid, "rb") as memory:
        memory.seek(symbol)
        return {address for address, in struct.iter_unpack("<Q", memory.read(HELD * 8))}


def test_what_it_holds_is_live(allocator: Process) -> None:
    """At some moments; and it runs on."""
    wanted = held(allocator)
    for _ in range(MOMENTS):
        before = allocator.ticks()
        document = allocator.ask("objects")["objects"]
        assert document["target"]["kind"] == "live"
        assert any("stood still" in note for note in document["notes"])
        missing = wanted - set(goheap.addresses(document))
        assert not missing, "%d held objects are not live" % len(missing)
        assert allocator.state() in "RSD"
        assert_runs_on(allocator, before)


def assert_runs_on(process: Process, before: int) -> None:
    """Wait until it has taken more processor time than before, however busy the machine is."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while process.ticks() <= before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert process.ticks() > before


def test_same_by_pid_in_gdb_and_from_its_gcore(allocator: Process) -> None:
    check_same(allocator)


def test_same_when_relocated(relocated: Process) -> None:
    ours = check_same(relocated)
    for document in ours.values():
        assert not document["skipped"] and not goheap.failed_checks(document)
        assert not any("could not be unwound" in note for note in document["notes"])
    rows = goheap.rows(ours["top"], "types")
    assert not [row["type"] for row in rows if "?" in row["type"]]
    unknown = sum(row["count"] for row in rows if row["strength"] == "unknown")
    assert unknown <= HELD / 1000


def check_same(allocator: Process) -> Dict[str, dict]:
    os.kill(allocator.pid, signal.SIGSTOP)
    while allocator.state() != "T":
        assert allocator.process.poll() is None
        time.sleep(0.01)
    ours = allocator.ask(*TABLES)
    assert allocator.state() == "T"  # as it was
    core = allocator.folder / "gcore"
    answer = gdb.run([*("goheap %s --json" % command for command in TABLES), "gcore %s" % core],
                     before=["file %s" % allocator.exe, "attach %d" % allocator.pid])
    in_gdb = [json.loads(line) for line in answer.out.splitlines() if line.startswith('{"schema"')]
    assert len(in_gdb) == len(TABLES), answer.err
    cored = goheap.ask(core, allocator.exe, *TABLES)
    for command, theirs in zip(TABLES, in_gdb):
        for name in ours[command]["tables"]:
            tables = [untimed(document, name)
                      for document in (ours[command], cored[command], theirs)]
            assert tables[0] == tables[1], (command, name)
            assert tables[0] == tables[2], (command, name)
    return ours


def untimed(document: dict, name: str) -> dict:
    """Return a table with the times that waits began instead of how long they are: only who
    stopped the process himself knows what time it was."""
    table = document["tables"][name]
    for row in table["rows"]:
        for column in ("wait_ns", "runtime_wait_ns"):
            if row.get(column) is not None:
                row[column] = document["target"]["now_ns"] - row[column]
    return table


def test_what_is_not_asked_for_is_not_copied(loaded: Server) -> None:
    """Contents without pointers are copied for those commands only that show them."""
    spared = loaded.ask("top")["top"]
    assert any("were not copied" in note for note in spared["notes"])
    assert loaded.stood_still(spared)[1] < ENTRY_BYTES >> 20
    assert not spared["skipped"] and not goheap.failed_checks(spared)
    whole = loaded.ask("goroutines")["goroutines"]
    assert not any("were not copied" in note for note in whole["notes"])
    assert loaded.stood_still(whole)[1] >= ENTRY_BYTES >> 20
    rows = {row["type"]: row for row in goheap.rows(spared, "types")}
    assert rows["main.entry"]["count"] >= ENTRIES
    assert rows["[]uint8"]["bytes"] >= ENTRY_BYTES


def test_statistics_copy_no_contents(loaded: Server) -> None:
    """The heap is as large as it likes."""
    def own_bytes(command: str) -> int:
        document, = loaded.ask(command + " --stats").values()
        told = [re.search(r"\((\d+) bytes\) of our own", note) for note in document["notes"]]
        found, = [int(match.group(1)) for match in told if match]
        return found
    assert own_bytes("memstats") < ENTRY_BYTES < own_bytes("goroutines")


def test_waits_are_exact(loaded: Server) -> None:
    """A wait ends when we stop the process, and begins when the first collection ends that saw the
    goroutine blocked. The runtime's own begins when the collection before that one ended.
    """
    loaded.request("gc")
    time.sleep(0.5)
    asked = time.monotonic_ns()
    document = loaded.ask("goroutines --all")["goroutines --all"]
    answered = time.monotonic_ns()
    now = document["target"]["now_ns"]
    assert asked <= now <= answered and document["target"]["now_error_ns"] == 0
    row, = [row for row in goheap.rows(document, "goroutines") if row["top"] == "main.blocked"]
    assert loaded.first_gc[0] <= now - row["wait_ns"] <= loaded.first_gc[1]
    assert loaded.begun <= now - row["runtime_wait_ns"] < loaded.first_gc[0]


def test_server_under_load(loaded: Server) -> None:
    """Its client measures the longest pause: as long as we say, and the machine's own delays."""
    load = Load(loaded)
    load.start()
    tries = []
    for _ in range(TRIES):
        load.longest()
        time.sleep(1)
        quiet = load.longest()
        documents = [loaded.ask(command)[command] for command in ["top", "goroutines", "spans"]]
        busy = load.longest()
        time.sleep(1)
        after = load.longest()
        stood = max(loaded.stood_still(document)[0] for document in documents)
        tries.append("longest pauses: %.3f s before, %.3f s during, %.3f s after; it stood still for "
                     "%.3f s" % (quiet, busy, after, stood))
        if stood < 1 and busy <= stood + quiet + SLACK_SECONDS and after <= quiet + SLACK_SECONDS:
            break
    else:
        pytest.fail("\n".join(tries))
    load.stop()
    assert not load.failure and load.answers > 100


def test_statistics_do_not_stop_it(allocator: Process) -> None:
    documents = allocator.ask("memstats", "info")
    for document in documents.values():
        assert any("while it ran" in note for note in document["notes"])
        assert not any("stood still" in note for note in document["notes"])
    rows = {row["name"]: row["value"]
            for row in goheap.rows(documents["memstats"], "memstats")}
    assert rows["HeapAlloc"] > HELD * 16 and rows["Mallocs"] > HELD


@pytest.fixture(name="newest")
def _newest(workshop: programs.Workshop, tmp_path: pathlib.Path) -> Iterator[Process]:
    made = Process(workshop, programs.RELEASES[-1], "allocator", tmp_path)
    yield made
    made.close()


def test_it_outlives_us(newest: Process) -> None:
    """Killed at any moment, goheap leaves it running; some of the moments are while it stands."""
    allocator = newest
    rng = random.Random(1)
    words = [str(goheap.path()), "--pid", str(allocator.pid), "top"]
    start = time.monotonic()
    subprocess.run(words, stdout=subprocess.DEVNULL, check=True)
    longest = (time.monotonic() - start) * 0.7
    held_still = 0
    for i in range(KILLS):
        ours = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if i % 2:  # the moment comes sooner or later, however busy the machine is
            while allocator.status()["TracerPid"] == "0" and ours.poll() is None:
                pass
        else:
            time.sleep(rng.random() * longest)
        held_still += allocator.status()["TracerPid"] != "0"
        ours.kill()
        ours.wait()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while allocator.status()["State"][0] in "tT" and time.monotonic() < deadline:
            time.sleep(0.001)
        assert allocator.state() in "RSD"
    assert_runs_on(allocator, allocator.ticks())
    assert allocator.process.poll() is None
    assert held_still


def test_refused_before_it_stops(allocator: Process) -> None:
    answer = goheap.run(["--pid", allocator.pid, "--max-mem", "100K", "top"])
    assert answer.code == goheap.NOTHING and "gcore" in answer.err
    assert answer.err.count("\n") == 1


def test_traced_by_another(allocator: Process) -> None:
    other = subprocess.Popen(["gdb", "-nx", "-batch", "-p", str(allocator.pid), "-ex",
                              "shell echo attached; cat"], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, stdin=subprocess.PIPE, text=True)
    assert other.stdout is not None and other.stdin is not None
    for line in other.stdout:
        if line == "attached\n":
            break
    answer = goheap.run(["--pid", allocator.pid, "top"])
    other.stdin.close()
    assert answer.code == goheap.NOTHING and "traces it already" in answer.err
    other.wait()
    other.stdout.close()


def test_not_permitted(allocator: Process) -> None:
    answer = goheap.run(["--pid", allocator.pid, "top"],
                        prefix=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"])
    assert answer.code == goheap.NOTHING
    assert "as root" in answer.err and answer.err.count("\n") == 1


@pytest.mark.parametrize("command", ["top", "memstats"])
def test_32_bit(workshop: programs.Workshop, tmp_path: pathlib.Path, command: str) -> None:
    source, exe = tmp_path / "main.go", tmp_path / "sleeper"
    source.write_text("package main\nimport \"time\"\n"
                      "func main() { println(0); time.Sleep(time.Hour) }\n")
    subprocess.run(["go", "build", "-o", str(exe), str(source)], check=True, cwd=tmp_path,
                   env=dict(os.environ, GOARCH="386", CGO_ENABLED="0", GO111MODULE="off",
                            GOTOOLCHAIN="local"))
    try:
        sleeper = subprocess.Popen([str(exe)], stderr=subprocess.PIPE)
    except OSError:
        pytest.skip("this kernel runs no 32-bit programs")
    assert sleeper.stderr is not None and sleeper.stderr.read(1)
    answer = goheap.run(["--pid", sleeper.pid, command])
    sleeper.kill()
    sleeper.wait()
    sleeper.stderr.close()
    assert answer.code == goheap.NOTHING and answer.err.count("\n") == 1
    assert "32-bit" in answer.err and str(exe) in answer.err


@pytest.mark.parametrize("command", ["top", "memstats"])
def test_zombie(command: str) -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    answer = goheap.run(["--pid", child.pid, command])
    child.wait()
    assert answer.code == goheap.NOTHING
    assert "has ended" in answer.err and answer.err.count("\n") == 1


@pytest.mark.parametrize("words,says", [
    (["--pid", "2", "memstats"], "the kernel's"),
    (["--pid", str(os.getpid()), "memstats"], "not made by Go"),
    (["--pid", "4194305", "top"], "no such process"), (["--pid", "2", "top"], "the kernel's"),
    (["--pid", str(os.getpid()), "top"], "not made by Go"),
    (["--pid", "x", "top"], "process number"), (["--pid", "-5", "top"], "process number"),
    (["--pid", str(os.getpid()), "-c", "core", "top"], "name one"),
    (["--pid", str(os.getpid())], "no command")])
def test_wrong_words(words: list, says: str) -> None:
    answer = goheap.run(words)
    assert answer.code in (goheap.USAGE, goheap.NOTHING)
    assert says in answer.err and answer.err.count("\n") == 1


def test_it_ends_meanwhile(workshop: programs.Workshop, tmp_path: pathlib.Path) -> None:
    """A process that dies at a random moment of ours: an answer or a sentence, never more."""
    rng = random.Random(2)
    for i in range(10):
        folder = tmp_path / str(i)
        folder.mkdir()
        made = Process(workshop, programs.RELEASES[-1], "allocator", folder)
        words = [str(goheap.path()), "--pid", str(made.pid), "top"]
        ours = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(rng.random() * 0.1)
        made.close()
        _, err = ours.communicate(timeout=PATIENCE_SECONDS)
        assert ours.returncode in (goheap.ANSWERED, goheap.NOTHING), err
        assert "Sanitizer" not in err and "runtime error" not in err
