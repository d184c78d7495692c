# SPDX-License-Identifier: Apache-2.0
"""What DWARF is said to hold equals what the program itself states of its types and variables.

tests/lib/dwarf_dump.c prints it, tests/programs/dwarf states it.
"""

import json
import os
import pathlib
import subprocess
from typing import Any, Dict, Iterator, List, Sequence

import pytest

from conftest import RELEASES
from lib import gocore, programs

DWARF_DUMP = os.environ.get(
    "GOHEAP_DWARF_DUMP", str(programs.ROOT / "build-asan" / "tests" / "unit" / "dwarf_dump"))
SECONDS = 600
ENDS = sorted({RELEASES[0], RELEASES[-1]})
DAMAGES = 500
DAMAGES_SECONDS = 1200
VARIANTS: Dict[str, List[str]] = {
    "plain": [],
    "pie": ["-buildmode=pie"],
    "unoptimised": ["-gcflags=all=-N -l"],
    "uncompressed": ["-ldflags=-compressdwarf=false"],
    "external": ["-ldflags=-linkmode=external"],
    "external-pie": ["-buildmode=pie", "-ldflags=-linkmode=external"],
}
NEEDS_CGO = {"external", "external-pie"}
BUILDS = [(release, variant) for release in RELEASES for variant in VARIANTS]
CLOSURE_OFFSETS_FROM = 23
KIND_NAMES = {2: "base", 17: "array", 18: "pointer", 19: "func", 21: "pointer", 22: "pointer",
              23: "struct", 25: "struct"}
Rows = List[List[str]]


def build(release: str, flags: Sequence[str], exe: pathlib.Path, cgo: bool = False) -> None:
    """Build the program that states its truth."""
    programs.go(release, ["build", *flags, "-o", str(exe), "./dwarf"], cgo=cgo)


def dump(exe: pathlib.Path, requests: Sequence[Sequence[str]]) -> List[Rows]:
    """Return the answer to each request: rows of fields."""
    result = subprocess.run([DWARF_DUMP, str(exe)], text=True, timeout=SECONDS, check=False,
                            input="".join("\t".join(words) + "\n" for words in requests),
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert result.returncode == 0, result.stderr
    answers: List[Rows] = [[]]
    for line in result.stdout.splitlines():
        if line == ".":
            answers.append([])
        else:
            answers[-1].append(line.split("\t"))
    return answers[:-1]


class Subject:
    """An executable and what it states."""

    def __init__(self, release: str, variant: str, exe: pathlib.Path) -> None:
        self.unoptimised = variant == "unoptimised"
        self.minor = int(release.split(".")[1])
        self.exe = exe
        out = subprocess.run([str(exe)], stdout=subprocess.PIPE, timeout=SECONDS, check=True).stdout
        self.facts: Dict[str, Any] = json.loads(out)
        self.symbols = gocore.Symbols(str(exe)).address
        self.moved = self.facts["Anchor"] - self.symbols["main.anchor"]

    def ask(self, *words: str) -> Rows:
        """Return the answer to one request."""
        return dump(self.exe, [words])[0]

    def ask_all(self, requests: Sequence[Sequence[str]]) -> List[Rows]:
        """Return the answers to requests."""
        return dump(self.exe, requests)


@pytest.fixture(scope="module", params=BUILDS, ids=["-".join(b) for b in BUILDS])
def subject(request: pytest.FixtureRequest,
            tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """The program, built in one way by one release."""
    release, variant = request.param
    exe = tmp_path_factory.mktemp("dwarf") / "dwarf"
    build(release, VARIANTS[variant], exe, variant in NEEDS_CGO)
    yield Subject(release, variant, exe)
    exe.unlink()


def test_types(subject: Subject) -> None:
    """Names, kinds, sizes, fields, elements, keys and descriptors are what reflection says."""
    facts = subject.facts["Types"]
    answers = subject.ask_all([("type", fact["VariableName"]) if fact["IsVariable"] else
                               ("struct", fact["Name"]) for fact in facts])
    for fact, rows in zip(facts, answers):
        assert rows, fact["Name"]
        _, name, kind, go_kind, size, elem, key, count, rtype = rows[0]
        assert name == fact["Name"]
        assert (int(go_kind), int(size), kind) == (
            fact["Kind"], fact["Size"], KIND_NAMES[fact["Kind"]]), name
        assert int(rtype, 0) + subject.moved == fact["Rtype"], name
        assert int(count) == fact["Count"], name
        if fact["Kind"] != 25:
            assert (elem, key) == (fact["Elem"], fact["Key"]), name
        fields = [(row[1], int(row[2]), row[4] == "embedded") for row in rows[1:]]
        if fact["Kind"] == 25:
            assert fields == [(f["Name"], f["Offset"], f["Embedded"])
                              for f in fact["Fields"]], name


def test_field_paths(subject: Subject) -> None:
    """Paths lead through fields, and through embedded structs without naming them."""
    node = {f["Name"]: f for fact in subject.facts["Types"] if fact["Name"] == "main.node"
            for f in fact["Fields"]}
    deeper = {f["Name"]: f for fact in subject.facts["Types"] if fact["Name"] == "main.deeper"
              for f in fact["Fields"]}
    expected = {
        "next": (node["next"]["Offset"], 8),
        "anon.b": (node["anon"]["Offset"] + 4, 4),
        "part.N": (node["part"]["Offset"] + 8, 16),
        "deeper.base.name": (8, 16),
        "level": (deeper["level"]["Offset"], 2),
        "name": (8, 16),
        "s.len": (node["s"]["Offset"] + 8, 8),
        "nothing": None,
        "next.next": None,
        "anon.c": None,
        "name.": (8, 16),
        "": None,
    }
    answers = subject.ask_all([("field", "main.node", path) for path in expected])
    found = {path: (int(rows[0][1]), int(rows[0][2])) if rows else None
             for path, rows in zip(expected, answers)}
    assert found == expected
    assert subject.ask("struct", "main.Absent") == []
    assert subject.ask("field", "runtime.mspan", "startAddr")


def test_variables(subject: Subject) -> None:
    """Package variables lie where the symbol table has them, sorted."""
    rows = subject.ask("vars")
    found = {row[1]: int(row[2], 0) for row in rows}
    for name, addr in subject.facts["Variables"].items():
        assert found[name] + subject.moved == addr, name
    addresses = [int(row[2], 0) for row in rows]
    assert addresses == sorted(addresses)
    ours = {name: addr for name, addr in found.items() if name.startswith(("main.", "runtime."))}
    assert len(ours) > 200
    known = {name for name in ours if name in subject.symbols}
    assert len(known) > 0.9 * len(ours)
    assert {name: subject.symbols[name] for name in known} == {name: ours[name] for name in known}


def test_locals(subject: Subject) -> None:
    """Variables in frames lie where the program saw them."""
    facts = subject.facts["Places"]
    answers = subject.ask_all([("locals", str(fact["PC"] - subject.moved)) for fact in facts])
    checked = set()
    for fact, rows in zip(facts, answers):
        pieces = [row for row in rows if row[1] == fact["Name"]]
        if not fact["CFA"]:
            continue
        assert pieces, fact
        assert sum(int(row[4]) for row in pieces) == fact["Size"], fact
        for row in pieces:
            assert int(row[3]) == fact["Addr"] + int(row[5]) - fact["CFA"], fact
        assert (pieces[0][6] == "param") == (fact["Name"] == "args")
        # the block of this one does not hold the places before and after it
        assert (fact["Name"] == "inner") == any(row[1] == "inner" for row in rows)
        checked.add(fact["Name"])
    assert checked >= {"args", "local", "inner", "spread"}


def test_inlined_locals(subject: Subject) -> None:
    """Variables of an inlined function belong to the frame around it."""
    (box,) = [fact for fact in subject.facts["Places"] if fact["Name"] == "box"]
    rows = subject.ask("locals", str(box["PC"] - subject.moved))
    assert "box" in [row[1] for row in rows]
    assert ("local" in [row[1] for row in rows]) == bool(box["CFA"])


def test_captures(subject: Subject) -> None:
    """What a closure captured lies in its object where DWARF says."""
    facts = subject.facts["Captures"]
    entry = facts[0]["Entry"] - subject.moved
    rows = subject.ask("captures", str(entry))
    if subject.minor < CLOSURE_OFFSETS_FROM:
        assert rows == []
        return
    offsets = {row[1]: int(row[2]) for row in rows}
    # the optimiser drops captures that it takes apart, here the string
    assert {"n", "p", "&counter"} <= set(offsets) <= {fact["Name"] for fact in facts}
    assert "s" in offsets or not subject.unoptimised
    for fact in facts:
        if fact["Name"] in offsets:
            assert fact["Words"][offsets[fact["Name"]] // 8] == fact["Value"], fact
    assert subject.ask("captures", str(entry + 1)) == []


def test_no_dwarf(release: str, tmp_path: pathlib.Path) -> None:
    """An executable without DWARF is a fact with a name of its own."""
    exe = tmp_path / "dwarf"
    build(release, ["-ldflags=-w"], exe)
    result = subprocess.run([DWARF_DUMP, str(exe)], text=True, timeout=SECONDS, check=False,
                            input="", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert result.returncode == 3
    assert result.stderr == "missing: %s has no DWARF\n" % exe


@pytest.mark.parametrize("end", ENDS)
def test_damaged(end: str, tmp_path: pathlib.Path) -> None:
    """Whatever bytes the sections hold, each question is answered, within memory and time."""
    exe = tmp_path / "dwarf"
    build(end, VARIANTS["uncompressed"], exe)
    result = subprocess.run([DWARF_DUMP, str(exe), "damage", str(DAMAGES)], text=True,
                            timeout=DAMAGES_SECONDS, check=False, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)
    assert result.returncode == 0, result.stderr
