# SPDX-License-Identifier: Apache-2.0
"""A process by its number: copied while it stands still, or read while it runs, and let go."""

import json
import os
import pathlib
import random
import signal
import struct
import subprocess
import time
from typing import Dict, Iterator, Set

import pytest

from lib import gdb, gocore, goheap, programs

HELD = 20000  # nHeld in tests/programs/allocator
TABLES = ["top", "objects", "goroutines --all", "spans", "roots", "memstats"]
KILLS = 100
MOMENTS = 3


class Process:
    """A running test program."""

    def __init__(self, workshop: programs.Workshop, release: str, program: str,
                 folder: pathlib.Path) -> None:
        self.release, self.folder = release, folder
        self.exe = workshop.build(programs.Build(program, release, "plain"))
        self.process = programs.start(self.exe, folder, {"GOHEAP_CHURN": "allocate"})
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
        deadline = time.monotonic() + 10
        while allocator.ticks() == before and time.monotonic() < deadline:
            time.sleep(0.01)
        assert allocator.ticks() > before


def test_same_by_pid_in_gdb_and_from_its_gcore(allocator: Process) -> None:
    os.kill(allocator.pid, signal.SIGSTOP)
    while allocator.state() != "T":
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
        for name, table in ours[command]["tables"].items():
            assert table == cored[command]["tables"][name], (command, name)
            assert table == theirs["tables"][name], (command, name)


def test_statistics_do_not_stop_it(allocator: Process) -> None:
    documents = allocator.ask("memstats", "info")
    for document in documents.values():
        assert any("while it ran" in note for note in document["notes"])
        assert not any("stood still" in note for note in document["notes"])
    rows = {row["name"]: row["value"]
            for row in goheap.rows(documents["memstats"], "memstats")}
    assert rows["HeapAlloc"] > HELD * 16 and rows["NumGC"] > 0


def test_it_outlives_us(workshop: programs.Workshop, tmp_path: pathlib.Path) -> None:
    """Killed at any moment, goheap leaves it running; some of the moments are while it stands."""
    allocator = Process(workshop, programs.RELEASES[-1], "allocator", tmp_path)
    rng = random.Random(1)
    words = [str(goheap.path()), "--pid", str(allocator.pid), "top"]
    start = time.monotonic()
    subprocess.run(words, stdout=subprocess.DEVNULL, check=True)
    longest = (time.monotonic() - start) * 0.7
    held_still = 0
    for _ in range(KILLS):
        ours = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.random() * longest)
        held_still += allocator.status()["TracerPid"] != "0"
        ours.kill()
        ours.wait()
        deadline = time.monotonic() + 5
        while allocator.status()["State"][0] in "tT" and time.monotonic() < deadline:
            time.sleep(0.001)
        assert allocator.state() in "RSD"
    before = allocator.ticks()
    time.sleep(0.2)
    assert allocator.ticks() > before and allocator.process.poll() is None
    assert held_still
    allocator.close()


def test_refused_before_it_stops(allocator: Process) -> None:
    answer = goheap.run(["--pid", allocator.pid, "--max-mem", "100K", "top"])
    assert answer.code == goheap.NOTHING and "gcore" in answer.err
    assert answer.err.count("\n") == 1


def test_traced_by_another(allocator: Process) -> None:
    other = subprocess.Popen(["gdb", "-nx", "-batch", "-p", str(allocator.pid), "-ex",
                              "shell echo attached; sleep 2"], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True)
    assert other.stdout is not None
    for line in other.stdout:
        if line == "attached\n":
            break
    answer = goheap.run(["--pid", allocator.pid, "top"])
    assert answer.code == goheap.NOTHING and "traces it already" in answer.err
    other.wait()
    other.stdout.close()


def test_not_permitted(allocator: Process) -> None:
    answer = goheap.run(["--pid", allocator.pid, "top"],
                        prefix=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"])
    assert answer.code == goheap.NOTHING
    assert "as root" in answer.err and answer.err.count("\n") == 1


@pytest.mark.parametrize("words,says", [
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
        _, err = ours.communicate(timeout=60)
        assert ours.returncode in (goheap.ANSWERED, goheap.NOTHING), err
        assert "Sanitizer" not in err and "runtime error" not in err
