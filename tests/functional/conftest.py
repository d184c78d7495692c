# SPDX-License-Identifier: Apache-2.0
"""Programs, releases and cores for the tests: each case is made once and shared.

Environment: GOHEAP names the program under test, GOHEAP_TEST_CACHE a folder in which executables
and cores outlive the run (otherwise they are deleted when no test needs them any more),
GOHEAP_TEST_RELEASES and GOHEAP_TEST_PROGRAMS choose some of them while you work on something.
"""

import functools
import os
import pathlib
import resource
import shutil
from typing import Iterator, List

import pytest

from lib import case, goheap, programs

RELEASES = os.environ.get("GOHEAP_TEST_RELEASES", "").split() or programs.RELEASES
STATING = os.environ.get("GOHEAP_TEST_PROGRAMS", "").split() or programs.STATING
# What the other ways of building change most.
FOR_VARIANTS = ["types", "stackobjects", "defers", "closures", "goroutines", "cgocall"]
FOR_ARM64 = ["types", "stackobjects", "defers", "closures", "goroutines", "maps", "selects"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --full."""
    parser.addoption("--full", action="store_true", help="also what is too slow for every run")


@functools.lru_cache(maxsize=None)
def cases_of(full: bool) -> List[programs.Build]:
    """Return what is run in each mode, by default about half of what --full runs.

    The same objects every time: pytest takes equal parameters for the same only if they are one
    object, and would make the case again for each test.
    """
    builds = [programs.Build(program, release, "plain") for release in RELEASES
              for program in STATING]
    builds += [programs.Build(program, release, "nodwarf") for release in RELEASES
               for program in STATING]
    ends = {RELEASES[0], RELEASES[-1]}
    for release in RELEASES:
        for variant in ("pie", "unoptimised"):
            for program in STATING:
                if full or (release in ends and program in FOR_VARIANTS):
                    builds.append(programs.Build(program, release, variant))
        if full or release in ends:
            builds += [programs.Build(program, release, "arm64") for program in STATING
                       if program not in programs.NEEDS_CGO and (full or program in FOR_ARM64)]
            builds += [programs.Build(program, release, "cgo")
                       for program in ("goroutines", "server") if program in STATING]
    return builds


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give tests their cases; the scope makes all tests of one case run one after the other."""
    full = metafunc.config.getoption("--full")
    builds = cases_of(full)
    for mode in ("missing", "garbage"):
        if mode in metafunc.fixturenames:
            metafunc.parametrize(mode, builds, indirect=True, scope="session",
                                 ids=["-".join((b.release, b.program, b.variant)) for b in builds])
    if "release" in metafunc.fixturenames:
        metafunc.parametrize("release", RELEASES)


def pytest_configure(config: pytest.Config) -> None:
    """Register marks."""
    config.addinivalue_line("markers", "full: runs with --full only")


def pytest_collection_modifyitems(config: pytest.Config, items: List[pytest.Item]) -> None:
    """Leave out what only --full runs."""
    if config.getoption("--full"):
        return
    left_out = [item for item in items if item.get_closest_marker("full")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Note in which order cases will be asked for."""
    order: List[tuple] = []
    for item in session.items:
        callspec = getattr(item, "callspec", None)
        for mode in ("missing", "garbage"):
            key = (callspec.params.get(mode), mode) if callspec else (None, mode)
            if key[0] is not None and key not in order[-3:]:
                order.append(key)
    session.config.case_order = order  # type: ignore[attr-defined]


def pytest_sessionstart() -> None:
    """Allow cores."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


@pytest.fixture(scope="session")
def keep() -> bool:
    """Tell whether files outlive the run."""
    return "GOHEAP_TEST_CACHE" in os.environ


@pytest.fixture(scope="session")
def workshop(keep: bool) -> Iterator[programs.Workshop]:
    """Where programs are built and run."""
    folder = pathlib.Path(os.environ.get("GOHEAP_TEST_CACHE",
                                         str(programs.ROOT / "build-asan" / "cases")))
    folder.mkdir(parents=True, exist_ok=True)
    yield programs.Workshop(folder.absolute())
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def producer(workshop: programs.Workshop,
             pytestconfig: pytest.Config) -> Iterator[case.Producer]:
    """Makes cases ahead."""
    maker = case.Producer(workshop, pytestconfig.case_order)  # type: ignore[attr-defined]
    yield maker
    maker.close()


@pytest.fixture(scope="session")
def missing(request: pytest.FixtureRequest, producer: case.Producer,
            keep: bool) -> Iterator[case.Case]:
    """A program after three collections: what is allocated is live."""
    made = producer.take(request.param, "missing")
    yield made
    producer.give_back(made, keep)


@pytest.fixture(scope="session")
def garbage(request: pytest.FixtureRequest, producer: case.Producer,
            keep: bool) -> Iterator[case.Case]:
    """A program that has planted garbage that no collection has taken away."""
    made = producer.take(request.param, "garbage")
    yield made
    producer.give_back(made, keep)


@pytest.fixture(name="tmp_path")
def _tmp_path(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Pytest's own, but gone after the test: pytest keeps three runs, and cores are large."""
    yield tmp_path
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def _leave_nothing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    yield
    shutil.rmtree(tmp_path_factory.getbasetemp(), ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def _under_test() -> None:
    if not goheap.path().exists():
        pytest.exit("%s does not exist: build it or set GOHEAP" % goheap.path(), returncode=1)
