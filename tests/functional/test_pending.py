# SPDX-License-Identifier: Apache-2.0
"""Pending defers and channels: a program states what it deferred where, and who waits on what."""

import collections
import json
from typing import Dict, Iterator, List, NamedTuple

import pytest

from conftest import RELEASES
from lib import goheap, programs, simple

OURS = "main."
SLACK = 512  # bytes that a closure's slot may be larger than its variables


class Case(NamedTuple):
    """One core: what the program stated, what goheap says."""

    release: str
    has_dwarf: bool
    deferred: List[dict]
    by_goroutine: Dict[int, List[dict]]
    channels: List[dict]
    answers: Dict[str, dict]

    @property
    def names_captured(self) -> bool:
        """Tell whether DWARF says what closures captured."""
        return self.has_dwarf and not self.release.startswith("go1.22.")

    def rows(self, command: str, table: str) -> List[dict]:
        """Return the rows of an answer."""
        return goheap.rows(self.answers[command], table)


BUILDS = [(release, variant) for release in RELEASES for variant in ("plain", "nodwarf")
          if variant == "plain" or release in (RELEASES[0], RELEASES[-1])]


@pytest.fixture(scope="module", params=BUILDS, ids="-".join)
def case(request: pytest.FixtureRequest, workshop: programs.Workshop) -> Iterator[Case]:
    release, variant = request.param
    with simple.death(workshop, programs.Build("pending", release, variant)) as dead:
        statement = json.loads(dead.out)
        by_goroutine: Dict[int, List[dict]] = collections.defaultdict(list)
        for goid, one in zip(statement["goids"], statement["deferred"]):
            by_goroutine[goid].append(one)
        answers = goheap.ask(dead.core, dead.exe, "defers", "defers --all", "chans",
                             "chans --all", *("goroutine %d" % goid for goid in by_goroutine))
        for one in statement["channels"]:
            one["Address"] = ~one["Address"] & (1 << 64) - 1
        yield Case(release, variant == "plain", statement["deferred"], by_goroutine,
                   statement["channels"], answers)


def key_of(row: dict) -> tuple:
    """Return what a group of defers is known by."""
    return row["frame"], int(row["site"].rsplit(":", 1)[1]), row["kind"]


def expected(case: Case) -> Dict[tuple, List[dict]]:
    """Return what was stated by the same."""
    found: Dict[tuple, List[dict]] = collections.defaultdict(list)
    for one in case.deferred:
        found[(one["Frame"], one["Line"], one["Kind"])].append(one)
    return found


def ours(rows: List[dict]) -> List[dict]:
    """Return the rows of the program's own functions, but for those of main itself."""
    return [row for row in rows if (row["frame"] or "").startswith(OURS)
            and row["frame"] != "main.main"]


def test_groups_are_as_stated(case: Case) -> None:
    stated = expected(case)
    groups: Dict[tuple, List[dict]] = collections.defaultdict(list)
    for row in ours(case.rows("defers", "groups")):
        groups[key_of(row)].append(row)
    assert groups.keys() == stated.keys()
    for key, rows in groups.items():  # several of one statement: generic code for several types
        ones = stated[key]
        assert len(rows) == 1 or "[...]" in rows[0]["function"]
        assert all(row["function"].startswith(ones[0]["Function"]) for row in rows), (rows, ones)
        assert sum(row["count"] for row in rows) == sum(one["Count"] for one in ones), rows
        assert rows[0]["chain_max"] == max(one["Chain"] for one in ones), (rows, ones)
        assert sum(row["retained"] for row in rows) >= sum(one["Retains"] for one in ones), rows
        assert ("defer in loop" in rows[0]["flags"]) == (rows[0]["chain_max"] >= 16), rows
        assert rows[0]["site_kind"] == ("statement" if rows[0]["kind"] in ("heap", "stack")
                                        else "function"), rows
    big = {key for key, rows in groups.items() if "oversized capture" in rows[0]["flags"]}
    assert big == {key for key, ones in stated.items()
                   if any(max(one["Captured"], one["Retains"] // one["Count"]) > 1 << 20
                          for one in ones)}


def test_each_defer_has_a_row(case: Case) -> None:
    """Sizes of one row are what was captured, exactly where the row says so."""
    stated = expected(case)
    counts = collections.Counter(key_of(row) for row in ours(case.rows("defers --all", "defers")))
    assert counts == {key: sum(one["Count"] for one in ones) for key, ones in stated.items()}
    for row in ours(case.rows("defers --all", "defers")):
        sizes = {one["Captured"] for one in stated[key_of(row)]}
        if sizes == {0}:
            continue
        kind, size = row["captured_bytes_kind"], row["captured_bytes"]
        if kind == "exact":
            assert size in sizes, (row, sizes)
        elif kind == "at_least":
            assert min(sizes) - SLACK <= size <= max(sizes), (row, sizes)
        else:
            assert kind == "at_most"
            assert any(one <= size <= one + SLACK for one in sizes), (row, sizes)


def types_of(text: str) -> List[str]:
    """Return the types of "p *main.item, b []uint8", or of "*main.item, []uint8"."""
    return [part.split(" ")[-1] for part in text.split(", ")]


def test_captured_variables_are_named(case: Case) -> None:
    """Names come from DWARF, types from the program's structs too; a guess is called one."""
    stated = {key: {one["Names"] for one in ones} for key, ones in expected(case).items()}
    checked = 0
    for row in ours(case.rows("defers", "groups")):
        names, = stated[key_of(row)] or {""}
        if not names:
            continue
        is_wrapper = ".deferwrap" in row["function"]
        if not case.has_dwarf:
            assert row["captured"] is None or (
                row["captured_strength"] in ("inferred", "exact")
                and types_of(row["captured"]) == types_of(names)), (row, names)
            continue
        assert row["captured"] == names, (row, names)
        assert row["captured_strength"] == ("declared" if case.names_captured and not is_wrapper
                                            else "inferred"), row
        checked += 1
    assert checked >= 12 or not case.has_dwarf
    if case.names_captured:
        exact = [row for row in case.rows("defers --all", "defers")
                 if row["function"] in ("main.loop.func1", "main.loopBytes.func1")]
        assert {row["captured_bytes_kind"] for row in exact} == {"exact"}


def test_what_lies_beside_is_not_the_defers(case: Case) -> None:
    """A closure on the stack ends where its function's code stops reading."""
    stated = expected(case)
    checked = 0
    for row in ours(case.rows("defers --all", "defers")):
        one = stated[key_of(row)][0]
        if not one["Exactly"]:
            continue
        checked += 1
        if row["retained_kind"] == "exact":
            assert row["retained"] == one["Retains"], (row, one)
        else:
            assert row["retained_kind"] == "at_least" and row["retained"] <= one["Retains"]
        if case.has_dwarf and one["Names"]:
            assert row["retained_kind"] == "exact", row
    assert checked == 9


def test_variables_of_a_frame_are_the_goroutines(case: Case) -> None:
    """What is captured by reference from a frame: said, and not counted as retained."""
    rows = {row["function"]: row for row in case.rows("defers --all", "defers")}
    row = rows["main.byReference.func1"]
    assert row["retained"] == 0
    if case.has_dwarf:
        assert row["flags"] == ["variables of the frame"]
        assert row["in_frame_bytes"] == 8 + 48
    for name in ("main.loop.func1", "main.byReferenceInLoop.func1", "main.one.func1"):
        assert "variables of the frame" not in rows[name]["flags"]
        assert rows[name]["in_frame_bytes"] is None


def test_nothing_was_left_out(case: Case) -> None:
    for answer in case.answers.values():
        assert not answer["skipped"]
        assert not goheap.failed_checks(answer)


def test_goroutine_lists_the_defers_of_its_frames(case: Case) -> None:
    """Each frame has as many of each statement as it deferred, and a goroutine no others."""
    for goid, stated in case.by_goroutine.items():
        command = "goroutine %d" % goid
        frames = {row["frame"]: row["function"] for row in case.rows(command, "frames")
                  if not row["inlined"]}
        said: Dict[tuple, List[dict]] = collections.defaultdict(list)
        for row in case.rows(command, "defers"):
            assert row["frame_function"] == frames.get(row["frame"], row["frame_function"])
            if row["frame_function"].startswith(OURS):
                said[row["frame_function"], int(row["site"].rsplit(":", 1)[1]),
                     row["kind"]].append(row)
        true: Dict[tuple, List[dict]] = collections.defaultdict(list)
        for one in stated:
            true[one["Frame"], one["Line"], one["Kind"]].append(one)
        for key, ones in true.items():
            rows = said[key]
            assert len(rows) == sum(one["Count"] for one in ones), (goid, key)
            assert all(row["function"].startswith(ones[0]["Function"]) for row in rows)
            assert {row["site_kind"] for row in rows} == {
                "statement" if key[2] in ("heap", "stack") else "function"}
        others = {row["function"] for key in said.keys() - true.keys() for row in said[key]}
        assert others <= {"main.park"}, (goid, others)  # what Goexit is running


def test_order_is_the_order_of_running(case: Case) -> None:
    rows = [row for row in case.rows("defers --all", "defers") if row["frame"] == "main.eight"]
    assert [row["function"] for row in rows] == ["main.eight.func%d" % n for n in range(8, 0, -1)]


def test_channels_are_as_stated(case: Case) -> None:
    rows = {int(row["address"], 16): row for row in case.rows("chans --all", "chans")}
    for one in case.channels:
        row = rows[one["Address"]]
        assert row["type"] == one["Type"] or not case.has_dwarf, (row, one)
        assert (row["unread"], row["capacity"], row["senders"], row["receivers"], row["closed"]) \
            == (one["Unread"], one["Capacity"], one["Senders"], one["Receivers"], one["Closed"])
        assert row["unread_bytes"] == one["Unread"] * one["ElemBytes"]
        assert len(row["sender_goids"]) == one["Senders"]
        assert len(row["receiver_goids"]) == one["Receivers"]


def test_groups_of_channels_are_their_sums(case: Case) -> None:
    rows = case.rows("chans --all", "chans")
    for group in case.rows("chans", "groups"):
        members = [row for row in rows if row["type"] == group["type"]]
        assert group["count"] == len(members)
        for column in ("unread", "unread_bytes", "senders", "receivers", "closed"):
            assert group[column] == sum(row[column] for row in members), (group, column)
    assert sum(group["count"] for group in case.rows("chans", "groups")) == len(rows)
    waiting = {group["type"]: group for group in case.rows("chans", "groups")}
    if case.has_dwarf:
        assert waiting["chan *main.item"]["senders"] == 1
        assert waiting["chan *main.item"]["receivers"] == 6
        assert waiting["chan *main.item"]["receivers_in"] == ["main.fill[...].func2 (6)"]
