# SPDX-License-Identifier: Apache-2.0
"""`info` names what a program died of as the runtime did when it died."""

import pathlib
import re

import pytest

from lib import goheap, programs

THROWS = ["map", "unlock", "deadlock", "memory"]
PANICS = ["error", "string", "int", "nil", "index", "again"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Where the executables lie, one a release."""
    return tmp_path_factory.mktemp("deaths")


def die(folder: pathlib.Path, release: str, way: str) -> "tuple[dict, str]":
    """Return what `info` says of a death, and what the runtime wrote."""
    exe = folder / release
    if not exe.exists():
        programs.go(release, ["build", "-o", str(exe), "./deaths"])
    place = folder / ("%s.%s" % (release, way))
    place.mkdir()
    process = programs.start(exe, place, {}, [way])
    programs.finish(process, place, programs.RUN_SECONDS)
    programs.check_death(process, place)
    document = goheap.ask(place / "core", exe, "info")["info"]
    (place / "core").unlink()
    rows = {row["name"]: row["value"] for row in goheap.rows(document, "info")}
    return rows, (place / "stderr").read_text(errors="replace")


@pytest.mark.parametrize("way", THROWS)
def test_throws(folder: pathlib.Path, release: str, way: str) -> None:
    rows, wrote = die(folder, release, way)
    # two threads may find the same at once, and both write, one between two words of the other
    said = re.escape(rows["throw text"])
    line = re.search("^fatal error: .*$", wrote, re.M).group()
    assert said and re.fullmatch("(fatal error: )+(%s(fatal error: )*)+" % said, line), line
    assert rows["panic value"] is None


@pytest.mark.parametrize("way", PANICS)
def test_panics(folder: pathlib.Path, release: str, way: str) -> None:
    rows, wrote = die(folder, release, way)
    # The last one of "panic: first [recovered]", "panic: again: first" is the innermost.
    said = re.findall(r"^\s*panic: (.*?)(?: \[recovered.*\])?$", wrote, re.M)[-1]
    assert rows["panic value"].split(": ", 1)[1] == re.sub("^goheap.*?: ", "", said)
    assert rows["crashing goroutine"] == 1
    assert rows["throw text"] is None


def test_values_stay_out_where_they_are_not_wanted(folder: pathlib.Path) -> None:
    release = programs.RELEASES[-1]
    exe = folder / release
    if not exe.exists():
        programs.go(release, ["build", "-o", str(exe), "./deaths"])
    place = folder / "quiet"
    place.mkdir()
    process = programs.start(exe, place, {}, ["string"])
    programs.finish(process, place, programs.RUN_SECONDS)
    programs.check_death(process, place)
    assert "plain" in goheap.run([place / "core", exe, "info"]).out
    assert "plain" not in goheap.run([place / "core", exe, "info", "--no-values"]).out
