# SPDX-License-Identifier: Apache-2.0
"""A core of linux/arm64 made by hand: the static data of an executable, and threads with registers.

Nothing here runs arm64 code: what registers mean is told by the kernel (struct user_pt_regs: x0 to
x30, sp, pc, pstate) and by the instruction at pc.
"""

import pathlib
import struct
from typing import Dict, List, Tuple

from lib import gocore

EM_AARCH64, ET_CORE, PT_LOAD, PT_NOTE, NT_PRSTATUS = 183, 4, 1, 4, 1
PF_W = 2
REGISTERS, PC = 34, 32
PRSTATUS = struct.Struct("<12xH2x16xI76x%dQQ" % REGISTERS)
HEADER, SEGMENT, NOTE = struct.Struct("<16sHHIQQQIHHHHHH"), struct.Struct("<IIQQQQQQ"), 20
SVC = struct.pack("<I", 0xd4000001)


class Executable:
    """Segments and symbols of an executable."""

    def __init__(self, path: pathlib.Path) -> None:
        self.data = path.read_bytes()
        self.symbols = gocore.Symbols(str(path))
        phoff, = struct.unpack_from("<Q", self.data, 32)
        phnum, = struct.unpack_from("<H", self.data, 56)
        self.segments = [SEGMENT.unpack_from(self.data, phoff + i * SEGMENT.size)
                         for i in range(phnum)]

    def system_call(self, function: str) -> int:
        """Return where the system call of a function stands."""
        start = self.symbols.address[function]
        for kind, _, offset, vaddr, _, filesz, _, _ in self.segments:
            if kind == PT_LOAD and vaddr <= start < vaddr + filesz:
                at = self.data.index(SVC, offset + start - vaddr)
                return vaddr + at - offset
        raise LookupError(function)


def write(path: pathlib.Path, exe: Executable, threads: Dict[int, List[int]],
          words: Dict[int, int]) -> None:
    """Write a core.

    :param threads: registers by thread id
    :param words: what is overwritten in the static data, by address
    """
    loads: List[Tuple[int, int, bytearray]] = []
    for kind, flags, offset, vaddr, _, filesz, memsz, _ in exe.segments:
        if kind == PT_LOAD and flags & PF_W:
            content = bytearray(exe.data[offset:offset + filesz].ljust(memsz, b"\0"))
            for address, word in words.items():
                if vaddr <= address < vaddr + memsz:
                    struct.pack_into("<Q", content, address - vaddr, word)
            loads.append((flags, vaddr, content))
    notes = b"".join(
        struct.pack("<III8s", 5, PRSTATUS.size, NT_PRSTATUS, b"CORE")
        + PRSTATUS.pack(6, tid, *registers, 0) for tid, registers in threads.items())
    count = 1 + len(loads)
    at = HEADER.size + count * SEGMENT.size
    header = HEADER.pack(b"\x7fELF\x02\x01\x01", ET_CORE, EM_AARCH64, 1, 0, HEADER.size, 0, 0,
                         HEADER.size, SEGMENT.size, count, 0, 0, 0)
    heads = [SEGMENT.pack(PT_NOTE, 4, at, 0, 0, len(notes), 0, 4)]
    at += len(notes)
    for flags, vaddr, content in loads:
        heads.append(SEGMENT.pack(PT_LOAD, flags, at, vaddr, 0, len(content), len(content), 1))
        at += len(content)
    path.write_bytes(b"".join([header, *heads, notes, *(bytes(c) for _, _, c in loads)]))


def registers(pc: int, number: int, *arguments: int) -> List[int]:
    """Return registers of a thread that stands at pc with a number and arguments of a system call."""
    found = [0xdead0000 + i for i in range(REGISTERS)]
    found[:len(arguments)] = arguments
    found[8], found[PC] = number, pc
    return found
