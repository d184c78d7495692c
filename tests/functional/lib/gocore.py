# SPDX-License-Identifier: Apache-2.0
"""Read spans, profile stacks and globals of a Go program out of its core, independently of goheap.

Knows ELF, and the offsets in layouts/. Mirrors runtime/mheap.go, mprof.go and
mgcmark_greenteagc.go, Go 1.22 to 1.27 on amd64.
"""

import bisect
import json
import mmap
import pathlib
import re
import struct
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

PAGE = 8192
IN_USE = 1
INLINE_MARKS_FROM = 26  # Go 1.26: marks of spans of 16 to 512 bytes lie in the span itself
INLINE_MARKS_OFFSET = PAGE - 64
TINY_SPAN_CLASS = 2 << 1 | 1  # slots of 16 bytes without pointers
MAX_STACK = 1024  # frames of an allocation; more means that we read nonsense
MAX_SPECIALS = 16  # special records of an object
SHT_SYMTAB, PT_LOAD, PT_NOTE, NT_AUXV, AT_ENTRY = 2, 1, 4, 6, 9
STT_FUNC = 2


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
        functions = []
        for _, kind, _, _, offset, size, link, _, _, _ in sections:
            if kind != SHT_SYMTAB:
                continue
            strings = sections[link][4]
            for name, info, _, _, value, _ in struct.iter_unpack("<IBBHQQ",
                                                                 data[offset:offset + size]):
                end = data.index(b"\0", strings + name)
                text = re.sub(r"\.abi(0|internal)$", "", data[strings + name:end].decode())
                self.address[text] = value
                if info & 15 == STT_FUNC:
                    functions.append((value, text))
        functions.sort()
        self._starts = [start for start, _ in functions]
        self._names = [name for _, name in functions]

    def function(self, pc: int) -> str:
        """Return the name of the function whose code holds pc, "" before the first."""
        i = bisect.bisect_right(self._starts, pc) - 1
        return self._names[i] if i >= 0 else ""


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
    specials: int   # address of the first special record

    def slots(self, bits: int) -> Iterator[int]:
        """Addresses of the slots whose bits are set."""
        while bits:
            low = bits & -bits
            yield self.base + (low.bit_length() - 1) * self.elemsize
            bits ^= low


class Core:
    """A core file of a Go program, with the symbols of its executable.

    :param release: such as "go1.27.4"
    """

    def __init__(self, core: str, exe: str, release: str) -> None:
        self.minor = int(release.split(".")[1])
        layouts = pathlib.Path(__file__).parent / "layouts" / ("go1.%d.json" % self.minor)
        self._layouts = json.loads(layouts.read_text())
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
        self.bias = entry - self._symbols.entry
        self.spans = sorted(self._read_spans())
        self._bases = [span.base for span in self.spans]
        self._profiled: Optional[Dict[int, List[int]]] = None

    def close(self) -> None:
        """Give the file back."""
        self._data.close()
        self._file.close()

    def offset_in_file(self, address: int) -> int:
        """Return where in the core file an address of the process lies.

        :raises LookupError: it is not in the core
        """
        i = bisect.bisect_right(self._starts, address) - 1
        if i < 0 or address >= self._starts[i] + self._loads[i][2]:
            raise LookupError("no memory at %#x in the core" % address)
        return self._loads[i][1] + address - self._starts[i]

    def read(self, address: int, size: int) -> bytes:
        """Return memory of the process.

        :raises LookupError: the range is not in one segment of the core
        """
        offset = self.offset_in_file(address)
        if size:
            self.offset_in_file(address + size - 1)
        return self._data[offset:offset + size]

    def word(self, address: int) -> int:
        """Return the 64-bit word at an address."""
        return struct.unpack("<Q", self.read(address, 8))[0]

    def field(self, address: int, type_name: str, field: str) -> int:
        """Return an unsigned field of a structure of the runtime."""
        offset, size = self._layouts[type_name][field]
        return int.from_bytes(self.read(address + offset, size), "little")

    def place(self, type_name: str, field: str) -> Tuple[int, int]:
        """Return offset and size of a field of the runtime's."""
        offset, size = self._layouts[type_name][field]
        return offset, size

    def function(self, pc: int) -> str:
        """Return the name of the function whose code holds pc."""
        return self._symbols.function(pc - self.bias)

    def symbol(self, name: str) -> int:
        """Return the address of a symbol in the process.

        :raises KeyError: the executable has no such symbol
        """
        return self._symbols.address[name] + self.bias

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

    def is_tiny_block(self, address: int) -> bool:
        """Tell whether a slot may hold several values of the tiny allocator."""
        span = self.span_of(address)
        return span is not None and span.spanclass == TINY_SPAN_CLASS

    def allocated(self) -> Dict[int, int]:
        """Return address and bytes of every allocated slot, garbage included."""
        return {slot: span.elemsize for span in self.spans for slot in span.slots(span.allocated)}

    def known(self) -> Dict[int, int]:
        """Return the same without what the last mark found dead."""
        return {slot: span.elemsize for span in self.spans for slot in span.slots(span.known)}

    def allocation_stacks(self, address: int) -> List[List[str]]:
        """Return the functions that allocated the slot an address lies in, innermost first.

        Of a tiny block the profiler sees little more than the first value. Physical frames: what
        was inlined counts as its caller. Empty for a slot that the profiler did not see; with MemProfileRate=1 it sees
        all but those from before main.
        """
        if self._profiled is None:
            self._profiled = self._read_profile()
        return [self._stack(bucket)
                for bucket in self._profiled.get(self.slot_of(address) or 0, [])]

    def allocation_stack(self, address: int) -> List[str]:
        """Return the stack of the first value in a slot."""
        stacks = self.allocation_stacks(address)
        return stacks[0] if stacks else []

    def memstats(self, symbol: str) -> Dict[str, object]:
        """Return a global runtime.MemStats: name -> int, float, bool, or list of ints.

        BySize is a list of (Size, Mallocs, Frees).
        """
        address = self.symbol(symbol)
        values: Dict[str, object] = {}
        for name, place in self._layouts["runtime.MemStats"].items():
            if name == "sizeof":
                continue
            offset, size = place
            data = self.read(address + offset, size)
            if name == "GCCPUFraction":
                values[name], = struct.unpack("<d", data)
            elif name in ("EnableGC", "DebugGC"):
                values[name] = data != b"\0"
            elif name == "BySize":
                values[name] = list(struct.iter_unpack("<I4xQQ", data))
            elif size > 8:
                values[name] = [word for word, in struct.iter_unpack("<Q", data)]
            else:
                values[name] = int.from_bytes(data, "little")
        return values

    def heap_sizes(self) -> Dict[str, int]:
        """Return the sizes of the heap now, by their names in runtime.MemStats."""
        controller = self.symbol("runtime.gcController")
        in_use, free, released = (self.field(controller, "runtime.gcControllerState", name)
                                  for name in ("heapInUse", "heapFree", "heapReleased"))
        return {"HeapInuse": in_use, "HeapIdle": free + released, "HeapReleased": released}

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
        sweepgen = self.field(mheap, "runtime.mheap", "sweepgen")
        array, length = struct.unpack(
            "<QQ", self.read(mheap + self._layouts["runtime.mheap"]["allspans"][0], 16))
        for pointer, in struct.iter_unpack("<Q", self.read(array, length * 8)):
            if self.field(pointer, "runtime.mspan", "state") == IN_USE:
                yield self._read_span(pointer, sweepgen)

    def _read_span(self, pointer: int, sweepgen: int) -> Span:
        layout = self._layouts["runtime.mspan"]
        data = self.read(pointer, layout["sizeof"])

        def get(name: str) -> int:
            offset, size = layout[name]
            return int.from_bytes(data[offset:offset + size], "little")

        base, nelems, elemsize = get("startAddr"), get("nelems"), get("elemsize")
        existing = (1 << nelems) - 1
        allocated = self._bits(get("allocBits"), nelems) | ((1 << get("freeindex")) - 1)
        allocated &= existing
        # 2 behind: needs sweeping; 1 behind: is being swept; 1 ahead: cached before the sweep began
        unswept = (get("sweepgen") - sweepgen) & 0xffffffff in (0xfffffffe, 0xffffffff, 1)
        marked = existing
        if unswept:
            inline = self.minor >= INLINE_MARKS_FROM and 16 <= elemsize <= 512
            marked = self._bits(base + INLINE_MARKS_OFFSET if inline else get("gcmarkBits"), nelems)
        return Span(base, get("npages"), nelems, elemsize, get("spanclass"), get("limit"),
                    get("allocCount"), unswept, allocated, allocated & marked, get("specials"))

    def _stack(self, bucket: int) -> List[str]:
        depth = self.field(bucket, "runtime.bucket", "nstk")
        if depth > MAX_STACK:
            raise ValueError("a stack of %d frames" % depth)
        pcs = self.read(bucket + self._layouts["runtime.bucket"]["sizeof"], depth * 8)
        # A pc is a return address: the call lies before it.
        return [self._symbols.function(pc - 1 - self.bias)
                for pc, in struct.iter_unpack("<Q", pcs)]

    def _read_profile(self) -> Dict[int, List[int]]:
        """Return slot -> profile buckets of every sampled object."""
        wanted = self._layouts["runtime._KindSpecialProfile"]
        layout = self._layouts["runtime.special"]
        size = self._layouts["runtime.specialprofile"]["sizeof"]
        bucket, _ = self._layouts["runtime.specialprofile"]["b"]
        (next_at, _), (kind_at, _) = layout["next"], layout["kind"]
        offset_at, offset_size = layout["offset"]
        found: Dict[int, List[int]] = {}
        for span in self.spans:
            special, seen = span.specials, 0
            while special and seen <= MAX_SPECIALS * span.nelems:
                seen += 1
                data = self.read(special, size)
                if data[kind_at] == wanted:
                    offset = int.from_bytes(data[offset_at:offset_at + offset_size], "little")
                    # The record is of the value, which lies behind a type header or in a tiny block.
                    slot = span.base + offset // span.elemsize * span.elemsize
                    found.setdefault(slot, []).append(struct.unpack_from("<Q", data, bucket)[0])
                special, = struct.unpack_from("<Q", data, next_at)
        return found

    def _bits(self, address: int, count: int) -> int:
        return int.from_bytes(self.read(address, (count + 7) // 8), "little") & ((1 << count) - 1)
