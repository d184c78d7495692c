# SPDX-License-Identifier: Apache-2.0
"""Goroutines equal the traceback that the runtime wrote while the program died."""

from typing import Dict

from lib import case, goheap, traceback

# While one thread writes the traceback the others still run.
MOVING = {"running", "runnable"}
RUN_FINALIZERS = {"runtime.createfing", "runtime.(*cleanupQueue).createGs"}


CONTRACT = ["goid", "state", "wait_reason", "top", "wait_site", "created_by", "wait_ns", "system",
            "labels"]


def shown(of: case.Case) -> Dict[int, dict]:
    rows = goheap.rows(of.documents["goroutines --all"], "goroutines")
    return {row["goid"]: row for row in rows if row["state"] != "dead"}


def test_columns(missing: case.Case) -> None:
    table = missing.documents["goroutines --all"]["tables"]["goroutines"]
    assert set(CONTRACT) <= {column["name"] for column in table["columns"]}


def test_ids(missing: case.Case) -> None:
    assert shown(missing).keys() == missing.goroutines.keys()


def test_number_is_what_the_program_counts(missing: case.Case) -> None:
    """runtime.NumGoroutine leaves those of the runtime out, busy with the program's or not."""
    own = [row for row in shown(missing).values()
           if not row["system"] and row["created_by"] not in RUN_FINALIZERS]
    assert len(own) == missing.statement["goroutines"]


def test_states_and_wait_reasons(missing: case.Case) -> None:
    wrong = []
    for goid, row in shown(missing).items():
        truth = missing.goroutines[goid]
        ours = (row["state"], row["wait_reason"])
        if {ours[0], truth.state} <= MOVING or row["system"] and moved(row, truth):
            continue
        if ours != (truth.state, truth.wait_reason):
            wrong.append("goroutine %d is %s, the runtime says %s"
                         % (goid, ours, (truth.state, truth.wait_reason)))
    assert not wrong, "\n".join(wrong)


def moved(row: dict, truth: traceback.Goroutine) -> bool:
    """Tell whether a goroutine of the runtime went on since: its timers fire while the program dies."""
    asleep = {row["wait_reason"], truth.wait_reason} <= {"sleep", "GC scavenge wait"}
    return asleep or not MOVING.isdisjoint({row["state"], truth.state})


def test_top_functions(missing: case.Case) -> None:
    wrong = []
    for goid, row in shown(missing).items():
        truth = missing.goroutines[goid]
        if comparable(row, truth) and row["top"] != truth.top():
            wrong.append("goroutine %d is in %s, the runtime says %s"
                         % (goid, row["top"], truth.top()))
    assert not wrong, "\n".join(wrong)


def comparable(row: dict, truth: traceback.Goroutine) -> bool:
    return not row["system"] and truth.top() is not None


def test_creators(missing: case.Case) -> None:
    wrong = []
    for goid, row in shown(missing).items():
        truth = missing.goroutines[goid]
        if truth.frames and row["created_by"] != truth.created_by:
            wrong.append("goroutine %d was created by %s, the runtime says %s"
                         % (goid, row["created_by"], truth.created_by))
    assert not wrong, "\n".join(wrong)
