# SPDX-License-Identifier: Apache-2.0
"""Damage a core: cut it, overwrite words of it, cut its notes."""

import pathlib
import random
import struct
from typing import List, Tuple

PT_LOAD, PT_NOTE = 1, 4
EM_AARCH64 = 183
HEADER_BYTES, MACHINE_AT, PROGRAM_BYTES = 64, 18, 56


class Header:
    """Where the segments of an ELF file are."""

    def __init__(self, data: bytes) -> None:
        self.phoff, = struct.unpack_from("<Q", data, 32)
        self.phnum, = struct.unpack_from("<H", data, 56)
        self.notes: List[Tuple[int, int, int]] = []       # program header, offset, bytes
        self.loads: List[Tuple[int, int, int]] = []       # address, offset, bytes
        for i in range(self.phnum):
            at = self.phoff + i * PROGRAM_BYTES
            kind, _, offset, vaddr, _, filesz, _, _ = struct.unpack_from("<IIQQQQQQ", data, at)
            if kind == PT_NOTE:
                self.notes.append((at, offset, filesz))
            elif kind == PT_LOAD and filesz:
                self.loads.append((vaddr, offset, filesz))


def end_of_heap(data: bytes, heap_end: int) -> int:
    """Return the offset at which the segments behind the heap begin: span tables lie there.

    :param heap_end: address of the end of the last span
    """
    return min(offset for vaddr, offset, _ in Header(data).loads if vaddr >= heap_end)


def places_to_cut(data: bytes, heap_end: int, count: int) -> List[int]:
    """Return lengths to cut a core to: in headers, notes, between and inside of segments."""
    header = Header(data)
    places = [0, 1, HEADER_BYTES - 1, HEADER_BYTES, header.phoff + PROGRAM_BYTES,
              header.phoff + header.phnum * PROGRAM_BYTES - 8, header.notes[0][1] + 4,
              header.notes[0][1] + header.notes[0][2] // 2, header.loads[0][1],
              end_of_heap(data, heap_end), len(data) - 1, len(data) - 4096]
    first = header.loads[0][1]
    while len(places) < count:
        share = len(places) / count
        places.append(first + int((len(data) - first) * share) // 8 * 8 + len(places) % 3)
    return places[:count]


def overwrite(data: bytes, seed: int) -> bytes:
    """Return the core with 1 to 2,000 words overwritten anywhere but in its first headers."""
    rng = random.Random(seed)
    damaged = bytearray(data)
    words = max(1, int(2000 ** rng.random()))
    # Half of the cores have the damage where it hurts: in one segment or in the notes.
    header = Header(data)
    start, end = header.phoff, len(data) - 8
    if seed % 2:
        segments = [(offset, size) for _, offset, size in header.loads if size >= 8]
        segments += [(offset, size) for _, offset, size in header.notes]
        offset, size = rng.choice(segments)
        start, end = offset, offset + size - 8
    interesting = [0, 1, 7, 8, 0xff, 0x7fffffff, 0x7fffffffffffffff, 0xffffffffffffffff,
                   1 << 47, 0xc000000000, 0xc000000008]
    for _ in range(words):
        at = rng.randrange(start, end + 1) & ~7
        kind = rng.randrange(3)
        if kind == 0:
            word = rng.getrandbits(64)
        elif kind == 1:
            word = rng.choice(interesting)
        else:  # a word of the core itself: a pointer to the wrong place
            other = rng.randrange(start, end + 1) & ~7
            word, = struct.unpack_from("<Q", data, other)
        struct.pack_into("<Q", damaged, at, word)
    return bytes(damaged)


def cut_notes(data: bytes, keep: int) -> bytes:
    """Return the core with notes that end after some bytes."""
    damaged = bytearray(data)
    for at, _, _ in Header(data).notes:
        struct.pack_into("<Q", damaged, at + 32, keep)
    return bytes(damaged)


def bad_note_lengths(data: bytes, name_bytes: int, desc_bytes: int) -> bytes:
    """Return the core whose first note claims some lengths."""
    damaged = bytearray(data)
    struct.pack_into("<II", damaged, Header(data).notes[0][1], name_bytes, desc_bytes)
    return bytes(damaged)


def other_machine(data: bytes) -> bytes:
    """Return an ELF file that says it is of another architecture."""
    damaged = bytearray(data)
    struct.pack_into("<H", damaged, MACHINE_AT, EM_AARCH64)
    return bytes(damaged)


def write(path: pathlib.Path, data: bytes) -> pathlib.Path:
    """Write a file and return its path."""
    path.write_bytes(data)
    return path
