# SPDX-License-Identifier: Apache-2.0
"""What closures captured, where the functions do not tell: tests/programs/captured."""

from typing import Dict

from lib import case, goheap

ALONE = ("main.alone", "main.beside", "main.before")  # captured in shapes of their own
TWINS = ("main.left", "main.right")  # captured in shapes that are alike


def rows_of(missing: case.Case) -> Dict[str, dict]:
    return {row["type"]: row for row in goheap.rows(missing.documents["top"], "types")}


def test_shapes_of_their_own_are_told(missing: case.Case) -> None:
    """Without DWARF, and in Go 1.22, they are inferred."""
    if missing.build.program != "captured":
        return
    found = rows_of(missing)
    for name in ALONE:
        assert found[name]["count"] == missing.statement["types"][name]["count"]
        if missing.build.variant == "nodwarf":
            assert found[name]["strength"] == "inferred"


def test_twins_are_not_confused(missing: case.Case) -> None:
    """Without DWARF nothing tells them apart, and none may have the name of the other."""
    if missing.build.program != "captured":
        return
    found = rows_of(missing)
    for name in TWINS:
        if missing.build.variant == "nodwarf":
            assert name not in found
        else:
            assert found[name]["count"] == missing.statement["types"][name]["count"]
