# SPDX-License-Identifier: Apache-2.0
"""suspects: a program with one of each kind planted, and its twin that does the same and leaks nothing.

The program states how many of each it planted; bytes are what it allocated for them.
"""

import json
import pathlib
import re
import shutil
from typing import Dict, Iterator, List, NamedTuple, Optional

import pytest
from lib import goheap, leaksdoc, programs

KIB = 1 << 10
SLACK = 1.15  # slots are larger than what was asked for, and goroutines have more than a buffer


SOURCE = programs.PROGRAMS / "suspects" / "main.go"
# The line of the program that each finding names.
SITES = [("goroutine-leak", "", "func answer(c chan []byte) { c <- "),
         ("timer-unstoppable", "", "t := time.AfterFunc(24*time.Hour, "),
         ("defer-in-loop", "", "\t\t\tdefer f.close()"),
         ("defer-oversized", "main.serveBig", "defer func() { report(len(body)) }()"),
         ("finalizers-stuck", "", "released <- len(h.buffer)"),
         ("threads-stuck", "", "syscall.Read(fd, buffer)"),
         ("deadlock", "", "\tto.mu.Lock()"),
         ("lock-pileup", "", "func count() {\n\tcounter.mu.Lock()")]


def line_of(text: str) -> int:
    """Return the line of the program where some text, which is there once, ends."""
    source = SOURCE.read_text()
    assert source.count(text) == 1, text
    return source[:source.index(text) + len(text)].count("\n") + 1


class Answers(NamedTuple):
    """What goheap says of the program, planted twice and clean, and where it is merely large."""

    truth: dict
    planted: List[dict]
    again: List[dict]
    clean: List[dict]
    large: List[dict]
    page: List[str]  # what a terminal of 80 columns shows first


def run(exe: pathlib.Path, folder: pathlib.Path, how: str = "",
        page: Optional[List[str]] = None) -> List[dict]:
    """Return the findings on a core of the program."""
    folder.mkdir(parents=True)
    process = programs.start(exe, folder, {"GOHEAP_" + how: "1"} if how else {})
    programs.finish(process, folder, programs.RUN_SECONDS)
    programs.check_death(process, folder)
    document = goheap.ask(folder / "core", exe, "suspects")["suspects"]
    assert not goheap.failed_checks(document)
    if page is not None:
        page += leaksdoc.ask(goheap.path(), folder / "core", exe, ["suspects"])
    (folder / "core").unlink()
    return goheap.rows(document, "suspects")


@pytest.fixture(scope="module")
def answers(request: pytest.FixtureRequest,
            workshop: programs.Workshop) -> Iterator[Answers]:
    exe = workshop.build(programs.Build("suspects", request.param, "plain"))
    folder = exe.parent / "suspects.runs"
    shutil.rmtree(folder, ignore_errors=True)
    page: List[str] = []
    planted = run(exe, folder / "planted", page=page)
    truth = json.loads((folder / "planted" / "stdout").read_text())
    yield Answers(truth, planted, run(exe, folder / "again"), run(exe, folder / "clean", "CLEAN"),
                  run(exe, folder / "large", "LARGE"), page)
    shutil.rmtree(folder, ignore_errors=True)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "answers" in metafunc.fixturenames:
        metafunc.parametrize("answers", programs.RELEASES, indirect=True, scope="module")


def only(answers: Answers, rule: str, what: str = "") -> dict:
    """Return the one finding of a rule whose title has a word."""
    found = [row for row in answers.planted if row["rule"] == rule and what in row["title"]]
    assert len(found) == 1, "%s %s: %s" % (rule, what, [row["title"] for row in answers.planted])
    return found[0]


def assert_bytes(row: dict, least: int) -> None:
    """Compare what a finding keeps with what was allocated for it."""
    assert least <= row["bytes"] <= least * SLACK, row
    assert row["bytes_kind"] in ("exact", "at_least")


def test_leaked_goroutines(answers: Answers) -> None:
    row = only(answers, "goroutine-leak", "main.answer")
    assert row["level"] == "proven" and row["title"].startswith("%d " % answers.truth["leaked"])
    assert_bytes(row, answers.truth["leaked"] * 64 * KIB)
    assert "suspects/main.go:" in row["site"]


def test_timers(answers: Answers) -> None:
    row = only(answers, "timer-unstoppable", "main.open.func1")
    assert row["level"] == "proven" and row["title"].startswith("%d " % answers.truth["timers"])
    assert_bytes(row, answers.truth["timers"] * 32 * KIB)


def test_defers(answers: Answers) -> None:
    row = only(answers, "defer-in-loop", "main.consume")
    assert row["level"] == "likely" and row["title"].startswith("%d " % answers.truth["deferred"])
    assert_bytes(row, answers.truth["deferred"] * 4 * KIB)
    assert_bytes(only(answers, "defer-oversized", "main.serveBig"), answers.truth["big"])


def test_finalizers(answers: Answers) -> None:
    row = only(answers, "finalizers-stuck", "main.release")
    assert row["level"] == "likely"
    # The first one has run up to where it waits, and one block may be under way.
    assert row["bytes"] >= 0.9 * answers.truth["finalized"] * 8 * KIB


def test_threads(answers: Answers) -> None:
    row = only(answers, "threads-stuck")
    assert int(row["title"].split()[0]) >= answers.truth["threads"] - 2  # one may be dying


def test_locks(answers: Answers) -> None:
    row = only(answers, "deadlock")
    assert row["level"] == "likely" and row["evidence"].count("main.accounts[") == 3
    row = only(answers, "lock-pileup", "main.counter.mu")
    assert row["title"].startswith("%d " % answers.truth["queued"])


def test_owner(answers: Answers) -> None:
    assert_bytes(only(answers, "largest-owner", "main.cache"), answers.truth["cached"] * 16 * KIB)


def test_sites(answers: Answers) -> None:
    """Each names the line, as the program's source has it."""
    for rule, what, text in SITES:
        site = only(answers, rule, what)["site"]
        assert site.endswith("suspects/main.go:%d" % line_of(text)), (rule, site)


def test_what_is_large(answers: Answers) -> None:
    """Possible at most: what goroutines of one place hold, and what two variables share."""
    rows = {row["rule"]: row for row in answers.large}
    group = rows["goroutine-group"]
    assert group["title"] == "%d goroutines in main.hold" % answers.truth["held"]
    assert_bytes(group, answers.truth["held"] * 512 * KIB)
    assert group["site"].endswith("suspects/main.go:%d" % line_of("buffer[<-gate] = 1"))
    shared = rows["largest-shared"]
    assert "main.store" in shared["title"] and shared["bytes_kind"] == "exact"
    assert_bytes(shared, answers.truth["stored"] * 8 * KIB)
    assert "main.readers" in shared["evidence"] and "main.writers" in shared["evidence"]
    assert {row["level"] for row in answers.large} == {"possible"}
    assert not {"goroutine-group", "largest-shared"} & {row["rule"] for row in answers.planted}


def test_every_rule_is_planted(answers: Answers) -> None:
    """But for what test_conns.py plants."""
    text = (programs.ROOT / "src" / "analysis" / "meson.build").read_text()
    names = re.findall(r"'(\w+)'", text[text.index("rule_names = ["):].partition("]")[0])
    listed = {name.replace("_", "-") for name in names}
    found = {row["rule"] for row in answers.planted + answers.large}
    assert listed - found == {"sql-lost", "sql-not-closed"}


def test_clean_twin(answers: Answers) -> None:
    above = [row for row in answers.clean if row["level"] != "possible"]
    assert not above


def test_fingerprints(answers: Answers) -> None:
    def prints(rows: List[dict]) -> Dict[str, str]:
        return {row["fingerprint"]: row["rule"] for row in rows if row["level"] != "possible"}
    assert prints(answers.planted) == prints(answers.again)
    assert len(prints(answers.planted)) >= 5
    assert len({row["fingerprint"] for row in answers.planted}) == len(answers.planted)


def test_every_finding_says_what_to_do(answers: Answers) -> None:
    for row in answers.planted:
        assert row["title"] and row["evidence"] and row["fix"]
        assert row["more"].startswith("goheap ")
        assert "0x" not in row["title"]


def test_first_page(answers: Answers) -> None:
    """All of it stands above the prompt of a terminal of 80 by 24, and more is not left out."""
    assert len(answers.page) < leaksdoc.LINES
    assert max(map(len, answers.page)) <= leaksdoc.COLUMNS
    shown = [line for line in answers.page if line[:1].isdigit() and line[1:3] == ". "]
    assert len(shown) >= 3 and answers.page[0].startswith("%d suspects" % len(answers.planted))
    left = len(answers.planted) - len(shown)
    assert "… %d more rows: -n 0 shows all" % left in answers.page


def test_bodies(answers: Answers) -> None:
    row = only(answers, "bodies-open")
    assert row["level"] == "likely" and row["title"].startswith("%d " % answers.truth["bodies"])
