# SPDX-License-Identifier: Apache-2.0
"""The bundled cores: what corefiles/shop stated when it died is what goheap says of it."""

import collections
import functools
import hashlib
import json
import pathlib
import subprocess
from typing import Dict

import pytest

from lib import goheap, gocore, programs

FOLDER = programs.ROOT / "corefiles"
MANIFEST = json.loads((FOLDER / "manifest.json").read_text())
MAX_PACKED_BYTES = 40 << 20
# What each of the program's functions waits for, in the runtime's words.
REASONS = {"main.answer": "chan send", "main.consume": "chan receive", "main.archive": "chan receive",
           "main.reserve": "sync.Mutex.Lock", "main.poll": "select"}
# Some of these may show as unknown: only stack slots, a compiler's wrapper, or the runtime's own
# timers, which are larger than a time.Timer, refer to them.
MAY_BE_UNKNOWN = ("main.Task", "main.File", "func main.startTimers.func1")
# Goroutines that offer a Task to a channel: its type tells what they offer.
SENDERS = 40
# Garbage that the program did not make itself: of the runtime, since its last collection.
OTHERS_GARBAGE = 64


class Bundle:
    """A bundled core, unpacked."""

    def __init__(self, minor: str, folder: pathlib.Path) -> None:
        self.entry = MANIFEST[minor]
        self.truth = self.entry["truth"]
        self.exe = folder / ("shop-" + minor)
        self.core = folder / ("shop-%s.core" % minor)
        subprocess.run([str(FOLDER / "unpack"), minor, str(folder)], check=True)

    def ask(self, command: str) -> dict:
        """Return what goheap answers to a command."""
        return goheap.ask(self.core, self.exe, command)[command]


@functools.lru_cache(maxsize=1)
def unpacked(minor: str, folder: pathlib.Path) -> Bundle:
    """Unpack each once: tests of one release run one after the other."""
    return Bundle(minor, folder)


@pytest.fixture(name="bundle")
def _bundle(release: str, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    minor = ".".join(release.split(".")[:2])
    return unpacked(minor, tmp_path_factory.getbasetemp())


def test_there_is_one_a_release() -> None:
    assert sorted(MANIFEST) == [".".join(release.split(".")[:2]) for release in programs.RELEASES]
    packed = sum(path.stat().st_size for path in FOLDER.glob("*.zst"))
    assert packed < MAX_PACKED_BYTES


def test_files_are_those_of_the_manifest(bundle: Bundle) -> None:
    for path, entry in ((bundle.exe, bundle.entry["exe"]), (bundle.core, bundle.entry["core"])):
        assert path.stat().st_size == entry["bytes"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"]


def test_top_counts_what_the_program_built(bundle: Bundle) -> None:
    shown = {row["type"]: (row["count"], row["bytes"])
             for row in goheap.rows(bundle.ask("top"), "types")}
    stated = {name: (row["count"], row["bytes"]) for name, row in bundle.truth["types"].items()}
    may_be_fewer = {name: stated.pop(name) for name in MAY_BE_UNKNOWN if name in stated}
    assert len(stated) >= 10
    assert {name: shown.get(name) for name in stated} == stated
    assert not [name for name, (count, _) in may_be_fewer.items()
                if shown.get(name, (0, 0))[0] > count]
    assert shown["main.Task"][0] >= SENDERS


def test_top_dead_counts_what_the_program_dropped(bundle: Bundle) -> None:
    dead = sum(row["count"] for row in goheap.rows(bundle.ask("top --dead"), "types"))
    planted = sum(bundle.truth["garbage"].values())
    assert planted <= dead <= planted + OTHERS_GARBAGE


def test_goroutines_wait_for_what_the_program_says(bundle: Bundle) -> None:
    rows = goheap.rows(bundle.ask("goroutines --all"), "goroutines")
    assert sum(not row["system"] and row["state"] != "dead" for row in rows) == (
        bundle.truth["goroutines"])
    shown = collections.Counter(row["wait_reason"] for row in rows
                                if "truth.Stay" in (row["created_by"] or ""))
    stated: Dict[str, int] = collections.Counter()
    for function, count in bundle.truth["waiting"].items():
        stated[REASONS[function]] += count
    assert shown == stated


def test_memstats_equal_the_programs(bundle: Bundle) -> None:
    core = gocore.Core(str(bundle.core), str(bundle.exe), bundle.entry["go"])
    stated = core.memstats("goheap.test/programs/truth.MemStats")
    core.close()
    shown = {row["name"]: row["value"]
             for row in goheap.rows(bundle.ask("memstats"), "memstats")}
    for name, value in shown.items():
        assert value == pytest.approx(stated[name], rel=1e-12), name


def test_doctor_finds_nothing_bad(bundle: Bundle) -> None:
    rows = goheap.rows(bundle.ask("doctor"), "checks")
    assert len(rows) > 20
    assert not [row for row in rows if row["state"] == "bad"]


def test_info_names_the_release(bundle: Bundle) -> None:
    assert bundle.ask("info")["target"]["go_version"] == bundle.entry["go"]


DATA = "customer number"  # begins strings of the program: names of users, keys of its map
WITH_DATA = {"obj", "refs", "referrers", "path", "find"}  # commands that show it


def test_no_values_is_honoured_by_all(bundle: Bundle) -> None:
    """No command lets a string of the program out with --no-values; without it some do."""
    listed = json.loads(goheap.run(["help", "--json"]).out)
    names = {row["command"] for row in goheap.rows(listed, "commands")} - {"help", "next"}
    found = bundle.ask("objects main.Session")
    session = goheap.rows(found, "objects")[1]["address"]
    part = next(row["address"] for row in goheap.rows(bundle.ask("referrers " + session), "objects")
                if (row["type"] or "").startswith("map["))
    needs = {"goroutine": " 18", "obj": " %s --retained" % session, "refs": " " + part,
             "referrers": " " + session, "find": " umber", "path": " %s -n 2" % session,
             "paths": " main.Session", "dom": " main.sessions"}
    lines = [name + needs.get(name, "") for name in sorted(names)]
    loud = goheap.ask(bundle.core, bundle.exe, *lines)
    assert WITH_DATA <= {document["command"] for document in loud.values()
                         if DATA in json.dumps(document["tables"])}
    lines.remove("find umber")
    quiet = goheap.ask(bundle.core, bundle.exe, *("%s --no-values" % line for line in lines))
    assert not [line for line, document in quiet.items() if DATA in json.dumps(document)]
    text = goheap.run([bundle.core, bundle.exe, *(
        word for line in lines for word in ("-e", line + " --no-values"))])
    assert text.code == goheap.ANSWERED and DATA not in text.out
    answer = goheap.run([bundle.core, bundle.exe, "find", "umber", "--no-values"])
    assert answer.code == goheap.USAGE and DATA not in answer.out


def test_threads_change_nothing(bundle: Bundle) -> None:
    # more live objects than the fewest that several threads are taken for
    lines = ("objects --all", "top --all", "obj --sample 200 --why-type")
    answers = []
    for n in (1, 2, 4):
        documents = goheap.ask(bundle.core, bundle.exe,
                               *("%s --threads %d" % (line, n) for line in lines))
        answers.append([(document["tables"], document["notes"]) for document in documents.values()])
    assert answers == [answers[0]] * len(answers)
