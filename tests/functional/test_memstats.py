# SPDX-License-Identifier: Apache-2.0
"""Statistics equal those that the program read last, field by field."""

from typing import Dict

from lib import case, goheap

# Fields of runtime.MemStats that memory does not determine, and why.
UNDETERMINED: Dict[str, str] = {}
# What a table with one number a row may show as rows of its own, or leave out.
ARRAYS = ("PauseNs", "PauseEnd", "BySize")


def test_memstats_equal_the_programs(missing: case.Case) -> None:
    shown = {row["name"]: row["value"]
             for row in goheap.rows(missing.documents["memstats"], "memstats")}
    wrong = []
    for name, truth in missing.memstats.items():
        if name in ARRAYS or name in UNDETERMINED:
            continue
        if name not in shown:
            wrong.append("%s is not shown" % name)
        elif not same(shown[name], truth):
            wrong.append("%s is %r, the program has %r" % (name, shown[name], truth))
    assert not wrong, "\n".join(wrong)


def same(shown: object, truth: object) -> bool:
    """Numbers may come as numbers or as text; a bool as such, as text or as 0 and 1."""
    if isinstance(truth, float):
        return shown is not None and abs(float(str(shown)) - truth) <= 1e-6 * max(1.0, abs(truth))
    if isinstance(truth, bool):
        return str(shown).lower() in (str(truth).lower(), str(int(truth)))
    return shown is not None and str(shown) == str(truth)
