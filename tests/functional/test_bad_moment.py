# SPDX-License-Identifier: Apache-2.0
"""Cores at random moments of a program that allocates while the collector marks and sweeps.

What the program holds is live, nothing free is, and little lives by conservative roots alone.
"""

from typing import Dict, Iterator, List, Set, Tuple

import pytest
from lib import goheap, moment, programs

NORMAL, FULL = 3, 20
MAX_CONSERVATIVE_SHARE = 0.01
SEEN: Dict[str, Set[str]] = {}  # phases of the cores of a release


def moments(count: int) -> List[Tuple[str, str, int]]:
    """Return churn, way and seed of each core; both ways of both kinds of work come up."""
    return [(moment.CHURNS[i % 3], moment.WAYS[(i + i // 3) % 2], i) for i in range(count)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "taken" in metafunc.fixturenames:
        count = FULL if metafunc.config.getoption("--full") else NORMAL
        wanted = moments(count)
        metafunc.parametrize("taken", wanted, indirect=True,
                             ids=["-".join(str(part) for part in one) for one in wanted])


@pytest.fixture
def taken(request: pytest.FixtureRequest, workshop: programs.Workshop, release: str,
          keep: bool) -> Iterator[moment.Moment]:
    churn, way, seed = request.param
    made = moment.Moment(workshop, release, churn, way, seed)
    yield made
    if not keep:
        made.forget()


def test_core_at_a_bad_moment(taken: moment.Moment) -> None:
    documents = goheap.ask(taken.core, taken.exe, "objects", "top", "roots", "goroutines --all")
    objects = goheap.addresses(documents["objects"])
    live = set(objects)
    SEEN.setdefault(taken.release, set()).add(taken.phase)
    assert 0 not in taken.held and taken.held <= taken.allocated
    missing = taken.held - live
    assert not missing, "%s: %d of %d held objects are not live, such as %#x" % (
        taken.phase, len(missing), len(taken.held), min(missing))
    extra = live - taken.allocated
    assert not extra, "%s: %d live slots are free, such as %#x" % (
        taken.phase, len(extra), min(extra))
    total = sum(row["bytes"] for row in objects.values())
    assert conservative_bytes(documents["roots"]) <= MAX_CONSERVATIVE_SHARE * total


@pytest.mark.full
def test_moments_were_bad(release: str) -> None:
    assert {"marking", "sweeping"} <= SEEN[release]


def conservative_bytes(roots: dict) -> int:
    """Return what conservative roots keep: rows of the roots table that say so, if there are any."""
    return sum(row["bytes"] for row in goheap.rows(roots, "roots")
               if "conservative" in row["name"])
