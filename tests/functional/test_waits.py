# SPDX-License-Identifier: Apache-2.0
"""Waits are lower bounds: a program states when each of its goroutines blocked, and when it
collected.
"""

import json
import pathlib
import statistics
from typing import Dict, Iterator, List

import pytest

from conftest import RELEASES
from lib import goheap, programs, simple

BATCHES, EACH, REMEMBERED = 10, 100, 256


class Waits:
    """The program, dead: what it stated and what goheap says."""

    def __init__(self, core: pathlib.Path, exe: pathlib.Path, statement: dict) -> None:
        self.core, self.exe = core, exe
        self.waiters: Dict[int, dict] = {one["Goid"]: one for one in statement["waiters"]}
        self.collections: List[dict] = statement["collections"]
        self.asked = goheap.ask(core, exe, "goroutines --all", "goroutines")
        document = self.asked["goroutines --all"]
        self.now = document["target"]["now_ns"]
        self.rows = {row["goid"]: row for row in goheap.rows(document, "goroutines")
                     if row["goid"] in self.waiters}

    def seen(self, batch: int) -> List[dict]:
        """Return the collections that began when the goroutines of a batch had blocked."""
        return [one for one in self.collections if one["Batch"] >= batch]


@pytest.fixture(scope="module", params=RELEASES)
def waits(request: pytest.FixtureRequest, workshop: programs.Workshop) -> Iterator[Waits]:
    with simple.death(workshop, programs.Build("waits", request.param, "plain")) as dead:
        yield Waits(dead.core, dead.exe, json.loads(dead.out))


def test_no_wait_is_longer_than_it_was(waits: Waits) -> None:
    assert len(waits.rows) == BATCHES * EACH
    wrong = []
    for goid, row in waits.rows.items():
        noted = waits.waiters[goid]["Noted"]
        if row["wait_ns"] is not None and waits.now - row["wait_ns"] < noted:
            wrong.append("goroutine %d: %d ns, it blocked %d ns ago"
                         % (goid, row["wait_ns"], waits.now - noted))
        assert (row["wait_ns"] is None) == (row["wait_ns_kind"] is None)
        assert row["wait_ns_kind"] in (None, "at_least")
    assert not wrong, "\n".join(wrong[:10])


def test_what_a_collection_saw_is_counted_from_its_end(waits: Waits) -> None:
    """What was blocked before a collection that the runtime still knows the time of."""
    for goid, row in waits.rows.items():
        seen = waits.seen(waits.waiters[goid]["Batch"])
        if not seen:
            continue
        known = seen[0] if len(seen) < REMEMBERED else seen[-REMEMBERED]
        assert row["wait_ns"] is not None
        assert waits.now - row["wait_ns"] <= known["After"], (goid, row)


def test_what_no_collection_saw_is_not_known(waits: Waits) -> None:
    last = [row for goid, row in waits.rows.items()
            if waits.waiters[goid]["Batch"] == BATCHES - 1]
    assert len(last) == EACH
    assert all(row["wait_ns"] is None and row["runtime_wait_ns"] is None for row in last)


def test_groups_have_the_longest_and_the_median(waits: Waits) -> None:
    groups = [row for row in goheap.rows(waits.asked["goroutines"], "groups")
              if set(map(int, row["goids"])) <= waits.rows.keys()]
    assert sum(row["count"] for row in groups) == BATCHES * EACH
    for row in groups:
        members = [waits.rows[int(goid)]["wait_ns"] for goid in row["goids"]]
        known = [ns for ns in members if ns is not None]
        assert row["wait_ns_max"] == (max(known) if known else None)
        if known:
            assert row["wait_ns_median"] == statistics.median_low(ns or 0 for ns in members)
            assert row["wait_ns_kind"] == "at_least"


def test_longest_and_median_of_a_group_are_those_of_the_program(waits: Waits) -> None:
    """Between what the collections that saw them blocked allow, and what each of them has noted."""
    groups = [row for row in goheap.rows(waits.asked["goroutines"], "groups")
              if set(map(int, row["goids"])) <= waits.rows.keys()]
    for row in groups:
        ones = [waits.waiters[int(goid)] for goid in row["goids"]]
        most = [waits.now - one["Noted"] for one in ones]
        least = []
        for one in ones:
            seen = waits.seen(one["Batch"])
            known = seen and (seen[0] if len(seen) < REMEMBERED else seen[-REMEMBERED])
            least.append(waits.now - known["After"] if known else 0)
        if row["wait_ns_max"] is None:
            assert not any(least)
            continue
        assert max(least) <= row["wait_ns_max"] <= max(most)
        assert statistics.median_low(least) <= row["wait_ns_median"] <= statistics.median_low(most)


def test_filter_by_wait(waits: Waits) -> None:
    known = sorted(row["wait_ns"] for row in waits.rows.values() if row["wait_ns"])
    middle = known[len(known) // 2]
    command = "goroutines --all --min-wait %dns" % middle
    found = {row["goid"] for row in goheap.rows(
        goheap.ask(waits.core, waits.exe, command)[command], "goroutines")}
    assert found & waits.rows.keys() == {goid for goid, row in waits.rows.items()
                                         if (row["wait_ns"] or 0) >= middle}
