# SPDX-License-Identifier: Apache-2.0
"""Servers that others wrote, under load for a minute, with over 200 MB alive.

One of them by default; with --full that one by each release, and a server of each other kind.
tools/servers makes the same cores to look at.
"""

from typing import Dict, Iterator

import pytest
from lib import (broker, goheap, gocore, keyvalue, metrics, programs, shares, thirdparty, traceback,
                 webserver)

LOAD_SECONDS = 60
MIN_LIVE = 200 << 20
MIN_TYPED_BYTES, MIN_TYPED_OBJECTS, MIN_SURE_OBJECTS = 0.99, 0.97, 0.95
SECONDS = 600  # the tool is instrumented
MAX_MOVED_SHARE = 0.02  # of goroutines: while the runtime prints them the server runs on
TRACEBACK_FRAMES = 100  # that the runtime prints
MIN_STACKS, MAX_STACKS = 10, 80

DEFAULT = [(broker.Broker, programs.RELEASES[-1])]
FULL = [(broker.Broker, release) for release in programs.RELEASES] + [
    (webserver.WebServer, "go1.27.4"),  # its versions need 1.26 at least
    (keyvalue.KeyValue, "go1.22.12"),
    (metrics.Metrics, "go1.24.13"),
]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    cases = FULL if metafunc.config.getoption("--full") else DEFAULT
    if "dead" in metafunc.fixturenames:
        metafunc.parametrize("dead", cases, indirect=True, scope="module",
                             ids=["%s-%s" % (kind.KIND, release) for kind, release in cases])


@pytest.fixture(scope="module")
def dead(request: pytest.FixtureRequest,
         workshop: programs.Workshop) -> Iterator[thirdparty.Server]:
    kind, release = request.param
    exe = thirdparty.build(kind, workshop.folder, release)
    server = kind(exe, release, exe.parent / "run")
    try:
        server.load(LOAD_SECONDS)
        server.collect(3)
        server.abort()
    finally:
        server.close()
    yield server
    server.forget()


def test_live_set(dead: thirdparty.Server) -> None:
    core = gocore.Core(str(dead.core), str(dead.exe), dead.release)
    answer = goheap.run([dead.core, dead.exe, "objects", "--csv"], SECONDS)
    assert answer.code == goheap.ANSWERED, answer.err
    known = shares.read(answer.out.splitlines())
    allocated = core.allocated()
    core.close()
    assert known.slots.keys() <= allocated.keys()
    assert sum(allocated[slot] for slot in known.slots) >= MIN_LIVE
    left = sum(size for slot, size in allocated.items() if slot not in known.slots)
    assert left <= dead.MAX_LEFT_SHARE * sum(allocated.values())
    assert known.typed_bytes >= MIN_TYPED_BYTES
    assert known.typed_objects >= MIN_TYPED_OBJECTS
    assert known.sure_objects >= MIN_SURE_OBJECTS


def test_reports(dead: thirdparty.Server) -> None:
    words = [dead.core, dead.exe, "--json", "-e", "top", "-e", "goroutines --all", "-e", "memstats",
             "-e", "doctor"]
    answer = goheap.run(words, SECONDS)
    assert answer.code == goheap.ANSWERED, answer.err
    documents = answer.documents()
    for document in documents.values():
        assert not goheap.failed_checks(document)
    # The runtime's table of interfaces, once it has grown, is longer than its type says.
    assert "runtime.itabTableType" in {
        row["type"] for row in goheap.rows(documents["top"], "types")}
    assert not [row for row in goheap.rows(documents["doctor"], "checks")
                if row["state"] == "fail"]
    truth = traceback.parse((dead.folder / "stderr").read_text(errors="replace"))
    shown = {row["goid"]: row
             for row in goheap.rows(documents["goroutines --all"], "goroutines")
             if row["state"] != "dead"}
    check_goroutines(dead, shown, truth)


def check_goroutines(dead: thirdparty.Server, shown: Dict[int, dict],
                     truth: Dict[int, traceback.Goroutine]) -> None:
    # The server runs on until its threads have been stopped one by one.
    common = shown.keys() & truth.keys()
    assert len(common) >= 0.98 * max(len(shown), len(truth))
    waiting = [goid for goid in common
               if shown[goid]["state"] == truth[goid].state == "waiting"]
    assert len(waiting) >= dead.MIN_GOROUTINES
    # A goroutine that waits again may do so somewhere else, and for something else.
    waits = {goid: (shown[goid]["wait_reason"], truth[goid].wait_reason) for goid in waiting}
    others = {goid: both for goid, both in waits.items() if both[0] != both[1]}
    assert len(others) <= MAX_MOVED_SHARE * len(waiting), others
    created = {goid: (shown[goid]["created_by"], truth[goid].created_by)
               for goid in common if truth[goid].frames}
    assert not {goid: both for goid, both in created.items() if both[0] != both[1]}
    tops = {goid: (shown[goid]["top"], truth[goid].top())
            for goid in waiting if not shown[goid]["system"]}
    moved = {goid: both for goid, both in tops.items() if both[0] != both[1]}
    assert len(moved) <= MAX_MOVED_SHARE * len(tops), moved


def test_stacks(dead: thirdparty.Server) -> None:
    """One goroutine of each stack that the runtime printed, frame by frame."""
    truth = traceback.parse((dead.folder / "stderr").read_text(errors="replace"))
    samples = {tuple(goroutine.frames): goid for goid, goroutine in sorted(truth.items())
               if goroutine.state == "waiting" and 0 < len(goroutine.frames) < TRACEBACK_FRAMES}
    chosen = sorted(samples.values())[:MAX_STACKS]
    answer = goheap.run([dead.core, dead.exe, "--json", *(
        word for goid in chosen for word in ("-e", "goroutine %d --all" % goid))], SECONDS)
    assert answer.code == goheap.ANSWERED, answer.err
    moved = {}
    documents = answer.documents()
    for goid in chosen:
        document = documents["goroutine %d --all" % goid]
        ours = [(row["function"], row["file"], row["line"])
                for row in goheap.rows(document, "frames")]
        theirs = [tuple(frame) for frame in truth[goid].frames]
        if ours != theirs:
            moved[goid] = (ours, theirs)
    assert len(chosen) >= MIN_STACKS
    assert len(moved) <= 1 + MAX_MOVED_SHARE * len(chosen), moved


def test_nothing_is_proven_to_leak(dead: thirdparty.Server) -> None:
    """It is healthy: whatever waits can be woken."""
    answer = goheap.run([dead.core, dead.exe, "--json", "-e", "leaks --all", "-e", "locks"],
                        SECONDS)
    assert answer.code == goheap.ANSWERED, answer.err
    documents = answer.documents()
    rows = goheap.rows(documents["leaks --all"], "leaks")
    assert not [row for row in rows if row["level"] == "proven"]
    assert sum(row["count"] for row in rows) >= dead.MIN_GOROUTINES
    assert not goheap.rows(documents["locks"], "deadlocks")
