# SPDX-License-Identifier: Apache-2.0
"""Derive again, link by link, what `obj --why-type` says: from the words in the core and the type
descriptors in the executable. Independent of goheap.

Mirrors internal/abi/type.go, runtime/map.go (up to Go 1.23), internal/runtime/maps (from 1.24) and
runtime/chan.go on amd64.
"""

import re
import struct
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from lib import gocore

ARRAY, CHAN, FUNC, INTERFACE, MAP, POINTER, SLICE, STRING, STRUCT = 17, 18, 19, 20, 21, 22, 23, 24, 25
TYPE_BYTES = 48
EXTRA_STAR = 2
FLAG_INDIR = 1 << 7  # reflect/value.go
KIND_MASK = 31
MAX_DEPTH = 32
MAX_LINKS = 100  # longer chains are cut there
# What the standard library allocates and hands out as something else, from Go 1.23 on.
CONVERTED = {"time.Timer": "runtime.timeTimer", "time.Ticker": "runtime.timeTimer"}


class Value(NamedTuple):
    """What lies at an address: so many values of a kind.

    :param kind: "type", "map", "directory", "table", "extra", "overflow", "overflows", "groups",
        "chan", "string", "closure"
    :param rtype: its descriptor; of a map's part that of the map, of a channel its element's
    :param many: an array of them
    """

    kind: str
    rtype: int
    many: bool = False


def plain(name: str) -> str:
    """Return a type's name as descriptors have it: packages without their paths."""
    return re.sub(r"(?:[\w.~%\-]+/)+", "", name).replace("interface {}", "any")


class Reader:
    """The core of a program and the descriptors of its types."""

    def __init__(self, core: gocore.Core, exe: str) -> None:
        self.core = core
        self.swiss = core.minor >= 24
        with open(exe, "rb") as file:
            self._exe = file.read()
        self._loads: List[Tuple[int, int, int]] = []
        phoff, = struct.unpack_from("<Q", self._exe, 32)
        phentsize, phnum = struct.unpack_from("<HH", self._exe, 54)
        for i in range(phnum):
            kind, _, offset, vaddr, _, filesz, _, _ = struct.unpack_from(
                "<IIQQQQQQ", self._exe, phoff + i * phentsize)
            if kind == gocore.PT_LOAD:
                self._loads.append((vaddr + core.bias, offset, filesz))
        self._types, self._etypes = core.symbol("runtime.types"), core.symbol("runtime.etypes")
        self._region = self.read(self._types, self._etypes - self._types)
        self._names: Dict[int, str] = {}
        self._by_name: Optional[Dict[str, List[int]]] = None

    def read(self, address: int, size: int) -> bytes:
        """Bytes of memory: the core's, else the executable's."""
        try:
            return self.core.read(address, size)
        except LookupError:
            for vaddr, offset, filesz in self._loads:
                if vaddr <= address and address + size <= vaddr + filesz:
                    return self._exe[offset + address - vaddr:][:size]
            raise

    def word(self, address: int) -> int:
        """A word of memory."""
        return struct.unpack("<Q", self.read(address, 8))[0]

    # -- descriptors --

    def kind(self, rtype: int) -> int:
        return self.read(rtype + 23, 1)[0] & KIND_MASK

    def elem(self, rtype: int) -> int:
        """The element of an array, a channel, a pointer, a slice."""
        return self.word(rtype + TYPE_BYTES)

    def size(self, rtype: int) -> int:
        return self.word(rtype)

    def fields(self, rtype: int) -> Iterator[Tuple[int, int]]:
        """Type and offset of a struct's fields."""
        first, count = struct.unpack("<QQ", self.read(rtype + 56, 16))
        for i in range(min(count, 1 << 16)):
            _, kind, offset = struct.unpack("<QQQ", self.read(first + i * 24, 24))
            yield kind, offset

    def name(self, rtype: int) -> str:
        """The descriptor's own text; "" for a type made by reflect."""
        if rtype not in self._names:
            text = ""
            if self._types <= rtype < self._etypes:
                region = self._region
                offset, = struct.unpack_from("<i", region, rtype - self._types + 40)
                length, shift = 0, 0
                while True:
                    offset += 1
                    length |= (region[offset] & 127) << shift
                    shift += 7
                    if region[offset] < 128:
                        break
                text = region[offset + 1:offset + 1 + length].decode()
                if region[rtype - self._types + 20] & EXTRA_STAR:
                    text = text[1:]
            self._names[rtype] = plain(text)
        return self._names[rtype]

    def named(self, name: str) -> List[int]:
        """All descriptors of that name."""
        if self._by_name is None:
            self._by_name = {}
            for at in range(0, len(self._region) - TYPE_BYTES, 8):
                size, pointers, digest, _, align, field_align, kind = struct.unpack_from(
                    "<QQIBBBB", self._region, at)
                text, = struct.unpack_from("<i", self._region, at + 40)
                if (pointers > size or size > 1 << 40 or not digest or not 0 < kind & 31 <= 26
                        or align not in (1, 2, 4, 8) or field_align not in (1, 2, 4, 8)
                        or not 0 < text < self._etypes - self._types):
                    continue
                try:
                    found = self.name(self._types + at)
                except (LookupError, UnicodeDecodeError):
                    continue
                self._by_name.setdefault(found, []).append(self._types + at)
        return self._by_name.get(plain(name), [])

    # -- values --

    def title(self, value: Value) -> str:
        """What goheap calls it, packages without their paths."""
        name = self.name(value.rtype) if value.rtype else ""
        if value.kind == "type":
            name = CONVERTED.get(name, name) if self.core.minor >= 23 else name
        elif value.kind in ("string", "closure"):
            return value.kind
        elif value.kind == "chan":
            return "chan " + name
        elif value.kind == "buffer":
            return "chan %s buffer" % name
        elif value.kind == "extra":
            return "runtime.mapextra"
        elif value.kind in ("overflow", "overflows"):
            return "[]*runtime.bmap"
        elif value.kind != "map":
            word = {"groups": "groups" if self.swiss else "buckets", "table": "tables",
                    "directory": "directory"}[value.kind]
            return "%s %s" % (name, word)
        return "[]" + name if value.many else name

    def called(self, title: str) -> List[Value]:
        """What a name may stand for."""
        if title == "string":
            return [Value("string", 0)]
        for end, kind in ((" groups", "groups"), (" buckets", "groups"), (" tables", "table"),
                          (" directory", "directory")):
            if title.startswith("map[") and title.endswith(end):
                return [Value(kind, rtype) for rtype in self.named(title[:-len(end)])]
        if title.startswith("chan ") and title.endswith(" buffer"):
            return [Value("buffer", rtype) for rtype in self.named(title[5:-7])]
        if title.startswith("chan ") and not title.endswith(" buffer"):
            return [Value("chan", rtype) for rtype in self.named(title[5:])]
        found = [Value("map" if self.kind(rtype) == MAP else "type", rtype)
                 for rtype in self.named(title)]
        if title.startswith("[]"):
            found += [Value("type", rtype, True) for rtype in self.named(title[2:])]
        return found

    def dynamic(self, rtype: int) -> Optional[Value]:
        """What the data word of an interface of that dynamic type leads to."""
        kind = self.kind(rtype)
        if kind in (POINTER, MAP, CHAN, FUNC, 26):
            return self._pointee(rtype, 0, None)
        if kind == STRUCT and self.size(rtype) == 8 and self.word(rtype + 8) == 8:
            fields = [field for field in self.fields(rtype) if self.size(field[0])]
            if len(fields) == 1 and self.kind(fields[0][0]) in (POINTER, MAP, CHAN, FUNC, 26,
                                                                 STRUCT, ARRAY):
                return self.dynamic(fields[0][0])
        if kind == ARRAY and self.size(rtype) == 8 and self.kind(self.elem(rtype)) in (
                POINTER, MAP, CHAN, FUNC, 26):
            return self.dynamic(self.elem(rtype))
        return Value("type", rtype)

    def _pointee(self, rtype: int, at: int, word: Optional[int]) -> Optional[Value]:
        """What a word leads to that is the whole or a part of a leaf of a type.

        :param at: where in the leaf
        :param word: its address; None: an interface's data word
        """
        kind = self.kind(rtype)
        if kind == POINTER:
            return Value("type", self.elem(rtype))
        if kind == MAP:
            return Value("map", rtype)
        if kind == CHAN:
            return Value("chan", self.elem(rtype))
        if kind == FUNC:
            return Value("closure", 0)
        if kind == STRING and at == 0:
            return Value("string", 0)
        if kind == SLICE and at == 0:
            return Value("type", self.elem(rtype), True)
        if kind == INTERFACE and at == 8 and word:
            first = self.word(word - 8)
            has_methods = self.word(rtype + 64) > 0
            return self.dynamic(self.word(first + 8) if has_methods else first)
        return None

    def _leaf(self, rtype: int, offset: int, word: int, depth: int = 0) -> Optional[Value]:
        kind = self.kind(rtype)
        if depth > MAX_DEPTH:
            return None
        if kind == ARRAY:
            return self._leaf(self.elem(rtype), offset % max(self.size(self.elem(rtype)), 1), word,
                              depth + 1)
        if kind == STRUCT and self.name(rtype).startswith("atomic.Pointer["):
            first, _ = next(self.fields(rtype))  # _ [0]*T, then v unsafe.Pointer
            return Value("type", self.elem(self.elem(first)))
        if kind == STRUCT and self.name(rtype) in ("reflect.Value", "reflectlite.Value"):
            if offset != 8:
                return None
            dynamic = self.word(word - 8)
            is_indirect = self.word(word + 8) & FLAG_INDIR
            return Value("type", dynamic) if is_indirect else self.dynamic(dynamic)
        if kind == STRUCT and self.name(rtype) == "sync.eface":  # two words of unsafe.Pointer
            return self.dynamic(self.word(word - 8)) if offset == 8 else None
        if kind == STRUCT:
            for field, start in self.fields(rtype):
                if start <= offset < start + self.size(field):
                    return self._leaf(field, offset - start, word, depth + 1)
            return None
        return self._pointee(rtype, offset, word)

    def holds(self, rtype: int, offset: int, part: int) -> bool:
        """Does a value of the type have one of `part`, or an element of it, at the offset?"""
        if not rtype or not part:  # text
            return True
        for _ in range(MAX_DEPTH):
            if rtype == part and offset == 0:
                return True
            kind = self.kind(rtype)
            if kind == ARRAY:
                rtype = self.elem(rtype)
                offset %= max(self.size(rtype), 1)
            elif kind == STRUCT:
                inner = [(field, start) for field, start in self.fields(rtype)
                         if start <= offset < start + self.size(field)]
                if not inner:
                    return False
                rtype, offset = inner[-1][0], offset - inner[-1][1]
            else:
                return False
        return False

    def behind(self, value: Value, offset: int, word: int) -> Optional[Value]:
        """What the word at an offset of a value leads to; None: nothing that this reader knows."""
        kind, rtype = value.kind, value.rtype
        if kind == "type":
            if value.many or offset >= self.size(rtype):
                offset %= max(self.size(rtype), 1)
            return self._leaf(rtype, offset, word)
        if kind == "chan" and offset == 16:
            return Value("buffer", rtype)
        if kind == "buffer":
            return self._leaf(rtype, offset % max(self.size(rtype), 1), word)
        if kind == "map" and self.swiss and offset == 16:
            return Value("directory" if self.word(word + 8) else "groups", rtype)
        if kind == "map" and not self.swiss:
            return {16: Value("groups", rtype), 24: Value("groups", rtype),
                    40: Value("extra", rtype)}.get(offset)
        if kind == "directory":
            return Value("table", rtype)
        if kind == "table" and offset == 16:
            return Value("groups", rtype)
        if kind == "extra":
            return Value("groups" if offset == 16 else "overflow", rtype)
        if kind == "overflow":
            return Value("overflows", rtype)
        if kind == "overflows":
            return Value("groups", rtype)
        if kind == "groups":
            group = self.word(rtype + 64)
            size = self.size(group)
            if not self.swiss and offset % size == size - 8:
                return Value("groups", rtype)
            return self._leaf(group, offset % size, word)
        return None


class Outcome(NamedTuple):
    """What became of the links of the chains.

    :param derived: links that came out as goheap says
    :param trusted: links that this reader has no way to derive
    :param wrong: a sentence each
    """

    derived: int
    trusted: int
    wrong: List[str]


def _number(text: Optional[str]) -> int:
    return int(text, 16) if text else 0


def _header_value(reader: Reader, row: dict) -> List[Value]:
    """What the header of an object says."""
    rtype = reader.word(_number(row["word"]))
    if not reader.name(rtype):
        return []
    return [Value("type", rtype, row["type"].startswith("[]"))]


def _link(reader: Reader, row: dict, holders: Optional[List[Value]], start: int,
          wrong: List[str]) -> Optional[List[Value]]:
    """What the object of `row` is, by the word that leads to it; None: cannot be derived.

    :param holders: what the word's object may be, from `start` on; None: the word is a root
    """
    word, address = _number(row["word"]), _number(row["address"])
    if word:
        value = reader.word(word)
        if reader.core.slot_of(value) != address:
            wrong.append("%s: its word leads to 0x%x" % (row, value))
            return None
    if holders is None:  # a root, of which the executable's DWARF knows the type
        return reader.called(row["claims"]) if row["claims"] else None
    if not row["claims"] and row["fact"] != "func":
        return None
    if row["fact"] == "func":
        pc = reader.word(_data(reader, address))
        name = "func " + reader.core.function(pc).replace("%2e", ".")
        if plain(name) != plain(row["type"]):
            wrong.append("%s: its code is %s" % (row, name))
        return None
    found = [value for value in (reader.behind(held, word - start, word) for held in holders) if value]
    if not found:
        return None
    right = [value for value in found if reader.title(value) == plain(row["claims"])]
    if not right and all(reader.name(value.rtype) for value in found if value.rtype):
        wrong.append("%s: claims %s" % (row, [reader.title(value) for value in found]))
    return right or None


def _data(reader: Reader, address: int) -> int:
    """Where the data of an object begins: behind its header, if it has one."""
    span = reader.core.span_of(address)
    has_header = (span and span.elemsize > 512 and span.spanclass >> 1
                  and not span.spanclass & 1)
    return address + 8 if has_header else address


def check(core: gocore.Core, exe: str, rows: List[dict]) -> Outcome:
    """Derive all chains.

    :param rows: of the table `facts`, with --json
    """
    reader = Reader(core, exe)
    chains: Dict[str, List[dict]] = {}
    for row in rows:
        chains.setdefault(row["object"], []).append(row)
    derived = trusted = 0
    wrong: List[str] = []
    for chain in chains.values():
        values: Optional[List[Value]] = None
        start = 0
        if len({(row["address"], row["word"]) for row in chain}) < len(chain):
            wrong.append("%s: goes in a circle" % chain[0])
        for i in range(len(chain) - 1, -1, -1):
            row = chain[i]
            if row["fact"] == "none":
                wrong.append("%s: no fact" % row)
            if row["fact"] == "timer" and not 0 < reader.word(_number(row["word"])) - _number(
                    row["address"]) <= 16:
                wrong.append("%s: the timer heap lists another" % row)
            if row["fact"] in ("span", "special", "timer"):
                values = reader.called(row["claims"] or row["type"])
                start = _data(reader, _number(row["address"]))
                trusted += 1
                continue
            before = len(wrong)
            if row["fact"] == "header":
                values = _header_value(reader, row)
                if values and not any(plain(reader.title(value)) in plain(row["type"])
                                      or " " in row["type"] for value in values):
                    wrong.append("%s: its header says %s" % (row, values))
            else:
                is_root = i == len(chain) - 1 and len(chain) < MAX_LINKS
                values = _link(reader, row, None if is_root else values or [], start, wrong)
            start = _data(reader, _number(row["address"]))
            if values and re.match(r"(sync|concurrent|unique)\.node\[", reader.title(values[0])):
                part = "entry" if reader.read(start, 1)[0] else "indirect"
                if ".%s[" % part not in row["type"]:
                    wrong.append("%s: it is an %s" % (row, part))
                values = reader.called(row["type"])
            if values or row["fact"] == "func":
                derived += len(wrong) == before
            else:
                trusted += 1
            if values and row["fact"] != "header" and row["word"]:
                at = reader.word(_number(row["word"]))
                if at != start and not row["type"].startswith(
                        ("unknown", "tiny", "user arena")):
                    whole = [value for value in reader.called(row["type"]) if any(
                        reader.holds(value.rtype, at - start, part.rtype)
                        or value.many and value.rtype == part.rtype for part in values)]
                    if not whole:
                        wrong.append("%s: has no such part" % row)
                    values = whole
                else:
                    start = at
            elif not values:
                values = reader.called(row["type"])
    return Outcome(derived, trusted, wrong)
