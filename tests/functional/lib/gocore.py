# SPDX-License-Identifier: Apache-2.0
"""Read spans and globals of a Go program out of its core, independently of goheap.

Knows ELF, and a dozen offsets of runtime.mheap and runtime.mspan, which are the same in Go 1.22 to
1.27 on amd64. Mirrors runtime/mheap.go and runtime/mgcmark_greenteagc.go.
"""

import bisect
import mmap
import struct
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

PAGE = 8192
MHEAP_SWEEPGEN, MHEAP_ALLSPANS = 65856, 65864
MSPAN = struct.Struct("<24xQQ8xHHH2x8xQQ8xI4xHBB4xQQ")  # startAddr … limit, 120 bytes
IN_USE = 1
INLINE_MARKS_FROM = 26  # Go 1.26: marks of spans of 16 to 512 bytes lie in the span itself
INLINE_MARKS_OFFSET = PAGE - 64
SHT_SYMTAB, PT_LOAD, PT_NOTE, NT_AUXV, AT_ENTRY = 2, 1, 4, 6, 9


class Symbols:
    """The symbol table and the entry point of an executable."""

    def __init__(self, path: str) -> None:
        with open(path, "rb") as file:
            data = file.read()
        self.entry, = struct.unpack_from("<Q", data, 24)
        shoff, = struct.unpack_from("<Q", data, 40)
        shentsize, shnum = struct.unpack_from("<HH", data, 58)
        sections = [struct.unpack_from("<IIQQQQIIQQ", data, shoff + i * shentsize)
                    for i in range(shnum)]
        self.address: Dict[str, int] = {}
        for _, kind, _, _, offset, size, link, _, _, _ in sections:
            if kind != SHT_SYMTAB:
                continue
            strings = sections[link][4]
            for name, _, _, _, value, _ in struct.iter_unpack("<IBBHQQ", data[offset:offset + size]):
                end = data.index(b"\0", strings + name)
                self.address[data[strings + name:end].decode()] = value


class Span(NamedTuple):
    """A span in use: where its slots are and which of them are allocated."""

    base: int
    npages: int
    nelems: int
    elemsize: int
    spanclass: int
    limit: int
    alloc_count: int
    unswept: bool
    allocated: int  # bit i: the allocator gave out slot i (garbage included)
    known: int      # the same without what the last mark found dead

    def slots(self, bits: int) -> Iterator[int]:
        """Addresses of the slots whose bits are set."""
        while bits:
            low = bits & -bits
            yield self.base + (low.bit_length() - 1) * self.elemsize
            bits ^= low


class Core:
    """A core file of a Go program, with the symbols of its executable."""

    def __init__(self, core: str, exe: str, release: str) -> None:
        self.minor = int(release.split(".")[1])
        self._file = open(core, "rb")
        self._data = mmap.mmap(self._file.fileno(), 0, prot=mmap.PROT_READ)
        self._loads: List[Tuple[int, int, int]] = []
        self._symbols = Symbols(exe)
        entry = self._symbols.entry
        phoff, = struct.unpack_from("<Q", self._data, 32)
        phentsize, phnum = struct.unpack_from("<HH", self._data, 54)
        for i in range(phnum):
            kind, _, offset, vaddr, _, filesz, _, _ = struct.unpack_from(
                "<IIQQQQQQ", self._data, phoff + i * phentsize)
            if kind == PT_LOAD and filesz:
                self._loads.append((vaddr, offset, filesz))
            elif kind == PT_NOTE:
                entry = self._entry(offset, filesz) or entry
        self._loads.sort()
        self._starts = [load[0] for load in self._loads]
        self._bias = entry - self._symbols.entry
        self.spans = sorted(self._read_spans())
        self._bases = [span.base for span in self.spans]

    def close(self) -> None:
        """Give the file back."""
        self._data.close()
        self._file.close()

    def read(self, address: int, size: int) -> bytes:
        """Return memory of the process.

        :raises LookupError: the range is not in one segment of the core
        """
        i = bisect.bisect_right(self._starts, address) - 1
        if i < 0 or address + size > self._starts[i] + self._loads[i][2]:
            raise LookupError("no memory at %#x in the core" % address)
        offset = self._loads[i][1] + address - self._starts[i]
        return self._data[offset:offset + size]

    def word(self, address: int) -> int:
        """Return the 64-bit word at an address."""
        return struct.unpack("<Q", self.read(address, 8))[0]

    def symbol(self, name: str) -> int:
        """Return the address of a symbol in the process.

        :raises KeyError: the executable has no such symbol
        """
        return self._symbols.address[name] + self._bias

    def span_of(self, address: int) -> Optional[Span]:
        """Return the span in use that an address lies in."""
        i = bisect.bisect_right(self._bases, address) - 1
        if i < 0 or address >= self._bases[i] + self.spans[i].npages * PAGE:
            return None
        return self.spans[i]

    def slot_of(self, address: int) -> Optional[int]:
        """Return the start of the slot that an address lies in, if such a slot exists."""
        span = self.span_of(address)
        if span is None:
            return None
        index = (address - span.base) // span.elemsize
        return span.base + index * span.elemsize if index < span.nelems else None

    def allocated(self) -> Dict[int, int]:
        """Return address and bytes of every allocated slot that is not known to be garbage."""
        return {slot: span.elemsize for span in self.spans for slot in span.slots(span.known)}

    def _entry(self, offset: int, size: int) -> Optional[int]:
        """Return where the program started, from the auxiliary vector."""
        end = offset + size
        while offset < end:
            namesz, descsz, kind = struct.unpack_from("<III", self._data, offset)
            desc = offset + 12 + (namesz + 3) // 4 * 4
            if kind == NT_AUXV:
                return dict(struct.iter_unpack("<QQ", self._data[desc:desc + descsz])).get(AT_ENTRY)
            offset = desc + (descsz + 3) // 4 * 4
        return None

    def _read_spans(self) -> Iterator[Span]:
        mheap = self.symbol("runtime.mheap_")
        sweepgen, = struct.unpack("<I", self.read(mheap + MHEAP_SWEEPGEN, 4))
        array, length = struct.unpack("<QQ", self.read(mheap + MHEAP_ALLSPANS, 16))
        for pointer, in struct.iter_unpack("<Q", self.read(array, length * 8)):
            (base, npages, freeindex, nelems, _, alloc_bits, mark_bits, generation, alloc_count,
             spanclass, state, elemsize, limit) = MSPAN.unpack(self.read(pointer, MSPAN.size))
            if state != IN_USE:
                continue
            existing = (1 << nelems) - 1
            allocated = (self._bits(alloc_bits, nelems) | ((1 << freeindex) - 1)) & existing
            unswept = (generation - sweepgen) & 0xffffffff in (0xfffffffe, 0xffffffff, 1)
            marked = existing
            if unswept:
                inline = self.minor >= INLINE_MARKS_FROM and 16 <= elemsize <= 512
                marked = self._bits(base + INLINE_MARKS_OFFSET if inline else mark_bits, nelems)
            yield Span(base, npages, nelems, elemsize, spanclass, limit, alloc_count, unswept,
                       allocated, allocated & marked)

    def _bits(self, address: int, count: int) -> int:
        return int.from_bytes(self.read(address, (count + 7) // 8), "little") & ((1 << count) - 1)
