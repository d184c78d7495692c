# SPDX-License-Identifier: Apache-2.0
"""Graphs that are hard on whoever walks them, and damaged ones: bounded in time, memory and stack.

lib/goheap.py makes sure that no run is ended by a signal, takes too long or too much memory, or
makes a sanitizer speak; here each has a stack of 256 KiB besides.
"""

import json
import pathlib
import random
import struct
import subprocess
from typing import Iterator, List

import pytest

from conftest import RELEASES
from lib import case, damage, gocore, goheap, programs, simple
from test_retained import DOMINANCE

NORMAL = {"list": 200_000, "fan": 200_000, "same": 200_000, "self": 200_000, "random": 100_000,
          "defers": 50_000, "handles": 20_000, "liars": 20_000}
FULL = {"list": 10_000_000, "fan": 5_000_000, "same": 5_000_000, "self": 5_000_000,
        "random": 1_000_000, "defers": 1_000_000, "handles": 200_000, "liars": 200_000}
FULL_SECONDS = 900
DAMAGED, FULL_DAMAGED = 4, 70  # cores a release
LITTLE_STACK = ("sh", "-c", 'ulimit -s 256; exec "$@"', "sh")
COMMANDS = ("retained", "retained --by type --exact 3", "dom", "dom main.held", "retained main.held",
            "paths .", "path --type ^main -n 3", "path --type ^main --all-roots --all-hops")


@pytest.mark.parametrize("kind", sorted(FULL))
def test_hard_graphs(workshop: programs.Workshop, kind: str, pytestconfig: pytest.Config) -> None:
    full = pytestconfig.getoption("--full")
    n = (FULL if full else NORMAL)[kind]
    build = programs.Build("graphs", programs.RELEASES[-1], "plain")
    with simple.death(workshop, build, [kind, str(n)]) as dead:
        words: List[object] = [dead.core, dead.exe, "--json"]
        for command in COMMANDS:
            words += ["-e", command]
        answer = goheap.run(words, prefix=LITTLE_STACK,
                            seconds=FULL_SECONDS if full else goheap.SECONDS)
        assert answer.code == goheap.ANSWERED, answer.err
        documents = answer.documents()
        assert held(documents["retained"]) == int(dead.out)
        row, = goheap.rows(documents["retained main.held"], "groups")
        assert row["retained"] <= int(dead.out)
        assert not goheap.failed_checks(documents["retained"])


def held(document: dict) -> int:
    """Return what main.held keeps: the goroutine that dies may have a word that looks like it."""
    alone = [row["retained"] for row in goheap.rows(document, "groups")
             if row["owner"] == "main.held"]
    shared = [row["bytes"] for row in goheap.rows(document, "shared")
              if row["owners"] == "main.held and goroutine 1"]
    return sum(alone) + sum(shared)


def test_a_ring_of_special_records(workshop: programs.Workshop, tmp_path: pathlib.Path) -> None:
    """It costs what that span's records say, and nothing of the spans behind it."""
    build, n = programs.Build("graphs", programs.RELEASES[-1], "plain"), 4000
    with simple.death(workshop, build, ["handles", str(n)]) as dead:
        core = gocore.Core(str(dead.core), str(dead.exe), build.release)
        span = next(span for span in core.spans if span.specials and span.elemsize == 16)
        data = bytearray(dead.core.read_bytes())
        struct.pack_into("<Q", data, core.offset_in_file(span.specials), span.specials)
        core.close()
        answer = goheap.ask(damage.write(tmp_path / "core", data), dead.exe, "roots")["roots"]
    counts = {row["name"]: row["count"] for row in goheap.rows(answer, "roots")}
    assert n - span.nelems <= counts["weak handles"] < n
    assert [skip["count"] for skip in answer["skipped"] if skip["what"] == "lists of the runtime"] \
        == [1]


# What may be wrong with the record of a span, by field: it is far away, where another one is, larger
# than memory, of another class, or says that it is free.
WRONG_SPANS = [("startAddr", 0xfffffff000000000), ("startAddr", 1 << 46), ("startAddr", gocore.PAGE),
               ("npages", 1 << 31), ("nelems", 1), ("elemsize", 8), ("spanclass", 8), ("state", 0)]


def test_a_wrong_span_costs_itself(workshop: programs.Workshop, release: str,
                                   tmp_path: pathlib.Path) -> None:
    """The first span of its class: the others count all the same."""
    build, n = programs.Build("graphs", release, "plain"), 4000
    with simple.death(workshop, build, ["fan", str(n)]) as dead:
        core = gocore.Core(str(dead.core), str(dead.exe), release)
        span = min(span for span in core.spans if span.elemsize == 16 and not span.spanclass & 1)
        data = dead.core.read_bytes()
        record = data.index(struct.pack("<QQ", span.base, span.npages)) - \
            core.place("runtime.mspan", "startAddr")[0]
        for field, value in WRONG_SPANS:
            damaged = bytearray(data)
            offset, size = core.place("runtime.mspan", field)
            value += span.base if value == gocore.PAGE else 0
            damaged[record + offset:record + offset + size] = value.to_bytes(8, "little")[:size]
            path = damage.write(tmp_path / "core", damaged)
            document = goheap.ask(path, dead.exe, "top")["top"]
            left = {row["type"]: row["count"] for row in goheap.rows(document, "types")}
            assert n - span.nelems <= left["main.node"] <= n, (field, value)
            assert document["skipped"] or goheap.failed_checks(document), (field, value)
        core.close()


@pytest.fixture(scope="module", name="good", params=RELEASES)
def _good(request: pytest.FixtureRequest, workshop: programs.Workshop) -> Iterator[case.Case]:
    made = case.make(workshop, programs.Build("owners", request.param, "plain"), "missing")
    yield made
    made.close()


def hurt(good: case.Case, seed: int) -> bytes:
    """Return the core with words of objects overwritten, those of the runtime among them.

    Goroutines, records of waits and defers, heaps of timers: all of them are objects.
    """
    rng = random.Random(seed)
    data = bytearray(good.death.core.read_bytes())
    spans = [span for span in good.core.spans if span.spanclass & 1 == 0]
    starts = [(good.core.offset_in_file(span.base), span.npages * gocore.PAGE) for span in spans]

    def place() -> int:
        offset, size = rng.choice(starts)
        return offset + rng.randrange(size // 8) * 8

    objects = sorted(good.allocated)
    for _ in range(int(4000 ** rng.random())):
        kind = rng.randrange(4)
        if kind == 0:
            word = rng.choice((0, 1, 0xffffffffffffffff, 0x7fffffffffffffff, rng.getrandbits(64)))
        elif kind == 1:
            word, = struct.unpack_from("<Q", data, place())
        else:  # an edge from anywhere to anywhere
            word = rng.choice(objects) + rng.choice((0, 0, 8, 24))
        struct.pack_into("<Q", data, place(), word)
    return bytes(data)


def test_damaged_graphs(good: case.Case, tmp_path: pathlib.Path,
                        pytestconfig: pytest.Config) -> None:
    """Answers or sentences; and whatever the graph is, its dominators are right."""
    commands = [*COMMANDS[:3], "goroutines --retained", "suspects"]
    for seed in range(FULL_DAMAGED if pytestconfig.getoption("--full") else DAMAGED):
        core = tmp_path / ("damaged%d" % seed)
        core.write_bytes(hurt(good, seed))
        words: List[object] = [core, good.death.exe, "--json"]
        for command in commands:
            words += ["-e", command]
        answer = goheap.run(words, prefix=LITTLE_STACK)
        assert answer.code in (goheap.ANSWERED, goheap.FINDINGS, goheap.NOTHING), answer.err
        for line in answer.out.split("\n"):  # splitlines knows other ends of lines
            assert not line or json.loads(line)
        result = subprocess.run([DOMINANCE, str(core), str(good.death.exe), "20"], text=True,
                                capture_output=True, timeout=1200, check=False)
        assert result.returncode in (0, 1), (seed, result.stderr[-3000:])
        if result.returncode == 0:
            found = json.loads(result.stdout)
            assert not any(found[name] for name in ("wrong_idom", "wrong_retained", "wrong_removed",
                                                    "unreached")), (seed, found)
            assert found["sum"] == found["retained"] == found["live_bytes"], (seed, found)
        core.unlink()
