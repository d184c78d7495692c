# SPDX-License-Identifier: Apache-2.0
"""Damage to what waits: words of goroutines, sudogs, timers, defers, channels and their lists are
overwritten, rings are made. Commands answer, in time and in bounds, and lose nothing elsewhere.
"""

import contextlib
import json
import pathlib
import random
import struct
import subprocess
from typing import Dict, Iterator, List, NamedTuple, Tuple

import pytest

from conftest import RELEASES
from lib import damage, gocore, goheap, programs, simple

DUMP = programs.ROOT / "build-asan/tests/unit/stuck_dump"
COMMANDS = ["timers --all", "timers", "defers --all", "defers", "chans --all", "chans"]
OTHERS = ["goroutines --all", "goroutines --retained", "locks", "leaks --all", "threads --all",
          "conns --all", "suspects"]
SECONDS = 600
G_BYTES, TIMER_BYTES, RECORD_BYTES, SUDOG_BYTES, CHAN_BYTES = 448, 96, 48, 104, 112
SEEDS, FULL_SEEDS = 6, 200
# Of these any word may be overwritten: the words that follow the program, and the commands.
ANYWHERE = {"conns": (["open"], ["conns", "conns --all"]), "leaks": (["leaky"], ["leaks --all"]),
            "locks": (["stuck"], ["locks"])}
ANYWHERE_SEEDS, FULL_ANYWHERE_SEEDS = 4, 60


class Places(NamedTuple):
    """Addresses of what is overwritten."""

    gs: List[int]
    timers: List[int]
    slots: List[int]  # of the timer heaps' arrays
    sudogs: List[int]
    records: List[int]
    chans: List[int]


class Patient:
    """A core that is damaged in place, and healed."""

    def __init__(self, dead: simple.Dead) -> None:
        self.dead = dead
        with open(dead.core, "rb") as core:
            self._loads = damage.Header(core.read(1 << 20)).loads
        self.places = self._find()

    def _find(self) -> Places:
        out = subprocess.run([str(DUMP), str(self.dead.core), str(self.dead.exe)],
                             stdout=subprocess.PIPE, text=True, timeout=SECONDS, check=True).stdout
        found = Places([], [], [], [], [], [])
        self.goroutines: List[dict] = []
        for row in map(json.loads, out.splitlines()):
            if "timer" in row:
                found.timers.append(int(row["timer"], 16))
                found.slots.append(int(row["slot"], 16))
            elif "goid" in row:
                self.goroutines.append(row)
                found.gs.append(int(row["g"], 16))
                for sudog in row["sudogs"]:
                    found.sudogs.append(int(sudog["addr"], 16))
                    found.chans.append(int(sudog["chan"], 16))
                found.records.extend(int(one["record"], 16) for one in row["defers"])
        return Places(*([address for address in some if address] for some in found))

    def offset(self, address: int) -> int:
        """Return where a word lies in the file; -1: nowhere."""
        for start, offset, size in self._loads:
            if start <= address <= start + size - 8:
                return offset + address - start
        return -1

    @contextlib.contextmanager
    def damaged(self, words: Dict[int, int]) -> Iterator[None]:
        """Overwrite words by address, and put them back."""
        before: List[Tuple[int, bytes]] = []
        with open(self.dead.core, "r+b") as core:
            for address, value in words.items():
                at = self.offset(address)
                if at < 0:
                    continue
                core.seek(at)
                before.append((at, core.read(8)))
                core.seek(at)
                core.write(struct.pack("<Q", value & (1 << 64) - 1))
        try:
            yield
        finally:
            with open(self.dead.core, "r+b") as core:
                for at, word in reversed(before):
                    core.seek(at)
                    core.write(word)

    def ask(self, *more: str) -> Dict[str, dict]:
        """Return what goheap answers to all commands."""
        return goheap.ask(self.dead.core, self.dead.exe, *COMMANDS, *more)


@pytest.fixture(scope="module", params=RELEASES)
def patient(request: pytest.FixtureRequest, workshop: programs.Workshop) -> Iterator[Patient]:
    with simple.death(workshop, programs.Build("stuck", request.param, "plain")) as dead:
        yield Patient(dead)


def scatter(places: Places, seed: int) -> Dict[int, int]:
    """Return random words for random places."""
    rng = random.Random(seed)
    kinds = [(places.gs, G_BYTES), (places.timers, TIMER_BYTES), (places.slots, 8),
             (places.sudogs, SUDOG_BYTES), (places.records, RECORD_BYTES),
             (places.chans, CHAN_BYTES)]
    every = [address for addresses, _ in kinds for address in addresses]
    words = {}
    for _ in range(rng.choice([1, 10, 100, 1000])):
        addresses, size = rng.choice([kind for kind in kinds if kind[0]])
        at = rng.choice(addresses) + rng.randrange(size // 8) * 8
        words[at] = rng.choice([0, 1, 7, rng.getrandbits(64), rng.getrandbits(32), (1 << 63) - 1,
                                rng.choice(every), rng.choice(every) + 8 * rng.randrange(14)])
    return words


@pytest.mark.parametrize("seed", range(SEEDS))
def test_any_damage_is_survived(patient: Patient, seed: int) -> None:
    with patient.damaged(scatter(patient.places, seed)):
        for answer in patient.ask(*OTHERS).values():
            assert answer["schema"] == "goheap/1"


@pytest.mark.full
@pytest.mark.parametrize("seed", range(1000, 1000 + FULL_SEEDS))
def test_much_damage_is_survived(patient: Patient, seed: int) -> None:
    test_any_damage_is_survived(patient, seed)


def layout(release: str, name: str) -> int:
    """Return the offset of a field as the committed tables have it."""
    path = programs.ROOT / "src/goruntime/versions" / (
        "go1_%s_amd64.inc" % release.split(".")[1])
    for line in path.read_text().splitlines():
        if line.strip().startswith("[GH_F_%s] =" % name):
            return int(line.split("=")[1].strip(" ,"))
    raise AssertionError("no %s" % name)


def test_rings_end(patient: Patient) -> None:
    """Lists that bite their tails: records, sudogs of a goroutine, queues of a channel."""
    release = patient.dead.exe.parents[1].name
    whole = patient.ask()
    link, waitlink, following = (layout(release, name) for name in
                                 ("_defer_link", "sudog_waitlink", "sudog_next"))
    heads = [row for row in goheap.rows(whole["defers --all"], "defers") if row["kind"] == "heap"]
    words = {int(row["record"], 16) + link: int(heads[0]["record"], 16) for row in heads[-1:]}
    words.update((sudog + waitlink, sudog) for sudog in patient.places.sudogs[:5])
    words.update((sudog + following, sudog) for sudog in patient.places.sudogs[5:10])
    with patient.damaged(words):
        answers = patient.ask()
    assert any(answer["skipped"] for answer in answers.values())
    # what is elsewhere is still there
    assert goheap.rows(answers["timers --all"], "timers") == \
        goheap.rows(whole["timers --all"], "timers")
    others = {row["goid"] for row in heads}
    for table in ("defers --all",):
        assert [row["function"] for row in goheap.rows(answers[table], "defers")
                if row["goid"] not in others] == \
            [row["function"] for row in goheap.rows(whole[table], "defers")
             if row["goid"] not in others]


def test_a_timer_heap_that_lies_is_caught(patient: Patient) -> None:
    """An entry that is listed twice, one that is no timer, one that is nowhere."""
    whole = patient.ask()["timers --all"]
    slots, timers = patient.places.slots, patient.places.timers
    with patient.damaged({slots[0]: timers[1], slots[2]: timers[3] + 8, slots[4]: 0xdead0000}):
        answer = patient.ask()["timers --all"]
    left_out = {hex(timers[i]) for i in (0, 2, 4)}
    before = {row["address"] for row in goheap.rows(whole, "timers")}
    after = {row["address"] for row in goheap.rows(answer, "timers")}
    # those that an object of the program leads to are listed all the same
    assert before - left_out <= after <= before
    assert sum(skip["count"] for skip in answer["skipped"] if skip["what"] == "timers") == 3


def test_processors_that_are_none_have_no_timers(patient: Patient) -> None:
    """The list of processors is longer than memory: what lies behind it is not taken for any."""
    release = patient.dead.exe.parents[1].name
    core = gocore.Core(str(patient.dead.core), str(patient.dead.exe), release)
    length = core.symbol("runtime.allp") + 8
    core.close()
    whole = patient.ask()["timers --all"]
    words = [patient.dead.core, patient.dead.exe, "timers", "--all", "--json"]
    with patient.damaged({length: 1 << 31}):
        answer = goheap.run(words)
    assert answer.code == goheap.ANSWERED and answer.fits(1 << 10)
    document = json.loads(answer.out)
    assert [row["address"] for row in goheap.rows(document, "timers")] == \
        [row["address"] for row in goheap.rows(whole, "timers")]
    assert document["skipped"]


def test_a_list_of_goroutines_that_never_ends(patient: Patient) -> None:
    """It is as long as the runtime's other count of them, and nothing behind it is a goroutine."""
    core = gocore.Core(str(patient.dead.core), str(patient.dead.exe),
                       patient.dead.exe.parents[1].name)
    length = core.symbol("runtime.allgs") + 8
    core.close()
    command = "goroutines --all"
    whole = patient.ask(command)[command]
    with patient.damaged({length: (1 << 63) - 1}):
        document = patient.ask(command)[command]
    assert goheap.rows(document, "goroutines") == goheap.rows(whole, "goroutines")
    assert [skip["count"] for skip in document["skipped"] if skip["what"] == "goroutines"] == [1]


@pytest.mark.parametrize("program", sorted(ANYWHERE))
def test_damage_anywhere(workshop: programs.Workshop, release: str, program: str,
                         tmp_path: pathlib.Path, pytestconfig: pytest.Config) -> None:
    """Any word of a core may be overwritten: it costs rows, or there is a sentence."""
    words, commands = ANYWHERE[program]
    full = pytestconfig.getoption("--full")
    asked = [word for command in commands for word in ("-e", command)]
    with simple.death(workshop, programs.Build(program, release, "plain"), words) as dead:
        data = dead.core.read_bytes()
        for seed in range(FULL_ANYWHERE_SEEDS if full else ANYWHERE_SEEDS):
            core = damage.write(tmp_path / "damaged", damage.overwrite(data, seed))
            answer = goheap.run([core, dead.exe, "--json", *asked])
            assert answer.code in (goheap.ANSWERED, goheap.NOTHING), answer.err


def test_functions_without_names(workshop: programs.Workshop, release: str,
                                 tmp_path: pathlib.Path) -> None:
    """The table of names ends early: frames have no names, on stacks of allocations too."""
    with simple.death(workshop, programs.Build("timers", release, "plain")) as dead:
        core = gocore.Core(str(dead.core), str(dead.exe), release)
        data = bytearray(dead.core.read_bytes())
        length = core.symbol("runtime.firstmoduledata") + layout(release, "moduledata_funcnametab") + 8
        struct.pack_into("<Q", data, core.offset_in_file(length), 1)
        core.close()
        before = goheap.ask(dead.core, dead.exe, "timers --all")["timers --all"]
        asked = [*COMMANDS, *OTHERS]
        answers = goheap.ask(damage.write(tmp_path / "core", data), dead.exe, *asked)
    after = answers["timers --all"]
    assert any(row["created_site"] for row in goheap.rows(before, "timers"))
    assert not any(row["callback"] or row["created_site"] for row in goheap.rows(after, "timers"))
    assert {row["address"] for row in goheap.rows(after, "timers")} >= \
        {row["address"] for row in goheap.rows(before, "timers")}


def test_nothing_is_proven_where_roots_are_lost(workshop: programs.Workshop,
                                                release: str) -> None:
    """Records of spans, entries of timer heaps, what tells pointers among package variables: where
    these are damaged a goroutine that can go on must not be called leaked for good.
    """
    command = "leaks --all"
    with simple.death(workshop, programs.Build("leaks", release, "plain"), ["leaky"]) as dead:
        hurt = Patient(dead)
        core = gocore.Core(str(dead.core), str(dead.exe), release)
        module, mheap = core.symbol("runtime.firstmoduledata"), core.symbol("runtime.mheap_")
        all_spans, count = (core.word(mheap + core.place("runtime.mheap", "allspans")[0] + i)
                            for i in (0, 8))
        size_at, _ = core.place("runtime.mspan", "elemsize")
        spans = [core.word(all_spans + 8 * i) for i in range(count)]
        ways = {"spans": {span + size_at: 7 for span in spans[::3]},
                "spans that say they are none": {
                    span + core.place("runtime.mspan", "state")[0] // 8 * 8: 0
                    for span in spans[::3]},
                "timers": {slot: 8 for slot in hurt.places.slots},
                "variables": {module + layout(release, "moduledata_gcbssmask"): 0}}
        whole = proven(goheap.ask(dead.core, dead.exe, command)[command])
        for way, words in ways.items():
            with hurt.damaged(words):
                document = goheap.ask(dead.core, dead.exe, command)[command]
            assert not proven(document), way
            assert document["skipped"] or goheap.failed_checks(document), way
        # where the linker put package variables is known without the module's record
        start = core.word(module + layout(release, "moduledata_bss"))
        with hurt.damaged({module + layout(release, "moduledata_ebss"): start}):
            assert proven(goheap.ask(dead.core, dead.exe, command)[command]) == whole
        # a goroutine says that it waits where nobody comes, and does not stand in the queue there
        waits = [row for row in hurt.goroutines if len(row["sudogs"]) == 1
                 and row["sudogs"][0]["role"] == "receive"]
        stranded = next(row for row in waits if str(row["goid"]) in whole)["sudogs"][0]
        other = next(row for row in waits if str(row["goid"]) not in whole)
        at = int(other["sudogs"][0]["addr"], 16) + layout(release, "sudog_c")
        places = [at] if core.minor < 26 else [at, at + 8]  # go1.26+: the pointer and its number
        for lie in (stranded["chan"], other["sudogs"][0]["addr"]):
            with hurt.damaged(dict.fromkeys(places, int(lie, 16))):
                assert proven(goheap.ask(dead.core, dead.exe, command)[command]) <= whole
        core.close()
    assert whole


def proven(document: dict) -> set:
    """Return the goroutines that are said to be leaked for good."""
    return {goid for row in goheap.rows(document, "leaks") if row["level"] == "proven"
            for goid in row["goids"]}
