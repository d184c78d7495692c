# SPDX-License-Identifier: Apache-2.0
"""A server that others wrote, under load for a minute, with over 200 MB alive."""

from typing import Iterator

import pytest
from lib import broker, goheap, gocore, programs, traceback

LOAD_SECONDS = 60
MIN_LIVE = 200 << 20
# What the server itself allocates between its last collection and its end.
MAX_LEFT_SHARE = 0.01
SECONDS = 600  # the tool is instrumented


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    full = metafunc.config.getoption("--full")
    if "dead" in metafunc.fixturenames:
        metafunc.parametrize("dead", programs.RELEASES if full else programs.RELEASES[-1:],
                             indirect=True, scope="module")


@pytest.fixture(scope="module")
def dead(request: pytest.FixtureRequest,
         workshop: programs.Workshop) -> Iterator[broker.Broker]:
    exe = broker.build(workshop, request.param)
    server = broker.Broker(exe, request.param, exe.parent / "run")
    try:
        server.load(LOAD_SECONDS)
        server.collect(3)
        server.abort()
    finally:
        server.close()
    yield server
    server.core.unlink()


def test_live_set(dead: broker.Broker) -> None:
    core = gocore.Core(str(dead.core), str(dead.exe), dead.release)
    answer = goheap.run([dead.core, dead.exe, "objects", "--short"], SECONDS)
    assert answer.code == goheap.ANSWERED, answer.err
    live = {int(line, 16) for line in answer.out.split()}
    allocated = core.allocated()
    core.close()
    assert live <= allocated.keys()
    assert sum(allocated[slot] for slot in live) >= MIN_LIVE
    left = sum(size for slot, size in allocated.items() if slot not in live)
    assert left <= MAX_LEFT_SHARE * sum(allocated.values())


def test_reports(dead: broker.Broker) -> None:
    words = [dead.core, dead.exe, "--json", "-e", "top", "-e", "goroutines --all", "-e", "memstats"]
    answer = goheap.run(words, SECONDS)
    assert answer.code == goheap.ANSWERED, answer.err
    documents = answer.documents()
    for document in documents.values():
        assert not goheap.failed_checks(document)
    truth = traceback.parse((dead.folder / "stderr").read_text(errors="replace"))
    shown = {row["goid"]: row
             for row in goheap.rows(documents["goroutines --all"], "goroutines")
             if row["state"] != "dead"}
    # The server runs on until its threads have been stopped one by one.
    common = shown.keys() & truth.keys()
    assert len(common) >= 0.98 * max(len(shown), len(truth))
    waiting = [goid for goid in common
               if shown[goid]["state"] == truth[goid].state == "waiting"]
    assert len(waiting) >= broker.CONNECTIONS
    for goid in waiting:
        assert shown[goid]["wait_reason"] == truth[goid].wait_reason
