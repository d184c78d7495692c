# SPDX-License-Identifier: Apache-2.0
"""Nothing is extra: of the garbage that a program has planted, none is live; all the rest is."""

from typing import Set

from lib import case, goheap

MAX_LEFT = 64


def live_of(garbage: case.Case) -> Set[int]:
    return set(goheap.addresses(garbage.documents["objects"]))


def test_no_planted_object_is_live(garbage: case.Case) -> None:
    assert garbage.planted
    wrong = garbage.planted & live_of(garbage)
    assert not wrong, garbage.describe(wrong)


def test_live_is_within_allocated(garbage: case.Case) -> None:
    extra = live_of(garbage) - garbage.allocated.keys()
    assert not extra, garbage.describe(extra)


def test_what_the_program_holds_is_live(garbage: case.Case) -> None:
    assert not garbage.kept - live_of(garbage), garbage.describe(garbage.kept - live_of(garbage))


def test_all_the_rest_is_live(garbage: case.Case) -> None:
    """What is neither planted nor live was left by the runtime, or by a function that says so.

    The profile names only the first value of a tiny block. What the others are, and whether they
    were dropped, nobody knows; test_live_set.py has the same blocks without garbage.
    """
    sheds = tuple(garbage.statement["sheds"])
    left = garbage.allocated.keys() - garbage.planted - live_of(garbage)
    left = {slot for slot in left
            if not garbage.core.is_tiny_block(slot)
            and not any(name.startswith(sheds) for stack in garbage.core.allocation_stacks(slot)
                       for name in stack)}
    ours = {slot for slot in left if garbage.is_ours(slot)}
    assert not ours, garbage.describe(ours)
    assert len(left) <= MAX_LEFT, garbage.describe(left)
