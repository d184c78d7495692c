# SPDX-License-Identifier: Apache-2.0
"""Channels and who is party to them: tests/programs/parties states who waits, who refers to a channel
and whether anybody could still come.
"""

import json
import os
import pathlib
import re
import struct
from typing import Dict, Iterator, List, NamedTuple

import pytest

from conftest import RELEASES
from lib import gocore, goheap, programs, simple

ENDS = (RELEASES[0], RELEASES[-1])
BUILDS = [(release, variant) for release in RELEASES for variant in ("plain", "nodwarf")
          if variant == "plain" or release in ENDS]
SHOWN = 20  # goroutines of a row that are named


class Case(NamedTuple):
    """One core: what the program stated, what goheap says."""

    dead: simple.Dead
    release: str
    has_dwarf: bool
    truth: dict
    answers: Dict[str, dict]

    def rows(self, command: str, table: str) -> List[dict]:
        """Return the rows of an answer."""
        return goheap.rows(self.answers[command], table)

    def channels(self) -> List[tuple]:
        """Return each channel that was stated with its row."""
        rows = {int(row["address"], 16): row for row in self.rows("chans --all", "chans")}
        return [(one, rows[~one["Address"] & (1 << 64) - 1]) for one in self.truth["Channels"]]


def goroutines_of(truth: dict) -> List[int]:
    """Return those that are asked for one by one."""
    goids = [truth["Reader"], *truth["Timed"].values(), *truth["Chain"][1:]]
    for one in truth["Channels"]:
        goids += [group["Goids"][0] for group in one["Waiters"] or []]
    return sorted(set(goids))


@pytest.fixture(scope="module", params=BUILDS, ids="-".join)
def case(request: pytest.FixtureRequest, workshop: programs.Workshop) -> Iterator[Case]:
    release, variant = request.param
    with simple.death(workshop, programs.Build("parties", release, variant)) as dead:
        truth = json.loads(dead.out)
        answers = goheap.ask(dead.core, dead.exe, *(
            "goroutine %d" % goid for goid in goroutines_of(truth)), "chans", "chans --all",
            "goroutines --retained", "retained --by goroutine")
        yield Case(dead, release, variant == "plain", truth, answers)


def test_contents(case: Case) -> None:
    for one, row in case.channels():
        assert row["type"] == one["Type"] or not case.has_dwarf
        assert (row["unread"], row["capacity"], row["senders"], row["receivers"], row["closed"]) \
            == (one["Unread"], one["Capacity"], one["Senders"], one["Receivers"], one["Closed"])
        assert row["unread_bytes"] == one["Unread"] * one["ElemBytes"]


def test_nobody_can_come_where_nobody_can(case: Case) -> None:
    """Said of those channels for which it is true, and of no other."""
    for one, row in case.channels():
        assert row["verdict"] == (one["Verdict"] or None), one
    stated = {~one["Address"] & (1 << 64) - 1 for one in case.truth["Channels"]}
    assert all(row["verdict"] is None for row in case.rows("chans --all", "chans")
               if int(row["address"], 16) not in stated)


def test_verdict_of_groups(case: Case) -> None:
    stranded = [one for one in case.truth["Channels"] if one["Verdict"]]
    groups = case.rows("chans", "groups")
    assert sum(row["stranded"] for row in groups) == sum(
        one["Senders"] + one["Receivers"] for one in stranded)
    text = goheap.run([case.dead.core, case.dead.exe, "chans"]).out
    assert "%d senders, no goroutine that could receive; %d receivers, no goroutine that could " \
        "send or close" % (sum(one["Senders"] for one in stranded),
                           sum(one["Receivers"] for one in stranded)) in text


def test_waiters_are_grouped_by_their_stacks(case: Case) -> None:
    said: Dict[tuple, List[dict]] = {}
    for row in case.rows("chans", "waiters"):
        if row["site"] is None:  # of the standard library's own
            continue
        key = (row["type"], row["function"], int(row["site"].rsplit(":", 1)[1]),
               row["role"] == "send", row["verdict"] is not None)
        said.setdefault(key, []).append(row)
    true: Dict[tuple, List[int]] = {}
    for one, row in case.channels():
        for group in one["Waiters"] or []:
            key = (row["type"], group["Function"], group["Line"], group["Sends"],
                   bool(one["Verdict"]))
            true.setdefault(key, []).extend(group["Goids"])
    for key, goids in true.items():
        rows = said[key]  # several, where they were started at different places
        named = {int(goid) for row in rows for goid in row["goids"]}
        assert sum(row["count"] for row in rows) == len(goids), (key, rows)
        assert named == set(goids), (key, rows)
        assert all(len(row["goids"]) == min(row["count"], SHOWN) for row in rows)
    assert not {key for key in said if key[4]} - true.keys()


def test_each_channel_says_who_waits(case: Case) -> None:
    for one, row in case.channels():
        waiters = one["Waiters"] or []
        for column, sends in (("senders_in", True), ("receivers_in", False)):
            expected = {"%s :%d (%d)" % (group["Function"], group["Line"], len(group["Goids"]))
                        for group in waiters if group["Sends"] == sends}
            assert {re.sub(r" \S*:", " :", text) for text in row[column] or []} == expected
        for column, sends in (("sender_goids", True), ("receiver_goids", False)):
            goids = {goid for group in waiters if group["Sends"] == sends
                     for goid in group["Goids"]}
            assert set(map(int, row[column])) == goids


def test_who_else_refers_to_it(case: Case) -> None:
    for one, row in case.channels():
        assert row["referrer_count"] == one["ReferrerCount"], row
        if one["Referrers"] and case.has_dwarf:
            expected = [text.replace("%d", str(one["Holder"])) for text in one["Referrers"]]
            assert row["referrers"] == expected
        holder = one["Holder"]
        if holder:
            assert row["referrers"][0].startswith("goroutine %d " % holder)
            assert "goroutine %d" % holder in row["owners"]


def test_owners(case: Case) -> None:
    """Those who wait own it, too; who alone leads to it, or some of those that share it."""
    for one, row in case.channels():
        goids = {goid for group in one["Waiters"] or [] for goid in group["Goids"]}
        goids |= {one["Holder"]} - {0}
        variables = {text for text in one["Referrers"] or []
                     if text.startswith("main.") and "." not in text[5:]}
        if len(goids) + len(variables) == 1 and not one["ReferrerCount"]:
            assert row["owner"] == row["owners"] == "goroutine %d" % goids.pop()
        elif not one["Waiters"]:
            assert row["owner"] == ("main.kept" if case.has_dwarf else row["owner"])
        else:
            assert row["owner"] == "shared"
            named = set(map(int, re.findall(r"goroutine (\d+)", row["owners"])))
            assert named <= goids
            if case.has_dwarf:
                assert all(name in row["owners"] for name in variables)
            if len(goids) + len(variables) > 4:
                assert row["owners"].endswith(" and others")


def facts(case: Case, goid: int) -> dict:
    """Return what is said of a goroutine by name."""
    return {row["name"]: row["value"] for row in case.rows("goroutine %d" % goid, "goroutine")}


def test_goroutine_says_what_it_waits_for(case: Case) -> None:
    """The channel, its buffer and the other parties, each case of a select: in columns and words."""
    for one, _ in case.channels():
        waiting = [goid for group in one["Waiters"] or [] for goid in group["Goids"]]
        for group in one["Waiters"] or []:
            goid = group["Goids"][0]
            rows = [row for row in case.rows("goroutine %d" % goid, "waiting_on")
                    if int(row["address"], 16) == ~one["Address"] & (1 << 64) - 1
                    and row["what"].endswith("send" if group["Sends"] else "receive")]
            assert len(rows) == 1
            row, = rows
            assert (row["type"], row["buffered"], row["capacity"], row["closed"], row["senders"],
                    row["receivers"]) == (one["Type"], one["Unread"], one["Capacity"],
                                          one["Closed"], one["Senders"], one["Receivers"])
            others = [other for other in waiting if other != goid]
            assert row["others"] == len(others)
            named = list(map(int, row["goids"] or []))
            assert len(named) == min(len(others), 16) and set(named) <= set(others)
            buffer = "%d of %d in its buffer" % (one["Unread"], one["Capacity"])
            parts = [one["Type"], buffer if one["Capacity"] else "no buffer"]
            for n, name in ((one["Senders"], "sender"), (one["Receivers"], "receiver")):
                parts.append("%s %s%s" % (n or "no", name, "s" if n > 1 else ""))
            assert all(part in row["sentence"] for part in parts), (parts, row["sentence"])


def test_goroutine_says_when_its_timer_is_due(case: Case) -> None:
    hour = 3600 * 10**9
    for what, goid in case.truth["Timed"].items():
        due = [row for row in case.rows("goroutine %d" % goid, "waiting_on")
               if row["due_ns"] is not None]
        if what == "context":  # its channel is no timer's
            assert not due
            continue
        assert len(due) == 1 and hour - 120 * 10**9 < due[0]["due_ns"] <= hour
        assert re.search(r"due in (1h|59m|58m)", due[0]["sentence"])


def test_goroutine_says_whom_it_reads_from(case: Case) -> None:
    row, = case.rows("goroutine %d" % case.truth["Reader"], "waiting_on")
    assert row["what"] == "IO read" and row["fd"] > 2
    assert row["path"].endswith("-> " + case.truth["Peer"]) and row["path"] in row["sentence"]


def test_ancestors_live(case: Case) -> None:
    """Who started whom, as long as they live."""
    chain = case.truth["Chain"]
    for i, goid in enumerate(chain[1:], 1):
        rows = case.rows("goroutine %d" % goid, "ancestors")
        assert [row["goid"] for row in rows] == chain[:i][::-1]
        assert [row["state"] for row in rows] == ["waiting"] * (i - 1) + ["running"]
        assert [row["created_by"] for row in rows] == (
            ["main.generation"] * (i - 2) + ["main.start"] * (i > 1) + [None])
        assert facts(case, goid)["created by"] == ("main.generation" if i > 1 else "main.start")
        assert facts(case, goid)["parent"] == chain[i - 1]


def test_labels(case: Case) -> None:
    for goid in case.truth["Chain"][1:]:
        assert facts(case, goid)["labels"] == (
            "job=resize, size=large" if goid == case.truth["Labelled"] else None)


def test_goroutine_retains_what_retained_says(case: Case) -> None:
    rows = {row["owner"]: row for row in case.rows("retained --by goroutine", "groups")}
    goids = sorted({goid for one in case.truth["Groups"] for goid in one["Goids"]})
    asked = ["goroutine %d --retained" % goid for goid in goids]
    answers = goheap.ask(case.dead.core, case.dead.exe, *asked)
    for goid, command in zip(goids, asked):
        said = {row["name"]: row["value"] for row in goheap.rows(answers[command], "goroutine")}
        assert said["retained"] == rows["goroutine %d" % goid]["retained"]


def test_groups_retain_what_would_go_with_them(case: Case) -> None:
    """Besides what describes them, which those that have nothing have, too. What a variable has as
    well is not theirs; what several of a group share is the group's, and no single one's.
    """
    groups = {frozenset(map(int, row["goids"])): row
              for row in case.rows("goroutines --retained", "groups")}
    each = {row["owner"]: row["retained"]
            for row in case.rows("retained --by goroutine", "groups")}
    bare, *others = case.truth["Groups"]
    together, alone = {}, {}
    for one in case.truth["Groups"]:
        row = groups[frozenset(one["Goids"])]
        assert row["count"] == len(one["Goids"]) and row["retained_kind"] == "exact"
        together[one["Function"]] = row["retained"] - one["Together"]
        alone[one["Function"]] = sum(each["goroutine %d" % goid] for goid in one["Goids"]) \
            - one["Exclusive"]
    assert bare["Exclusive"] == 0 and together[bare["Function"]] == alone[bare["Function"]]
    for one in others:
        assert together[one["Function"]] == together[bare["Function"]], one
        assert alone[one["Function"]] == alone[bare["Function"]], one


def test_damaged_queues_prove_nothing(case: Case, tmp_path: pathlib.Path) -> None:
    """Where queues bite their tails, or end early, and where a goroutine says that it waits for
    something else.
    """
    if not case.has_dwarf:
        return
    stranded = [one for one in case.truth["Channels"] if one["Verdict"]]
    before = [row for row in case.rows("chans --all", "chans") if row["verdict"]]
    assert len(before) == len(stranded)
    core = gocore.Core(str(case.dead.core), str(case.dead.exe), case.release)
    many = next(one for one in stranded if one["Senders"] > 10)
    address = ~many["Address"] & (1 << 64) - 1
    # hchan{…, sendq waitq{first, last}, …}; sudog{g, next, …}; hchan.timer came with go1.23
    queue = address + (80 if core.minor >= 23 else 72)
    first, last = core.word(queue), core.word(queue + 8)
    second = core.word(first + 8)
    ways = {"a cycle": (second + 8, first), "cut short": (second + 8, 0),
            "a stranger": (second, core.word(last))}
    data = case.dead.core.read_bytes()
    places = {way: core.offset_in_file(at) for way, (at, _) in ways.items()}
    core.close()
    for way, (_, word) in ways.items():
        damaged = bytearray(data)
        struct.pack_into("<Q", damaged, places[way], word)
        path = tmp_path / "damaged"
        path.write_bytes(damaged)
        answer = goheap.ask(path, case.dead.exe, "chans --all")["chans --all"]
        rows = {row["address"]: row for row in goheap.rows(answer, "chans")}
        assert rows["%#x" % address]["verdict"] is None, way
        for row in before:  # nothing is lost elsewhere, and nothing is said that was not
            if int(row["address"], 16) != address:
                assert rows[row["address"]]["verdict"] == row["verdict"], way


def test_the_list_is_taken_from_the_budget(workshop: programs.Workshop,
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    """With less memory there is a refusal that says what was too much, or less of an answer that
    says so. Not with sanitizers: they keep what is freed.
    """
    monkeypatch.setenv("GOHEAP", str(programs.ROOT / "build" / "goheap"))
    if not goheap.path().exists():
        pytest.skip("build/goheap was not built")
    with simple.death(workshop, programs.Build("parties", RELEASES[-1], "plain")) as dead:
        whole = goheap.ask(dead.core, dead.exe, "chans")["chans"]
        said = set()
        for limit in range(1 << 19, 16 << 20, 48 << 10):
            answer = goheap.run([dead.core, dead.exe, "chans", "--json", "--max-mem", str(limit)])
            if answer.code != goheap.ANSWERED:
                assert "not enough memory" in answer.err and not answer.out
                said.add(re.sub(r".*not enough memory for ([^:]*?)( of \d+.*)?:.*", r"\1",
                                answer.err.strip().splitlines()[-1]))
                continue
            document = json.loads(answer.out)
            if not any("could serve" in note for note in document["notes"]):
                assert document["tables"] == whole["tables"]
                break
            assert not any(row["verdict"] for row in goheap.rows(document, "waiters"))
            said.add("partial")
        else:
            pytest.fail("never enough")
    assert len(said) >= 2, said
