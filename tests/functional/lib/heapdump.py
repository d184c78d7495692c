# SPDX-License-Identifier: Apache-2.0
"""Parse what runtime/debug.WriteHeapDump writes. Mirrors runtime/heapdump.go, Go 1.22 to 1.27."""

import re
from typing import Dict, List, NamedTuple, Tuple

MAGIC = b"go1.7 heap dump\n"
(EOF, OBJECT, OTHER_ROOT, TYPE, GOROUTINE, STACK_FRAME, PARAMS, FINALIZER, ITAB, OS_THREAD, MEMSTATS,
 QUEUED_FINALIZER, DATA, BSS, DEFER, PANIC, MEMPROF, ALLOC_SAMPLE) = range(18)
MEMSTATS_NAMES = """Alloc TotalAlloc Sys Lookups Mallocs Frees HeapAlloc HeapSys HeapIdle HeapInuse
    HeapReleased HeapObjects StackInuse StackSys MSpanInuse MSpanSys MCacheInuse MCacheSys
    BuckHashSys GCSys OtherSys NextGC LastGC PauseTotalNs""".split()
PAUSES = 256
# A record's shape: i is a number, s counted bytes, f a list of pointer offsets that ends with 0.
SHAPES = {OBJECT: "isf", OTHER_ROOT: "si", TYPE: "iisi", GOROUTINE: "iiiiiiiisiiii",
          STACK_FRAME: "iiisiiisf", PARAMS: "iiiissi", FINALIZER: "iiiii", ITAB: "ii",
          OS_THREAD: "iii", MEMSTATS: "i" * (len(MEMSTATS_NAMES) + PAUSES + 1),
          QUEUED_FINALIZER: "iiiii", DATA: "isf", BSS: "isf", DEFER: "iiiiiii", PANIC: "iiiiii",
          ALLOC_SAMPLE: "ii"}
FIELDS = re.compile(rb"(?:\x01[\x80-\xff]*[\x00-\x7f])*\x00")


class Frame(NamedTuple):
    """One frame of an allocation's stack."""

    function: str
    file: str
    line: int


class HeapDump:
    """Objects, statistics and allocation stacks of one dump."""

    def __init__(self, path: str) -> None:
        with open(path, "rb") as file:
            self._data = file.read()
        if not self._data.startswith(MAGIC):
            raise ValueError("%s is not a heap dump" % path)
        self._at = len(MAGIC)
        self.objects: Dict[int, int] = {}
        self.memstats: Dict[str, int] = {}
        self.samples: Dict[int, int] = {}
        self._stacks: Dict[int, List[Frame]] = {}
        self._parse()
        self._data = b""

    def stack(self, bucket: int) -> List[Frame]:
        """Return the allocation stack of a profile bucket, innermost frame first."""
        return self._stacks.get(bucket, [])

    def _parse(self) -> None:
        while True:
            tag = self._number()
            if tag == EOF:
                return
            if tag == MEMPROF:
                self._memprof()
            elif tag == OBJECT:
                address = self._number()
                self.objects[address] = self._skip_bytes()
                self._skip_fields()
            else:
                values = self._record(SHAPES[tag])
                if tag == MEMSTATS:
                    self.memstats = dict(zip(MEMSTATS_NAMES, values))
                    self.memstats["NumGC"] = values[-1]
                elif tag == ALLOC_SAMPLE:
                    self.samples[values[0]] = values[1]

    def _record(self, shape: str) -> Tuple[int, ...]:
        values = []
        for kind in shape:
            if kind == "i":
                values.append(self._number())
            elif kind == "s":
                values.append(self._skip_bytes())
            else:
                self._skip_fields()
        return tuple(values)

    def _memprof(self) -> None:
        bucket, _, depth = self._record("iii")
        frames = [Frame(self._text(), self._text(), self._number()) for _ in range(depth)]
        self._stacks[bucket] = frames
        self._record("ii")

    def _number(self) -> int:
        value = shift = 0
        while True:
            byte = self._data[self._at]
            self._at += 1
            value |= (byte & 0x7f) << shift
            if byte < 0x80:
                return value
            shift += 7

    def _skip_bytes(self) -> int:
        length = self._number()
        self._at += length
        return length

    def _text(self) -> str:
        length = self._skip_bytes()
        return self._data[self._at - length:self._at].decode("utf-8", "replace")

    def _skip_fields(self) -> None:
        match = FIELDS.match(self._data, self._at)
        if match is None:
            raise ValueError("damaged heap dump at offset %d" % self._at)
        self._at = match.end()
