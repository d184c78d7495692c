# SPDX-License-Identifier: Apache-2.0
"""Threads and the calls that they are blocked in, compared with what the kernel said of each.

Some cores are made by the kernel at once, others by the runtime, whose handlers then stand on top of
what each thread did.
"""

import json
import random
import struct
from typing import Dict, Iterator, List

import pytest

from conftest import RELEASES
from lib import gocore, goheap, programs, simple

CALLS = {0: "read", 1: "write", 34: "pause", 35: "nanosleep", 202: "futex", 281: "epoll_pwait"}
READS, WRITES = "read", "file write"


class Blocked:
    """The program, dead: its statement and our answers."""

    def __init__(self, dead: simple.Dead, word: str) -> None:
        self.dead = dead
        self.word = word
        self.truth = json.loads(dead.out)
        self.asked = goheap.ask(dead.core, dead.exe, "threads --all", "threads",
                                "goroutines --all")
        self.rows = goheap.rows(self.asked["threads --all"], "threads")
        self.groups = goheap.rows(self.asked["threads"], "groups")
        self.verdicts = goheap.rows(self.asked["threads"], "verdicts")

    def of(self, **wanted: object) -> List[dict]:
        """Return the threads with these values."""
        return [row for row in self.rows if all(row[name] == wanted[name] for name in wanted)]

    def kernel(self, row: dict) -> List[str]:
        """Return the number and the arguments of a thread's call, as the kernel gave them."""
        return self.truth["Threads"][str(row["tid"])].split()


@pytest.fixture(scope="module", params=[(release, word) for release in RELEASES
                                        for word in ("quiet", "crash")],
                ids=lambda param: "-".join(param))
def blocked(request: pytest.FixtureRequest, workshop: programs.Workshop) -> Iterator[Blocked]:
    release, word = request.param
    with simple.death(workshop, programs.Build("blocked", release, "plain"), [word]) as dead:
        yield Blocked(dead, word)


@pytest.fixture(scope="module", params=RELEASES)
def clean(request: pytest.FixtureRequest, workshop: programs.Workshop) -> Iterator[Blocked]:
    with simple.death(workshop, programs.Build("blocked", request.param, "plain"),
                      ["clean"]) as dead:
        yield Blocked(dead, "clean")


def test_every_thread_is_there(blocked: Blocked) -> None:
    tids = {row["tid"] for row in blocked.rows}
    assert len(tids) == len(blocked.rows)
    assert {int(tid) for tid in blocked.truth["Threads"]} <= tids
    assert sum(row["count"] for row in blocked.groups) == len(blocked.rows)
    listed = [int(tid) for row in blocked.groups for tid in row["tids"]]
    assert sorted(listed) == sorted(tids)


def test_calls_are_the_kernels(blocked: Blocked) -> None:
    """Of threads that cannot have moved on since the program asked."""
    compared = 0
    for row in blocked.rows:
        if row["state"] not in ("syscall", "cgo", "foreign", "locked") or \
                str(row["tid"]) not in blocked.truth["Threads"]:
            continue
        number, *args = blocked.kernel(row)
        if number == "running":
            continue
        compared += 1
        assert row["call"] == CALLS[int(number)], row
        if row["fd"] is not None:
            assert row["fd"] == int(args[0], 16)
    truth = blocked.truth
    assert compared >= truth["InC"] + truth["InSyscall"] + truth["InWrite"] + truth["InRaw"]


def test_reads_in_c(blocked: Blocked) -> None:
    rows = blocked.of(state="cgo")
    assert len(rows) == blocked.truth["InC"]
    for row in rows:
        assert (row["call"], row["cgo"], row["kind"]) == ("read", "slow_read", READS)
        assert row["fd"] == blocked.truth["ReadFD"] and not row["locked"]
        assert "main.go" in row["wait_site"]
        assert row["wait_ns"] >= 1000000000 and row["wait_ns_kind"] == "at_least"


def test_reads_in_system_calls(blocked: Blocked) -> None:
    """Those that the scheduler knows of have a wait, the others are running for it."""
    rows = blocked.of(state="syscall", call="read")
    assert len(rows) == blocked.truth["InSyscall"] + blocked.truth["InRaw"]
    assert {row["fd"] for row in rows} == {blocked.truth["ReadFD"]}
    goroutines = {row["goid"]: row for row in
                  goheap.rows(blocked.asked["goroutines --all"], "goroutines")}
    raw = [row for row in rows if goroutines[row["goid"]]["state"] == "running"]
    assert len(raw) == blocked.truth["InRaw"]
    assert all(row["wait_ns"] is None for row in raw)
    assert all(row["wait_ns"] >= 1000000000 for row in rows if row not in raw)


def test_files_are_named(blocked: Blocked) -> None:
    rows = blocked.of(state="syscall", call="write")
    assert {(row["fd"], row["path"], row["kind"]) for row in rows} == {
        (fd, "/data/journal-%d" % i, WRITES)
        for i, fd in enumerate(blocked.truth["WriteFDs"])}


def test_locked_and_foreign_threads(blocked: Blocked) -> None:
    goroutines = {row["goid"]: row for row in
                  goheap.rows(blocked.asked["goroutines --all"], "goroutines")}
    parked = [row for row in blocked.of(state="locked")
              if goroutines[row["goid"]]["top"] == "main.stayLocked"]
    assert len(parked) == blocked.truth["Locked"]
    assert all(row["locked"] and goroutines[row["goid"]]["locked"] for row in parked)
    foreign = blocked.of(state="foreign", call="pause")  # others are about to become Ms
    assert len(foreign) == blocked.truth["Alone"]
    for row in foreign:
        assert (row["goid"], row["m"], row["locked"], row["kind"]) == (None, None, False, None)


def test_the_runtimes_own(blocked: Blocked) -> None:
    functions = {row["function"]: row for row in blocked.rows if row["state"] == "runtime"}
    assert "runtime.sysmon" in functions
    for row in blocked.of(state="idle"):
        assert row["call"] == "futex" and row["goid"] is None and row["kind"] is None


def test_verdicts(blocked: Blocked) -> None:
    """What most threads are blocked in, by the program's own count."""
    truth = blocked.truth
    found = {row["kind"]: row for row in blocked.verdicts}
    assert set(found) == {READS, WRITES}
    assert found[READS]["count"] == truth["InC"] + truth["InSyscall"] + truth["InRaw"]
    assert found[WRITES]["count"] == truth["InWrite"]
    assert {row["level"] for row in found.values()} == {"likely"}
    assert "%d of %d threads" % (found[READS]["count"], len(blocked.rows)) in \
        found[READS]["sentence"]


def test_clean_program_has_no_verdict(clean: Blocked) -> None:
    assert clean.rows and not clean.verdicts
    assert not [row for row in clean.rows if row["kind"] and row["state"] != "dying"
                and row["cgo"] != "die"]


def test_state_filter(blocked: Blocked) -> None:
    command = "threads --all --state cgo"
    asked = goheap.ask(blocked.dead.core, blocked.dead.exe, command)
    assert goheap.rows(asked[command], "threads") == blocked.of(state="cgo")


WORDS, ROUNDS = 40, 12
INTERESTING = [0, 1, 8, 0xfff, 0x7fffffffffffffff, 0xffffffffffffffff, 1 << 47, 0xc000000008]


def test_damaged(workshop: programs.Workshop, request: pytest.FixtureRequest,
                 blocked: Blocked) -> None:
    """Words of Ms, goroutines and stacks are overwritten: a partial answer, and never a crash.

    The last test of this core: it is damaged afterwards.
    """
    dead = blocked.dead
    core = gocore.Core(str(dead.core), str(dead.exe), request.node.callspec.params["blocked"][0])
    rng = random.Random(1)
    allgs, count = (core.word(core.symbol("runtime.allgs") + at) for at in (0, 8))
    gs = [core.word(allgs + 8 * i) for i in range(count)]
    ms = [core.word(core.symbol("runtime.allm")), core.symbol("runtime.m0")]
    stacks = [core.word(g) for g in gs if core.word(g)]
    for _ in range(ROUNDS):
        with open(dead.core, "r+b") as file:
            for _ in range(WORDS):
                at = rng.choice([rng.choice(gs) + 8 * rng.randrange(60),
                                 rng.choice(ms) + 8 * rng.randrange(150),
                                 rng.choice(stacks) + 8 * rng.randrange(256)])
                word = rng.choice([rng.getrandbits(64), rng.choice(INTERESTING),
                                   rng.choice(gs + ms)])
                try:
                    file.seek(core.offset_in_file(at))
                except LookupError:
                    continue
                file.write(struct.pack("<Q", word))
        answer = goheap.run([dead.core, dead.exe, "--json", "-e", "threads", "-e",
                             "threads --all", "-e", "goroutines"])
        assert answer.code == goheap.ANSWERED, answer.err
    core.close()
