# SPDX-License-Identifier: Apache-2.0
"""Who holds what: dominators and retained sizes against ways that cannot go wrong in the same manner.

tests/lib/dominance.c finds them anew, slowly, and by removal; tests/programs/owners states who has
what, down to the object.
"""

import collections
import json
import os
import pathlib
import re
import subprocess
from typing import Dict, FrozenSet, Iterable, List, NamedTuple, Set, Tuple

import pytest

from lib import case, gdb, goheap, programs, simple
from test_faces import INTERRUPT as INTERRUPT_GDB
from test_prompt import CTRL_C, ENTER, Terminal

DOMINANCE = os.environ.get(
    "GOHEAP_DOMINANCE", str(programs.ROOT / "build-asan" / "tests" / "unit" / "dominance"))
SAMPLES, FULL_SAMPLES = 30, 1000
MAX_VERTICES = 200_000
# What the runtime allocates on behalf of whoever waits, defers or starts a goroutine describes that.
DYING = {"goroutine 1"}
OURS = ("main.", "timer main.", "defer main.")
RECORDS = {"runtime.acquireSudog", "runtime.newdefer", "runtime.malg", "runtime.allgadd",
           *case.OUTGROWN}
AT_LEAST = {"cleanups"}  # package unique has some of its own


def dominance(core: pathlib.Path, exe: pathlib.Path, samples: int, *more: str) -> dict:
    """Return what the comparison counted."""
    result = subprocess.run([DOMINANCE, str(core), str(exe), str(samples), *more],
                            capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0 and not result.stderr, result.stderr
    return json.loads(result.stdout)


def test_dominators_of_every_core(missing: case.Case, pytestconfig: pytest.Config) -> None:
    samples = FULL_SAMPLES if pytestconfig.getoption("--full") else SAMPLES
    found = dominance(missing.death.core, missing.death.exe, samples)
    assert found["vertices"] < MAX_VERTICES
    wrong = {name: found[name] for name in ("wrong_idom", "wrong_retained", "wrong_removed",
                                            "unreached", "orphan_bytes") if found[name]}
    assert not wrong, found
    assert found["removed"] >= min(samples, found["vertices"] // 2)
    assert found["sum"] == found["retained"] == found["live_bytes"]
    assert found["live_bytes"] == sum(
        row["bytes"] for row in goheap.rows(missing.documents["objects"], "objects"))


@pytest.mark.parametrize("planted,seen", [("idom", "wrong_idom"), ("retained", "wrong_retained"),
                                          ("edge", "unreached")])
def test_an_error_is_found(workshop: programs.Workshop, planted: str, seen: str) -> None:
    death = workshop.run(programs.Build("trees", programs.RELEASES[-1], "plain"), "missing")
    found = dominance(death.core, death.exe, 0, "--plant", planted)
    assert found[seen] == 1 and (found["wrong_retained"] == 0) == (planted == "idom"), found


class Held(NamedTuple):
    """What one owner, or some owners together, have."""

    bytes: int
    count: int


class Truth:
    """What the program stated, in goheap's names of owners.

    :param of: a core of tests/programs/owners
    """

    def __init__(self, of: case.Case) -> None:
        self._of = of
        self._live = {int(row["address"], 16) for row in
                      goheap.rows(of.documents["objects"], "objects")}
        self._goroutines: Dict[str, List[str]] = {}
        for goid, goroutine in of.goroutines.items():
            for function in {frame.function for frame in goroutine.frames}:
                self._goroutines.setdefault(function, []).append("goroutine %d" % goid)
        self.slots = self._slots()
        # alone: name without the number -> what each of that name has
        self.alone: Dict[str, List[Held]] = {}
        self.shared: Dict[FrozenSet[str], Held] = {}
        for holder, slots in self.slots.items():
            held = Held(sum(of.allocated[slot] for slot in slots), len(slots))
            names = [self._name(part) for part in holder.split(" & ")]
            if len(names) == 1:
                self.alone.setdefault(names[0], []).append(held)
            else:
                self.shared[frozenset(names)] = held

    def _slots(self) -> Dict[str, Set[int]]:
        """Return the slots of each holder; those of functions are what nothing else is said of."""
        found: Dict[str, Set[int]] = {}
        stated: Set[int] = set()
        for one in self._of.statement["holders"]:
            if not one["function"]:
                slot = self._of.core.slot_of(int(one["address"], 16))
                assert slot is not None, one
                found.setdefault(one["holder"], set()).add(slot)
                stated.add(slot)
        makers = {one["function"]: [] for one in self._of.statement["holders"] if one["function"]}
        for one in self._of.statement["holders"]:
            if one["function"]:
                makers[one["function"]].append(one["holder"])
        for slot in self._of.allocated:
            if slot in stated or slot in self._of.planted:
                continue
            stack = self._of.core.allocation_stack(slot)
            if not RECORDS.isdisjoint(stack):
                continue
            for function in makers.keys() & set(stack):
                for holder in makers[function]:
                    found.setdefault(holder, set()).add(slot)
        return found

    def _name(self, holder: str) -> str:
        kind, _, rest = holder.partition(" ")
        name = rest.partition("#")[0]
        if kind == "go":
            known = self._goroutines.get(name, [])
            assert len(known) == 1, (holder, known)
            return known[0]
        return kind + " " + name if kind in ("timer", "defer") else holder


def rows_by_name(document: dict) -> Dict[str, List[dict]]:
    """Return the rows of owners by name: defers without their goroutine, contexts without details."""
    found: Dict[str, List[dict]] = collections.defaultdict(list)
    for row in goheap.rows(document, "groups"):
        found[short(row["owner"])].append(row)
    return found


def short(name: str) -> str:
    for prefix in ("timer context.", "defer main.deferInRange"):
        if name.startswith(prefix):
            return prefix + "*"
    return name.partition(" of goroutine")[0] if name.startswith("defer ") else name


def shared_rows(document: dict) -> Dict[FrozenSet[str], Held]:
    """Return what the same owners share, all rows of it.

    The goroutine that dies takes no part: it was running, and words that it has left anywhere count.
    """
    found: Dict[FrozenSet[str], Held] = {}
    for row in goheap.rows(document, "shared"):
        names = frozenset(short(name) for name in row["owners"].replace(" and ", ", ").split(", ")) - DYING
        before = found.get(names, Held(0, 0))
        found[names] = Held(before.bytes + row["bytes"], before.count + row["count"])
    return found


def told(name: str, rows: List[dict], shared: Dict[FrozenSet[str], Held],
         document: dict) -> List[Held]:
    """Return what rows of one name say without the records that describe the owners themselves.

    A goroutine's defers count in it, with their records; and what it has but for the dying one.
    """
    stray = stray_of(name, shared)
    inside = sum(row["shallow"] for row in goheap.rows(document, "groups")
                 if row["owner"].endswith(" of " + name))
    found = [Held(row["retained"] - row["shallow"] - inside, row["count"]) for row in rows]
    return sorted(found) if not stray.count else [summed([*found, stray])]


def stray_of(name: str, shared: Dict[FrozenSet[str], Held]) -> Held:
    """Return what owners of that name share with the goroutine that dies alone."""
    return shared.get(frozenset([name]), Held(0, 0))


def summed(held: List[Held]) -> Held:
    """Return all together: nothing tells whose of several owners of one name is shared."""
    return Held(sum(one.bytes for one in held), sum(one.count for one in held))


def differs(name: str, found: List[Held], held: List[Held], described: bool) -> bool:
    """Tell whether bytes differ, or objects where there are no records among them."""
    if name in AT_LEAST:
        return found < held
    if described:
        return [one.bytes for one in found] != [one.bytes for one in held]
    return found != held


def compare(of: case.Case) -> None:
    """Each owner has what the program says, nobody has anything else of the program's."""
    truth = Truth(of)
    document = goheap.ask(of.death.core, of.death.exe, "retained")["retained"]
    assert not goheap.failed_checks(document)
    rows, shared = rows_by_name(document), shared_rows(document)
    wrong = []
    for name in truth.alone.keys() | {name for name in rows if name.startswith(OURS)}:
        held, found = sorted(truth.alone.get(name, [])), told(name, rows[name], shared, document)
        if stray_of(name, shared).count and held:
            held = [summed(held)]
        if differs(name, found, held, any(row["shallow"] for row in rows[name])):
            wrong.append("%s: %s, not %s" % (name, found, held))
    for names in truth.shared.keys() | {names for names in shared
                                        if len(names) > 1
                                        and any(name.startswith(OURS) for name in names)}:
        if shared.get(names) != truth.shared.get(names):
            wrong.append("%s: %s, not %s" % (" & ".join(sorted(names)), shared.get(names),
                                             truth.shared.get(names)))
    assert not wrong, "\n".join(wrong)
    assert len(truth.alone) > 40 and len(truth.shared) > 10


def test_owners_have_what_the_program_says(missing: case.Case) -> None:
    if missing.build.program == "owners":
        compare(missing)


def test_garbage_has_nobody(garbage: case.Case) -> None:
    """Garbage that leads to what owners have takes no part in it, and is in no total."""
    if garbage.build.program == "owners":
        compare(garbage)


SMALL = ("types", "holdings", "closures", "interfaces", "server")  # of these every type is cut


def cut(of: case.Case, folder: pathlib.Path, groups: Dict[str, Iterable[str]]) -> Dict[str, int]:
    """Return the bytes that go without the objects of each group, by marking without them."""
    path = folder / "cuts"
    path.write_text("".join("%s\t%s\n" % (name, " ".join(found)) for name, found in groups.items()))
    return dominance(of.death.core, of.death.exe, 0, "--cuts", str(path))["cuts"]


def retained_rows(document: dict) -> Dict[str, dict]:
    return {row["owner"]: row for row in goheap.rows(document, "groups")}


def test_types_and_packages_are_cut_exactly(missing: case.Case, tmp_path: pathlib.Path) -> None:
    """Every row by removal of its objects; what the tree tells at once is never more."""
    if missing.build.program not in SMALL:
        return
    for by in ("type", "package"):
        exact, least = ("retained --by %s --exact %d" % (by, rows) for rows in (100000, 0))
        answers = goheap.ask(missing.death.core, missing.death.exe, exact, least)
        rows = retained_rows(answers[exact])
        addresses = group(missing, by, rows)
        truth = cut(missing, tmp_path, addresses)
        assert {name: rows[name]["retained"] for name in truth} == truth
        assert len(truth) >= len(rows) - 3  # some words stand for what has no package
        assert {row["retained_kind"] for row in rows.values()} == {"exact"}
        for name, row in retained_rows(answers[least]).items():
            assert rows[name]["shallow"] <= row["retained"] <= rows[name]["retained"], name
            if row["retained_kind"] == "exact":
                assert row["retained"] == rows[name]["retained"]


def group(of: case.Case, by: str, rows: Iterable[str]) -> Dict[str, List[str]]:
    """Return the addresses of each group's objects."""
    found: Dict[str, List[str]] = {}
    if by == "type":
        for row in goheap.rows(of.documents["objects"], "objects"):
            found.setdefault(row["type"], []).append(row["address"])
        return found
    packages = [name for name in rows if "(" not in name and " " not in name]
    asked = ["objects --package ^%s$" % name.replace(".", "[.]") for name in packages]
    answers = goheap.ask(of.death.core, of.death.exe, *asked)
    return {name: [row["address"] for row in goheap.rows(answers[line], "objects")]
            for name, line in zip(packages, asked)}


INTERRUPT = os.environ.get(
    "GOHEAP_INTERRUPT", str(programs.ROOT / "build-asan" / "tests" / "unit" / "interrupt"))


@pytest.fixture(scope="module", name="dead")
def _dead(workshop: programs.Workshop) -> programs.Death:
    return workshop.run(programs.Build("owners", programs.RELEASES[-1], "plain"), "missing")


def interrupted(death: programs.Death, stage: str, times: int, command: str) -> List[dict]:
    """Return the answer that was interrupted, the one after it, and how often one could have."""
    result = subprocess.run([INTERRUPT, str(death.core), str(death.exe), stage, str(times),
                             *command.split()], capture_output=True, text=True, timeout=600,
                            check=False)
    assert result.returncode == 0 and not result.stderr, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def quiet(document: dict) -> dict:
    return {name: document[name] for name in ("tables", "selfcheck", "notes")}


@pytest.mark.parametrize("stage", ["reading timers", "scanning stacks", "counting references",
                                   "walking the owner graph", "finding dominators"])
def test_interrupted_early_the_session_goes_on(dead: programs.Death, stage: str) -> None:
    for command in ("retained", "retained --by type"):
        first, second, polls = interrupted(dead, stage, 1, command)
        assert first == {"error": "cancelled"} and polls["polls"] >= 1
        assert quiet(second) == quiet(goheap.ask(dead.core, dead.exe, command)[command])


def test_interrupted_late_there_is_a_part(dead: programs.Death) -> None:
    part, whole, _ = interrupted(dead, "finding who shares", 1, "retained")
    assert part["tables"]["groups"] == whole["tables"]["groups"]
    assert not goheap.rows(part, "shared") and goheap.rows(whole, "shared")
    assert "what owners share is not listed: cancelled" in part["notes"]
    for times in (1, 4):
        part, whole, polls = interrupted(dead, "marking without each type", times,
                                         "retained --by type")
        assert polls["polls"] == 20
        assert "%d rows are exact, the others at least: cancelled" % (times - 1) in part["notes"]
        found = retained_rows(part)
        assert found.keys() == retained_rows(whole).keys()
        for name, row in retained_rows(whole).items():
            assert found[name]["retained"] <= row["retained"]


def test_what_memory_allows_is_answered(workshop: programs.Workshop,
                                        monkeypatch: pytest.MonkeyPatch) -> None:
    """With less memory there is less of an answer, which says so, and what it says is right.

    Not with sanitizers: they keep what is freed, and the peak lies elsewhere.
    """
    monkeypatch.setenv("GOHEAP", str(programs.ROOT / "build" / "goheap"))
    death = workshop.run(programs.Build("maps", programs.RELEASES[-1], "nodwarf"), "missing")
    whole = goheap.ask(death.core, death.exe, "retained")["retained"]
    rows, found = retained_rows(whole), set()
    peak = int(re.search(r"\((\d+) bytes\) of our own", " ".join(
        goheap.run([death.core, death.exe, "retained", "--stats"]).out.split())).group(1))
    for limit in range(peak // 2, peak, 64 << 10):
        answer = goheap.run([death.core, death.exe, "retained", "--json", "--max-mem", str(limit)])
        if answer.code != goheap.ANSWERED:
            assert not found and answer.out == "" and "not enough memory" in answer.err
            continue
        document = json.loads(answer.out)
        missed = [note.split(":")[0] for note in document["notes"] if "not enough memory" in note]
        found.update(missed)
        if "what owners share is not listed" in missed:
            assert document["tables"]["groups"] == whole["tables"]["groups"]
        elif missed:
            for name, row in retained_rows(document).items():
                if row["retained_kind"] == "exact":
                    assert row == rows.get(name, row) and (name in rows or not row["retained"])
                else:
                    assert row["retained_kind"] == "at_most"
                    assert row["retained"] >= rows.get(name, {"retained": 0})["retained"]
    assert len(found) == 2, found


def test_gdb_interrupted_goes_on(dead: programs.Death, tmp_path: pathlib.Path) -> None:
    script = tmp_path / "interrupt"
    script.write_text(INTERRUPT_GDB)
    for command in ("retained", "retained --by type"):
        answer = gdb.run(["goheap info -n 1", "source %s" % script, "goheap " + command,
                          "goheap %s --json" % command], [dead.exe, dead.core])
        assert "interrupted" in answer.err
        document, = (json.loads(line) for line in answer.out.splitlines()
                     if line.startswith('{"schema"'))
        assert document["tables"] == goheap.ask(dead.core, dead.exe, command)[command]["tables"]


def test_prompt_interrupted_goes_on(workshop: programs.Workshop, tmp_path: pathlib.Path) -> None:
    """With a graph that takes a moment."""
    build = programs.Build("graphs", programs.RELEASES[-1], "plain")
    with simple.death(workshop, build, ["random", "300000"]) as large:
        (tmp_path / "shop-go1.27.core").symlink_to(large.core)
        (tmp_path / "shop-go1.27").symlink_to(large.exe)
        for seconds in (0.3, 0.1, 0.03, 0.01, 0):  # until the machine is not done before
            terminal = Terminal(tmp_path, tmp_path)
            terminal.begin(b"retained --by type" + ENTER, seconds)
            text = terminal.type(CTRL_C)  # before the first row, or when some are exact
            if "interrupted" in text or "rows are exact, the others at least: cancelled" in text:
                break
            terminal.end(b"quit" + ENTER)
        else:
            pytest.fail(text)
        text = terminal.type(b"retained main.held --json" + ENTER)
        asked = goheap.ask(large.core, large.exe, "retained main.held")["retained main.held"]
        held, = goheap.rows(asked, "groups")
        assert held["retained"] <= int(large.out)  # the dying goroutine may share it
        assert '"retained":%d,' % held["retained"] in text
        assert terminal.end(b"quit" + ENTER) == goheap.ANSWERED
