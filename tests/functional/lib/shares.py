# SPDX-License-Identifier: Apache-2.0
"""How much of a live heap goheap knows, from what `objects --csv` prints."""

import csv
from typing import Dict, Iterable, NamedTuple

STRENGTHS = ("exact", "declared", "inferred", "unknown")


class Shares(NamedTuple):
    """Live objects and bytes by the strength of their type."""

    slots: Dict[int, int]  # bytes by address
    objects: Dict[str, int]
    bytes: Dict[str, int]

    @property
    def typed_objects(self) -> float:
        """Share of objects whose type is known."""
        return 1 - self.objects["unknown"] / len(self.slots)

    @property
    def typed_bytes(self) -> float:
        """The same of bytes."""
        return 1 - self.bytes["unknown"] / sum(self.bytes.values())

    @property
    def sure_objects(self) -> float:
        """Share of objects whose type is exact or declared."""
        return (self.objects["exact"] + self.objects["declared"]) / len(self.slots)


def read(lines: Iterable[str]) -> Shares:
    """Count the rows of `objects --csv`."""
    shares = Shares({}, dict.fromkeys(STRENGTHS, 0), dict.fromkeys(STRENGTHS, 0))
    for row in csv.DictReader(lines):
        size = int(row["bytes"])
        shares.slots[int(row["address"], 16)] = size
        shares.objects[row["strength"]] += 1
        shares.bytes[row["strength"]] += size
    return shares
