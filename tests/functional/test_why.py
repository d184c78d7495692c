# SPDX-License-Identifier: Apache-2.0
"""Why an object has its type: chains of facts, derived again from the core by a reader of ours."""

import copy
from typing import List

from lib import case, goheap, programs, rederive

CHAINS = 100  # of a case: some 30,000 of all
# Of the links: what only DWARF tells (captured variables), records of the runtime.
MAX_TRUSTED = 0.5


def facts(of: case.Case, *words: str) -> List[dict]:
    documents = goheap.ask(of.death.core, of.death.exe, " ".join(("obj --why-type",) + words))
    document, = documents.values()
    assert not [skipped for skipped in document["skipped"] if skipped["what"] == "objects"]
    return goheap.rows(document, "facts")


def test_chains_are_derived_again(missing: case.Case) -> None:
    rows = facts(missing, "--sample", str(CHAINS))
    outcome = rederive.check(missing.core, str(missing.death.exe), rows)
    assert not outcome.wrong, "\n".join(outcome.wrong)
    if missing.build.variant != "nodwarf":  # there most roots are words without a type
        assert outcome.trusted <= MAX_TRUSTED * (outcome.derived + outcome.trusted)


def test_a_false_link_is_found(workshop: programs.Workshop, release: str) -> None:
    """The twin: the reader does not just nod."""
    death = workshop.run(programs.Build("types", release, "plain"), "missing")
    of = case.Case(death)
    rows = facts(of, "--sample", str(CHAINS))
    at = [i for i, row in enumerate(rows) if row["fact"] in ("pointer", "interface")
          and row["claims"] == row["type"] and i + 1 < len(rows)
          and rows[i + 1]["object"] == row["object"] and rows[i + 1]["fact"] == "header"]
    assert len(at) > 10
    for i in at[:4]:
        false = copy.deepcopy(rows)
        false[i]["claims"] = "main.noSuchType"
        assert len(rederive.check(of.core, str(death.exe), false).wrong) == 1
        false = copy.deepcopy(rows)
        false[i]["word"] = hex(int(rows[i]["word"], 16) ^ 8)
        assert rederive.check(of.core, str(death.exe), false).wrong
    of.close()
    workshop.forget(death)


def test_an_address_inside(missing: case.Case) -> None:
    """An address anywhere in an object means the object; dead ones and none are told apart."""
    live = goheap.addresses(missing.documents["objects"])
    address = max(live, key=lambda at: live[at]["bytes"])
    document, = goheap.ask(missing.death.core, missing.death.exe,
                           "obj 0x%x" % (address + 17)).values()
    row, = goheap.rows(document, "objects")
    assert (int(row["address"], 16), row["type"], row["bytes"]) == (
        address, live[address]["type"], live[address]["bytes"])
    answer = goheap.run([str(missing.death.core), "obj", "0x1000"])
    assert answer.code == 3 and "is in no object of the heap" in answer.err
    answer = goheap.run([str(missing.death.core), "obj", "elephant"])
    assert answer.code == 2 and "'elephant' is no address" in answer.err
