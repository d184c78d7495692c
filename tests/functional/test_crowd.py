# SPDX-License-Identifier: Apache-2.0
"""Crowds: a hundred thousand goroutines, and with them a million timers: what it takes to look at
them, in time and in memory."""

import collections
import json
import pathlib
import re
import subprocess
from typing import Iterator, NamedTuple, Tuple

import pytest

from lib import programs

pytestmark = pytest.mark.full
GOROUTINES = 100000
MAX_CPU_SECONDS = 3
# Bytes a goroutine: what each step takes beyond those before it.
FOR_LIST = 130  # of all goroutines, and where each one is
FOR_MARK = 200
FOR_DOMINATORS = 400  # of eight objects and a goroutine, and the words of a stack
FOR_COMMAND = 130
# With ten timers for each of them as well, of all that is in the dominator tree.
BYTES_A_NODE = 120
WITHOUT_HEAP = ["goroutines", "goroutines --all", "threads"]
WITH_MARK = ["locks", "goroutine 50000"]  # that one waits for a lock
WITH_DOMINATORS = ["chans", "leaks", "conns", "timers", "defers", "suspects"]
TO_MARK = ("runtime", "DWARF", "spans", "goroutines", "types", "roots", "mark")


class Crowd(NamedTuple):
    core: pathlib.Path
    exe: pathlib.Path

    def run(self, command: str) -> str:
        return subprocess.run(
            [str(programs.ROOT / "build" / "goheap"), str(self.core), str(self.exe),
             *command.split(), "--stats", "-n", "0" if "--json" in command else "5"], stdout=subprocess.PIPE, text=True,
            timeout=120, check=True).stdout

    def cost(self, command: str) -> Tuple[float, int, float]:
        """Return seconds of CPU after the mark, bytes, and bytes a node."""
        out = self.run(command)
        memory = re.search(r"memory: at most [^(]*\((\d+) bytes\)", out)
        node = re.search(r"([0-9.]+) a node", out)
        stages = re.findall(r"(\w+) [0-9.]+ \(([0-9.]+)\)",
                            re.search(r"stages, seconds.*", out).group())
        return (sum(float(cpu) for name, cpu in stages if name not in TO_MARK),
                int(memory.group(1)), float(node.group(1)) if node else 0)


def crowd(tmp_path_factory: pytest.TempPathFactory, kind: str) -> Iterator[Crowd]:
    folder = tmp_path_factory.mktemp(kind)
    exe = folder / "benchheap"
    programs.go(programs.RELEASES[-1], ["build", "-o", str(exe), "."],
                folder=programs.ROOT / "tools" / "benchheap")
    with open(folder / "stdout", "wb") as out, open(folder / "stderr", "wb") as err:
        process = subprocess.Popen([str(exe), kind, str(GOROUTINES), "1"], cwd=folder,
                                   stdin=subprocess.PIPE, stdout=out, stderr=err)
        process.communicate(b"die\n", timeout=120)
    programs.check_death(process, folder)
    yield Crowd(folder / "core", exe)
    (folder / "core").unlink()


@pytest.fixture(scope="module", name="goroutines")
def fixture_goroutines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    yield from crowd(tmp_path_factory, "goroutines")


@pytest.fixture(scope="module", name="stuck")
def fixture_stuck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    yield from crowd(tmp_path_factory, "stuck")


class Steps(NamedTuple):
    """Bytes at most, up to that step."""
    listed: int
    marked: int
    dominated: int


@pytest.fixture(scope="module", name="steps")
def fixture_steps(goroutines: Crowd) -> Steps:
    return Steps(*(goroutines.cost(command)[1]
                   for command in ("goroutines", "top", "retained --by global")))


def test_steps(steps: Steps) -> None:
    assert steps.listed < FOR_LIST * GOROUTINES
    assert steps.marked - steps.listed < FOR_MARK * GOROUTINES
    assert steps.dominated - steps.marked < FOR_DOMINATORS * GOROUTINES


@pytest.mark.parametrize("command", WITHOUT_HEAP)
def test_goroutines(goroutines: Crowd, command: str) -> None:
    seconds, taken, _ = goroutines.cost(command)
    assert seconds < MAX_CPU_SECONDS
    assert taken < FOR_COMMAND * GOROUTINES
    if command == "goroutines":
        assert "%d goroutines" % (GOROUTINES + 1) in goroutines.run(command)


@pytest.mark.parametrize("command", WITH_MARK)
def test_who_holds_locks(goroutines: Crowd, steps: Steps, command: str) -> None:
    seconds, taken, _ = goroutines.cost(command)
    assert seconds < MAX_CPU_SECONDS
    assert taken - steps.marked < FOR_COMMAND * GOROUTINES


@pytest.mark.parametrize("command", WITH_DOMINATORS)
def test_what_a_command_takes(goroutines: Crowd, steps: Steps, command: str) -> None:
    seconds, taken, _ = goroutines.cost(command)
    assert seconds < MAX_CPU_SECONDS
    assert taken - steps.dominated < FOR_COMMAND * GOROUTINES


@pytest.mark.parametrize("command", WITH_MARK[:1] + WITH_DOMINATORS)
def test_stuck(stuck: Crowd, command: str) -> None:
    seconds, _, node = stuck.cost(command)
    assert seconds < MAX_CPU_SECONDS
    assert node < BYTES_A_NODE


def test_timers_are_counted(stuck: Crowd) -> None:
    rows = json.loads(stuck.run("timers --json"))["tables"]["groups"]["rows"]
    counts = collections.Counter()
    for row in rows:
        counts[row["kind"]] += row["count"]
    assert counts["AfterFunc"] == 7 * GOROUTINES
    assert counts["Timer"] == counts["Ticker"] == counts["context"] == GOROUTINES
    lost = [row for row in rows if row["verdict"] == "unstoppable"]
    assert sum(row["count"] for row in lost) == 2 * GOROUTINES
