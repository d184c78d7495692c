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
    for goid in waiting:
        assert shown[goid]["wait_reason"] == truth[goid].wait_reason
