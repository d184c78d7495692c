# SPDX-License-Identifier: Apache-2.0
"""The faces: the contract's JSON, the same answers from program, gdb and module, and every refusal."""

import csv
import fcntl
import io
import json
import os
import pathlib
import pty
import re
import struct
import subprocess
import termios
import unicodedata
from typing import Dict, List, Tuple

import pytest

from lib import gdb, goheap, leaksdoc, programs

CONTRACT_PAGE = (programs.ROOT / "docs" / "contract.md").read_text()
KEYS = ["schema", "command", "args", "target", "tables", "selfcheck", "skipped", "notes"]
TARGET_KEYS = ["kind", "go_version", "goarch", "pid", "build_id", "exe", "truncated", "forced",
               "now_ns", "now_error_ns"]
INFO_NAMES = ["go version", "VCS revision", "command line", "signal", "crashing goroutine",
              "panic value", "throw text", "GOMAXPROCS", "GOGC", "GOMEMLIMIT", "uptime", "GC phase"]
UNITS = {
    "bytes": int, "count": (int, float, str), "ns": int, "share": (int, float), "text": object,
    "address": str, "bool": bool, "list": list,
}


@pytest.fixture(scope="module")
def death(workshop: programs.Workshop) -> programs.Death:
    """One core for all of this."""
    return workshop.run(programs.Build("types", programs.RELEASES[-1], "plain"), "missing")


@pytest.fixture(scope="module")
def commands() -> List[str]:
    """The names of all commands that look at a target; `next` goes on with another's answer."""
    answer = goheap.run(["help", "--json"])
    rows = goheap.rows(json.loads(answer.out), "commands")
    return [row["command"] for row in rows if row["command"] not in ("help", "next")]


@pytest.fixture(scope="module")
def lines(commands: List[str], death: programs.Death) -> List[str]:
    """The commands, with what they do not do without."""
    chain = goheap.run([death.core, "objects", "goheap.test/programs/shapes.Link", "--short"])
    link = " " + chain.out.split()[0]
    needs = {"goroutine": " 1", "obj": " --sample 3 --why-type", "refs": link, "referrers": link,
             "find": " o", "path": " string -n 2", "paths": " string"}
    return [command + needs.get(command, "") for command in commands]


@pytest.fixture(scope="module")
def documents(death: programs.Death, lines: List[str]) -> Dict[str, dict]:
    """What the program answers to all commands, by their names."""
    return {document["command"]: document
            for document in goheap.ask(death.core, death.exe, *lines).values()}


Columns = Dict[str, Dict[str, List[str]]]  # of each table of each command


def contract(text: str) -> Columns:
    """Return the columns of each table that the page lists."""
    found: Columns = {}
    for line in text.splitlines():
        cells = re.fullmatch(r"\| (.+?) \| (.+?) \| (.+) \|", line)
        if not cells or cells.group(1) in ("command", "---"):
            continue
        tables = cells.group(2).split("; ")
        lists = re.sub(r"\([^)]*\)", "", cells.group(3)).split("; ")
        if len(tables) == 1:
            lists = ["; ".join(lists)]
        for command in cells.group(1).split(", "):
            for table, names in zip(tables, lists):
                found.setdefault(command.split()[0], {}).setdefault(table, []).extend(
                    name for name in map(str.strip, re.split("[,;]", names))
                    if re.fullmatch(r"\w+", name))
    return found


@pytest.fixture(name="declared", scope="module")
def _declared(commands: List[str]) -> Columns:
    """What commands say that they answer with."""
    found: Columns = {}
    for command in commands:
        tables = found.setdefault(command, {})
        for row in goheap.rows(json.loads(goheap.run(["help", command, "--json"]).out), "columns"):
            tables.setdefault(row["table"], []).append(row["column"])
    return found


def missing_of(text: str, declared: Columns) -> List[Tuple[str, ...]]:
    """Return what the page promises and no command has."""
    later = re.search("there is no command yet: (.*)[.]", text)
    taken = set(re.findall(r"`(\w+)`", later.group(1))) if later else set()
    return [(command, table, name) for command, tables in contract(text).items()
            for table, names in tables.items() for name in names
            if name not in declared.get(command, {}).get(table, []) and command not in taken]


def unsaid_of(text: str, declared: Columns) -> List[Tuple[str, ...]]:
    """Return the columns that the page does not name where it speaks of their command."""
    unsaid = []
    for command, tables in declared.items():
        where = "\n".join(line for line in text.splitlines()
                          if re.match(r"- .*`%s\b|\| [^|]*\b%s\b" % (command, command), line))
        unsaid += [(command, table, name) for table, names in tables.items()
                   for name in names if not re.search(r"\b%s\b" % name, where)]
    return unsaid


def test_the_contract_is_kept(declared: Columns) -> None:
    """Every table and column that docs/contract.md lists is there, and it names all that there is."""
    columns = sum(len(names) for tables in contract(CONTRACT_PAGE).values()
                  for names in tables.values())
    assert columns > 200
    assert not missing_of(CONTRACT_PAGE, declared)
    assert not unsaid_of(CONTRACT_PAGE, declared)


def test_a_contract_that_is_broken_is_seen(declared: Columns) -> None:
    more = CONTRACT_PAGE.replace("| roots | roots | kind,", "| roots | roots | kind, colour,")
    assert missing_of(more, declared) == [("roots", "roots", "colour")]
    less = CONTRACT_PAGE.replace("garbage, tail_bytes |", "garbage |")
    assert unsaid_of(less, declared) == [("spans", "classes", "tail_bytes")]


def test_estimates_say_that_they_are(declared: Columns) -> None:
    """Whatever is called retained, or a wait, has a sibling that says how exact it is."""
    alone = [(command, table, name) for command, tables in declared.items()
             for table, names in tables.items() for name in names
             if (name in ("retained", "captured_bytes") and name + "_kind" not in names)
             or (re.fullmatch("wait_ns(_max|_median)?", name) and "wait_ns_kind" not in names)]
    assert not alone
    assert "bytes_kind" in declared["suspects"]["suspects"]


def test_every_command_explains_itself(commands: List[str]) -> None:
    for command in [*commands, "next", "help"]:
        answer = goheap.run(["help", command])
        assert (answer.code, answer.err) == (goheap.ANSWERED, "")
        for part in ("Usage: goheap " + command, "Options", "--json", "Examples:"):
            assert part.lower() in answer.out.lower(), (command, part)
        assert max(len(line) for line in answer.out.splitlines()) <= 80
        assert goheap.run([command, "--help"]).out == answer.out


def test_help_declares_what_is_printed(documents: Dict[str, dict]) -> None:
    for command, document in documents.items():
        declared = goheap.rows(json.loads(goheap.run(["help", command, "--json"]).out), "columns")
        assert declared, command
        for name, table in document["tables"].items():
            assert [(row["column"], row["unit"]) for row in declared if row["table"] == name] == \
                [(column["name"], column["unit"]) for column in table["columns"]], (command, name)


def test_summaries_fit_beside_the_names() -> None:
    """On 80 columns `help` shows each of them whole."""
    rows = goheap.rows(json.loads(goheap.run(["help", "--json"]).out), "commands")
    name = max(len(row["command"]) for row in rows)
    assert not [row["summary"] for row in rows if name + 2 + len(row["summary"]) > 80]


def test_json_follows_the_contract(documents: Dict[str, dict], death: programs.Death) -> None:
    for command, document in documents.items():
        assert list(document) == KEYS
        assert (document["schema"], document["command"]) == ("goheap/1", command)
        assert list(document["target"]) == TARGET_KEYS
        assert document["target"]["kind"] == "core"
        assert document["target"]["go_version"] == death.build.release
        assert document["target"]["exe"] == str(death.exe)


def test_values_have_the_types_of_their_units(documents: Dict[str, dict]) -> None:
    for command, document in documents.items():
        for name, table in document["tables"].items():
            rows = table["rows"] + ([table["total"]] if table["total"] else [])
            for column in table["columns"]:
                kinds = UNITS[column["unit"]]
                for row in rows:
                    value = row[column["name"]]
                    assert value is None or isinstance(value, kinds), (command, name, column, value)
                    if column["unit"] == "address" and value is not None:
                        assert re.fullmatch("0x[0-9a-f]+", value)
                    if column["unit"] == "share" and value is not None:
                        assert 0 <= value <= 1


def test_info_says_what_the_contract_lists(documents: Dict[str, dict]) -> None:
    rows = {row["name"]: row["value"] for row in goheap.rows(documents["info"], "info")}
    assert set(INFO_NAMES) <= set(rows)
    assert rows["signal"] == "SIGABRT"
    assert rows["crashing goroutine"] == 1
    assert rows["GOMAXPROCS"] >= 1
    assert rows["GOGC"] == 100
    assert rows["command line"].endswith("/types")
    assert rows["uptime"] > 0


def test_answers_do_not_vary(death: programs.Death, lines: List[str]) -> None:
    assert goheap.ask(death.core, death.exe, *lines) == goheap.ask(
        death.core, death.exe, *lines)


def test_csv_and_short_say_the_same(death: programs.Death, documents: Dict[str, dict]) -> None:
    text = goheap.run([death.core, "top", "--csv"]).out
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    ours = goheap.rows(documents["top"], "types")
    assert [(row["type"], int(row["count"]), int(row["bytes"])) for row in rows] == \
        [(row["type"], row["count"], row["bytes"]) for row in ours]
    lines = goheap.run([death.core, "objects", "--short"]).out.splitlines()
    assert lines == [row["address"] for row in goheap.rows(documents["objects"], "objects")]


def test_limit_and_order(death: programs.Death, documents: Dict[str, dict]) -> None:
    words = [death.core, "top", "--json", "-n", "3", "--sort", "count"]
    table = json.loads(goheap.run(words).out)["tables"]["types"]
    whole = documents["top"]["tables"]["types"]
    assert table["total"] == whole["total"]
    counts = sorted((row["count"] for row in whole["rows"]), reverse=True)
    assert [row["count"] for row in table["rows"]] == counts[:3]
    table = json.loads(goheap.run([*words, "--reverse"]).out)["tables"]["types"]
    assert [row["count"] for row in table["rows"]] == sorted(counts)[:3]
    text = goheap.run([death.core, "top"]).out
    assert "… %d more rows: -n 0 shows all" % (len(whole["rows"]) - 20) in text


def test_next_shows_the_rows_that_were_left_out(death: programs.Death,
                                                documents: Dict[str, dict]) -> None:
    # equals stay as they stood
    whole = sorted(goheap.rows(documents["top"], "types"), key=lambda row: -row["count"])
    answer = goheap.run([death.core, "-e", "top -n 5 --sort count --json", "-e", "next -n 2 --json",
                         "-e", "next --json"])
    first, second, rest = (json.loads(line) for line in answer.out.splitlines())
    assert (second["command"], rest["command"]) == ("next", "next")
    assert goheap.rows(first, "types") + goheap.rows(second, "types") + (
        goheap.rows(rest, "types")) == whole
    text = goheap.run([death.core, "-e", "top -n 3", "-e", "help", "-e", "next", "-e", "next -n 0",
                       "-e", "next"]).out
    assert "top goes on: 3 of %d rows have been shown" % len(whole) in text
    assert "… %d more rows" % (len(whole) - 6) in text
    assert text.endswith("nothing is left: all rows of `top` have been shown\n")
    assert "nothing is left" in goheap.run([death.core, "-e", "spans -n 0", "-e", "next"]).out


def test_one_object_by_its_address(death: programs.Death, documents: Dict[str, dict]) -> None:
    row = max(goheap.rows(documents["objects"], "objects"), key=lambda row: row["bytes"])
    inside = hex(int(row["address"], 16) + row["bytes"] - 1)
    document = goheap.ask(death.core, death.exe, "objects " + inside)["objects " + inside]
    assert goheap.rows(document, "objects") == [row]
    assert "0 objects" in goheap.run([death.core, "objects", "0x10"]).out
    asked = goheap.ask(death.core, death.exe, "goroutines 1")["goroutines 1"]
    assert [row["goid"] for row in goheap.rows(asked, "goroutines")] == [1]
    # where nobody goes on, rows have no handles
    assert "$" not in goheap.run([death.core, "-e", "objects", "-e", "goroutines"]).out


NO_ROWS = [("top --type no[.]Such", "--type no[.]Such"), ("roots --min 1T", "--min 1.00 TiB"),
           ("objects no.Such", "no.Such"), ("goroutines --func no[.]Such", "--func no[.]Such"),
           ("chans --type no[.]Such", "--type no[.]Such"), ("threads --state cgo", "--state cgo"),
           ("find no.Such.Text", "no.Such.Text"), ("suspects --rule deadlock", "--rule deadlock")]


@pytest.mark.parametrize("line,filters", NO_ROWS, ids=[line for line, _ in NO_ROWS])
def test_no_rows_is_said(death: programs.Death, line: str, filters: str) -> None:
    """And why; no header stands above nothing."""
    command = line.split()[0]
    text = goheap.run([death.core, *line.split()]).out
    note = "note: no row fits " + filters
    columns = goheap.rows(json.loads(goheap.run(["help", command, "--json"]).out), "columns")
    assert note in text.splitlines() and not text.startswith("note")
    assert not [row for row in text.splitlines()
                if row.split()[:2] == [columns[0]["column"], columns[1]["column"]]]
    assert "no row fits" not in goheap.run([death.core, command, *(
        ["o"] if command == "find" else [])]).out


FILTERS = ["--type", "--package", "--min"]


def test_every_filter_filters_or_says_that_it_does_not(death: programs.Death,
                                                       lines: List[str]) -> None:
    """What nothing fits leaves no row of a command's first table, or a note says why."""
    asked = {line.split()[0]: line for line in lines if line.split()[0] not in ("obj", "path")}
    options = {"--type": "no[.]such", "--package": "no[.]such", "--min": "1T"}
    wrong = []
    for name in FILTERS:
        answers = goheap.ask(death.core, death.exe, *(
            "%s %s %s" % (line, name, options[name]) for line in asked.values()
            if not (line.startswith("paths string") and name != "--min") and
            not (line == "dom" and name == "--min")))  # which folds them
        for line, document in answers.items():
            first = next(iter(document["tables"].values()))
            notes = [note for note in document["notes"]
                     if note.startswith("%s means nothing to " % name)]
            said = any("no row fits" in note and name in note for note in document["notes"])
            if not notes and first["rows"] or notes and said:
                wrong.append((line, notes, len(first["rows"])))
    assert not wrong, wrong


def test_suspects_of_another_kind_are_counted(death: programs.Death) -> None:
    """"Nothing suspicious" is said only where there is nothing at all."""
    whole = json.loads(goheap.run([death.core, "suspects", "--json"]).out)
    found = goheap.rows(whole, "suspects")
    text = goheap.run([death.core, "suspects", "--min", "1T"]).out
    if found:
        assert "shows %d other" % len(found) in text and "nothing suspicious" not in text
    else:
        assert text.startswith("nothing suspicious")


def test_sizes_for_people_and_exact(death: programs.Death) -> None:
    assert re.search(r"\d\.\d\d [KM]iB", goheap.run([death.core, "top"]).out)
    assert "iB" not in goheap.run([death.core, "top", "--bytes"]).out


USAGE: List[Tuple[List[str], str]] = [
    ([], "goheap help"),
    (["CORE"], "no command was given"),
    (["top"], "no core was named"),
    (["CORE", "tpo"], "did you mean top?"),
    (["CORE", "EXE", "xyzzy"], "there is no command 'xyzzy'"),
    (["CORE", "-e", "top", "-e", "rots"], "did you mean roots?"),
    (["CORE", "-e", "top 'open"], "a quote is not closed"),
    (["CORE", "-e", ""], "-e needs a command"),
    (["CORE", "-e"], "-e needs a value"),
    (["--bogus", "CORE", "top"], "'--bogus'"),
    (["CORE", "top", "--jsn"], "did you mean --json?"),
    (["CORE", "top", "-n", "many"], "'many'"),
    (["CORE", "top", "--min", "many"], "'many'"),
    (["CORE", "top", "--json", "--csv"], "exclude each other"),
    (["CORE", "top", "--sort", "beauty"], "'beauty'"),
    (["CORE", "top", "--type", "a(b"], "'a(b'"),
    (["CORE", "info", "word"], "'word'"),
    (["CORE", "EXE", "--exe", "EXE", "top"], "two executables"),
    (["help", "xyzzy"], "there is no command 'xyzzy'"),
    (["CORE", "next"], "nothing was shown yet"),
    (["CORE", "next", "--sort", "count"], "keeps the order of the command before it"),
    (["CORE", "objects", "$o1"], "there is no object $o1"),
    (["CORE", "goroutines", "one"], "'one' is no number of a goroutine"),
]


@pytest.mark.parametrize("words,says", USAGE, ids=[" ".join(words) or "-" for words, _ in USAGE])
def test_usage_errors(words: List[str], says: str, death: programs.Death) -> None:
    names = {"CORE": str(death.core), "EXE": str(death.exe)}
    answer = goheap.run([names.get(word, word) for word in words])
    assert answer.code == goheap.USAGE
    assert says in answer.err and answer.err.startswith("goheap: ")
    assert answer.err.count("\n") == 1 and answer.out == ""


def test_nothing_to_answer_from(death: programs.Death, tmp_path: pathlib.Path) -> None:
    text = tmp_path / "text"
    text.write_text("no core at all\n")
    for core in (tmp_path / "none", text, tmp_path, death.exe):
        answer = goheap.run([core, "info"])
        assert (answer.code, answer.out) == (goheap.NOTHING, "")
        assert answer.err.startswith("goheap: ") and answer.err.count("\n") == 1


def test_ways_to_name_the_files(death: programs.Death) -> None:
    core, exe = str(death.core), str(death.exe)
    expected = goheap.run([core, "info"]).out
    for words in ([core, exe, "info"], [exe, core, "info"], [exe, "-c", core, "info"],
                  ["info", exe, "-c", core],  # coredumpctl -A info
                  ["-e", "info", exe, "-c", core], [core, "--exe", exe, "info"],
                  ["--core=" + core, "info"], [core, "info", "--exe", exe],
                  [core, "--no-mmap", "info"]):
        answer = goheap.run(words)
        assert (answer.code, answer.err) == (goheap.ANSWERED, ""), words
        assert answer.out == expected, words


def test_a_command_is_the_command_even_if_a_file_has_its_name(
        death: programs.Death, tmp_path: pathlib.Path) -> None:
    (tmp_path / "top").symlink_to(death.exe)
    answer = goheap.run([death.core, "top", "--exe", "top", "--json"], cwd=str(tmp_path))
    assert json.loads(answer.out)["command"] == "top"


def test_one_document_a_line_for_each_command(death: programs.Death) -> None:
    answer = goheap.run([death.core, "--json", "-e", "top -n 1", "-e", "info"])
    lines = answer.out.splitlines()
    assert [json.loads(line)["command"] for line in lines] == ["top", "info"]


def test_version_needs_no_core() -> None:
    assert re.match(r"goheap \d+\.\d+", goheap.run(["--version"]).out)


def test_a_reader_that_goes_away_is_no_error(death: programs.Death) -> None:
    with subprocess.Popen([goheap.path(), death.core, "-e", "objects --json", "-e", "top"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(600) == 0


def test_a_full_disk_is_one(death: programs.Death) -> None:
    with open("/dev/full", "w") as full:
        process = subprocess.run([goheap.path(), death.core, "top"], stdout=full,
                                 stderr=subprocess.PIPE, timeout=600, check=False)
    assert process.returncode == goheap.NOTHING
    assert b"cannot write the answer: No space left" in process.stderr


def test_memory_is_bounded_when_asked(death: programs.Death) -> None:
    answer = goheap.run([death.core, "top", "--max-mem", "1"])
    assert answer.code == goheap.NOTHING and "--max-mem" in answer.err
    assert goheap.run([death.core, "top", "--max-mem", "4G"]).code == goheap.ANSWERED


def test_threads_are_a_number(death: programs.Death) -> None:
    assert goheap.run([death.core, "top", "--threads", "3"]).code == goheap.ANSWERED
    for wrong in ("0", "-1", "65", "two", "2x", ""):
        answer = goheap.run([death.core, "top", "--threads", wrong])
        assert answer.code == goheap.USAGE
        assert answer.err == ("goheap: --threads needs a number from 1 to 64, not '%s'\n" % wrong)


def _width(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_no_line_is_wider_than_the_terminal(death: programs.Death, columns: int,
                                            lines: List[str]) -> None:
    for line in lines:
        text = _on_terminal([str(goheap.path()), str(death.core), *line.split()], columns)
        shown = re.sub("\x1b\\[[0-9;]*[mK]", "", text).splitlines()
        assert len(shown) > 2
        assert max(_width(row) for row in shown) <= columns, line


def test_colour_only_where_it_is_wanted(death: programs.Death,
                                        monkeypatch: pytest.MonkeyPatch) -> None:
    words = [str(goheap.path()), str(death.core), "top"]
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[" in _on_terminal(words, 80)
    assert "\x1b[" not in goheap.run(words[1:]).out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in _on_terminal(words, 80)
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert "\x1b[" not in _on_terminal(words, 80)


def _on_terminal(words: List[str], columns: int) -> str:
    """Return what a program writes to a terminal of that width."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=slave, stderr=slave) as process:
        os.close(slave)
        text = b""
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            text += piece
        process.wait(600)
    os.close(master)
    return leaksdoc.without_progress(text.decode())


def _without_args(document: dict) -> dict:
    return {key: value for key, value in document.items() if key != "args"}


def test_gdb_says_the_same(death: programs.Death, documents: Dict[str, dict],
                           lines: List[str], tmp_path: pathlib.Path) -> None:
    answer = gdb.run(["goheap %s --json" % line for line in lines],
                     [death.exe, death.core], cwd=str(tmp_path))
    found = {}
    for line in answer.out.splitlines():
        document = json.loads(line)
        found[document["command"]] = _without_args(document)
    assert found == {name: _without_args(document) for name, document in documents.items()}
    text = gdb.run(["goheap top"], [death.exe, death.core], cwd=str(tmp_path)).out
    assert text.replace("`goheap next`", "-n 0 shows all") == (
        goheap.run([death.core, death.exe, "top"]).out)


def test_gdb_whatever_python_is_on_path(death: programs.Death, tmp_path: pathlib.Path) -> None:
    fake = tmp_path / "python3"
    fake.write_text("#!/bin/sh\nexit 1\n")
    fake.chmod(0o755)
    environment = {"PATH": "%s:%s" % (tmp_path, os.environ["PATH"]), "PYTHONDONTWRITEBYTECODE": "1"}
    answer = gdb.run(["goheap top -n 1"], [death.exe, death.core], environment=environment)
    assert "live objects" in answer.out


def test_sourcing_twice_is_harmless(death: programs.Death) -> None:
    once = gdb.run(["goheap top"], [death.exe, death.core])
    twice = gdb.run(["goheap top", "source %s" % gdb.SCRIPT, "goheap top"],
                    [death.exe, death.core])
    assert twice.out == once.out * 2


def test_gdb_help_and_completion(commands: List[str]) -> None:
    out = gdb.run(["help goheap"]).out
    places = [out.index("goheap " + command) for command in commands]
    assert places == sorted(places)
    for command in commands:
        assert "Usage: goheap " + command in gdb.run(["help goheap " + command]).out
    lines = gdb.run(["complete goheap goroutines", "complete goheap top --so",
                     "complete goheap goroutines --sort wait_s",
                     "complete goheap help inf"]).out.splitlines()
    assert lines == ["goheap goroutines", "goheap top --sort",
                     "goheap goroutines --sort wait_site", "goheap help info"]


def test_gdb_handles_are_variables_with_gos_type(tmp_path: pathlib.Path) -> None:
    """The bundled core: what `p *$o1` prints is what the program put there."""
    subprocess.run([str(programs.ROOT / "corefiles" / "unpack"), "go1.27", str(tmp_path)],
                   check=True)
    answer = gdb.run(["goheap objects main.Session -n 2", "whatis *$o2", "p $o1.User",
                      "goheap next", "p $o3.User", "goheap objects $o3 --short",
                      "goheap objects main.Order -n 1", "whatis *$o5",
                      "python print(gdb.convenience_variable('o5').dereference().type.sizeof)",
                      "p $o5.Items",  # behind the header: a shifted one would show its type
                      "goheap objects []uint8 --type uint8 -n 1", "whatis *$o6",
                      "goheap objects 'map[string]*main.Session groups' -n 1", "whatis $o7",
                      "goheap goroutines -n 2", "p $g18.goid", "goheap goroutines $g18 --csv",
                      "complete goheap objects main.Se", "complete goheap top --type main.Se",
                      "complete goheap goroutines $g", "goheap objects $o99"],
                     [tmp_path / "shop-go1.27", tmp_path / "shop-go1.27.core"])
    for part in ("`goheap next`", "type = main.Session", '"customer number 0"', "$o4  0x",
                 "type = main.Order", "\n528\n", "{0x0 <repeats 64 times>}",
                 "type = uint8 [512]", "type = void *", "$g18", "= 18", "\n18,waiting,chan send",
                 "goheap objects main.Session\n", "goheap top --type main.Session\n"):
        assert part in answer.out, part
    assert answer.out.count('"customer number ') == 2
    assert "the rows shown were $o1 to $o7" in answer.err


def test_gdb_errors_are_sentences(death: programs.Death) -> None:
    files = [death.exe, death.core]
    for command, on, says in (
            ("goheap top", [], "there is nothing to look at"),
            ("goheap top --bogus", files, "unknown option '--bogus'"),
            ("goheap tpo", files, "did you mean top?"),
            ("goheap top --sort beauty", files, "'beauty'"),
            ("goheap top --exe /none", files, "/none"),
            ("goheap top", [death.exe], "there is nothing to look at")):
        answer = gdb.run([command, "goheap help"], on)
        assert says in answer.err and "goheap: " in answer.err, command
        assert "Python Exception" not in answer.err


def test_gdb_without_the_module_says_what_works(tmp_path: pathlib.Path) -> None:
    copy = tmp_path / "gdb-scripts"
    (copy / "goheap").mkdir(parents=True)
    for file in [gdb.SCRIPT, *gdb.SCRIPT.parent.glob("goheap/*.py")]:
        (copy / file.relative_to(gdb.SCRIPT.parent)).write_bytes(file.read_bytes())
    answer = gdb.run(["goheap top"], source=False, before=["source %s/goheap.py" % copy],
                     environment={"GOHEAP_MODULE": ""})
    assert "cannot load the compiled module" in answer.err
    assert "goheap CORE EXE top" in answer.err


INTERRUPT = """python
import os, signal
from goheap import terminal
def _interrupt(self, stage, done, total):
    terminal.Progress.__call__ = lambda *_: None
    os.kill(os.getpid(), signal.SIGINT)
terminal.Progress.__call__ = _interrupt
end
"""


def test_gdb_interrupted_keeps_the_session(death: programs.Death, tmp_path: pathlib.Path) -> None:
    script = tmp_path / "interrupt"
    script.write_text(INTERRUPT)
    answer = gdb.run(["goheap info -n 1", "source %s" % script, "goheap top", "goheap top"],
                     [death.exe, death.core])
    assert "interrupted" in answer.err
    assert answer.out.count("live objects") == 1


def test_a_stopped_process_is_as_its_gcore(death: programs.Death, lines: List[str],
                                           tmp_path: pathlib.Path) -> None:
    # the other process has its objects elsewhere
    asked = [line for line in lines if line.split()[0] not in ("doctor", "refs", "referrers")]
    core = tmp_path / "gcore"
    answer = gdb.run([*("goheap %s --json" % command for command in asked), "gcore %s" % core,
                      "kill"], [death.exe], cwd=str(tmp_path),
                     before=["set confirm off", "handle SIGURG nostop noprint pass",
                             "run > /dev/null"], environment={"GOHEAP_MODE": "missing"})
    live = [json.loads(line) for line in answer.out.splitlines() if line.startswith('{"schema"')]
    assert [document["command"] for document in live] == [
        line.split()[0] for line in asked], answer.err
    after = {document["command"]: document
             for document in goheap.ask(core, death.exe, *asked).values()}
    for document in live:
        assert document["target"]["kind"] == "live"
        theirs = after[document["command"]]
        for name, table in document["tables"].items():
            assert table == theirs["tables"][name], (document["command"], name)


def test_a_process_that_ran_on_is_read_again(death: programs.Death,
                                             tmp_path: pathlib.Path) -> None:
    answer = gdb.run(["goheap info --json", "continue", "goheap info --json", "kill"], [death.exe],
                     cwd=str(tmp_path),
                     before=["set confirm off", "handle SIGURG nostop noprint pass",
                             "tbreak main.main", "run > /dev/null"],
                     environment={"GOHEAP_MODE": "missing"})
    documents = [json.loads(line) for line in answer.out.splitlines() if line.startswith("{")]
    first, second = ({row["name"]: row["value"] for row in goheap.rows(document, "info")}
                     for document in documents)
    assert first["signal"] != "SIGABRT" and second["signal"] == "SIGABRT"
    assert first["crashing goroutine"] is None and second["crashing goroutine"] == 1


PYTHON = """
import json
core, exe = sys.argv[1:]
session = _goheap.Session(core=core, exe=exe)
calls = []
text, findings = session.run(["top", "--json"], progress=lambda *a: calls.append(a))
try:
    _goheap.Session(core=core, exe=exe).run(["top"], cancelled=lambda: True)
except KeyboardInterrupt:
    pass
else:
    raise SystemExit("not cancelled")
again = _goheap.Session(core=core)
try:
    again.run(["top"], progress=lambda *a: 1 / 0)
except ZeroDivisionError:
    pass
assert again.run(["top", "--json"])[0] == text
for words, error in ((["nothing"], ValueError), (["top", "--bogus"], ValueError), ([], ValueError)):
    try:
        session.run(words)
    except error:
        continue
    raise SystemExit("no %s for %s" % (error, words))
try:
    _goheap.Session(core="/none")
except OSError as error:
    assert "/none" in str(error)
session.close()
session.close()
try:
    session.run(["top"])
except ValueError:
    pass
else:
    raise SystemExit("closed, and yet it answers")
assert findings is False and calls
sys.stdout.write(text)
"""


def test_the_module_in_a_plain_python(death: programs.Death, documents: Dict[str, dict]) -> None:
    text = gdb.python(PYTHON, death.core, death.exe)
    assert _without_args(json.loads(text)) == _without_args(documents["top"])


CALLBACKS = """
try:
    _goheap.Session(pid=0, read_memory=lambda a, n: None, mappings=[(4096, 8192, 0, None, True)],
                    threads=[(1, 0, [0] * 27)])
except Exception as error:
    print(type(error).__name__, error)
for arguments in ({}, {"read_memory": 1}, {"read_memory": len, "mappings": [1], "threads": []},
                  {"read_memory": len, "mappings": [], "threads": [(1, 2)]}):
    try:
        _goheap.Session(**arguments)
    except TypeError:
        continue
    raise SystemExit("accepted: %s" % arguments)
"""


def test_the_module_refuses_what_makes_no_sense() -> None:
    assert "Traceback" not in gdb.python(CALLBACKS)
