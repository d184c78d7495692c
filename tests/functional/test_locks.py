# SPDX-License-Identifier: Apache-2.0
"""Locks: tests/programs/locks states who waits for what, who holds it, and who waits in a circle."""

import json
import pathlib
import re
from typing import Dict, Iterator, List, Set, Tuple

import pytest

from conftest import RELEASES
from lib import gdb, goheap, programs, simple

ENDS = (RELEASES[0], RELEASES[-1])


class Locks:
    """The program, dead, with what goheap says."""

    def __init__(self, dead: simple.Dead) -> None:
        self.core, self.exe = dead.core, dead.exe
        statement = json.loads(dead.out)
        self.locks: List[dict] = statement["Locks"]
        self.circles: List[dict] = statement["Deadlocks"] or []
        self.document = goheap.ask(dead.core, dead.exe, "locks")["locks"]
        self.rows: Dict[str, dict] = {row["address"]: row
                                      for row in goheap.rows(self.document, "locks")}
        self.deadlocks = goheap.rows(self.document, "deadlocks")


@pytest.fixture(scope="module", params=[(release, variant) for release in RELEASES
                                        for variant in ("plain", "nodwarf")],
                ids="-".join)
def build(request: pytest.FixtureRequest) -> programs.Build:
    release, variant = request.param
    return programs.Build("locks", release, variant)


@pytest.fixture(scope="module")
def stuck(build: programs.Build, workshop: programs.Workshop) -> Iterator[Locks]:
    with simple.death(workshop, build, ["stuck"]) as dead:
        yield Locks(dead)


@pytest.fixture(scope="module")
def healthy(build: programs.Build, workshop: programs.Workshop) -> Iterator[Locks]:
    with simple.death(workshop, build, ["healthy"]) as dead:
        yield Locks(dead)


def numbers(text: str) -> Set[int]:
    """Return the goroutines that a holder's text names."""
    return {int(word) for word in re.findall(r"\d+", text or "")}


def check(of: Locks, has_dwarf: bool) -> None:
    """Compare each lock with the program's statement."""
    wrong = []
    assert set(of.rows) == {lock["Address"] for lock in of.locks}
    for lock in of.locks:
        row = of.rows[lock["Address"]]
        said = (row["kind"], sorted(int(goid) for goid in row["goids"]), numbers(row["holder"]),
                row["level"] or "")
        true = (lock["Kind"], sorted(lock["Waiters"]), set(lock["Holders"] or []), lock["Level"])
        if lock["Level"] == "possible" and said[2] <= true[2] | set(lock["Decoys"] or []):
            said = (*said[:2], said[2] - set(lock["Decoys"] or []), said[3])
        if said != true or row["waiters"] != len(lock["Waiters"]):
            wrong.append("%s: %s, not %s" % (lock["Name"], said, true))
        if lock["Starving"] != ("starving" in (row["state"] or "")):
            wrong.append("%s: %s" % (lock["Name"], row["state"]))
        if has_dwarf and row["name"] != lock["Name"]:
            wrong.append("%s is called %s" % (lock["Name"], row["name"]))
        if not lock["Name"].startswith((row["name"] or "").split("+")[0]):
            wrong.append("%s is called %s" % (lock["Name"], row["name"]))
        if row["wait_ns_max"] is None or row["wait_ns_kind"] != "at_least":
            wrong.append("%s: waits %s" % (lock["Name"], row["wait_ns_max"]))
    assert not wrong, "\n".join(wrong)
    assert not of.document["skipped"]


def test_goroutine_names_who_holds_what_it_waits_for(stuck: Locks, healthy: Locks,
                                                     build: programs.Build) -> None:
    """As `locks` says; where nobody knows it names nobody."""
    for of in (stuck, healthy):
        asked = {lock["Address"]: "goroutine %d" % lock["Waiters"][-1] for lock in of.locks}
        documents = goheap.ask(of.core, of.exe, *sorted(set(asked.values())))
        for lock in of.locks:
            row, = goheap.rows(documents[asked[lock["Address"]]], "waiting_on")
            assert row["what"].split(",")[0].startswith(lock["Kind"])
            assert row["address"] == lock["Address"]
            assert row["waiters"] == len(lock["Waiters"])
            decoys = set(lock["Decoys"] or []) if lock["Level"] == "possible" else set()
            assert numbers(row["holder"]) - decoys == set(lock["Holders"] or [])
            assert (row["level"] or "") == lock["Level"]
            assert set(map(int, row["goids"] or [])) <= set(lock["Waiters"][:-1])
            says = {"likely": "likely holds it", "possible": "may hold it"}.get(lock["Level"])
            assert says in row["sentence"] if says else "hold" not in row["sentence"]
            if build.variant == "plain":
                assert row["name"] == lock["Name"]
                assert row["name"] in row["sentence"]


def rotated(goids: List[int]) -> Tuple[int, ...]:
    """Return a circle from its smallest number on."""
    at = goids.index(min(goids))
    return tuple(goids[at:] + goids[:at])


def test_waiters_holders_names(stuck: Locks, build: programs.Build) -> None:
    check(stuck, build.variant == "plain")


def test_every_circle_and_no_other(stuck: Locks) -> None:
    ours = {(row["level"], rotated([int(goid) for goid in row["goids"]]))
            for row in stuck.deadlocks}
    assert ours == {(one["Level"], rotated(one["Goids"])) for one in stuck.circles}
    for row in stuck.deadlocks:
        assert row["count"] == len(row["goids"])
        assert numbers(row["sentence"]) >= {int(goid) for goid in row["goids"]}
        assert ("may hold" in row["sentence"]) == (row["level"] == "possible")


def test_healthy_twin(healthy: Locks, build: programs.Build) -> None:
    """The same locks without a circle and without a defer that tells."""
    check(healthy, build.variant == "plain")
    assert not healthy.deadlocks
    assert all(row["level"] in (None, "possible") for row in healthy.rows.values())


@pytest.mark.parametrize("end", ENDS)
def test_all_faces_say_the_same(workshop: programs.Workshop, end: str,
                                tmp_path: pathlib.Path) -> None:
    with simple.death(workshop, programs.Build("locks", end, "plain"), ["stuck"]) as dead:
        program = goheap.ask(dead.core, dead.exe, "locks")["locks"]
        answer = gdb.run(["goheap locks --json"], [dead.exe, dead.core])
        in_gdb = json.loads(answer.out.strip().splitlines()[-1])
        assert in_gdb["tables"] == program["tables"]
    exe = workshop.build(programs.Build("locks", end, "plain"))
    process = programs.start(exe, tmp_path, {}, ["stuck", "stay"])
    try:
        programs.wait_for_line(tmp_path / "stdout", process, programs.RUN_SECONDS)
        statement = json.loads((tmp_path / "stdout").read_text())
        answer = goheap.run(["--pid", process.pid, "locks", "--json"])
        rows = {row["address"]: row
                for row in json.loads(answer.out)["tables"]["locks"]["rows"]}
        assert set(rows) == {lock["Address"] for lock in statement["Locks"]}
        for lock in statement["Locks"]:
            decoys = set(lock["Decoys"] or []) if lock["Level"] == "possible" else set()
            assert numbers(rows[lock["Address"]]["holder"]) - decoys == set(lock["Holders"] or [])
    finally:
        process.kill()
        process.wait()
