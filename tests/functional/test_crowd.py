# SPDX-License-Identifier: Apache-2.0
"""A hundred thousand goroutines: the time and the memory that it takes to look at them."""

import pathlib
import re
import subprocess

import pytest

from lib import programs

GOROUTINES = 100000
MAX_CPU_SECONDS, MAX_BYTES = 3, 200
COMMANDS = ["goroutines", "goroutines --all", "goroutine 50000", "threads"]


@pytest.mark.full
def test_hundred_thousand(tmp_path: pathlib.Path) -> None:
    exe = tmp_path / "benchheap"
    programs.go(programs.RELEASES[-1], ["build", "-o", str(exe), "."],
                folder=programs.ROOT / "tools" / "benchheap")
    with open(tmp_path / "stdout", "wb") as out, open(tmp_path / "stderr", "wb") as err:
        process = subprocess.Popen([str(exe), "goroutines", str(GOROUTINES), "1"], cwd=tmp_path,
                                   stdin=subprocess.PIPE, stdout=out, stderr=err)
        process.communicate(b"die\n", timeout=120)
    programs.check_death(process, tmp_path)
    plain = programs.ROOT / "build" / "goheap"
    for command in COMMANDS:
        result = subprocess.run([str(plain), str(tmp_path / "core"), str(exe), *command.split(),
                                 "--stats", "-n", "5"], stdout=subprocess.PIPE, text=True,
                                timeout=60, check=True)
        stats = re.search(r"([0-9.]+) s of CPU; memory: at most [^(]*\((\d+) bytes\)",
                          result.stdout)
        assert stats, result.stdout
        assert float(stats.group(1)) < MAX_CPU_SECONDS, command
        assert int(stats.group(2)) < MAX_BYTES * GOROUTINES, command
    assert "%d goroutines" % (GOROUTINES + 1) in subprocess.run(
        [str(plain), str(tmp_path / "core"), str(exe), "goroutines"], stdout=subprocess.PIPE,
        text=True, timeout=60, check=True).stdout
