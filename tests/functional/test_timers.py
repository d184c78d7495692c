# SPDX-License-Identifier: Apache-2.0
"""Timers: a program states each timer that it makes, when it will fire, and who could stop it."""

import collections
import json
import os
import pathlib
import struct
from typing import Dict, Iterator, List, NamedTuple, Tuple

import pytest

from conftest import RELEASES
from lib import gocore, goheap, programs, rederive, simple

# How a *time.Timer leads to the timer of the runtime behind it (runtime/time.go, time/sleep.go).
OFFSET = {"go1.22": 8}
NEVER_BY_ITSELF = {"go1.27"}  # asynctimerchan is gone
NO_NEW_CHANNELS = {"go1.22"}
PT_LOAD = 1


LISTED: List[Tuple[bool, int]] = []  # timers that nobody waits for: new rules, how many


class Case(NamedTuple):
    """One core: what the program stated, what goheap says."""

    release: str
    new_channels: bool  # a channel's timer is in the heap only while somebody waits
    now: int
    stated: List[dict]
    rows: List[dict]
    groups: List[dict]
    document: dict
    typed: Dict[int, dict]  # what `objects` says of those that package time makes, by address
    circles: List[str]  # what is wrong with the chains behind types, json's own aside: that
    #                     reader takes the end of a path for the package's name
    has_dwarf: bool
    stacks: List[tuple]  # of the allocation of some, as `obj` has it, and their address

    def by_address(self) -> Dict[int, dict]:
        """Return the rows by the address of the time.Timer."""
        offset = OFFSET.get(minor(self.release), 16)
        return {int(row["address"], 16) - offset: row for row in self.rows}


def minor(release: str) -> str:
    """Return go1.26 for go1.26.8."""
    return ".".join(release.split(".")[:2])


def read(out: str) -> dict:
    """Return the statement, with addresses that the program hid from the collector."""
    statement = json.loads(out)
    for one in statement["stated"]:
        one["Object"] = one["Object"] and ~one["Object"] & (1 << 64) - 1
    return statement


# What closures of the program capture, by what their names begin with.
CAPTURED = {"main.dropped.": {"buffer []uint8"},
            "main.rearms.": {"&t **time.Timer, d time.Duration"},
            "main.mutual.": {"&a **time.Timer", "&b **time.Timer"},
            "main.newTimer.": {None}, "main.sampled.": {None},
            "main.(*session).expire-fm": {"s *main.session"}}
# Numbers in variables, and beside pointers in objects of which nobody else tells the type.
NEEDS_DWARF = ("number on a stack", "number in an object")


def without_variables(stated: List[dict]) -> List[dict]:
    """Return the statement for a program without DWARF: nobody knows which word is a variable."""
    return [{**one, "Verdict": None} if one["Group"] in NEEDS_DWARF else one
            for one in stated]


def variants() -> List[tuple]:
    """Return each release with the rules for channels that it can have, DWARF or not."""
    made = []
    for release in RELEASES:
        for new in (False, True):
            if (new and minor(release) in NO_NEW_CHANNELS) or (
                    not new and minor(release) in NEVER_BY_ITSELF):
                continue
            variant = "nodwarf" if new and release != RELEASES[-1] else "plain"
            made.append((release, new, variant))
    ends = dict.fromkeys((RELEASES[0], RELEASES[-1]))
    return made + [(end, minor(end) not in NO_NEW_CHANNELS, "arm64") for end in ends]


@pytest.fixture(scope="module", params=variants(),
                ids=lambda p: "%s-%s-%s" % (p[0], "new" if p[1] else "old", p[2]))
def case(request: pytest.FixtureRequest, workshop: programs.Workshop) -> Iterator[Case]:
    release, new, variant = request.param
    environment = {"GODEBUG": "asynctimerchan=%d" % (not new)} if minor(release) not in (
        NEVER_BY_ITSELF | NO_NEW_CHANNELS) else {}
    with simple.death(workshop, programs.Build("timers", release, variant),
                      environment=environment) as dead:
        answers = goheap.ask(dead.core, dead.exe, "timers --all", "timers",
                             "objects --type ^(time|runtime)[.]time", "objects --type ^time[.]",
                             "obj --why-type --sample 2000")
        statement = read(dead.out)
        if variant == "nodwarf":
            statement["stated"] = without_variables(statement["stated"])
        if new:
            for one in statement["stated"]:
                if one["Group"] == "left":
                    one.update(State="stopped", Verdict="stopped", From=0, To=0)
        sampled = [one for one in statement["stated"] if one["Line"]][:4]
        looked_at = [one["Object"] for one in
                     sampled + [one for one in statement["stated"] if one["Group"] == "held"][:4]]
        lines = ["obj 0x%x" % address for address in looked_at]
        answers.update(goheap.ask(dead.core, dead.exe, *lines))
        typed = {**goheap.addresses(answers["objects --type ^time[.]"]),
                 **goheap.addresses(answers["objects --type ^(time|runtime)[.]time"])}
        core = gocore.Core(str(dead.core), str(dead.exe), release)
        chains = rederive.check(core, str(dead.exe), goheap.rows(
            answers["obj --why-type --sample 2000"], "facts"))
        core.close()
        yield Case(release, new, statement["now"], statement["stated"],
                   goheap.rows(answers["timers --all"], "timers"),
                   goheap.rows(answers["timers"], "groups"), answers["timers --all"],
                   typed, [one for one in chains.wrong if "encoding/json" not in one],
                   variant != "nodwarf",
                   [(goheap.rows(answers[line], "allocation")
                     if "allocation" in answers[line]["tables"] else [], address)
                    for line, address in zip(lines, looked_at)])


def is_gone(stated: dict, case: Case) -> bool:
    """Tell whether the collector took the timer: nothing had its channel, and no heap.

    Another one, of another kind, may have its place since.
    """
    if not case.new_channels or stated["Group"] != "left":
        return case.new_channels and stated["Group"] == "dropped channel"
    row = case.by_address().get(stated["Object"])
    return not row or row["kind"] != stated["Kind"]


def check(stated: dict, row: dict) -> List[str]:
    """Compare a row with what was stated."""
    wrong = []
    for key in ("kind", "state"):
        if row[key] != stated[key.capitalize()]:
            wrong.append(key)
    if (row["period_ns"] or 0) != stated["Period"]:
        wrong.append("period_ns")
    if stated["From"] and not stated["From"] <= (row["when_ns"] or 0) <= stated["To"]:
        wrong.append("when_ns")
    if not (row["callback"] or "").startswith(stated["Callback"]):
        wrong.append("callback")
    verdict = row["verdict"] or ""
    if stated["Verdict"] is not None and verdict != stated["Verdict"] and not (
            ", in use" in stated["Verdict"] and verdict.startswith(stated["Verdict"])):
        wrong.append("verdict")
    if stated["Owner"] not in (row["owner"] or ""):
        wrong.append("owner")
    if stated["Line"] and not (row["created_by"] == "main.sampled" and
                               row["created_site"].endswith("/main.go:%d" % stated["Line"])):
        wrong.append("created_site")
    if stated["Keeps"] and not row["retained"] >= stated["Keeps"]:
        wrong.append("retained")
    return wrong


def test_timers_with_an_address_are_as_stated(case: Case) -> None:
    rows = case.by_address()
    wrong = []
    for stated in case.stated:
        if not stated["Object"]:
            continue
        if is_gone(stated, case):
            assert stated["Object"] not in rows or \
                rows[stated["Object"]]["kind"] != stated["Kind"], stated
            continue
        assert stated["Object"] in rows, stated
        differs = check(stated, rows[stated["Object"]])
        if differs:
            wrong.append((differs, stated, rows[stated["Object"]]))
    assert not wrong, "%d wrong, the first: %s" % (len(wrong), wrong[0])


def test_what_nobody_waits_for_any_more_cannot_fire(case: Case) -> None:
    """The scheduler clears them away when it likes, all of them even: see the next test."""
    rows = case.by_address()
    listed = [rows[stated["Object"]] for stated in case.stated
              if stated["Group"] == "left" and stated["Object"] in rows
              and not is_gone(stated, case)]
    LISTED.append((case.new_channels, len(listed)))
    assert {row["verdict"] for row in listed} <= {"stopped" if case.new_channels
                                                  else "unstoppable"}
    assert all(row["p"] is not None for row in listed)


def test_what_nobody_waits_for_was_there() -> None:
    """In one of all the cases of each kind at least, or the last test says nothing."""
    for new in {new for new, _ in LISTED}:
        assert max(n for kind, n in LISTED if kind == new) >= 10


def types_of(text: str) -> List[str]:
    """Return the types of "buffer []uint8, n int", or of "[]uint8, int"."""
    return [part.split(" ")[-1] for part in text.split(", ")]


def test_what_closures_captured(case: Case) -> None:
    """Variables by name where DWARF tells, at most their types where not, and none where none is.

    In 1.22 nothing links a closure to its variables, and more than one struct may fit it.
    """
    old = minor(case.release) == "go1.22"
    unread = case.document["target"]["goarch"] != "amd64"
    seen = collections.Counter()
    for row in case.rows + case.groups:
        prefix = next((one for one in CAPTURED if (row["callback"] or "").startswith(one)), None)
        if prefix is None:
            if row["kind"] not in ("AfterFunc", "context"):
                assert row["captured"] is None and row["captured_strength"] is None, row
            continue
        seen[prefix] += 1
        expected = CAPTURED[prefix]
        if not case.has_dwarf and row["captured"]:
            assert row["captured_strength"] in ("inferred", "exact")
            assert types_of(row["captured"]) in [types_of(text) for text in expected if text], row
        elif case.has_dwarf or expected == {None}:
            wrapped = prefix.endswith("-fm")  # the compiler's own: what its code calls tells
            open_ = unread if wrapped else old
            assert row["captured"] in expected | ({None} if open_ else set()), row
            assert row["captured_strength"] == (
                None if not row["captured"] else "inferred" if old or wrapped else "declared"), row
    assert seen["main.dropped."] >= 1001 and set(seen) == set(CAPTURED)


def test_what_a_timer_heap_lists_is_typed(case: Case) -> None:
    """Package time made it: that is known for sure, whoever else knows it."""
    rows = case.by_address()
    alike = minor(case.release) not in NO_NEW_CHANNELS  # one struct for both
    for stated in case.stated:
        if not stated["Object"] or is_gone(stated, case) or stated["Group"] == "inside":
            continue
        assert stated["Object"] in case.typed, stated
        found = case.typed[stated["Object"]]
        assert found["type"] == ("runtime.timeTimer" if alike else "time.Ticker"
                                 if stated["Kind"] == "Ticker" else "time.Timer"), (stated, found)
        if rows[stated["Object"]]["p"] is not None:
            assert found["strength"] == "exact", (stated, found)


def test_chains_behind_types_end(case: Case) -> None:
    assert not case.circles, "\n".join(case.circles[:5])


def test_timers_without_an_address_are_as_stated(case: Case) -> None:
    """Each of a group of alike ones has a row of its own."""
    rows = list(case.by_address().items())
    known = {stated["Object"] for stated in case.stated}
    rows = [row for address, row in rows if address not in known]
    for stated in case.stated:
        if stated["Object"]:
            continue
        fitting = [row for row in rows if not check(stated, row)]
        assert fitting, (stated, [row for row in rows if row["kind"] == stated["Kind"]][:3])
        rows.remove(fitting[0])
    left = [row for row in rows if row["kind"] != "runtime"]
    assert not left, left[:3]


def test_nothing_else_is_listed(case: Case) -> None:
    expected = sum(not is_gone(stated, case) for stated in case.stated)
    assert sum(row["kind"] != "runtime" for row in case.rows) == expected
    assert not case.document["skipped"]


def test_groups_hold_all_of_them(case: Case) -> None:
    jitter = {stated["Period"] for stated in case.stated if stated["Group"] == "jitter"}
    counts = collections.Counter(
        (row["kind"], None if row["period_ns"] in jitter else row["period_ns"], row["callback"])
        for row in case.rows)
    grouped: Dict[tuple, int] = collections.Counter()
    for group in case.groups:
        grouped[(group["kind"], group["period_ns"], group["callback"])] += group["count"]
    # so many periods are one group, and all others keep theirs
    merged = [(group["count"], group["period_ns_min"], group["period_ns_max"])
              for group in case.groups if group["kind"] == "Ticker" and not group["period_ns"]]
    assert merged == [(len(jitter), min(jitter), max(jitter))]
    assert grouped == counts
    dropped = [group for group in case.groups
               if (group["callback"] or "").startswith("main.dropped.")]
    assert [(group["count"], group["verdict"]) for group in dropped] == [(1000, "unstoppable")]
    assert dropped[0]["retained"] >= 1000 * 4096
    assert dropped[0]["retained_kind"] == "at_least"
    waits = {group["channel"] for group in case.groups if group["kind"] == "Timer"}
    assert waits == {"nobody waits", "main.waiting"}
    ticks = {group["channel"] for group in case.groups
             if (group["verdict"] or "").startswith("unstoppable, in use by goroutines")}
    assert {"main.ticking", "main.waiting"} <= ticks


def test_what_was_not_sampled_has_no_site(case: Case) -> None:
    lines = {stated["Line"] for stated in case.stated if stated["Line"]}
    sites = {row["created_site"] for row in case.rows if row["created_by"] == "main.sampled"}
    assert {int(site.rpartition(":")[2]) for site in sites} == lines and len(lines) == 2
    # a thread may note one allocation more, when it learns that the rate is 0 again
    told = sum(row["created_site"] is not None for row in case.rows)
    assert told <= sum(stated["Line"] > 0 for stated in case.stated) + max(8, os.cpu_count() or 0)
    groups = {group["kind"]: group for group in case.groups
              if group["created_by"] in ("main.sampled", "several places")}
    assert groups["AfterFunc"]["created_site"] in sites
    assert groups["Timer"]["created_site"] in sites | {None}  # another one may be told


def test_the_stack_of_an_allocation(case: Case) -> None:
    """All of it, from package time on to where goroutines start; nothing where none was noted."""
    lines = {stated["Object"]: stated["Line"] for stated in case.stated if stated["Object"]}
    for stack, address in case.stacks:
        functions = [row["function"] for row in stack]
        if not lines[address]:
            assert "main.sampled" not in functions  # and all but always nothing
            continue
        at = functions.index("main.sampled")
        assert stack[at]["site"].endswith("/main.go:%d" % lines[address])
        assert all(name.startswith(("time.", "runtime.")) for name in functions[:at])
        assert functions[at + 1:] == ["main.apart.func1", "runtime.goexit"], functions


def test_due_times_count_from_now(case: Case) -> None:
    target = case.document["target"]
    assert target["now_ns"] <= case.now + programs.RUN_SECONDS * 10**9
    for row in case.rows:
        if row["state"] == "armed":
            assert row["due_ns"] == row["when_ns"] - target["now_ns"]
        else:
            assert row["due_ns"] is None


def bubbles() -> List[programs.Build]:
    """Return the releases that have bubbles: go1.24 as an experiment."""
    return [programs.Build("bubble", release, "synctest" if minor(release) == "go1.24" else "plain")
            for release in RELEASES if minor(release) not in ("go1.22", "go1.23")]


@pytest.mark.parametrize("build", bubbles(), ids=lambda build: build.release)
def test_timers_of_a_bubble_count_by_its_clock(build: programs.Build,
                                               workshop: programs.Workshop) -> None:
    environment = {} if minor(build.release) in NEVER_BY_ITSELF else {
        "GODEBUG": "asynctimerchan=0"}
    with simple.death(workshop, build, environment=environment) as dead:
        answers = goheap.ask(dead.core, dead.exe, "timers --all", "timers")
        statement = json.loads(dead.out)
    rows = goheap.rows(answers["timers --all"], "timers")
    left = [row for row in rows if row["clock"] == "bubble"]
    assert len(left) == len(statement["stated"])
    for stated in statement["stated"]:
        fitting = [row for row in left if (row["kind"], row["when_ns"], row["period_ns"] or 0)
                   == (stated["Kind"], stated["When"], stated["Period"])]
        assert fitting, (stated, left[:3])
        row = fitting[0]
        left.remove(row)
        assert row["due_ns"] == stated["When"] - statement["now"], (row, stated)
        assert (row["callback"] or "").startswith(stated["Callback"])
        assert row["verdict"].startswith(stated["Verdict"]) and stated["Owner"] in row["owner"], (
            row, stated)
    real = [row for row in rows if row["clock"] == "real" and row["kind"] != "runtime"]
    assert len(real) == statement["real"]
    now = answers["timers --all"]["target"]["now_ns"]
    assert all(row["due_ns"] == row["when_ns"] - now for row in real)
    assert now < statement["now"]  # no clock of a bubble is taken for the real one
    groups = goheap.rows(answers["timers"], "groups")
    assert sum(group["count"] for group in groups if group["clock"] == "bubble") == \
        len(statement["stated"])


def without_part_of_heap(core: bytes, address: int) -> bytes:
    """Return the core without the memory from an address on to the end of its segment."""
    changed = bytearray(core)
    phoff, = struct.unpack_from("<Q", core, 32)
    count, = struct.unpack_from("<H", core, 56)
    for at in range(phoff, phoff + 56 * count, 56):
        kind, _, _, vaddr, _, size = struct.unpack_from("<IIQQQQ", core, at)
        if kind == PT_LOAD and vaddr <= address < vaddr + size:
            struct.pack_into("<Q", changed, at + 32, (address - vaddr) // 4096 * 4096)
    return bytes(changed)


@pytest.mark.parametrize("end", sorted({RELEASES[0], RELEASES[-1]}))
def test_nothing_is_proven_where_memory_is_missing(end: str, workshop: programs.Workshop,
                                                   tmp_path: pathlib.Path) -> None:
    with simple.death(workshop, programs.Build("timers", end, "plain")) as dead:
        stated = [one["Object"] for one in read(dead.out)["stated"] if one["Object"]]
        cut = tmp_path / "core"
        cut.write_bytes(without_part_of_heap(dead.core.read_bytes(),
                                              sorted(stated)[len(stated) // 2]))
        document = goheap.ask(cut, dead.exe, "timers --all")["timers --all"]
    assert [skipped for skipped in document["skipped"] if skipped["what"] == "live objects"]
    verdicts = {row["verdict"] for row in goheap.rows(document, "timers")}
    assert "unstoppable" not in verdicts, verdicts


def test_a_core_taken_while_timers_fire(release: str, workshop: programs.Workshop) -> None:
    """Thousands of tickers fire on all processors: nobody but the one in flight may be missed."""
    with simple.death(workshop, programs.Build("timers", release, "plain"), ["firing"],
                      {"GODEBUG": "asynctimerchan=0"} if minor(release) not in
                      NEVER_BY_ITSELF | NO_NEW_CHANNELS else {}) as dead:
        document = goheap.ask(dead.core, dead.exe, "timers --all")["timers --all"]
        stated = read(dead.out)["stated"]
    offset = OFFSET.get(minor(release), 16)
    rows = {int(row["address"], 16) - offset: row for row in goheap.rows(document, "timers")}
    # what a heap was arranging may stand nowhere, but its object does
    lost = [one for one in stated if one["Object"] not in rows]
    assert not lost, lost[:3]
    for one in stated:
        row = rows[one["Object"]]
        assert (row["kind"], row["period_ns"] or 0) == (one["Kind"], one["Period"])
        assert row["state"] in ("armed", "changing")
        assert row["verdict"] in ("held", "unstoppable, in use by goroutine") or \
            row["verdict"].startswith("unstoppable, in use by")
    now = document["target"]["now_ns"]
    late = [row for row in rows.values() if row["kind"] == "Ticker" and row["when_ns"] > now + 10**9]
    assert not late, late[:3]
