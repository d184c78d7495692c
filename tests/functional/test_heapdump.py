# SPDX-License-Identifier: Apache-2.0
"""The allocated objects are those that Go's own heap dump has, written just before the end."""

from typing import Dict

import pytest
from lib import case, goheap


def found_by_goheap(of: case.Case) -> Dict[int, int]:
    rows = {**goheap.addresses(of.documents["objects"]),
            **goheap.addresses(of.documents["objects --dead"])}
    return {address: row["bytes"] for address, row in rows.items()}


def check(of: case.Case) -> None:
    found = found_by_goheap(of)
    assert found == of.dumped
    assert len(found) == of.dump.memstats["HeapObjects"]
    assert sum(found.values()) == of.dump.memstats["HeapAlloc"]


def test_objects_equal_the_dump(missing: case.Case) -> None:
    check(missing)


def test_objects_with_garbage_equal_the_dump(garbage: case.Case) -> None:
    check(garbage)


def test_dump_and_core_agree(missing: case.Case) -> None:
    """The oracles themselves: Go's dump and our own reader name the same allocation stacks."""
    if not missing.dump.samples:
        pytest.fail("the dump has no allocation stacks")
    for address, bucket in missing.dump.samples.items():
        if address in missing.allocated and missing.core.slot_of(address) == address:
            dumped = [frame.function for frame in missing.dump.stack(bucket)]
            assert missing.core.allocation_stack(address) == dumped
