# SPDX-License-Identifier: Apache-2.0
"""Leaks: what is proven equals what tests/programs/leaks states, and what the runtime itself finds
where it has a profile of leaked goroutines.
"""

import json
import pathlib
from typing import Dict, Iterator, List, Set

import pytest

from conftest import RELEASES
from lib import gdb, goheap, leaksdoc, programs, simple

ENDS = (RELEASES[0], RELEASES[-1])
EXPERIMENT = "go1.26."  # the profile is there with GOEXPERIMENT=goroutineleakprofile
WAITS_FOR_CHANNEL = ("chan send", "chan receive", "select")
# What to change, by what was wrong.
ADVICE = {"premature return": "make(chan T, 1)", "missing sender": "close the channel",
          "missing receiver": "keep receiving", "double send": "send once",
          "range over a channel never closed": "close the channel when nothing more is sent",
          "forgotten context": "defer cancel()", "done channel never closed": "close the done channel",
          "wait that nothing ends": "make the channel", "lock never released": "defer Unlock",
          "missing Done": "defer Done", "missing Signal": "Signal or Broadcast",
          "pipe without a reader": "close the reader", "pipe without a writer": "close the writer",
          "pipe without its other end": "both ends", "pool never closed": "close the sql.DB",
          "transaction never ended": "defer tx.Rollback()"}


class Leaks:
    """The program, dead, with what goheap says."""

    def __init__(self, dead: simple.Dead) -> None:
        self.core, self.exe = dead.core, dead.exe
        self.statement = json.loads(dead.out)
        self.asked = goheap.ask(dead.core, dead.exe, "leaks", "leaks --all",
                                "leaks --min-wait 0s", "retained --by goroutine", "chans --all")
        self.rows = goheap.rows(self.asked["leaks --all"], "leaks")
        self.pattern: Dict[int, str] = {goid: leak["Pattern"]
                                        for leak in self.statement["Leaks"] or []
                                        for goid in leak["Goids"]}

    def goids(self, level: str, command: str = "leaks --all") -> Set[int]:
        """Return the goroutines of one level."""
        return {int(goid) for row in goheap.rows(self.asked[command], "leaks")
                if row["level"] == level for goid in row["goids"]}


# Unoptimised code keeps values elsewhere: patterns are read off code.
BUILDS = [(release, variant) for release in RELEASES for variant in ("plain", "nodwarf")]
BUILDS += [(release, variant) for release in ENDS for variant in ("unoptimised", "arm64")]


@pytest.fixture(scope="module", params=BUILDS, ids="-".join)
def build(request: pytest.FixtureRequest) -> programs.Build:
    release, variant = request.param
    return programs.Build("leaks", release, variant)


@pytest.fixture(scope="module")
def leaky(build: programs.Build, workshop: programs.Workshop) -> Iterator[Leaks]:
    with simple.death(workshop, build, ["leaky"]) as dead:
        yield Leaks(dead)


@pytest.fixture(scope="module")
def healthy(build: programs.Build, workshop: programs.Workshop) -> Iterator[Leaks]:
    with simple.death(workshop, build, ["healthy"]) as dead:
        yield Leaks(dead)


def stranded(of: Leaks) -> Set[int]:
    """Return those who wait for channels that nobody can serve."""
    return {int(goid) for row in goheap.rows(of.asked["chans --all"], "chans") if row["verdict"]
            for goid in row["sender_goids"] + row["receiver_goids"]}


def check_proven(of: Leaks) -> None:
    """Compare what is proven with the statement, and with the runtime's profile."""
    assert of.goids("proven") == set(of.pattern)
    if of.statement["Profiled"]:
        assert of.goids("proven") == set(of.statement["Profile"] or [])
    assert of.goids("parked") >= set(of.statement["Alive"])
    assert stranded(of) == {int(goid) for row in of.rows if row["level"] == "proven"
                            and row["wait_reason"] in WAITS_FOR_CHANNEL for goid in row["goids"]}
    assert not of.asked["leaks"]["skipped"]


def test_proven_are_those_that_leak(leaky: Leaks) -> None:
    check_proven(leaky)


def test_the_runtime_was_asked(leaky: Leaks, build: programs.Build) -> None:
    newer = int(build.release.split(".")[1]) >= 27
    assert leaky.statement["Profiled"] == newer


def test_patterns(leaky: Leaks, build: programs.Build) -> None:
    wrong: List[str] = []
    for row in leaky.rows:
        if row["level"] == "proven" and row["pattern"] == "unknown":
            assert build.variant == "arm64", row  # whose code is not read
            assert row["fix"]
        elif row["level"] == "proven":
            wrong += ["%s is called %s" % (leaky.pattern[int(goid)], row["pattern"])
                      for goid in row["goids"] if leaky.pattern[int(goid)] != row["pattern"]]
            assert row["fix"] and row["count"] == len(row["goids"])
            assert ADVICE[row["pattern"]] in row["fix"]
            if row["pattern"] in ("pool never closed", "transaction never ended"):  # no function of the program waits
                assert row["wait_site"] is None
            else:
                assert row["wait_site"].split("/")[-1].startswith("main.go:")
        else:
            assert row["pattern"] and not row["fix"]
    assert not wrong, "\n".join(wrong)


def test_retained_is_the_owners(leaky: Leaks) -> None:
    owners = {row["owner"]: row["retained"]
              for row in goheap.rows(leaky.asked["retained --by goroutine"], "groups")}
    for row in leaky.rows:
        assert row["retained"] == sum(owners["goroutine " + goid] for goid in row["goids"])


def test_likely(leaky: Leaks) -> None:
    """
    Many at one place, each for a channel of its own; a pool is none, nor is what waits briefly, or
    goes with an open connection.
    """
    assert not leaky.goids("likely")
    assert leaky.goids("likely", "leaks --min-wait 0s") == set(leaky.statement["Many"])
    assert {row["created_by"]: row["pattern"] for row in goheap.rows(
        leaky.asked["leaks --min-wait 0s"], "leaks") if row["level"] == "likely"} == {
            "main.many": "missing sender", "main.manyContexts": "forgotten context",
            "main.manyRequests": "missing sender"}


def test_people_see_what_to_change(leaky: Leaks) -> None:
    """On 80 columns, too: the longest wait, the pattern and the fix of each."""
    lines = leaksdoc.answer(leaksdoc.ask(goheap.path(), leaky.core, leaky.exe,
                                         ["leaks", "-n", "0", "--level", "proven"]))
    rows = [row for row in leaky.rows if row["level"] == "proven"]
    assert "%d goroutines can never run again" % len(leaky.pattern) in lines[0]
    assert ("wait_ns_max" in lines[1].split()) == any(row["wait_ns_max"] for row in rows)
    text = " ".join(" ".join(lines).split())
    assert text.count(" pattern ") == text.count(" fix ") == len(rows)
    for row in rows:
        assert "pattern " + row["pattern"] in text and "fix " + row["fix"] in text


def test_nothing_is_said_in_a_sentence(healthy: Leaks, leaky: Leaks) -> None:
    """What was looked at, instead of a table without rows."""
    waiting = sum(row["count"] for row in healthy.rows)
    answer = goheap.run([healthy.core, healthy.exe, "leaks"]).out
    assert answer.startswith("no goroutine is found to hang: of %d that wait, none is " % waiting)
    assert "wait_reason" not in answer and "--all shows them" in answer
    answer = goheap.run([leaky.core, leaky.exe, "leaks"]).out
    assert "found to hang" not in answer and "wait_reason" in answer


def test_healthy_twin(healthy: Leaks) -> None:
    check_proven(healthy)
    assert not healthy.goids("likely", "leaks --min-wait 0s")
    assert not goheap.rows(healthy.asked["leaks"], "leaks")


def test_the_experiment_says_the_same(workshop: programs.Workshop, release: str,
                                      tmp_path: pathlib.Path) -> None:
    if not release.startswith(EXPERIMENT):
        return
    programs.go(release, ["build", "-o", str(tmp_path / "leaks"), "./leaks"],
                more={"GOEXPERIMENT": "goroutineleakprofile"})
    process = programs.start(tmp_path / "leaks", tmp_path, {}, ["leaky"])
    programs.finish(process, tmp_path, programs.RUN_SECONDS)
    programs.check_death(process, tmp_path)
    out = (tmp_path / "stdout").read_text()
    of = Leaks(simple.Dead(tmp_path / "leaks", tmp_path / "core", out, ""))
    assert of.statement["Profiled"]
    check_proven(of)


def test_servers_leak_nothing(missing) -> None:
    """A server that works, with clients, proves nothing."""
    if missing.build.program != "server":
        return
    asked = goheap.ask(missing.death.core, missing.death.exe, "leaks --level proven", "chans")
    assert not goheap.rows(asked["leaks --level proven"], "leaks")
    assert not any(row["verdict"] for row in goheap.rows(asked["chans"], "waiters"))


@pytest.mark.parametrize("end", ENDS)
def test_all_faces_say_the_same(workshop: programs.Workshop, end: str,
                                tmp_path: pathlib.Path) -> None:
    build = programs.Build("leaks", end, "plain")
    with simple.death(workshop, build, ["leaky"]) as dead:
        program = goheap.ask(dead.core, dead.exe, "leaks")["leaks"]
        answer = gdb.run(["goheap leaks --json"], [dead.exe, dead.core])
        assert json.loads(answer.out.strip().splitlines()[-1])["tables"] == program["tables"]
    process = programs.start(workshop.build(build), tmp_path, {}, ["leaky", "stay"])
    try:
        programs.wait_for_line(tmp_path / "stdout", process, programs.RUN_SECONDS)
        statement = json.loads((tmp_path / "stdout").read_text())
        answer = goheap.run(["--pid", process.pid, "leaks", "--level", "proven", "--json"])
        document = json.loads(answer.out)
        rows = document["tables"]["leaks"]["rows"]
        # channels without pointers are copied, too
        assert "waits" not in [skip["what"] for skip in document["skipped"]]
        assert {int(goid) for row in rows for goid in row["goids"]} == \
            {goid for leak in statement["Leaks"] for goid in leak["Goids"]}
    finally:
        process.kill()
        process.wait()
