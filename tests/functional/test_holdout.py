# SPDX-License-Identifier: Apache-2.0
"""Types with some knowledge hidden against types with all of it.

tests/lib/holdout.c marks a core twice and compares.
"""

import json
import os
import pathlib
import subprocess

from lib import case, gocore, goheap, programs

HOLDOUT = os.environ.get(
    "GOHEAP_HOLDOUT", str(programs.ROOT / "build-asan" / "tests" / "unit" / "holdout"))


def held_out(core: pathlib.Path, exe: pathlib.Path, what: str = "headers") -> dict:
    """Return what the comparison counted.

    :param what: what is hidden: headers or declared
    """
    result = subprocess.run([HOLDOUT, what, str(core), str(exe)], capture_output=True, text=True,
                            timeout=1200, check=False)
    assert result.returncode == 0 and not result.stderr, result.stderr
    return json.loads(result.stdout)


def test_propagated_types_are_the_allocators(missing: case.Case) -> None:
    found = held_out(missing.death.core, missing.death.exe)
    assert found["contradictions"] == 0, found["listed"]
    assert found["not_the_same_live"] == 0
    assert found["typed_by_header"] > 0
    if missing.build.variant != "nodwarf":  # there the first types come from headers only
        assert found["of_these_propagated"] * 10 >= found["typed_by_header"], found


def test_wrong_header_is_found(release: str, tmp_path: pathlib.Path) -> None:
    """One object whose header says what it is not: the comparison must see it."""
    minor = ".".join(release.split(".")[:2])
    subprocess.run([str(programs.ROOT / "corefiles" / "unpack"), minor, str(tmp_path)], check=True)
    exe, path = tmp_path / ("shop-" + minor), tmp_path / ("shop-%s.core" % minor)
    before = held_out(path, exe)
    assert before["contradictions"] == 0, before["listed"]

    objects = goheap.rows(goheap.ask(path, exe, "objects")["objects"], "objects")
    order, padded = (next(int(row["address"], 16) for row in objects if row["type"] == name)
                     for name in ("main.Order", "runtime.p"))
    core = gocore.Core(str(path), str(exe), release)
    header, at = core.read(padded, 8), core.offset_in_file(order)
    core.close()
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(header)
    after = held_out(path, exe)
    assert {"address": order, "bytes": 576, "truth": "runtime.p", "propagated": "main.Order"} \
        in after["listed"]


def test_inferred_types_are_right(missing: case.Case) -> None:
    """Nobody declares one object in ten: what is inferred of these is right."""
    found = held_out(missing.death.core, missing.death.exe, "declared")
    assert found["not_the_same_live"] == 0
    assert found["inferred_wrong"] * 20 <= found["inferred"], found["listed"]
    if missing.build.program == "parts" and missing.build.variant == "plain":
        assert found["inferred"] >= 10
