# SPDX-License-Identifier: Apache-2.0
"""How many objects of each type there are: programs know what they built."""

from typing import Dict, List, Tuple

import pytest

from conftest import RELEASES
from lib import case, goheap, programs


def counted(of: case.Case) -> Dict[str, Tuple[int, int]]:
    """Return count and bytes by name; types that print alike are one."""
    found: Dict[str, Tuple[int, int]] = {}
    for row in goheap.rows(of.documents["top"], "types"):
        count, size = found.get(row["type"], (0, 0))
        found[row["type"]] = (count + row["count"], size + row["bytes"])
    return found


def differences(of: case.Case) -> List[str]:
    found = counted(of)
    wrong = []
    for name, row in of.statement["types"].items():
        ours, truth = found.get(name, (0, 0)), (row["count"], row["bytes"])
        must_have = row["sure"] or of.build.variant != "nodwarf" and not (
            row["in_closure"] and of.build.release.startswith("go1.22."))
        if (must_have and (ours[0] < truth[0] or ours[1] < truth[1])
                or not row["at_least"] and (ours[0] > truth[0] or ours[1] > truth[1])):
            wrong.append("%s: %d objects of %d bytes, the program has %d of %d" %
                         (name, *ours, *truth))
    return wrong


def test_types_are_as_stated(missing: case.Case) -> None:
    """Without DWARF the types that only variables tell may be missing, but none may be wrong."""
    wrong = differences(missing)
    assert not wrong, "\n".join(wrong)


def test_rows_add_up(missing: case.Case) -> None:
    """Counts, bytes and strengths of the rows make the total, and the total is what is live."""
    table = missing.documents["top"]["tables"]["types"]
    live = goheap.addresses(missing.documents["objects"])
    assert table["total"]["count"] == sum(row["count"] for row in table["rows"]) == len(live)
    assert table["total"]["bytes"] == sum(row["bytes"] for row in table["rows"])
    assert table["total"]["bytes"] == sum(row["bytes"] for row in live.values())
    for row in table["rows"]:
        assert row["exact_bytes"] + row["declared_bytes"] + row["inferred_bytes"] <= row["bytes"]


def test_objects_name_the_types_of_top(missing: case.Case) -> None:
    found: Dict[str, Tuple[int, int]] = {}
    for row in goheap.rows(missing.documents["objects"], "objects"):
        count, size = found.get(row["type"], (0, 0))
        found[row["type"]] = (count + 1, size + row["bytes"])
    assert found == counted(missing)


def test_no_typed_pointer_is_contradicted(missing: case.Case) -> None:
    """Where the allocator wrote a type or a pointer mask, what pointers say of it is the same."""
    notes = missing.documents["top"]["notes"]
    assert not [note for note in notes if "contradict" in note]


def test_contradictions_are_counted(workshop: programs.Workshop, release: str) -> None:
    """Unsafe casts contradict what they lead to; conversions between like types do not."""
    death = workshop.run(programs.Build("casts", release, "plain"), "missing")
    documents = goheap.ask(death.core, death.exe, "top", "doctor")
    document = documents["top"]
    listed = [row["detail"] for row in goheap.rows(documents["doctor"], "checks")
              if row["name"] == "typed pointers not believed"]
    # Each of them once, though of one of them eight pointers say so.
    assert listed[0] == "14" and len(listed) == 1 + 7
    assert all(" main.other" in detail and " main.first" in detail for detail in listed[1:])
    assert [note for note in document["notes"] if "contradict" in note] == [
        "14 typed pointers contradict what they lead to and were not believed"]
    found = {row["type"]: row["count"] for row in goheap.rows(document, "types")}
    assert found["main.item"] == 2 * 5 + 7
    assert found["main.first"] == 5 + 7  # the others have no type descriptor
    assert found["struct { Key string; Next *struct {…} }"] == 9
    workshop.forget(death)


def test_what_is_left_tells_the_type(workshop: programs.Workshop, release: str) -> None:
    """Emptied slices and strings lead to their arrays; an embedded struct is no contradiction."""
    death = workshop.run(programs.Build("leftovers", release, "plain"), "missing")
    documents = goheap.ask(death.core, death.exe, "top", "top --threads 1")
    document = documents["top"]
    found = {row["type"]: row for row in goheap.rows(document, "types")}
    assert found["main.queued"]["count"] == found["[]*main.queued"]["count"] == 40
    assert found["[]*main.queued"]["inferred_bytes"] == 40 * 8
    assert found["main.derived"]["count"] == found["main.derived"]["exact_bytes"] / 192 == 20
    assert "main.base" not in found
    # one word of their slices is left in the frames, and DWARF does not say which
    assert found["[]uint16"]["count"] == found["[]uint16"]["declared_bytes"] / 112 == 20
    assert found["string"]["inferred_bytes"] >= 30 * 112
    assert not [note for note in document["notes"] if "contradict" in note]
    assert document["tables"] == documents["top --threads 1"]["tables"]
    workshop.forget(death)


@pytest.mark.parametrize("end", sorted({RELEASES[0], RELEASES[-1]}))
def test_more_pieces_than_are_noted(workshop: programs.Workshop, end: str) -> None:
    """Buffers that only pointers into their middle hold, and records that are like them."""
    death = workshop.run(programs.Build("cuttings", end, "plain"), "missing")
    document = goheap.ask(death.core, death.exe, "top")["top"]
    found = {row["type"]: row for row in goheap.rows(document, "types")}
    assert found["main.record"]["count"] == found["main.record"]["declared_bytes"] / 80 == 20_000
    for name in ("[]uint8", "string"):
        assert 100_000 <= found[name]["count"] <= 101_000
        assert found[name]["inferred_bytes"] >= 100_000 * 80
    assert not [note for note in document["notes"] if "to infer types" in note]
    workshop.forget(death)
