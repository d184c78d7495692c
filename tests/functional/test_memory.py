# SPDX-License-Identifier: Apache-2.0
"""Memory is bounded: every command fits what it was given, or says what it would need."""

import json
import pathlib
import re
import subprocess
from typing import List

import pytest

from lib import goheap, programs

# What no command is content with, and steps up to what all of them are.
TOO_LITTLE = 64 << 10
STEPS = 6
SPARE = 1.3  # an instrumented program does not take the same twice


@pytest.fixture(scope="module")
def death(workshop: programs.Workshop) -> programs.Death:
    """One core for all of this."""
    return workshop.run(programs.Build("types", programs.RELEASES[-1], "plain"), "missing")


@pytest.fixture(scope="module")
def commands() -> List[str]:
    """All commands that compute something, in their dearest forms."""
    rows = goheap.rows(json.loads(goheap.run(["help", "--json"]).out), "commands")
    # these need to be told of what: an object, a type, a text, a goroutine
    names = [row["command"] for row in rows if row["command"] not in (
        "help", "next", "obj", "refs", "referrers", "find", "path", "paths", "goroutine")]
    return [*names, "obj --sample 3 --why-type", "top --all", "top --by sizeclasses",
            "objects --all --sort type -n 0", "goroutines --all"]


def refused(answer: goheap.Answer) -> bool:
    """Tell whether it was refused, and check that it was said how."""
    if answer.code == goheap.ANSWERED:
        return False
    assert answer.code == goheap.NOTHING and answer.out == ""
    assert re.fullmatch(r"goheap: not enough memory for .+: \d+ (bytes|KiB|MiB) beside the \d+ "
                        r"(bytes|KiB|MiB) in use, and --max-mem allows \d+ (bytes|KiB|MiB): "
                        r"raise it\n", answer.err), answer.err
    return True


def peak(answer: goheap.Answer) -> int:
    """Return the bytes that --stats tells of."""
    found = re.search(r"at most .*?\((\d+) bytes\) of our own", " ".join(answer.out.split()))
    assert found, answer.out
    return int(found.group(1))


def test_every_command_is_bounded(death: programs.Death, commands: List[str]) -> None:
    for command in commands:
        line = [death.core, death.exe, *command.split()]
        assert refused(goheap.run([*line, "--max-mem", str(TOO_LITTLE)])), command
        unbounded = goheap.run([*line, "--stats"])
        need = peak(unbounded)
        assert re.search(r"stages, seconds \(of CPU\): runtime \d+\.\d{3} \(\d+\.\d{3}\), .*"
                         r"answer \d", " ".join(unbounded.out.split())), command
        answers = [goheap.run([*line, "--max-mem", str(need * (i + 1) // STEPS)])
                   for i in range(STEPS)]
        said = [not refused(answer) for answer in answers]
        assert said == sorted(said), (command, said)  # more memory never hurts
        enough = goheap.run([*line, "--stats", "--max-mem", str(int(need * SPARE))])
        assert not refused(enough), command
        assert peak(enough) <= need * SPARE


def test_a_copy_of_the_core_is_bounded_too(death: programs.Death) -> None:
    data = death.core.stat().st_blocks * 512
    assert refused(goheap.run([death.core, "info", "--no-mmap", "--max-mem", str(data // 2)]))
    assert not refused(goheap.run([death.core, "info", "--no-mmap", "--max-mem", "4G"]))


def test_stats_say_what_a_live_object_costs(death: programs.Death) -> None:
    document = goheap.ask(death.core, death.exe, "info --stats", "top --stats")["top --stats"]
    assert "a live object" not in goheap.run([death.core, "info", "--stats"]).out
    note = next(note for note in document["notes"] if note.startswith("stats:"))
    rows = document["tables"]["types"]
    each = float(re.search(r"([0-9.]+) bytes a live object", note).group(1))
    total = int(re.search(r"\((\d+) bytes\)", note).group(1))
    assert each == pytest.approx(total / rows["total"]["count"], rel=0.01)
    assert "resident with mapped files" in note


def test_one_session_keeps_its_bound(death: programs.Death) -> None:
    """What the first command left counts for the second; a refusal leaves the session usable."""
    answer = goheap.run([death.core, "-e", "info", "-e", "top", "-e", "info"])
    assert answer.code == goheap.ANSWERED
    need = peak(goheap.run([death.core, "info", "--stats"]))
    answer = goheap.run([death.core, "-e", "info", "-e", "top --json --max-mem %d" % (need + 1000),
                         "-e", "info --json"])
    assert answer.code == goheap.NOTHING and "not enough memory" in answer.err
    assert json.loads(answer.out.splitlines()[-1])["command"] == "info"


def test_statistics_and_goroutines_open_no_dwarf(death: programs.Death,
                                                 tmp_path: pathlib.Path) -> None:
    """To decompress it takes time and memory: an executable without it costs as much."""
    stripped = tmp_path / "stripped"
    subprocess.run(["strip", "-g", "-o", str(stripped), str(death.exe)], check=True)

    def needs(exe: pathlib.Path, command: str) -> int:
        return peak(goheap.run([death.core, "--exe", exe, *command.split(), "--stats"]))

    for command in ("info", "memstats", "goroutines"):
        assert needs(death.exe, command) == pytest.approx(needs(stripped, command), abs=256 << 10)
    assert needs(death.exe, "top") > needs(stripped, "top") + (512 << 10)
