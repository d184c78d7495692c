# SPDX-License-Identifier: Apache-2.0
"""The stacks in a heap dump: which words of which frames the runtime's own stack maps call live.

Mirrors runtime/heapdump.go (dumpgoroutine, dumpframe), Go 1.22 to 1.27.
"""

import struct
from typing import Dict, List, NamedTuple

from lib import heapdump


class StackFrame(NamedTuple):
    """One physical frame; pointers maps the addresses of live words to their values."""

    function: str
    sp: int
    pc: int
    continpc: int
    pointers: Dict[int, int]


class StackDump(heapdump.HeapDump):
    """Frames of each goroutine, by its id, innermost first."""

    def _parse(self) -> None:
        self.frames: Dict[int, List[StackFrame]] = {}
        goid = 0
        while True:
            tag = self._number()
            if tag == heapdump.EOF:
                return
            if tag == heapdump.MEMPROF:
                self._memprof()
            elif tag == heapdump.OBJECT:
                self._number()
                self._skip_bytes()
                self._skip_fields()
            elif tag == heapdump.STACK_FRAME:
                self.frames[goid].append(self._frame())
            else:
                values = self._record(heapdump.SHAPES[tag])
                if tag == heapdump.GOROUTINE:
                    goid = values[2]
                    self.frames[goid] = []

    def _frame(self) -> StackFrame:
        sp, _, _ = self._record("iii")
        length = self._skip_bytes()
        contents = self._data[self._at - length:self._at]
        _, pc, continpc = self._record("iii")
        function = self._text()
        pointers = {}
        while self._number():
            offset = self._number()
            if offset + 8 <= length:  # a map may reach beyond what was dumped
                pointers[sp + offset], = struct.unpack_from("<Q", contents, offset)
        return StackFrame(function, sp, pc, continpc, pointers)
