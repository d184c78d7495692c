# SPDX-License-Identifier: Apache-2.0
"""docs/leaks.md out of examples/leaks: each program is run to its death, its questions are asked.

The comment on top of each main.go has the title, a few paragraphs, the questions (indented by a
tab), and a paragraph that begins with "Fix:".
"""

import concurrent.futures
import fcntl
import os
import pathlib
import pty
import re
import shlex
import struct
import subprocess
import termios
import textwrap
from typing import List, NamedTuple, Optional, Sequence, Tuple, Union

from lib import programs

EXAMPLES = programs.ROOT / "examples" / "leaks"
PAGE = programs.ROOT / "docs" / "leaks.md"
ORDER = ["early_return", "never_closed", "forgotten_cancel", "dropped_timer", "defer_in_loop",
         "big_capture", "endless_cache", "small_slice", "open_bodies", "slow_finalizer",
         "lost_unlock", "stuck_threads"]
COLUMNS, LINES = 80, 24
SECONDS = 600

HEAD = """# How Go programs leak

A dozen programs that leak, each in a way that is met every day; what `goheap` says of their cores;
and what to change. They are in `examples/leaks`; `tools/leaks-doc` runs them and writes this page.

    $ GOTRACEBACK=crash ./early_return      # dies by SIGABRT, and leaves a core
    $ goheap core early_return suspects

Every answer ends with a comparison of its totals with the runtime's own; that is left out below.
"""


class Example(NamedTuple):
    """One program."""

    name: str
    title: str
    text: List[str]  # paragraphs, the fix last
    questions: List[str]
    code: str


def read(name: str) -> Example:
    """Return an example as its source has it."""
    source = (EXAMPLES / name / "main.go").read_text()
    comment, code = source.split("\npackage main\n", 1)
    lines = [line[2:] for line in comment.splitlines()[2:]]
    paragraphs = "\n".join(line[1:] if line.startswith(" ") else line
                           for line in lines).strip().split("\n\n")
    questions = [line.strip() for line in lines if line.startswith("\tgoheap ")]
    text = [" ".join(part.split()) for part in paragraphs[1:] if not part.startswith("\t")]
    return Example(name, paragraphs[0].lstrip("# "), text, questions,
                   "package main\n" + code.rstrip() + "\n")


def build(folder: pathlib.Path, release: str) -> None:
    """Build all examples into a folder."""
    programs.go(release, ["build", "-trimpath", "-o", str(folder) + "/", "./..."],
                folder=EXAMPLES)


def die(exe: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """Run an example and return its core."""
    folder.mkdir(parents=True, exist_ok=True)
    process = programs.start(exe, folder, {})
    programs.finish(process, folder, SECONDS)
    programs.check_death(process, folder)
    return folder / "core"


def ask(goheap: pathlib.Path, core: Union[str, pathlib.Path], exe: Union[str, pathlib.Path],
        words: Sequence[str], columns: int = COLUMNS,
        cwd: Optional[pathlib.Path] = None) -> List[str]:
    """Return what goheap prints on a terminal."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, columns, 0, 0))
    process = subprocess.Popen([str(goheap), str(core), str(exe), *words], stdout=follower,
                               stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, cwd=cwd,
                               env={**os.environ, "NO_COLOR": "1", "TERM": "dumb"})
    os.close(follower)
    out = b""
    while True:
        try:
            piece = os.read(leader, 1 << 16)
        except OSError:
            piece = b""
        if not piece:
            break
        out += piece
    os.close(leader)
    if process.wait(SECONDS):
        raise programs.Failure("goheap %s: exit code %d: %s"
                               % (" ".join(words), process.returncode, out.decode()[-500:]))
    return without_progress(out.decode()).splitlines()


def without_progress(text: str) -> str:
    """Return what a terminal shows in the end: progress was erased. It comes after a second."""
    return re.sub(r"[^\n]*\r\x1b\[K", "", text.replace("\r\n", "\n"))


def answer(lines: Sequence[str]) -> List[str]:
    """Return the lines of an answer up to the self-check."""
    kept: List[str] = []
    for line in lines:
        if line.startswith(("self-check", "note: ")):
            break
        kept.append(line.rstrip())
    return kept


def die_all(deaths: Sequence[Tuple[pathlib.Path, pathlib.Path]]) -> List[pathlib.Path]:
    """Run examples, each in its folder, at the same time: each sleeps for a second."""
    with concurrent.futures.ThreadPoolExecutor(len(deaths)) as pool:
        return list(pool.map(lambda death: die(*death), deaths))


def section(number: int, example: Example, sessions: Sequence[List[str]]) -> str:
    """Return the section of one example."""
    parts = ["\n## %d. %s\n" % (number, example.title)]
    parts += [textwrap.fill(text, 100) + "\n" for text in example.text[:-1]]
    parts.append("```go\n%s```\n" % example.code)
    shown = []
    for question, lines in zip(example.questions, sessions):
        shown.append("\n".join(["$ " + question.replace("goheap ", "goheap core %s "
                                                        % example.name, 1), *lines]))
    parts.append("```console\n%s\n```\n" % "\n\n".join(shown))
    parts.append(textwrap.fill(example.text[-1], 100) + "\n")
    return "\n".join(parts)


def page(goheap: pathlib.Path, folder: pathlib.Path, release: str) -> str:
    """Return the whole page."""
    build(folder, release)
    sections = [HEAD]
    cores = die_all([(folder / name, folder / (name + ".death")) for name in ORDER])
    for number, (name, core) in enumerate(zip(ORDER, cores), 1):
        example = read(name)
        sessions = [answer(ask(goheap, core, folder / name, shlex.split(question)[1:]))
                    for question in example.questions]
        core.unlink()
        sections.append(section(number, example, sessions))
    return "".join(sections)


UNITS = {"B", "KiB", "MiB", "GiB", "ns", "µs", "ms", "s", "%"}


def normal(text: str) -> List[str]:
    """Return the words of the page, without what differs from run to run: numbers and widths."""
    words: List[str] = []
    for word in text.split():
        if re.fullmatch(r"0x[0-9a-f]+|\$?[-+]?\d[\w.]*[%,;:)]*", word):
            word = "N"
        bare = word.rstrip(",;:)")
        if bare in UNITS and words and words[-1] == "N":
            words += [word[len(bare):]] if word != bare else []
            continue
        if not (word == "N" and words and words[-1] == "N"):
            words.append(re.sub(r"\d+", "N", word))
    return words
