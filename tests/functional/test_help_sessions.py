# SPDX-License-Identifier: Apache-2.0
"""The help of each command shows a real session: it is asked again, and the answer is the same."""

import copy
import json
import pathlib
import shutil
from typing import Dict, Iterator, List

import pytest

from lib import gdb, goheap, helpsessions, programs


@pytest.fixture(name="made", scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dict[str, List[str]]]:
    folder = tmp_path_factory.mktemp("sessions")
    yield helpsessions.page(goheap.path(), folder, programs.RELEASES[-1])
    shutil.rmtree(folder)


@pytest.fixture(name="kept", scope="module")
def _kept(made: Dict[str, List[str]]) -> Dict[str, List[str]]:
    return {command: helpsessions.shown(command) for command in made}


def test_every_command_has_one() -> None:
    listed = json.loads(goheap.run(["help", "--json"]).out)
    commands = {row["command"] for row in goheap.rows(listed, "commands")} - {"help"}
    assert commands == {session.command for session in helpsessions.SESSIONS}


def test_they_are_true(made: Dict[str, List[str]], kept: Dict[str, List[str]]) -> None:
    wrong = helpsessions.differing(made, kept)
    assert not wrong, "write them again: tools/help-sessions: %s" % wrong


def test_they_show_an_answer(kept: Dict[str, List[str]]) -> None:
    for command, lines in kept.items():
        assert lines[0].startswith("$ goheap core ") and command in lines[0], command
        assert 4 <= len(lines) <= 40, command


def test_a_false_one_is_seen(made: Dict[str, List[str]], kept: Dict[str, List[str]]) -> None:
    """A number of the bundled core, and a word of a program that is run anew."""
    false = copy.deepcopy(kept)
    false["top"][1] = false["top"][1].replace("42366", "42367")
    false["leaks"][1] = false["leaks"][1].replace("never", "hardly")
    seen = set(helpsessions.differing(made, false)) - set(helpsessions.differing(made, kept))
    assert seen == {"top", "leaks"}


def test_gdb_shows_them_too(kept: Dict[str, List[str]], tmp_path: pathlib.Path) -> None:
    out = gdb.run(["help goheap leaks"], cwd=str(tmp_path)).out
    assert [line.strip() for line in kept["leaks"]] == [
        line.strip() for line in out.partition("Session:\n")[2].splitlines()][:len(kept["leaks"])]
