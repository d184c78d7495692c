# SPDX-License-Identifier: Apache-2.0
"""Readable values, pointers from and to objects, texts in the heap: tests/programs/values."""

import json
import pathlib
import re
from typing import Any, Dict, Iterator, List, NamedTuple

import conftest
import pytest

from lib import damage, gdb, goheap, programs, values

VARIANTS = ("plain", "nodwarf")
FOUND = re.compile("0x[0-9a-f]+")
BYTES = re.compile(r"\(|, 0x|, [0-9a-f:.]+$")  # what a slice of them holds
DAMAGES = 10


class Left(NamedTuple):
    """What the program left, and the bounds that its statement has."""

    death: programs.Death
    has_dwarf: bool
    bounds: str  # options

    def ask(self, *lines: str) -> Dict[str, dict]:
        """Return what goheap answers."""
        return goheap.ask(self.death.core, self.death.exe, *lines)

    def objects(self, *addresses: str) -> List[dict]:
        """Return the answers to `obj` for each address."""
        lines = ["obj %s %s" % (address, self.bounds) for address in addresses]
        found = self.ask(*dict.fromkeys(lines))
        return [found[line] for line in lines]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """All releases, with DWARF and without."""
    builds = [programs.Build("values", release, variant)
              for release in conftest.RELEASES for variant in VARIANTS]
    marked: List[Any] = list(builds)
    for release in conftest.RELEASES:
        if release.startswith(("go1.24.", "go1.25.")):
            builds.append(programs.Build("values", release, "oldmaps"))
            marked.append(pytest.param(builds[-1], marks=pytest.mark.full))
    metafunc.parametrize("left", marked, indirect=True, scope="module",
                         ids=["%s-%s" % (build.release, build.variant) for build in builds])


@pytest.fixture(name="left", scope="module")
def _left(request: pytest.FixtureRequest, workshop: programs.Workshop,
          keep: bool) -> Iterator[Left]:
    death = workshop.run(request.param, "missing")
    stated = death.statement
    yield Left(death, request.param.variant == "plain",
               "--elements %d --depth %d" % (stated["Elements"], stated["Depth"]))
    if not keep:
        workshop.forget(death)


def only(document: dict) -> dict:
    """Return the one row of the table of objects."""
    row, = goheap.rows(document, "objects")
    return row


def check(document: dict, stated: dict) -> List[str]:
    """Return where the value of an object is not what the program states."""
    wrong = values.differences(goheap.rows(document, "value"), stated["Rows"])
    return ["%s %s" % (stated["Type"], line) for line in wrong]


def test_objects_are_what_the_program_says(left: Left) -> None:
    stated, wrong = left.death.statement["Objects"], []
    for one, document in zip(stated, left.objects(*(one["Address"] for one in stated))):
        row = only(document)
        if (row["type"], row["place"]) != (one["Type"], "heap"):
            wrong.append("%s is a %s" % (one["Type"], row["type"]))
        if row["name"]:  # only what points into it has one
            wrong.append("%s is called %s" % (one["Type"], row["name"]))
        wrong += check(document, one)
        inside = int(one["Address"], 16) - int(row["address"], 16)
        assert inside in (0, 8) and 0 <= row["waste"] < row["bytes"] and row["bytes"] % 8 == 0
    assert not wrong, "\n".join(wrong[:40])


def test_static_data_and_stacks_are_named(left: Left) -> None:
    """Without DWARF names of package variables are known, their types are not."""
    stated = left.death.statement
    places = [stated["Global"], *stated["Stack"]]
    documents = left.objects(*(one["Address"] for one in places))
    assert only(documents[0])["name"].startswith("main.global")
    assert [only(document)["place"] for document in documents] == ["global", "stack", "stack"]
    for one, document in zip(stated["Stack"], documents[1:]):
        name = only(document)["name"]
        assert re.match(r"goroutine \d+ main\.wait", name)
        # the compiler says of some variables that they are nowhere
        told = ("main.wait." + one["Name"]) in name
        assert told or "main.wait sp+" in name
        assert told or one["Name"] != "held" or not left.has_dwarf
    wrong = [line for one, document in zip(places, documents)
             if goheap.rows(document, "value") for line in check(document, one)]
    assert goheap.rows(documents[0], "value") or not left.has_dwarf
    assert not wrong, "\n".join(wrong)
    element = only(left.objects(stated["Element"]["Address"])[0])
    assert element["place"] == "global"
    assert element["name"] == stated["Element"]["Name"] or not left.has_dwarf


def test_addresses_inside_and_elsewhere(left: Left) -> None:
    """Fields of objects, code, garbage, and what is nowhere."""
    stated = left.death.statement
    texts = next(one for one in stated["Objects"] if one["Type"] == "main.texts")
    scalars = next(one for one in stated["Objects"] if one["Type"] == "main.scalars")
    code = FOUND.match(scalars["Rows"]["code"])
    assert code
    field, function, freed = left.objects(hex(int(texts["Address"], 16) + 17), code.group(),
                                          stated["Freed"])
    assert only(field)["name"] == "main.texts.plain"
    assert only(function)["place"] == "code"
    assert scalars["Rows"]["code"] == "%s (%s)" % (code.group(), only(function)["name"])
    assert only(freed)["type"] in ("dead", "free slot") and only(freed)["strength"] == "unknown"
    assert only(freed)["referrer"] is None
    for address in ("0x10", "0xffffffffffffffff", "0x7ffffffff000", "0xffff800000000000"):
        answer = goheap.run([left.death.core, left.death.exe, "obj", address])
        assert answer.code == goheap.NOTHING and "in no object" in answer.err


def test_people_see_a_bounded_value(left: Left) -> None:
    stated = left.death.statement
    slices = next(one for one in stated["Objects"] if one["Type"] == "main.slices")
    document = left.ask("obj %s --elements 3 --depth 0" % slices["Address"]).popitem()[1]
    names = [row["name"] for row in goheap.rows(document, "value")]
    assert [name for name in names if name.startswith("huge")] == [
        "huge", "huge[0]", "huge[1]", "huge[2]"]
    assert "pointers[0]" in names and "pointers[0].id" not in names
    assert document["skipped"] and document["skipped"][0]["what"] == "values"
    for option in ("--depth many", "--elements -1", "--depth 65"):
        answer = goheap.run([left.death.core, "obj", slices["Address"], *option.split()])
        assert answer.code == goheap.USAGE and "takes a number" in answer.err


def test_no_values_leaves_structure(left: Left) -> None:
    stated = left.death.statement
    lines = ["obj %s %s --no-values" % (one["Address"], left.bounds) for one in stated["Objects"]]
    documents = left.ask(*lines)
    for one, line in zip(stated["Objects"], lines):
        for row in goheap.rows(documents[line], "value"):
            truth = one["Rows"].get(row["name"])
            if isinstance(truth, dict):  # bytes have their length, interfaces their type
                assert row["value"] is None or '"' not in row["value"]
            elif re.fullmatch(r"-?[\d.]+|true|false", truth or ""):
                assert row["value"] is None, row
            elif re.match(r"len |nil|main\.|\*|sync|un?locked", truth or ""):
                assert BYTES.split(row["value"])[0] == BYTES.split(truth)[0]
    whole = json.dumps(documents)
    for secret in ("u42", "answer", "some text", "plain\\", "1e+30", "-9223372036854775808",
                   "it failed", "entry 1", "2023-11-14"):
        assert secret not in whole, secret
    assert '"maps' not in whole and "[#0]" in whole
    answer = goheap.run([left.death.core, "find", "x", "--no-values"])
    assert answer.code == goheap.USAGE and "--no-values" in answer.err


def test_refs_lead_where_the_program_points(left: Left) -> None:
    stated = left.death.statement
    for kind, fields in (("main.pointers", ["number", "text", "toPointer", "toSlice", "toArray",
                                            "unsafe", "inside", "toInterface", "toMap"]),
                         ("main.recursive", ["self", "left", "any"])):
        one = next(one for one in stated["Objects"] if one["Type"] == kind)
        document = left.ask("refs " + one["Address"]).popitem()[1]
        found = {row["name"]: row for row in goheap.rows(document, "objects")}
        for field in fields:
            target = int(FOUND.search(one["Rows"][field]).group(), 16)
            row = found[field]
            assert int(row["address"], 16) <= target < int(row["address"], 16) + row["bytes"], field
        nils = [name for name, text in one["Rows"].items() if text == "nil" and "." not in name]
        assert not set(nils) & set(found)


def test_referrers_are_those_who_point(left: Left) -> None:
    stated = left.death.statement
    pointers = next(one for one in stated["Objects"] if one["Type"] == "main.pointers")
    lines = {field: "referrers " + FOUND.search(pointers["Rows"][field]).group()
             for field in ("text", "toMap", "unsafe")}
    found = left.ask(*lines.values(), "referrers " + stated["Roots"],
                     *("referrers " + one["Address"] for one in stated["Objects"]))
    holders = {field: [(row["name"], row["type"]) for row in
                       goheap.rows(found[line], "objects")] for field, line in lines.items()}
    assert holders["text"] == [("text", "main.pointers")]
    assert holders["toMap"] == [("toMap", "main.pointers")]
    assert {("unsafe", "main.pointers"), (None, "*main.small")} & set(holders["unsafe"])
    root = [row for row in goheap.rows(found["referrers " + stated["Roots"]], "objects")
            if row["kind"] == "global"]
    assert [row["name"].partition(".")[2] for row in root] == ["roots"] or (
        root and root[0]["name"].startswith("main.roots"))
    for i, one in enumerate(stated["Objects"]):
        rows = goheap.rows(found["referrers " + one["Address"]], "objects")
        assert "[%d]" % i in [row["name"] for row in rows if row["address"] == stated["Roots"] or
                              int(stated["Roots"], 16) - int(row["address"] or "0", 16) == 8], one


def test_each_reference_has_its_referrer(left: Left) -> None:
    """Whoever is found to point somewhere is found from there, as often."""
    sample = left.ask("objects --min 64")
    addresses = [row["address"] for row in goheap.rows(sample["objects --min 64"], "objects")]
    chosen = addresses[::max(1, len(addresses) // 15)]
    refs = left.ask(*("refs " + address for address in chosen))
    targets = {row["address"] for document in refs.values()
               for row in goheap.rows(document, "objects")}
    some = sorted(targets)[::max(1, len(targets) // 40)]
    back = left.ask(*("referrers " + address for address in some))
    for target in some:
        count = {row["address"]: row["count"] for row in
                 goheap.rows(back["referrers " + target], "objects") if row["kind"] == "object"}
        for address in chosen:
            forth = sum(row["address"] == target
                        for row in goheap.rows(refs["refs " + address], "objects"))
            assert count.get(address, 0) == forth, (address, target)


def test_retained_is_there_when_asked_for(left: Left) -> None:
    one = left.death.statement["Objects"][0]
    found = left.ask("obj " + one["Address"], "obj %s --retained" % one["Address"])
    assert only(found["obj " + one["Address"]])["retained"] is None
    row = only(found["obj %s --retained" % one["Address"]])
    assert row["retained"] == row["bytes"] and row["retained_kind"] == "exact"
    assert row["referrer"].startswith("[]interface {}[0]")


def test_dom_calls_an_object_by_its_type(left: Left) -> None:
    """Not by its first field, which lies where the object begins."""
    for kind in ("main.maps", "main.times"):
        address = next(one["Address"] for one in left.death.statement["Objects"]
                       if one["Type"] == kind)
        answer = goheap.run([left.death.core, left.death.exe, "dom", address])
        assert answer.out.startswith(kind + ": retains "), answer.out


def test_find_finds_what_is_there(left: Left) -> None:
    stated = left.death.statement
    kept, dropped = "".join(stated["Kept"]), "".join(stated["Garbage"])
    digits = kept.encode().hex()
    found = left.ask("find %s --owners" % kept, "find " + dropped, "find --hex " + digits,
                     "find --max 3 " + kept, "find no-such-text-at-all")
    ours, garbage, by_digits, first, nothing = found.values()
    rows = goheap.rows(ours, "found")
    assert len(rows) == stated["Copies"]
    for row in rows:
        assert kept in row["value"] and row["offset"] >= 0
        assert row["referrer"].startswith("[]string[")
        owners = [row["owner"]]
        if owners == ["shared"]:  # with a stale word of the goroutine that was running
            line = "path %s --all-roots" % row["address"]
            owners = [path["name"] for path in goheap.rows(left.ask(line)[line], "hops")]
        assert any(name.startswith("main.roots") for name in owners), owners
    assert [row["address"] for row in goheap.rows(by_digits, "found")] == [
        row["address"] for row in rows]
    assert goheap.rows(garbage, "found") == [] == goheap.rows(nothing, "found")
    assert len(goheap.rows(first, "found")) == 3
    for line in ("find", "find --hex 1", "find --hex xy", "find a --max none"):
        assert goheap.run([left.death.core, *line.split()]).code == goheap.USAGE


def test_faces_say_the_same(left: Left, tmp_path: pathlib.Path) -> None:
    if not left.has_dwarf:
        return
    stated = left.death.statement
    lines = ["obj %s %s" % (stated["Objects"][6]["Address"], left.bounds),
             "refs " + stated["Roots"], "referrers " + stated["Roots"],
             "find " + "".join(stated["Kept"])]
    answer = gdb.run(["goheap %s --json" % line for line in lines],
                     [left.death.exe, left.death.core], cwd=str(tmp_path))
    ours = left.ask(*lines)
    theirs = [json.loads(line) for line in answer.out.splitlines() if line.startswith("{")]
    assert [document["tables"] for document in theirs] == [
        document["tables"] for document in ours.values()]
    shown = gdb.run(["goheap refs %s" % stated["Roots"], "whatis *$o1", "goheap referrers $o1",
                     "whatis *$o65", "goheap find %s -n 1" % "".join(stated["Kept"]),
                     "goheap obj $o2"], [left.death.exe, left.death.core], cwd=str(tmp_path))
    assert "type = main.scalars" in shown.out and "type = " in shown.out.split("referrers")[-1]
    process = programs.start(left.death.exe, tmp_path, {"GOHEAP_CHURN": "stay"})
    try:
        programs.wait_for_line(tmp_path / "stdout", process, programs.RUN_SECONDS)
        live = json.loads((tmp_path / "stdout").read_text())
        wrong = []
        for one in live["Objects"]:
            asked = goheap.run(["--pid", process.pid, "obj", one["Address"], *left.bounds.split(),
                                "--json"])
            wrong += check(json.loads(asked.out), one)
        assert not wrong, "\n".join(wrong[:40])
    finally:
        process.kill()
        process.wait()


def test_damage_costs_the_answer_at_most(left: Left, tmp_path: pathlib.Path) -> None:
    if not left.has_dwarf or left.death.build.release not in (programs.RELEASES[0],
                                                              programs.RELEASES[-1]):
        return
    data, stated = left.death.core.read_bytes(), left.death.statement
    lines: List[str] = []
    for one in [*stated["Objects"], stated["Global"], *stated["Stack"]]:
        lines += ["-e", "obj %s --elements 50 --depth 3" % one["Address"]]
    lines += ["-e", "obj --sample 300", "-e", "find twin", "-e", "refs " + stated["Roots"],
              "-e", "referrers " + stated["Roots"]]
    for seed in range(DAMAGES):
        core = damage.write(tmp_path / "core", damage.overwrite(data, seed))
        answer = goheap.run([core, left.death.exe, "--json", *lines])
        assert answer.code in (goheap.ANSWERED, goheap.NOTHING, goheap.USAGE)
