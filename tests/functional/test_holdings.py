# SPDX-License-Identifier: Apache-2.0
"""Every kind of holding: tests/programs/holdings has a type of its own for each."""

import re
from typing import Dict

from lib import case, goheap

MIN_KINDS = 60
FIELDS = ("count", "bytes", "exact_bytes", "declared_bytes", "inferred_bytes")
MAIN = re.compile(r"main\.(\w+)")


def summed(of: case.Case) -> Dict[str, Dict[str, int]]:
    """Return the rows of top by name; types that print alike are one."""
    found: Dict[str, Dict[str, int]] = {}
    for row in goheap.rows(of.documents["top"], "types"):
        sums = found.setdefault(row["type"], dict.fromkeys(FIELDS, 0))
        for field in FIELDS:
            sums[field] += row[field]
    return found


def test_there_are_enough_kinds(missing: case.Case) -> None:
    if missing.build.program != "holdings":
        return
    kinds = {MAIN.search(name).group(1) for name, row in missing.statement["types"].items()
             if MAIN.search(name) and row["count"] and not row["at_least"]}
    assert len(kinds) >= MIN_KINDS


def test_types_are_exact_or_declared(missing: case.Case) -> None:
    """With DWARF nothing is a guess, but for what closures hold in Go 1.22."""
    if missing.build.program != "holdings" or missing.build.variant == "nodwarf":
        return
    found, wrong = summed(missing), []
    for name, row in missing.statement["types"].items():
        ours = found.get(name, dict.fromkeys(FIELDS, 0))
        sure = ours["exact_bytes"] + ours["declared_bytes"]
        if row["in_closure"] and missing.build.release.startswith("go1.22."):
            sure += ours["inferred_bytes"]
        if sure != ours["bytes"]:
            wrong.append("%s: %d of %d bytes" % (name, sure, ours["bytes"]))
    assert not wrong, "\n".join(wrong)


def test_garbage_is_not_counted(garbage: case.Case) -> None:
    """What is dropped is of the same types as what is held."""
    if garbage.build.program != "holdings":
        return
    found, wrong = summed(garbage), []
    for name, row in garbage.statement["types"].items():
        ours = found.get(name, dict.fromkeys(FIELDS, 0))
        if not row["at_least"] and (ours["count"] > row["count"] or ours["bytes"] > row["bytes"]):
            wrong.append("%s: %d live, the program holds %d" % (name, ours["count"], row["count"]))
    assert not wrong, "\n".join(wrong)
