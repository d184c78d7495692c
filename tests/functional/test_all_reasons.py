# SPDX-License-Identifier: Apache-2.0
"""Hundreds of goroutines in each wait reason that a program can hold, compared with runtime.Stack.

The program writes runtime.Stack(all) and dies at once, without a handler of the runtime's.
"""

import collections
import pathlib
import random
import re
import struct
import subprocess
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

import pytest

from conftest import RELEASES
from lib import gocore, goheap, programs, simple

EACH = 500
SAMPLES = 3  # goroutines of each group whose frames are asked for
INNER, OUTER = 50, 50  # frames of deep stacks that the runtime prints

# Reasons of which a program holds fewer: one at a time, or one for each of what is rare.
FEW = {"trace reader (blocked)", "synctest.Run", "synctest.Wait"}
# Why a program holds none. All others must be in the dump, EACH times.
TRANSIENT = "ends by itself, with the collection or the stop of the world that it belongs to"
OF_THE_RUNTIME = "goroutines of the runtime's own: runtime.Stack does not show them"
CANNOT = {
    "": "no reason",
    "GC assist marking": TRANSIENT,
    "GC assist wait": TRANSIENT,
    "GC mark termination": TRANSIENT,
    "GC weak to strong wait": TRANSIENT,
    "GC worker (active)": OF_THE_RUNTIME,
    "GC worker (idle)": OF_THE_RUNTIME,
    "GC scavenge wait": OF_THE_RUNTIME,
    "GC sweep wait": OF_THE_RUNTIME,
    "GOMAXPROCS updater (idle)": OF_THE_RUNTIME,
    "cleanup wait": OF_THE_RUNTIME,
    "debug call": "only a debugger makes it",
    "dumping heap": "the world is stopped meanwhile",
    "finalizer wait": OF_THE_RUNTIME,
    "flushing proc caches": TRANSIENT,
    "force gc (idle)": OF_THE_RUNTIME,
    "garbage collection": TRANSIENT,
    "garbage collection scan": TRANSIENT,
    "page trace flush": "of a runtime that was built with page tracing",
    "panicwait": "the process ends",
    "preempted": TRANSIENT,
    "stopping the world": TRANSIENT,
    "trace goroutine status": TRANSIENT,
    "trace proc status": TRANSIENT,
    "wait for GC cycle": TRANSIENT,
}
# What older releases have a reason for and no way to get there.
NOT_YET = {
    22: {"coroutine": "iter.Pull came with go1.23"},
    24: {reason: "testing/synctest came with go1.25" for reason in (
        "synctest.Run", "synctest.Wait", "chan receive (synctest)", "chan send (synctest)",
        "select (synctest)")},
}

HEADER = re.compile(r"goroutine (\d+) \[([^],]+(?: \([^)]*\))?)(.*)\]:$")
CREATED = re.compile(r"created by (.+?)(?: in goroutine (\d+))?$")
PLACE = re.compile(r"\t(.*):(\d+)(?: \+0x[0-9a-f]+)?$")
STATES = {"running", "runnable", "syscall", "waiting"}


class Truth(NamedTuple):
    """One goroutine of the dump."""

    status: str
    locked: bool
    frames: Tuple[Tuple[str, str, int], ...]
    elided: bool
    created_by: Optional[str]
    created_site: Optional[str]
    parent: Optional[int]


def parse(text: str) -> Dict[int, Truth]:
    """Return the goroutines of a dump by their numbers."""
    found = {}
    for block in text.strip().split("\n\n"):
        lines = block.splitlines()
        match = HEADER.match(lines[0])
        assert match, lines[0]
        frames: List[Tuple[str, str, int]] = []
        elided, created, site, parent = False, None, None, None
        i = 1
        while i < len(lines) and not lines[i].startswith("[originating from"):
            if lines[i].startswith("..."):
                elided = True
                i += 1
                continue
            place = PLACE.match(lines[i + 1])
            assert place, lines[i + 1]
            origin = CREATED.match(lines[i])
            if origin:
                created, site = origin.group(1), "%s:%s" % place.groups()
                parent = int(origin.group(2)) if origin.group(2) else None
            else:
                frames.append((lines[i].rsplit("(", 1)[0], place.group(1), int(place.group(2))))
            i += 2
        found[int(match.group(1))] = Truth(match.group(2), "locked to thread" in match.group(3),
                                           tuple(frames), elided, created, site, parent)
    return found


class Dump:
    """The program, dead: what the runtime said and what we say."""

    def __init__(self, dead: simple.Dead, release: str) -> None:
        self.dead = dead
        self.release = release
        self.truth = parse(dead.out)
        asked = goheap.ask(dead.core, dead.exe, "goroutines", "goroutines --all")
        self.groups = goheap.rows(asked["goroutines"], "groups")
        self.rows = {row["goid"]: row
                     for row in goheap.rows(asked["goroutines --all"], "goroutines")
                     if not row["system"]}


@pytest.fixture(scope="module", params=RELEASES)
def dump(request: pytest.FixtureRequest, workshop: programs.Workshop) -> Iterator[Dump]:
    with simple.death(workshop, programs.Build("stacks", request.param, "plain"),
                      environment={"GODEBUG": "asynctimerchan=0,tracebackancestors=3"}) as dead:
        yield Dump(dead, request.param)


def reasons_of(release: str) -> List[str]:
    """Return the texts of waitReasonStrings in the sources of a release."""
    root = programs.go(release, ["env", "GOROOT"]).strip()
    text = (pathlib.Path(root) / "src/runtime/runtime2.go").read_text()
    table = text[text.index("var waitReasonStrings"):]
    return re.findall(r'waitReason\w+:\s+"([^"]*)"', table[:table.index("\n}")])


def status(row: dict) -> str:
    return row["wait_reason"] or row["state"]


def is_status(row: dict, truth: Truth) -> bool:
    """Compare; in a bubble the runtime adds a word to what has no reason of its own there."""
    return truth.status in (status(row), status(row) + " (durable)")


def test_every_reason_is_held_or_cannot_be(dump: Dump) -> None:
    minor = int(dump.release.split(".")[1])
    counts = collections.Counter(row["wait_reason"] for row in dump.rows.values())
    for reason in reasons_of(dump.release):
        if reason in CANNOT or reason in NOT_YET.get(minor, {}):
            assert not counts[reason], reason
        elif reason in FEW:
            assert counts[reason], reason
        else:
            assert counts[reason] >= EACH, reason


def test_states_and_reasons(dump: Dump) -> None:
    assert dump.rows.keys() == dump.truth.keys()
    wrong = [(goid, status(row), dump.truth[goid].status) for goid, row in dump.rows.items()
             if not is_status(row, dump.truth[goid])]
    assert not wrong, wrong[:5]
    assert all(row["locked"] == dump.truth[goid].locked for goid, row in dump.rows.items()
               if goid != 1)  # which is locked after the dump: it is about to die


def test_creators_and_tops(dump: Dump) -> None:
    for goid, row in dump.rows.items():
        truth = dump.truth[goid]
        if truth.created_by or goid == 1:
            assert (row["created_by"], row["created_site"]) == (
                truth.created_by, truth.created_site), goid
        if goid != 1:
            assert row["top"] == truth.frames[0][0], goid


def test_groups_are_those_of_the_runtime(dump: Dump) -> None:
    """Goroutines are in one group exactly if all that the runtime prints of them is equal."""
    theirs = collections.defaultdict(set)
    for goid, truth in dump.truth.items():
        theirs[truth._replace(parent=None, locked=False)].add(goid)
    ours = [frozenset(map(int, row["goids"])) for row in dump.groups]
    assert {frozenset(goids) for goids in theirs.values()} == set(ours)
    assert [row["count"] for row in dump.groups] == [len(goids) for goids in ours]
    counts = [row["count"] for row in dump.groups]
    assert counts == sorted(counts, reverse=True)


def test_frames(dump: Dump) -> None:
    """Functions, files and lines, inlined calls and generic functions among them."""
    wanted = [int(goid) for row in dump.groups for goid in row["goids"][:SAMPLES]]
    commands = ["goroutine %d" % goid for goid in wanted if goid != 1]
    documents = goheap.ask(dump.dead.core, dump.dead.exe, *commands)
    inlined = 0
    for command in commands:
        truth = dump.truth[int(command.split()[1])]
        rows = goheap.rows(documents[command], "frames")
        ours = tuple((row["function"], row["file"], row["line"]) for row in rows)
        if truth.elided:
            assert ours[:INNER] == truth.frames[:INNER], command
            assert ours[-OUTER:] == truth.frames[-OUTER:], command
        else:
            assert ours == truth.frames, command
        facts = {row["name"]: row["value"]
                 for row in goheap.rows(documents[command], "goroutine")}
        assert facts["parent"] == truth.parent
        inlined += any(row["inlined"] for row in rows)
    assert inlined >= SAMPLES


def test_what_they_wait_on(dump: Dump) -> None:
    """Queues and buffers of channels, waiters of a lock, the descriptor, the timer."""
    of_reason = {}
    for row in dump.groups:
        of_reason.setdefault(row["wait_reason"], row["goids"][0])
    wanted = {reason: "goroutine %s" % of_reason[reason] for reason in (
        "chan receive", "chan send", "select", "sync.Mutex.Lock", "sleep", "IO wait",
        "chan receive (nil chan)")}
    documents = goheap.ask(dump.dead.core, dump.dead.exe, *wanted.values())
    rows = {reason: goheap.rows(documents[command], "waiting_on")
            for reason, command in wanted.items()}
    receive, = rows["chan receive"]
    assert (receive["what"], receive["type"], receive["capacity"], receive["closed"]) == (
        "receive", "chan int", 0, False)
    # those of `select` stand in its queue, too; trace and testing have channels of their own
    ours = [goid for goid, truth in dump.truth.items() if truth.status in ("select", "chan receive")
            and any(name.startswith("main.") for name, _, _ in truth.frames)
            and not any("Bubble" in name for name, _, _ in truth.frames)
            and "Bubble" not in truth.created_by]
    assert receive["receivers"] == len(ours) and receive["senders"] == 0
    assert receive["others"] == len(ours) - 1 and len(receive["goids"]) == 16
    assert set(map(int, receive["goids"])) <= set(ours)
    send, = rows["chan send"]
    assert (send["what"], send["type"], send["senders"], send["receivers"]) == (
        "send", "chan string", EACH, 0)
    select, = rows["select"]  # the nil channel has no place in a queue
    assert select["what"] == "select receive" and select["address"] == receive["address"]
    lock, = rows["sync.Mutex.Lock"]
    assert lock["what"] == "Mutex" and lock["others"] == EACH - 1 and lock["address"]
    sleep, = rows["sleep"]
    assert 23 * 3600 * 10**9 < sleep["due_ns"] <= 24 * 3600 * 10**9
    io, = rows["IO wait"]
    assert io["what"] == "IO read" and re.fullmatch(r"pipe \d+", io["path"]) and io["fd"] > 2
    never, = rows["chan receive (nil chan)"]
    assert "for ever" in never["what"] and never["address"] is None


def test_variables(dump: Dump) -> None:
    """Of a recursion: each call knows how many are to come. A string; with --no-values not."""
    deep = next(goid for goid, truth in dump.truth.items() if truth.elided)
    named = next(goid for goid, truth in dump.truth.items() if "main.named" in
                 [name for name, _, _ in truth.frames])
    commands = ["goroutine %d" % goid for goid in (deep, named)]
    documents = goheap.ask(dump.dead.core, dump.dead.exe, *commands)
    rows = goheap.rows(documents[commands[0]], "variables")
    depths = [int(row["value"]) for row in rows
              if (row["function"], row["name"]) == ("main.deep", "n")]
    assert len(depths) >= 290 and depths == list(range(depths[0], depths[0] + len(depths)))
    assert {row["kind"] for row in rows if row["name"] == "n"} == {"argument"}
    quiet = goheap.ask(dump.dead.core, dump.dead.exe, commands[1] + " --no-values")
    for document, says in ((documents[commands[1]], True), (*quiet.values(), False)):
        values = [row["value"] for row in goheap.rows(document, "variables") if row["value"]]
        assert ('"a certain name"' in values) == says, values


def test_labels(dump: Dump) -> None:
    group, = [row for row in dump.groups if row["labels"]]
    assert group["labels"] == ["job=resize, size=large"] and group["count"] == 3
    labelled = [goid for goid, row in dump.rows.items() if row["labels"]]
    assert sorted(map(int, group["goids"])) == sorted(labelled)


def test_ancestors(dump: Dump) -> None:
    """The parent is gone; GODEBUG=tracebackancestors has kept where it stood."""
    goid, truth = next(item for item in dump.truth.items()
                       if item[1].created_by == "main.startAndEnd")
    command = "goroutine %d" % goid
    rows = goheap.rows(goheap.ask(dump.dead.core, dump.dead.exe, command)[command], "ancestors")
    assert [(row["goid"], row["state"]) for row in rows] == [(truth.parent, "gone"),
                                                             (1, "running")]
    assert rows[0]["created_by"] == "main.build"
    assert [line.split()[0] for line in rows[0]["stack"]][:1] == ["main.startAndEnd"]
    assert "main.build" in [line.split()[0] for line in rows[1]["stack"]]


def test_filters(dump: Dump) -> None:
    commands = {"goroutines --func main[.]put -n 0": lambda t: any(
                    name.startswith("main.put") for name, _, _ in t.frames),
                "goroutines --any main[.]deep": lambda t: any(
                    name == "main.deep" for name, _, _ in t.frames),
                "goroutines --state sleep": lambda t: t.status == "sleep",
                "goroutines --top ^time[.]Sleep$": lambda t: t.frames[0][0] == "time.Sleep",
                "goroutines --created-by main[.]start$ --state select":
                    lambda t: t.created_by == "main.start" and t.status == "select"}
    documents = goheap.ask(dump.dead.core, dump.dead.exe, *commands)
    for command, wanted in commands.items():
        found = {int(goid) for row in goheap.rows(documents[command], "groups")
                 for goid in row["goids"]}
        assert found == {goid for goid, truth in dump.truth.items() if wanted(truth)}, command


def test_no_such_goroutine(dump: Dump) -> None:
    for word, says in (("999999", "there is no goroutine 999999"), ("one", "is no number")):
        answer = goheap.run([dump.dead.core, dump.dead.exe, "goroutine", word])
        assert answer.code in (goheap.USAGE, goheap.NOTHING) and says in answer.err


def test_without_dwarf(dump: Dump, tmp_path: pathlib.Path) -> None:
    """Without DWARF: frames are the same, variables are none."""
    stripped = tmp_path / "stripped"
    subprocess.run(["strip", "-g", "-o", str(stripped), str(dump.dead.exe)], check=True)
    goid = dump.groups[0]["goids"][0]
    command = "goroutine " + goid
    plain = goheap.ask(dump.dead.core, dump.dead.exe, command)[command]["tables"]
    bare = goheap.ask(dump.dead.core, stripped, command)[command]["tables"]
    assert "variables" not in bare
    for name in ("frames", "waiting_on", "defers", "ancestors", "goroutine"):
        assert bare[name] == plain[name]


WORDS, ROUNDS = 60, 4
INTERESTING = [0, 1, 8, 0xfff, 0x7fffffffffffffff, 0xffffffffffffffff, 1 << 47, 0xc000000008]


def test_damaged(dump: Dump) -> None:
    """Words of goroutines and of what they point to (sudogs, defers, timers) are overwritten.

    The last test of this core: it is damaged afterwards.
    """
    dead = dump.dead
    core = gocore.Core(str(dead.core), str(dead.exe), dump.release)
    rng = random.Random(1)
    allgs, count = (core.word(core.symbol("runtime.allgs") + at) for at in (0, 8))
    gs = [core.word(allgs + 8 * i) for i in range(count)]
    for _ in range(ROUNDS):
        with open(dead.core, "r+b") as file:
            for _ in range(WORDS):
                at = rng.choice(gs) + 8 * rng.randrange(60)
                word = rng.choice([rng.getrandbits(64), rng.choice(INTERESTING), rng.choice(gs)])
                try:
                    if rng.random() < 0.7:
                        at = (core.word(at) & ~7) + 8 * rng.randrange(16)
                    file.seek(core.offset_in_file(at))
                except LookupError:
                    continue
                file.write(struct.pack("<Q", word))
        for command in ("goroutines", "goroutines --all", "threads",
                        *("goroutine %d" % rng.choice(list(dump.truth)) for _ in range(8))):
            answer = goheap.run([dead.core, dead.exe, "--json", *command.split()])
            assert answer.code in (goheap.ANSWERED, goheap.NOTHING), answer.err
    core.close()
