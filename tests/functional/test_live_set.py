# SPDX-License-Identifier: Apache-2.0
"""Nothing is missing: after three collections, what the allocator gave out is live.

A few slots are not: the runtime itself allocated them after the last collection. Each is named by
its allocation stack (MemProfileRate is 1).
"""

from lib import case, goheap

MAX_LEFT = 64


def test_live_is_within_allocated(missing: case.Case) -> None:
    live = set(goheap.addresses(missing.documents["objects"]))
    assert not live - missing.allocated.keys(), missing.describe(live - missing.allocated.keys())


def test_live_and_dead_are_the_allocated(missing: case.Case) -> None:
    live = goheap.addresses(missing.documents["objects"])
    dead = goheap.addresses(missing.documents["objects --dead"])
    assert not live.keys() & dead.keys()
    found = {address: row["bytes"] for address, row in {**live, **dead}.items()}
    assert found == missing.allocated


def test_nothing_of_the_program_is_missing(missing: case.Case) -> None:
    live = set(goheap.addresses(missing.documents["objects"]))
    left = missing.allocated.keys() - live
    ours = {slot for slot in left if missing.is_ours(slot)}
    assert not ours, missing.describe(ours)
    assert len(left) <= MAX_LEFT, missing.describe(left)


def test_what_the_program_holds_is_live(missing: case.Case) -> None:
    live = set(goheap.addresses(missing.documents["objects"]))
    assert not missing.kept - live, missing.describe(missing.kept - live)


def test_self_checks_hold(missing: case.Case) -> None:
    for command, document in missing.documents.items():
        assert not goheap.failed_checks(document), command


def test_short_lists_the_same(missing: case.Case) -> None:
    """Addresses only, one a line: what scripts read."""
    words = [missing.death.core, missing.death.exe, "objects", "--all", "--short"]
    answer = goheap.run(words)
    assert answer.code == goheap.ANSWERED
    assert {int(line, 16) for line in answer.out.split()} == missing.allocated.keys()
