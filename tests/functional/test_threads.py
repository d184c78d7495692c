# SPDX-License-Identifier: Apache-2.0
"""Threads and the calls that they are blocked in, compared with what the kernel said of each.

Some cores are made by the kernel at once, others by the runtime, whose handlers then stand on top of
what each thread did.
"""

import json
import pathlib
import random
import re
import struct
from typing import Dict, Iterator, List

import pytest

from conftest import RELEASES
from lib import armcore, gocore, goheap, programs, simple

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


@pytest.mark.parametrize("word", ["c", "raw"])
@pytest.mark.parametrize("of_release", RELEASES)
def test_one_kind_alone(workshop: programs.Workshop, of_release: str, word: str) -> None:
    """Sixty threads in one kind of call; of raw ones nobody has noted since when."""
    with simple.death(workshop, programs.Build("blocked", of_release, "plain"), [word]) as dead:
        blocked = Blocked(dead, word)
        suspects = goheap.rows(goheap.ask(dead.core, dead.exe, "suspects")["suspects"], "suspects")
    truth = blocked.truth
    [verdict] = blocked.verdicts
    assert (verdict["kind"], verdict["level"], verdict["count"]) == (READS, "likely", 60)
    assert (verdict["call"], verdict["cgo"]) == ("read", "slow_read" if word == "c" else None)
    assert "read%s of file descriptor %d, which nothing in memory names" % (
        " (in C from slow_read)" if word == "c" else "", truth["ReadFD"]) in \
        verdict["sentence"]
    assert (verdict["wait_ns_max"] is None) == (word == "raw")
    [found] = [row for row in suspects if row["rule"] == "threads-stuck"]
    assert found["level"] == "likely" and found["title"].startswith("60 of ")
    assert ("60 of them a processor of GOMAXPROCS 64" in verdict["sentence"]) == (word == "raw")


@pytest.fixture(scope="module", params=RELEASES)
def kinds(request: pytest.FixtureRequest, workshop: programs.Workshop) -> Iterator[Blocked]:
    with simple.death(workshop, programs.Build("blocked", request.param, "plain"),
                      ["kinds"]) as dead:
        yield Blocked(dead, "kinds")


def agree(rows: List[dict], stated: List[dict], live: bool) -> None:
    """Compare threads with what the program says of them."""
    for kind in stated:
        path = kind["Live"] if live and kind["Live"] else kind["Path"]
        name = kind["LiveKind"] if live and kind["LiveKind"] else kind["Kind"]
        found = [row for row in rows
                 if (row["state"], row["call"], row["kind"]) ==
                 (kind["State"], kind["Call"], name) and row["path"] == (path or None)
                 and kind["Fd"] in (-1, row["fd"])]
        assert len(found) == kind["Count"], (kind, rows)


def test_kinds_of_calls(kinds: Blocked) -> None:
    """DNS by the C library, file locks, opening a FIFO, a child, sockets, terminals, pipes."""
    agree(kinds.rows, kinds.truth["Kinds"], live=False)
    assert {row["cgo"] for row in kinds.rows if row["kind"] == "DNS"} == {"getaddrinfo"}
    assert sum(kind["Count"] for kind in kinds.truth["Kinds"]) == \
        len([row for row in kinds.rows if row["kind"] and row["state"] != "dying"])
    for row in kinds.rows:
        if row["fd"] is not None and row["kind"] and row["state"] == "syscall":
            number, *args = kinds.kernel(row)
            assert row["fd"] == int(args[0], 16)


SYNCS = {74: "fsync", 75: "fdatasync", 277: "sync_file_range", 306: "syncfs"}
PRSTATUS, REGS_AT, ORIG_RAX = 336, 112, 15


def set_call(core: pathlib.Path, tid: int, number: int) -> None:
    """Let a thread of a core stand in another system call."""
    data = core.read_bytes()
    head = struct.pack("<III8s", 5, PRSTATUS, 1, b"CORE")
    at = data.index(head)
    while struct.unpack_from("<I", data, at + len(head) + 32)[0] != tid:
        at = data.index(head, at + 1)
    with open(core, "r+b") as file:
        file.seek(at + len(head) + REGS_AT + 8 * ORIG_RAX)
        file.write(struct.pack("<Q", number))


def test_fsync(workshop: programs.Workshop) -> None:
    """No test can make a disk hang: threads that write get the number of what waits for one."""
    with simple.death(workshop, programs.Build("blocked", RELEASES[-1], "plain"),
                      ["quiet"]) as dead:
        truth, wanted = json.loads(dead.out), {}
        before = goheap.rows(goheap.ask(dead.core, dead.exe, "threads --all")["threads --all"],
                             "threads")
        writers = [row for row in before if row["kind"] == WRITES]
        assert len(writers) == truth["InWrite"]
        for i, row in enumerate(writers):
            number = sorted(SYNCS)[i % len(SYNCS)]
            set_call(dead.core, row["tid"], number)
            wanted[row["tid"]] = (SYNCS[number], "fsync", row["fd"], row["path"])
        asked = goheap.ask(dead.core, dead.exe, "threads --all", "threads")
    rows = {row["tid"]: row for row in goheap.rows(asked["threads --all"], "threads")}
    for tid, known in wanted.items():
        row = rows[tid]
        assert (row["call"], row["kind"], row["fd"], row["path"]) == known
    found = {row["kind"]: row for row in goheap.rows(asked["threads"], "verdicts")}
    assert set(found) == {READS, "fsync"}
    assert found["fsync"]["count"] == len(wanted) and found["fsync"]["call"] is None


@pytest.mark.parametrize("end", (RELEASES[0], RELEASES[-1]))
def test_by_pid(workshop: programs.Workshop, end: str, tmp_path: pathlib.Path) -> None:
    """Paths and peers that memory does not know, /proc does."""
    process = programs.start(workshop.build(programs.Build("blocked", end, "plain")), tmp_path, {},
                             ["kinds", "stay"])
    try:
        programs.wait_for_line(tmp_path / "stdout", process, programs.RUN_SECONDS)
        truth = json.loads((tmp_path / "stdout").read_text())
        answer = goheap.run(["--pid", process.pid, "threads", "--all", "--json"])
        agree(goheap.rows(json.loads(answer.out), "threads"), truth["Kinds"], live=True)
        answer = goheap.run(["--pid", process.pid, "threads", "--all", "--json", "--no-values"])
        assert not [row for row in goheap.rows(json.loads(answer.out), "threads") if row["path"]]
    finally:
        process.kill()
        process.wait()


NUMBERED = re.compile(r"\[(\d+)(?: - FIRST)?\] = \"(\w+)\"")
GO_NUMBERED = re.compile(r"SYS_(\w+)\s*=\s*(\d+)")
# Numbers of other names, and of none.
OTHER_NAMES = {"fstatat": "newfstatat", "sync_file_range2": None, "arch_specific_syscall": None}


@pytest.mark.parametrize("arch,name", [("amd64", "syscalls.c"), ("arm64", "syscalls_arm64.c")])
def test_numbers_of_calls(arch: str, name: str) -> None:
    """Our tables against the one of package syscall, and each number in one of them."""
    tables = [NUMBERED.findall((programs.ROOT / "src" / "goruntime" / file).read_text())
              for file in (name, "syscalls_common.c")]
    ours = dict(tables[0] + tables[1])
    assert len(ours) == len(tables[0]) + len(tables[1]) and tables[1][0][0] == "424"
    assert max(int(number) for number, _ in tables[0]) < 424
    root = pathlib.Path(programs.go(RELEASES[-1], ["env", "GOROOT"]).strip())
    text = (root / "src" / "syscall" / ("zsysnum_linux_%s.go" % arch)).read_text()
    compared = 0
    for theirs, number in GO_NUMBERED.findall(text):
        name_of_it = OTHER_NAMES.get(theirs.lower(), theirs.lower())
        if name_of_it and number in ours:
            compared += 1
            assert ours[number] == name_of_it
    assert compared > 250


ARM64_CALLS = {63: ("read", True), 64: ("write", True), 82: ("fsync", True), 98: ("futex", False),
               56: ("openat", False), 207: ("recvfrom", True), 260: ("wait4", False),
               32: ("flock", True), 437: ("openat2", False), 449: ("futex_waitv", False),
               462: ("mseal", False)}
FUTEX_EINTR = (1 << 64) - 4


def test_calls_on_arm64(tmp_path: pathlib.Path) -> None:
    """Registers of arm64, in a core that was made by hand."""
    exe = tmp_path / "captured"
    programs.go(RELEASES[-1], ["build", "-o", str(exe), "./captured"], more={"GOARCH": "arm64"})
    binary = armcore.Executable(exe)
    pc = binary.system_call("internal/runtime/syscall/linux.Syscall6")
    threads = {100 + i: armcore.registers(pc, number, 7 + i)
               for i, number in enumerate(sorted(ARM64_CALLS))}
    threads[200] = armcore.registers(pc + 4, 98, FUTEX_EINTR)  # interrupted for good
    threads[201] = armcore.registers(pc + 4, 63, 3)  # has read: is no longer in the kernel
    threads[202] = armcore.registers(pc + 8, 63, 3)
    threads[203] = armcore.registers(pc, 5000, 3)  # no such call
    threads[204] = armcore.registers(pc, 463, 3)
    threads[205] = armcore.registers(pc, 400, 3)
    armcore.write(tmp_path / "core", binary, threads, {})
    asked = goheap.ask(tmp_path / "core", exe, "threads --all")["threads --all"]
    rows = {row["tid"]: row for row in goheap.rows(asked, "threads")}
    assert asked["target"]["goarch"] == "arm64" and set(rows) == set(threads)
    for i, number in enumerate(sorted(ARM64_CALLS)):
        call, has_fd = ARM64_CALLS[number]
        assert (rows[100 + i]["call"], rows[100 + i]["fd"]) == (call, 7 + i if has_fd else None)
    assert rows[200]["call"] == "futex"
    assert {rows[tid]["call"] for tid in range(201, 206)} == {None}


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
