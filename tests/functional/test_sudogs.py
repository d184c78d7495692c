# SPDX-License-Identifier: Apache-2.0
"""What goroutines wait for, as the runtime layer reads it: by what the program made them do."""

import collections
import json
import subprocess
from typing import Iterator, List

import pytest

from conftest import RELEASES
from lib import programs, simple

DUMP = programs.ROOT / "build-asan/tests/unit/stuck_dump"
EACH = 40  # goroutines of a kind: tests/programs/stuck


@pytest.fixture(scope="module", params=RELEASES)
def rows(request: pytest.FixtureRequest, workshop: programs.Workshop) -> Iterator[List[dict]]:
    with simple.death(workshop, programs.Build("stuck", request.param, "plain")) as dead:
        out = subprocess.run([str(DUMP), str(dead.core), str(dead.exe)], stdout=subprocess.PIPE,
                             text=True, timeout=600, check=True).stdout
        yield [json.loads(line) for line in out.splitlines()]


def waiting(rows: List[dict], reason: str) -> List[dict]:
    """Return the goroutines that wait for a reason."""
    return [row for row in rows if row.get("reason") == reason]


def test_places_in_queues_say_which(rows: List[dict]) -> None:
    roles = {reason: collections.Counter(tuple(sorted(one["role"] for one in row["sudogs"]))
                                         for row in waiting(rows, reason))
             for reason in ("chan receive", "chan send", "select")}
    assert roles == {"chan receive": {("receive",): EACH + 2}, "chan send": {("send",): EACH},
                     "select": {("receive", "receive", "send"): EACH}}
    for row in waiting(rows, "select"):
        assert len({one["chan"] for one in row["sudogs"]}) == 3
    assert len({row["sudogs"][0]["chan"] for row in waiting(rows, "chan receive")}) == 1


def test_sleepers_wait_for_their_timers(rows: List[dict]) -> None:
    timers = {row["timer"]: row for row in rows if "timer" in row}
    sleepers = waiting(rows, "sleep")
    assert len(sleepers) == EACH
    assert len({row["object"] for row in sleepers}) == EACH
    for row in sleepers:
        assert timers[row["object"]]["kind"] == "Sleep"
        assert timers[row["object"]]["arg"] == row["g"]


def test_a_mutex_is_known_by_all_that_wait(rows: List[dict]) -> None:
    lockers = waiting(rows, "sync.Mutex.Lock")
    assert len(lockers) == EACH
    assert len({row["object"] for row in lockers}) == 1
    assert all([one["role"] for one in row["sudogs"]] == ["semaphore"] for row in lockers)


def test_nothing_is_damaged(rows: List[dict]) -> None:
    totals = rows[-1]
    assert not {name: count for name, count in totals.items()
                if name.startswith(("damaged", "unreadable", "double")) and count}
