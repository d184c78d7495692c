# SPDX-License-Identifier: Apache-2.0
"""Paths from owners to objects: tests/programs/paths states who holds what, by which expression."""

import bisect
import collections
import pathlib
import re
import struct
from typing import Dict, Iterator, List, Set, Tuple

import pytest
from conftest import RELEASES
from lib import damage, goheap, gocore, programs, simple

CASES = [(release, variant) for release in RELEASES for variant in ("plain", "nodwarf")]
CASES += [(release, "oldmaps") for release in RELEASES if release.startswith(("go1.24", "go1.25"))]
SAMPLED = 120        # objects whose distance is derived again
DAMAGED, FULL_DAMAGED = 4, 60  # cores a release
LONG, LONGEST = 100_000, 10_000_000
RANDOM = 400         # objects of a graph with three random edges each
SECONDS = 20
STT_OBJECT, SHT_SYMTAB = 1, 2


class Died:
    """One death of the program, with the answers to all that it states."""

    def __init__(self, death: programs.Death) -> None:
        self.death = death
        self.core = gocore.Core(str(death.core), str(death.exe), death.build.release)
        self.stated = death.statement["paths"]
        self.minor = int(death.build.release.split(".")[1])
        self.has_dwarf = death.build.variant == "plain"

    def rows(self, *commands: str) -> List[List[dict]]:
        """Rows of `hops` of each command."""
        documents = goheap.ask(self.death.core, self.death.exe, *commands)
        return [goheap.rows(documents[command], "hops") for command in commands]


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def died(request: pytest.FixtureRequest, workshop: programs.Workshop,
         keep: bool) -> Iterator[Died]:
    death = workshop.run(programs.Build("paths", *request.param), "garbage")
    made = Died(death)
    yield made
    made.core.close()
    if not keep:
        workshop.forget(death)


def expected(of: Died, name: str) -> "re.Pattern[str]":
    """What an expression must look like; up to Go 1.22 nothing names what a closure captured."""
    pattern = re.escape(name).replace("goroutine\\ N", r"goroutine \d+").replace("…", ".*")
    if of.minor < 23:
        pattern = re.sub(r"func1·\w+", r"func1\\+0x\\w+(\\.\\*)?", pattern)
        pattern = re.sub(r"(timer.*:\\ )(.*)", r"\1.*\2", pattern)  # an object without a type
    return re.compile(pattern)


def test_names(died: Died) -> None:
    """Expressions are what a person writes. Without DWARF variables have names, fields none."""
    answers = died.rows(*("path " + path["address"] for path in died.stated))
    wrong = []
    for path, rows in zip(died.stated, answers):
        ours = rows[-1]["expression"] if rows else "none"
        if died.has_dwarf:
            right = expected(died, path["name"]).fullmatch(ours)
        else:
            root = re.match(r"main\.\w+|goroutine N main\.\w+|timer [\w.]+|defer [\w.]+",
                            path["name"]).group()
            right = re.match(re.escape(root).replace("goroutine\\ N", r"goroutine \d+"), ours)
            if path["name"] in ("main.cache", "main.anything", "main.summers", "main.word"):
                right = ours == path["name"]
        if not right:
            wrong.append("%s: we say %s" % (path["name"], ours))
    assert not wrong, "\n".join(wrong)


def test_no_values(died: Died) -> None:
    """Keys are the program's own data."""
    told = [path["address"] for path in died.stated if '"' in path["name"]]
    for rows in died.rows(*("path --no-values " + address for address in told)):
        assert '"' not in rows[-1]["expression"]
        assert not died.has_dwarf or "[…]" in rows[-1]["expression"]


def _number(text: str) -> int:
    return int(text, 16)


def wrong_hops(of: Died, rows: List[dict], target: int) -> List[str]:
    """Read every hop of a path again.

    A row that stands for several hops is walked: the same word of one object after the other.
    """
    core, wrong = of.core, []
    for before, row in zip([None, *rows], rows):
        word, address = _number(row["word"]), _number(row["address"])
        if core.slot_of(core.word(word)) != address:
            wrong.append("%s: its word leads to %#x" % (row, core.word(word)))
        if before is None:
            if core.slot_of(word) is not None and not re.match("goroutine|timer|defer",
                                                               row["name"]):
                wrong.append("%s: its word is no root" % row)
            continue
        at = _number(before["address"])
        offset = word - core.slot_of(word)
        for _ in range(row["hops"] - 1):
            at = core.slot_of(core.word(at + offset))
        if core.slot_of(word) != at:
            wrong.append("%s: its word is not in %#x" % (row, at))
    if not rows or _number(rows[-1]["address"]) != core.slot_of(target):
        wrong.append("%#x: the path ends elsewhere" % target)
    return wrong


def test_hops_are_read_again(died: Died) -> None:
    answers = died.rows(*("path --all-hops " + path["address"] for path in died.stated))
    wrong = []
    for path, rows in zip(died.stated, answers):
        rows = [row for row in rows if row["word"]]
        wrong += wrong_hops(died, rows, _number(path["address"]))
    assert not wrong, "\n".join(wrong)


def test_a_false_hop_is_found(died: Died) -> None:
    """The twin."""
    path = next(path for path in died.stated if path["name"].endswith(".conn.buf"))
    rows, = died.rows("path --all-hops " + path["address"])
    assert not wrong_hops(died, rows, _number(path["address"]))
    rows[1]["word"] = hex(_number(rows[1]["word"]) + 8)
    assert wrong_hops(died, rows, _number(path["address"]))


def test_what_is_not_held(died: Died) -> None:
    """Garbage has no path, and neither has what only weak pointers lead to."""
    planted = died.death.statement["planted"][::5]
    for address, rows in zip(planted, died.rows(*("path " + address for address in planted))):
        assert not rows, address
    document, = goheap.ask(died.death.core, died.death.exe, "path " + planted[0]).values()
    assert any("is garbage" in note for note in document["notes"])
    answer = goheap.run([str(died.death.core), "path", "0x10"])
    assert answer.code == goheap.NOTHING and "is in no object of the heap" in answer.err
    answer = goheap.run([str(died.death.core), "path", "elephant"])
    assert answer.code == goheap.NOTHING and "no live object is of type elephant" in answer.err
    answer = goheap.run([str(died.death.core), "path"])
    assert answer.code == goheap.USAGE and "give an address or a type" in answer.err


def test_weak_pointers(died: Died) -> None:
    """They are followed where one asks for it: half of what truth.weakly leads to is garbage."""
    if died.minor < 24:
        return
    planted = died.death.statement["planted"]
    answers = died.rows(*("path --weak " + address for address in planted))
    found = [(address, rows) for address, rows in zip(planted, answers) if rows]
    assert len(found) == 2
    for address, rows in found:
        assert rows[-1]["expression"].startswith("goheap.test/programs/truth.weakly")
        assert rows[-1]["expression"].endswith(".Value()")
        handle = _number(rows[-1]["word"])
        assert died.core.slot_of(died.core.word(handle)) == died.core.slot_of(_number(address))


def test_of_a_type(died: Died) -> None:
    """A type stands for its largest object, the address of a part for the whole."""
    if died.has_dwarf:
        rows, again = died.rows("path main.cacheOf", "path --type ^main[.]cacheOf$")
        assert rows == again and rows[-1]["expression"] == "main.cache"
        rows, = died.rows("path []*main.leaf")  # no regular expression
        assert rows[-1]["type"] == "[]*main.leaf"
    path = next(path for path in died.stated if path["name"] == "main.items")
    inside, start = died.rows("path %#x" % (_number(path["address"]) + 20),
                              "path " + path["address"])
    assert inside == start


def test_paths_that_differ(died: Died) -> None:
    """The object behind main.first is held three times."""
    address, = [path["address"] for path in died.stated if path["name"] == "main.first"]
    for command in ("path -n 5 ", "path --all-roots "):
        rows, = died.rows(command + address)
        told = [row["expression"] for row in rows if row["expression"]]
        if died.has_dwarf:
            assert told == ["main.first", "main.second.next", "main.third.next.next"]
        else:
            assert [re.match(r"main\.\w+", text).group() for text in told] == [
                "main.first", "main.second", "main.third"]
        assert [sum(row["hops"] for row in rows if row["path"] == i) for i in (1, 2, 3)] == [
            1, 2, 3]


def test_variables_come_first(died: Died) -> None:
    """Of paths of one length those of variables are first; a shorter one is before them."""
    for name, roots in (("main.both.p", ["main.both", "goroutine"]),
                        ("goroutine N main.inBoth.near.p", ["goroutine", "main.far"])):
        address, = [path["address"] for path in died.stated if path["name"] == name]
        for command in ("path -n 2 ", "path --all-roots "):
            rows, = died.rows(command + address)
            told = [row["expression"] for row in rows if row["expression"]]
            assert [re.match(r"goroutine|main\.\w+", text).group() for text in told] == roots


class Variables:
    """Which package variable a static address belongs to."""

    def __init__(self, exe: pathlib.Path, bias: int) -> None:
        data = exe.read_bytes()
        shoff, = struct.unpack_from("<Q", data, 40)
        size, count = struct.unpack_from("<HH", data, 58)
        sections = [struct.unpack_from("<IIQQQQIIQQ", data, shoff + i * size)
                    for i in range(count)]
        found: List[Tuple[int, int, str]] = []
        for section in sections:
            if section[1] != SHT_SYMTAB:
                continue
            strings = sections[section[6]][4]
            for name, info, _, _, value, length in struct.iter_unpack(
                    "<IBBHQQ", data[section[4]:section[4] + section[5]]):
                if info & 15 == STT_OBJECT and length:
                    end = data.index(b"\0", strings + name)
                    found.append((value + bias, length, data[strings + name:end].decode()))
        self._found = sorted(found)
        self._starts = [start for start, _, _ in self._found]

    def at(self, address: int) -> str:
        """The name; "" where there is none."""
        i = bisect.bisect_right(self._starts, address) - 1
        if i < 0 or address >= self._found[i][0] + self._found[i][1]:
            return ""
        return self._found[i][2]


def words_of(core: gocore.Core, slot: int, size: int) -> Iterator[int]:
    """All words of an object, pointers or not."""
    for word, in struct.iter_unpack("<Q", core.read(slot, size // 8 * 8)):
        yield word


def distances(of: Died, avoid: Set[int]) -> Dict[int, int]:
    """Hops from the nearest package variable to each object: breadth first, word by word."""
    core = of.core
    variables = Variables(of.death.exe, core.bias)
    # The program notes addresses as integers; what the runtime holds comes last.
    left_out = re.compile(r"runtime[./]|internal/runtime/|goheap.test/programs/truth[.]")
    found: Dict[int, int] = {}
    todo: "collections.deque[int]" = collections.deque()

    def reach(word: int, distance: int) -> None:
        slot = core.slot_of(word)
        if slot is not None and slot not in found and slot not in avoid:
            found[slot] = distance
            todo.append(slot)

    for low, high in (("runtime.data", "runtime.edata"), ("runtime.bss", "runtime.ebss")):
        start, end = core.symbol(low), core.symbol(high)
        for i, word in enumerate(words_of(core, start, end - start)):
            if not left_out.match(variables.at(start + 8 * i)):
                reach(word, 1)
    while todo:
        slot = todo.popleft()
        span = core.span_of(slot)
        if not span.spanclass & 1:
            for word in words_of(core, slot, span.elemsize):
                reach(word, found[slot] + 1)
    return found


def test_shortest(died: Died) -> None:
    """No package variable is nearer than the owner that a path begins at."""
    documents = goheap.ask(died.death.core, died.death.exe,
                           r"objects --type ^runtime[.](g|m|p|sudog|_defer|timer)",
                           "objects --type main")
    of_runtime, ours = [goheap.addresses(document) for document in documents.values()]
    nearest = distances(died, set(of_runtime))
    chosen = sorted(ours)[::max(1, len(ours) // SAMPLED)]
    chosen += [died.core.slot_of(_number(path["address"])) for path in died.stated]
    answers = died.rows(*("path %#x" % address for address in chosen))
    wrong = []
    for address, rows in zip(chosen, answers):
        hops = sum(row["hops"] for row in rows)
        if rows[0]["name"].startswith("main."):
            right = hops == nearest.get(address)
        else:  # from elsewhere, because that is nearer
            right = hops <= nearest.get(address, hops)
        if not right:
            wrong.append("%#x: %d hops by %s, but %s are enough"
                         % (address, hops, rows[-1]["expression"], nearest.get(address)))
    assert not wrong, "\n".join(wrong)


def test_merged(died: Died) -> None:
    """All objects of a type count once; what a row leads to is parted below it."""
    documents = goheap.ask(died.death.core, died.death.exe, "top", "paths main.leaf",
                           "paths ^main[.]leaf$", "paths string", "paths --type .")
    tops = {row["type"]: row for row in goheap.rows(documents["top"], "types")}
    everything = documents["paths --type ."]
    for title, name in (("paths main.leaf", "main.leaf"), ("paths ^main[.]leaf$", "main.leaf"),
                        ("paths string", "string")):
        if name not in tops:
            continue
        table = documents[title]["tables"]["paths"]
        left_out = sum(skipped["count"] for skipped in documents[title]["skipped"])
        assert table["total"]["count"] + left_out == tops[name]["count"], title
        check_sums(table)
    check_sums(everything["tables"]["paths"])
    check_filtered(died, everything["tables"]["paths"])
    total = documents["top"]["tables"]["types"]["total"]
    left_out = sum(skipped["count"] for skipped in everything["skipped"])
    assert everything["tables"]["paths"]["total"]["count"] + left_out == total["count"]
    if died.has_dwarf:
        rows = {row["path"]: row for row in goheap.rows(documents["paths main.leaf"], "paths")}
        # the stack of who made them may be nearer to the last ones
        assert 2990 <= rows["main.big[…]"]["count"] <= 3000
        assert 13 * 64 - 9 <= rows["main.growing[…]"]["count"] <= 13 * 64 + 1
        assert rows["main.second"]["count"] == 1  # what three lead to has one shortest path


def check_filtered(died: Died, whole: dict) -> None:
    """The total is of the rows that --min leaves."""
    sizes = sorted(row["bytes"] for row in whole["rows"] if row["level"] == 0)
    assert sizes[0] < sizes[-1]
    line = "paths --type . --min %d" % sizes[-1]
    table = goheap.ask(died.death.core, died.death.exe, line)[line]["tables"]["paths"]
    top = [row for row in table["rows"] if row["level"] == 0]
    assert top and len(top) < len(sizes)
    for column in ("count", "bytes"):
        assert table["total"][column] == sum(row[column] for row in top)


def check_sums(table: dict) -> None:
    """Rows of one level below a row are at most that row; those of the first level are all."""
    stack: List[List[int]] = [[table["total"]["count"], 0]]
    for row in table["rows"]:
        del stack[row["level"] + 1:]
        assert len(stack) == row["level"] + 1
        stack[-1][1] += row["count"]
        assert stack[-1][1] <= stack[-1][0], row
        stack.append([row["count"], 0])
    assert stack[0][0] == stack[0][1]


def test_usage_of_paths(died: Died) -> None:
    core = str(died.death.core)
    answer = goheap.run([core, str(died.death.exe), "paths", "main.noSuchType"])
    assert answer.code == goheap.NOTHING and "no live object is of type" in answer.err
    for command in ("path", "paths"):
        answer = goheap.run([core, str(died.death.exe), command, "main.leaf", "--package", "^no$"])
        assert answer.code == goheap.NOTHING
        assert "of type main.leaf and in a package that matches ^no$" in answer.err
    answer = goheap.run([core, str(died.death.exe), "paths", "("])
    assert answer.code == goheap.USAGE
    answer = goheap.run([core, str(died.death.exe), "paths"])
    assert answer.code == goheap.USAGE and "give a type" in answer.err


class Wild:
    """The random graph of tests/programs/graphs, read word by word."""

    def __init__(self, core: gocore.Core, nodes: Set[int], first: int) -> None:
        self.first = first
        self._next = {node: [slot for slot in dict.fromkeys(
            core.slot_of(word) for word in words_of(core, node, 24)) if slot in nodes]
                      for node in nodes}

    def lengths(self, target: int, count: int) -> List[int]:
        """Hops of the shortest ways from main.held that go through no object twice."""
        found: List[int] = []
        todo = collections.deque([(self.first,)])
        while todo and len(found) < count:
            way = todo.popleft()
            if way[-1] == target:
                found.append(len(way))
                continue
            todo.extend(way + (slot,) for slot in self._next[way[-1]] if slot not in way)
        return found


def test_the_shortest_of_many(workshop: programs.Workshop) -> None:
    """As many paths as are asked for, none shorter than these: in a graph of random edges."""
    build = programs.Build("graphs", RELEASES[-1], "plain")
    with simple.death(workshop, build, ["random", str(RANDOM)]) as dead:
        core = gocore.Core(str(dead.core), str(dead.exe), RELEASES[-1])
        document, = goheap.ask(dead.core, dead.exe, "objects --type ^main.wild$").values()
        nodes = sorted(goheap.addresses(document))
        assert len(nodes) == RANDOM
        wild = Wild(core, set(nodes), core.slot_of(core.word(core.symbol("main.held") + 8)))
        chosen = nodes[::RANDOM // 10]
        commands = ["path -n %d %#x" % (count, node) for node in chosen for count in (2, 7)]
        documents = goheap.ask(dead.core, dead.exe, *commands)
        wrong = []
        for command in commands:
            _, _, count, address = command.split()
            rows = goheap.rows(documents[command], "hops")
            ours = collections.Counter(row["path"] for row in rows for _ in range(row["hops"]))
            told = [ours[i + 1] for i in range(len(ours))]
            if told != wild.lengths(_number(address), int(count)):
                wrong.append("%s: %s" % (command, told))
            if len({row["expression"] for row in rows if row["expression"]}) != len(told):
                wrong.append("%s: one of them comes twice" % command)
        core.close()
        assert not wrong, "\n".join(wrong)


def long_paths(workshop: programs.Workshop, release: str, folder: pathlib.Path,
               objects: int) -> None:
    """Let the program die with paths of that length, and look at them."""
    exe = workshop.build(programs.Build("longpaths", release, "plain"))
    process = programs.start(exe, folder, {"GOHEAP_MODE": "missing"}, [str(objects)])
    programs.finish(process, folder, programs.RUN_SECONDS)
    programs.check_death(process, folder)
    stated = programs.Death(programs.Build("longpaths", release, "plain"), "missing", exe,
                            folder).statement["paths"]
    words = [str(folder / "core"), str(exe), "--json"]
    for path in stated:
        words += ["-e", "path " + path["address"]]
    words += ["-e", "path -n 3 " + stated[0]["address"], "-e", "paths main.end"]
    answer = goheap.run(words, seconds=SECONDS * max(1, objects // 100_000))
    assert answer.code == goheap.ANSWERED, answer.err
    documents = list(answer.documents().values())
    for path, document in zip(stated, documents):
        rows = goheap.rows(document, "hops")
        name = path["name"].replace("N-1", "{:,}".format(objects - 1))
        name = name.replace("N-2", str(objects - 2))
        assert expected_long(name).fullmatch(rows[-1]["expression"]), rows[-1]["expression"][:500]
        assert len(rows) < 10000
    hops = sum(row["hops"] for row in goheap.rows(documents[1], "hops"))
    assert hops == objects // 2 * 2 + 2  # of the lists of two types
    rows = goheap.rows(documents[-1], "paths")
    assert {"main.all[…]": objects, "main.wides.many[…]": 1000}.items() <= {
        row["path"]: row["count"] for row in rows}.items()
    assert len(rows) < 20


def expected_long(name: str) -> "re.Pattern[str]":
    return re.compile(re.escape(name).replace("…", ".*"), re.S)


def test_long_paths(workshop: programs.Workshop, release: str, tmp_path: pathlib.Path) -> None:
    """A list, two types in turn, circles, wide objects: bounded in time and in rows."""
    if release in (programs.RELEASES[0], programs.RELEASES[-1]):
        long_paths(workshop, release, tmp_path, LONG)


@pytest.mark.full
def test_longest_paths(workshop: programs.Workshop, tmp_path: pathlib.Path) -> None:
    long_paths(workshop, programs.RELEASES[-1], tmp_path, LONGEST)


def test_damaged(workshop: programs.Workshop, release: str, tmp_path: pathlib.Path,
                 pytestconfig: pytest.Config) -> None:
    """Whatever is overwritten, there is an answer or a sentence."""
    death = workshop.run(programs.Build("paths", release, "plain"), "garbage")
    data = death.core.read_bytes()
    stated = death.statement["paths"]
    commands: List[str] = []
    for path in stated[::6]:
        commands += ["-e", "path -n 3 " + path["address"]]
    commands += ["-e", "path --all-roots --all-hops " + stated[3]["address"], "-e", "paths main",
                 "-e", "paths --type ."]
    for seed in range(FULL_DAMAGED if pytestconfig.getoption("--full") else DAMAGED):
        core = damage.write(tmp_path / "core", damage.overwrite(data, seed))
        answer = goheap.run([str(core), str(death.exe), "--json", *commands])
        assert answer.code in (goheap.ANSWERED, goheap.NOTHING), answer.err
