# SPDX-License-Identifier: Apache-2.0
"""Lengths of instructions, and targets of jumps, equal what Go's own disassembler says."""

import os
import pathlib
import re
import subprocess
from typing import List, NamedTuple

from conftest import RELEASES
from lib import programs

INSTRUCTIONS = os.environ.get("GOHEAP_INSTRUCTIONS", str(
    programs.ROOT / "build-asan" / "tests" / "unit" / "instructions"))
FUNCTIONS = r"^(main|runtime|strconv|sync|internal/poll|math/bits|crypto/internal|hash)\b"
LINE = re.compile(r"\S+\s+0x([0-9a-f]+)\s+([0-9a-f]+)\s+(\S+)\s*(.*)")
JUMP = re.compile(r"J[A-Z]+$|LOOP|JMP$")
AT_LEAST = 20000


class Instruction(NamedTuple):
    """One instruction as the disassembler prints it."""

    address: int
    code: bytes
    name: str
    operand: str


def disassemble(exe: pathlib.Path, release: str) -> List[Instruction]:
    """Return what the functions of an executable consist of."""
    text = programs.go(release, ["tool", "objdump", "-s", FUNCTIONS, str(exe)])
    found = []
    for line in text.splitlines():
        match = LINE.match(line.strip())
        if match:
            found.append(Instruction(int(match.group(1), 16), bytes.fromhex(match.group(2)),
                                     match.group(3), match.group(4)))
    return found


def test_lengths_and_targets(workshop: programs.Workshop) -> None:
    release = RELEASES[-1]
    exe = workshop.build(programs.Build("parties", release, "nodwarf"))
    # EVEX is not read; the disassembler takes VZEROUPPER for one byte longer than it is
    known = [one for one in disassemble(exe, release)
             if one.name not in ("?", "INT", "VZEROUPPER") and one.code[0] != 0x62]
    assert len(known) > AT_LEAST
    lines = "".join((one.code + b"\xcc" * 16).hex() + "\n" for one in known)
    result = subprocess.run([INSTRUCTIONS], input=lines, stdout=subprocess.PIPE, text=True,
                            timeout=600, check=True)
    wrong = []
    for one, answer in zip(known, result.stdout.splitlines()):
        words = answer.split()
        if int(words[0]) != len(one.code):
            wrong.append("%s: %s bytes" % (one, words[0]))
            continue
        target = re.match(r"0x([0-9a-f]+)$", one.operand)
        if JUMP.match(one.name) and target:
            assert (words[1], one.address + len(one.code) + int(words[2])) == (
                "1", int(target.group(1), 16)), one
    assert not wrong, "%d of %d:\n%s" % (len(wrong), len(known), "\n".join(wrong[:20]))


def test_prefixes_end() -> None:
    """An instruction has 15 bytes at most: more prefixes are none, however many follow."""
    lines = "".join("66" * n + "90\n" for n in (0, 14, 15, 40))
    result = subprocess.run([INSTRUCTIONS], input=lines, stdout=subprocess.PIPE, text=True,
                            timeout=600, check=True)
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["1", "15", "0", "0"]
