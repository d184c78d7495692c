# SPDX-License-Identifier: Apache-2.0
"""Frames of every goroutine equal the traceback that the runtime wrote while the program died.

tests/lib/stack_dump.c prints frames, inlined ones included, as the stack layer finds them.
"""

import json
import os
import pathlib
import re
import subprocess
from typing import Dict, Iterator, List, Tuple

import pytest

from conftest import RELEASES
from lib import programs, stackdump, traceback

STACK_DUMP = os.environ.get(
    "GOHEAP_STACK_DUMP", str(programs.ROOT / "build-asan" / "tests" / "unit" / "stack_dump"))
PROGRAMS = ["goroutines", "stackobjects", "defers", "panics", "closures", "selects", "server",
            "iterators", "cgocall"]
ENDS = (RELEASES[0], RELEASES[-1])
BUILDS = [programs.Build(program, release, "plain") for release in RELEASES
          for program in PROGRAMS]
BUILDS += [programs.Build(program, release, variant) for release in ENDS
           for variant in ("nodwarf", "pie", "unoptimised") for program in PROGRAMS]
COMPLETE = 0  # enum gh_unwind_end of goruntime/stack.h

# While one thread writes the traceback the others still run.
MOVING = {"running", "runnable"}
Place = Tuple[str, str, int]


def printed_name(name: str) -> str:
    """Mirror printFuncName and funcNamePiecesForPrint (runtime/traceback.go)."""
    if name == "runtime.gopanic":
        return "panic"
    return re.sub(r"\[.*\]", "[...]", name)


def shown(frames: List[dict]) -> List[Place]:
    """Return frames as a traceback with GOTRACEBACK=crash has them: all, wrappers included."""
    return [(printed_name(frame["function"] or ""), frame["file"] or "?", frame["line"])
            for frame in frames]


def dump(exe: pathlib.Path, core: pathlib.Path) -> Dict[int, dict]:
    """Return the living goroutines by id."""
    result = subprocess.run([STACK_DUMP, str(core), str(exe), "--words"], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, timeout=600, check=False)
    assert result.returncode == 0, result.stderr
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    return {row["goid"]: row for row in rows if row["state"] not in ("dead", "idle")}


class Dead:
    """A program that died: what we see and what the runtime wrote."""

    def __init__(self, death: programs.Death) -> None:
        self.ours = dump(death.exe, death.core)
        self.truth = traceback.parse(death.traceback)
        self.stacks = stackdump.StackDump(str(death.dump)).frames


@pytest.fixture(scope="module", params=BUILDS,
                ids=["-".join((b.release, b.program, b.variant)) for b in BUILDS])
def dead(request: pytest.FixtureRequest, workshop: programs.Workshop,
         keep: bool) -> Iterator[Dead]:
    """One program, dead."""
    death = workshop.run(request.param, "missing")
    yield Dead(death)
    if not keep:
        workshop.forget(death)


def moved(row: dict, truth: traceback.Goroutine) -> bool:
    """Tell whether the goroutine ran on after the runtime had written its stack.

    The scavenger may have come from its sleep to its wait, or the other way.
    """
    if any(frame.function == "runtime.bgscavenge" for frame in truth.frames):
        return row["wait_reason"] != truth.wait_reason
    return (row["state"] in MOVING or truth.state in MOVING) and row["goid"] != 1


def test_frames(dead: Dead) -> None:
    wrong = []
    compared = 0
    for goid, truth in dead.truth.items():
        row = dead.ours[goid]
        if not truth.frames or moved(row, truth):
            continue
        ours = shown(row["frames"])
        theirs = [(f.function, f.file, f.line) for f in truth.frames]
        if len(theirs) >= 100:  # the runtime leaves out what lies between
            theirs = theirs[:50]
            ours = ours[:50]
        compared += 1
        if ours != theirs:
            wrong.append("goroutine %d:\n ours   %s\n theirs %s" % (goid, ours, theirs))
    assert not wrong, "%d of %d:\n%s" % (len(wrong), compared, "\n".join(wrong[:5]))
    assert compared


def test_same_goroutines(dead: Dead) -> None:
    assert dead.ours.keys() == dead.truth.keys()


def test_states(dead: Dead) -> None:
    wrong = []
    for goid, truth in dead.truth.items():
        row = dead.ours[goid]
        state = (row["state"], row["wait_reason"] or None, row["locked"])
        if not moved(row, truth) and state != (truth.state, truth.wait_reason, truth.locked):
            wrong.append("goroutine %d is %s, the runtime says %s" % (goid, state, truth))
    assert not wrong, "\n".join(wrong[:5])


def test_every_stack_is_walked_to_its_end(dead: Dead) -> None:
    """Conservative scanning of stacks is for goroutines that were running only."""
    for row in dead.ours.values():
        assert row["end"] == COMPLETE and not row["skipped"] and not row["whole_stack"], row
        assert row["off_safepoint"] == (row["conservative"] > 0) or row["state"] != "waiting", row


def may_be_pointer(value: int, row: dict) -> bool:
    """Mirror what stack.h leaves out: no pointers, and pointers into the stack itself."""
    return value >= 4096 and not int(row["lo"], 16) <= value < int(row["hi"], 16)


def test_words_of_stack_maps(dead: Dead) -> None:
    """What the runtime dumps as live in locals and arguments we find too, with its value."""
    wrong = []
    words = 0
    for goid, frames in dead.stacks.items():
        row = dead.ours[goid]
        ours = {int(at, 16): int(value, 16) for at, value, _, _ in row["words"]}
        places = {(int(frame["pc"], 16), int(frame["sp"], 16)) for frame in row["frames"]}
        if row["state"] in MOVING:
            continue
        trapped = False
        for frame in frames:
            # Where a frame trapped the dump takes maps at pc, the collector those at continpc; and
            # a frame's arguments are dumped with its caller.
            skip = trapped or frame.continpc != frame.pc
            trapped = frame.continpc != frame.pc
            if skip or (frame.pc, frame.sp) not in places:
                continue
            for at, value in frame.pointers.items():
                if not may_be_pointer(value, row):
                    continue
                words += 1
                if ours.get(at) != value:
                    wrong.append("goroutine %d, %s at %#x: %#x, we say %s"
                                 % (goid, frame.function, at, value, ours.get(at)))
    assert not wrong, "%d of %d:\n%s" % (len(wrong), words, "\n".join(wrong[:20]))
    assert words
