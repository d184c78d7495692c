# SPDX-License-Identifier: Apache-2.0
"""src/command/sessions.inc: what `goheap help COMMAND` shows of a real answer.

Each command is asked about the bundled core of the newest release, or about a program of
examples/leaks that has what the command is for: one whose answer has no addresses, as these are
shorter in one run than in the next.
"""

import pathlib
import shlex
import subprocess
from typing import Dict, List, NamedTuple, Sequence

from lib import goheap as tool
from lib import leaksdoc, programs

FILE = programs.ROOT / "src" / "command" / "sessions.inc"
BUNDLED = "shop"
INDENT = 2  # of a session in a text of 80 columns
HEAD = """// SPDX-License-Identifier: Apache-2.0
// What commands answer about the bundled core and programs of examples/leaks. Written by
// tools/help-sessions; a test compares.
"""


class Session(NamedTuple):
    """One question: ADDRESS stands for the first object of a type."""

    command: str
    program: str
    question: str
    type: str = ""


SESSIONS = [
    Session("info", BUNDLED, "info -n 10"),
    Session("suspects", "dropped_timer", "suspects -n 1"),
    Session("top", BUNDLED, "top -n 4"),
    Session("objects", BUNDLED, "objects main.Session -n 2"),
    Session("obj", BUNDLED, "obj ADDRESS --retained", "main.Session"),
    Session("refs", BUNDLED, "refs ADDRESS", "main.Session"),
    Session("referrers", BUNDLED, "referrers ADDRESS", "main.Session"),
    Session("find", BUNDLED, "find 'customer number 77' -n 2"),
    Session("retained", "endless_cache", "retained --by global -n 2"),
    Session("dom", BUNDLED, "dom main.handlers -n 3"),
    Session("path", BUNDLED, "path ADDRESS", "main.Session"),
    Session("paths", BUNDLED, "paths main.Session"),
    Session("roots", BUNDLED, "roots -n 3"),
    Session("spans", BUNDLED, "spans -n 3"),
    Session("memstats", BUNDLED, "memstats -n 3"),
    Session("goroutines", BUNDLED, "goroutines -n 2"),
    Session("goroutine", BUNDLED, "goroutine 18 -n 2"),
    Session("leaks", "early_return", "leaks"),
    Session("locks", BUNDLED, "locks"),
    Session("conns", "open_bodies", "conns -n 3"),
    Session("timers", "dropped_timer", "timers -n 1"),
    Session("defers", "defer_in_loop", "defers -n 1"),
    Session("threads", "stuck_threads", "threads -n 1"),
    Session("chans", "never_closed", "chans -n 2"),
    Session("doctor", BUNDLED, "doctor -n 4"),
    Session("next", BUNDLED, "-e 'top -n 2' -e 'next -n 2'"),
]


def die(folder: pathlib.Path, release: str) -> None:
    """Put each program's core and executable into a folder of its name, called core and that."""
    minor = ".".join(release.split(".")[:2])
    bundled = folder / BUNDLED
    bundled.mkdir()
    subprocess.run([str(programs.ROOT / "corefiles" / "unpack"), minor, str(bundled)], check=True)
    (bundled / ("shop-" + minor)).rename(bundled / BUNDLED)
    (bundled / ("shop-%s.core" % minor)).rename(bundled / "core")
    leaksdoc.build(folder / "built", release)
    names = sorted({session.program for session in SESSIONS} - {BUNDLED})
    leaksdoc.die_all([(folder / "built" / name, folder / name) for name in names])
    for name in names:
        (folder / "built" / name).rename(folder / name / name)


def ask(goheap: pathlib.Path, folder: pathlib.Path, session: Session) -> List[str]:
    """Return the question and the answer, which is asked in the folder of the program."""
    here = folder / session.program
    words = shlex.split(session.question)
    if session.type:
        first = tool.run(["core", session.program, "objects", session.type, "--short", "-n", "1"],
                         cwd=str(here))
        words = [first.out.strip() if word == "ADDRESS" else word for word in words]
    lines = leaksdoc.ask(goheap, "core", session.program, words, leaksdoc.COLUMNS - INDENT, here)
    asked = shlex.join(["goheap", "core", session.program, *words])
    kept = leaksdoc.answer(lines) if session.command != "next" else between(lines)
    return ["$ " + asked, *kept]


def between(lines: Sequence[str]) -> List[str]:
    """Return two answers without what stands below each."""
    text, said = [], True
    for line in lines:
        if line.startswith(("self-check", "note: ")):
            said = False
        elif not line.startswith(" ") and not said:
            said = True
        if said:
            text.append(line.rstrip())
    return text


def escaped(line: str) -> str:
    """Return a line as a string in C."""
    return '\t"%s\\n"' % line.replace("\\", "\\\\").replace('"', '\\"')


def page(goheap: pathlib.Path, folder: pathlib.Path, release: str) -> Dict[str, List[str]]:
    """Return each command's session."""
    die(folder, release)
    return {session.command: ask(goheap, folder, session) for session in SESSIONS}


def source(sessions: Dict[str, List[str]]) -> str:
    """Return them as the file has them."""
    parts = [HEAD]
    for command, lines in sessions.items():
        parts.append('SESSION("%s",\n%s)\n' % (command, "\n".join(map(escaped, lines))))
    return "".join(parts)


def shown(command: str) -> List[str]:
    """Return the session in the help of a command."""
    text = tool.run(["help", command]).out
    lines = text.partition("\nSession:\n")[2].splitlines()
    assert all(line.startswith(" " * INDENT) or not line for line in lines), lines
    return [line[INDENT:] for line in lines]


def differing(made: Dict[str, List[str]], kept: Dict[str, List[str]]) -> List[str]:
    """Return the commands whose sessions differ: of a program that is run anew, but for numbers."""
    programs_of = {session.command: session.program for session in SESSIONS}

    def form(command: str, lines: List[str]) -> List[str]:
        text = "\n".join(lines)
        return lines if programs_of[command] == BUNDLED else leaksdoc.normal(text)
    return [command for command in made
            if form(command, made[command]) != form(command, kept[command])]
