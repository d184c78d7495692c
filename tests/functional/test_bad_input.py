# SPDX-License-Identifier: Apache-2.0
"""Bad input gives a clear error or a partial answer that says so; never a crash, never a hang.

lib/goheap.py makes sure that no run is ended by a signal, takes over a minute or too much memory,
or makes a sanitizer speak.
"""

import json
import pathlib
import shutil
import struct
import subprocess
from collections import Counter
from typing import Counter as Counts, Iterator, List, NamedTuple, Optional

import pytest
from lib import case, damage, goheap, gocore, programs

COMMANDS = ["info", "top", "objects", "objects --dead", "goroutines", "goroutines --all",
            "goroutine 1", "threads", "threads --all", "memstats", "spans",
            "roots", "doctor", "suspects", "leaks --all", "locks", "timers --all", "defers --all",
            "chans --all", "conns --all", "retained", "retained --by type", "dom",
            "paths string -n 5", "obj --sample 3", "find main"]
CUTS = 20
NORMAL_OVERWRITTEN, FULL_OVERWRITTEN = 40, 200
WITH_VALGRIND = 5
VALGRIND_SECONDS = 900
RELEASES = (programs.RELEASES[0], programs.RELEASES[-1])


class Good(NamedTuple):
    """A core with nothing wrong with it."""

    core: pathlib.Path
    exe: pathlib.Path
    data: bytes
    heap_end: int
    goroutines: frozenset
    folder: pathlib.Path
    span: gocore.Span


@pytest.fixture(scope="module", params=RELEASES)
def good(request: pytest.FixtureRequest, workshop: programs.Workshop,
         tmp_path_factory: pytest.TempPathFactory) -> Good:
    return make_good(workshop, request.param, tmp_path_factory.mktemp("bad"))


def make_good(workshop: programs.Workshop, release: str, folder: pathlib.Path) -> Good:
    made = case.make(workshop, programs.Build("types", release, "plain"), "missing")
    exe, core = folder / "types", folder / "good.core"
    shutil.copy(made.death.exe, exe)
    shutil.copy(made.death.core, core)
    end = max(span.base + span.npages * gocore.PAGE for span in made.core.spans)
    found = Good(core, exe, core.read_bytes(), end, frozenset(made.goroutines), folder,
                 made.core.spans[0])
    made.close()
    return found


def feed(core: pathlib.Path, exe: Optional[pathlib.Path], *more: str) -> goheap.Answer:
    """Ask everything, and check that what comes back is an answer or a sentence.

    A refusal leaves nothing on stdout; an answer is one JSON document a command.
    """
    words = [str(core)] + ([str(exe)] if exe else []) + ["--json", *more]
    for command in COMMANDS:
        words += ["-e", command]
    answer = goheap.run(words)
    assert answer.code in (goheap.ANSWERED, goheap.NOTHING), answer.err
    answer.documents()
    if answer.code == goheap.NOTHING:
        sentences = [line for line in answer.err.splitlines() if line.startswith("goheap: ")]
        assert sentences, "no sentence says what is wrong: %r" % answer.err
        assert all(len(sentence.split()) >= 4 for sentence in sentences), sentences
    return answer


def refused(answer: goheap.Answer, *words: str) -> None:
    """Check that nothing was answered, and that the reason names what matters."""
    assert answer.code == goheap.NOTHING
    assert not answer.out.strip()
    for word in words:
        assert word in answer.err, answer.err


def says_so(answer: goheap.Answer) -> bool:
    """Tell whether every document, or stderr, says that something is lost."""
    documents = answer.documents().values()
    return bool(answer.err.strip()) or all(
        document["target"]["truncated"] or document["skipped"] or document["notes"]
        for document in documents)


def test_no_core(good: Good) -> None:
    refused(feed(good.folder / "no such core", good.exe), "no such core")


def test_folder_as_core(good: Good) -> None:
    refused(feed(good.folder, good.exe))


def test_empty_core(good: Good) -> None:
    refused(feed(damage.write(good.folder / "empty", b""), good.exe), "empty")


def test_text_as_core(good: Good) -> None:
    refused(feed(damage.write(good.folder / "text", b"this is no core\n" * 1000), good.exe), "text")


def test_text_as_executable(good: Good) -> None:
    text = damage.write(good.folder / "text.exe", b"#!/bin/sh\nexit 0\n" * 1000)
    answer = feed(good.core, None, "--exe", str(text))
    refused(answer, "text.exe")


def test_executable_as_core(good: Good) -> None:
    refused(feed(good.exe, good.exe))


def test_core_as_executable(good: Good) -> None:
    answer = feed(good.core, None, "--exe", str(good.core))
    refused(answer)


def test_no_executable(good: Good) -> None:
    answer = feed(good.core, None, "--exe", str(good.folder / "missing.exe"))
    refused(answer, "missing.exe")


def test_wrong_architecture(good: Good) -> None:
    changed = damage.write(good.folder / "arm.core", damage.other_machine(good.data))
    refused(feed(changed, good.exe))


def test_executable_of_wrong_architecture(good: Good) -> None:
    changed = damage.write(good.folder / "arm.exe", damage.other_machine(good.exe.read_bytes()))
    refused(feed(good.core, changed))


def test_another_programs_executable(good: Good, workshop: programs.Workshop) -> None:
    """Both build ids are named; with --force there is an answer that says so."""
    other = workshop.build(programs.Build("trees", RELEASES[-1], "plain"))
    refused(feed(good.core, other), "build id", "--force")
    answer = feed(good.core, other, "--force")
    for document in answer.documents().values():
        assert document["target"]["forced"]


C_PROGRAM = """
#include <stdlib.h>
#include <string.h>
int main(void) { memset(malloc(100000), 1, 100000); abort(); }
"""


@pytest.fixture(scope="module")
def c_program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pathlib.Path]:
    """A folder with the executable and the core of a C program."""
    folder = tmp_path_factory.mktemp("c")
    (folder / "main.c").write_text(C_PROGRAM)
    subprocess.run(["cc", "-o", str(folder / "main"), str(folder / "main.c")], check=True)
    process = programs.start(folder / "main", folder, {})
    programs.finish(process, folder, programs.RUN_SECONDS)
    programs.check_death(process, folder)
    yield folder


def test_core_of_a_c_program(c_program: pathlib.Path) -> None:
    refused(feed(c_program / "core", c_program / "main"), "Go")


@pytest.mark.parametrize("i", range(CUTS))
def test_truncated(good: Good, i: int) -> None:
    length = damage.places_to_cut(good.data, good.heap_end, CUTS)[i]
    answer = feed(damage.write(good.folder / "cut.core", good.data[:length]), good.exe)
    assert answer.code == goheap.NOTHING or says_so(answer), "cut to %d bytes" % length
    if answer.code == goheap.ANSWERED:
        assert all(document["target"]["truncated"] for document in answer.documents().values())
        assert all(any("is cut" in note for note in document["notes"])
                   for document in answer.documents().values())


def test_cut_before_anything_of_the_runtime(good: Good) -> None:
    """The executable is not to blame, and is not asked for."""
    answer = feed(damage.write(good.folder / "head.core", good.data[:3000]), good.exe)
    refused(answer, "the core ends before", "take a whole core")
    assert "--exe" not in answer.err


@pytest.mark.parametrize("end", RELEASES)
def test_without_symbols(end: str, tmp_path: pathlib.Path) -> None:
    """Linked with -s: we say what to do, and that it works."""
    bare, linked = tmp_path / "bare", tmp_path / "linked"
    for exe, flag in ((bare, "-s"), (linked, "-w")):
        programs.go(end, ["build", "-ldflags=" + flag, "-o", str(exe), "./types"])
    process = programs.start(bare, tmp_path, {"GOHEAP_MODE": "missing",
                                              "GOHEAP_DUMP": str(tmp_path / "heapdump")})
    programs.finish(process, tmp_path, programs.RUN_SECONDS)
    programs.check_death(process, tmp_path)
    refused = goheap.run([tmp_path / "core", bare, "top"])
    assert refused.code == goheap.NOTHING
    assert "with -ldflags=-w, and pass that with --exe FILE --force" in refused.err
    answer = goheap.run([tmp_path / "core", "--exe", linked, "--force", "top", "--json"])
    assert answer.code == goheap.ANSWERED, answer.err
    document = json.loads(answer.out)
    assert document["target"]["forced"] and not goheap.failed_checks(document)
    found: Counts[str] = Counter()
    for row in goheap.rows(document, "types"):
        found[row["type"]] += row["count"]
    stated = json.loads((tmp_path / "stdout").read_text())["types"]
    assert not {name: (found[name], row) for name, row in stated.items()
                if row["sure"] and found[name] < row["count"]}


def test_truncated_between_heap_and_span_tables(good: Good) -> None:
    """Span tables go first: what does not need them still answers in full."""
    length = damage.end_of_heap(good.data, good.heap_end)
    cut = damage.write(good.folder / "heap.core", good.data[:length])
    documents = goheap.ask(cut, good.exe, "info", "memstats", "goroutines --all", "doctor")
    assert all(document["target"]["truncated"] for document in documents.values())
    rows = goheap.rows(documents["goroutines --all"], "goroutines")
    assert {row["goid"] for row in rows if row["state"] != "dead"} == good.goroutines


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    full = metafunc.config.getoption("--full")
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(FULL_OVERWRITTEN if full else NORMAL_OVERWRITTEN))
    if "valgrind_seed" in metafunc.fixturenames:
        metafunc.parametrize("valgrind_seed", range(WITH_VALGRIND))


def test_a_span_of_too_many_pages(good: Good) -> None:
    """A flipped bit: a table of that many pages would be larger than memory."""
    fields = struct.pack("<QQ", good.span.base, good.span.npages)
    assert fields in good.data
    damaged = good.data.replace(
        fields, struct.pack("<QQ", good.span.base, good.span.npages | 1 << 31))
    answer = feed(damage.write(good.folder / "overwritten.core", damaged), good.exe)
    assert answer.code == goheap.ANSWERED and answer.fits(1 << 10)


def test_overwritten(good: Good, seed: int) -> None:
    damaged = damage.overwrite(good.data, seed)
    feed(damage.write(good.folder / "overwritten.core", damaged), good.exe)


@pytest.mark.full
def test_overwritten_under_valgrind(good: Good, valgrind_seed: int) -> None:
    plain = programs.ROOT / "build" / "goheap"
    damaged = damage.overwrite(good.data, 1000 + valgrind_seed)
    core = damage.write(good.folder / "valgrind.core", damaged)
    words: List[str] = ["valgrind", "--quiet", "--error-exitcode=99", str(plain), str(core),
                        str(good.exe), "--json"]
    for command in COMMANDS:
        words += ["-e", command]
    result = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, timeout=VALGRIND_SECONDS, text=True,
                            check=False)
    assert result.returncode in (goheap.ANSWERED, goheap.NOTHING), result.stderr[-6000:]


@pytest.mark.parametrize("kept", [0, 3, 12, 100, 500])
def test_cut_notes(good: Good, kept: int) -> None:
    feed(damage.write(good.folder / "notes.core", damage.cut_notes(good.data, kept)), good.exe)


@pytest.mark.parametrize("lengths", [(0, 0), (0xffffffff, 8), (5, 0xffffffff), (0xfffffffc,) * 2])
def test_lying_notes(good: Good, lengths: tuple) -> None:
    changed = damage.bad_note_lengths(good.data, *lengths)
    feed(damage.write(good.folder / "lying.core", changed), good.exe)
