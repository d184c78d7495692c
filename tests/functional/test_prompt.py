# SPDX-License-Identifier: Apache-2.0
"""The prompt: what one types, with editing keys, gives what the command would give."""

import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import termios
import time
from typing import Iterator, List, Tuple

import pytest

from lib import goheap, programs

LOCAL_FLAGS = 3  # of what tcgetattr returns
TAB, UP, CTRL_C, CTRL_D, ENTER = b"\t", b"\x1b[A", b"\x03", b"\x04", b"\r"
PROMPT = "goheap> "
SECONDS = 180


@pytest.fixture(name="shop", scope="module")
def _shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pathlib.Path]:
    folder = tmp_path_factory.mktemp("prompt")
    subprocess.run([str(programs.ROOT / "corefiles" / "unpack"), "go1.27", str(folder)],
                   check=True)
    yield folder
    shutil.rmtree(folder)


class Terminal:
    """A session at the prompt."""

    def __init__(self, shop: pathlib.Path, home: pathlib.Path) -> None:
        self.text = ""
        self._asked = 0
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.environ.update({"HOME": str(home), "TERM": "xterm", "NO_COLOR": "1"})
            os.environ.pop("XDG_STATE_HOME", None)
            os.execv(str(goheap.path()), ["goheap", str(shop / "shop-go1.27.core"),
                                          str(shop / "shop-go1.27")])
        self._until(1)

    def type(self, keys: bytes, prompts: int = 1) -> str:
        """Press keys, wait until the prompt is there again, and return what was written."""
        before = len(self.text)
        wanted = self.text.count(PROMPT) + prompts
        os.write(self._fd, keys)
        if not keys.endswith(CTRL_C):
            self._until(wanted)
            return self.text[before:]
        self._until(wanted, CTRL_C)
        end = len(self.text)
        self._reach()
        return self.text[before:end]

    def begin(self, keys: bytes, seconds: float) -> None:
        """Press keys and go on after a while, whether the prompt is there again or not."""
        self._press(keys)
        time.sleep(seconds)

    def end(self, keys: bytes) -> int:
        """Press keys that end it, and return its exit code."""
        deadline = time.monotonic() + SECONDS
        self._press(keys)
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                break
            assert time.monotonic() < deadline, self.text
            self._read(0.1)
        os.close(self._fd)
        return os.waitstatus_to_exitcode(status)

    def _reach(self) -> None:
        """Wait until the last prompt is there: an interrupt that was pressed again has one of its own."""
        self._asked += 1
        word = "sync%d" % self._asked
        os.write(self._fd, word.encode() + ENTER)
        deadline = time.monotonic() + SECONDS
        while PROMPT not in self.text.rpartition("'%s'" % word)[2] or "'%s'" % word not in self.text:
            assert time.monotonic() < deadline, self.text
            self._read(0.1)
        self._until(0)

    def _press(self, keys: bytes) -> None:
        try:
            os.write(self._fd, keys)
        except OSError:
            pass  # it has ended

    def _read(self, seconds: float) -> None:
        if select.select([self._fd], [], [], seconds)[0]:
            try:
                self.text += os.read(self._fd, 65536).decode(errors="replace")
            except OSError:
                time.sleep(0.05)  # its end is on the way

    def _until(self, prompts: int, again: bytes = b"") -> None:
        """Wait for the prompt, and for the terminal to hand over key by key, which comes just after.

        :param again: pressed every second: an interrupt may come before anybody waits for keys
        """
        deadline = time.monotonic() + SECONDS
        pressed = time.monotonic()
        while self.text.count(PROMPT) < prompts:
            assert time.monotonic() < deadline, self.text
            self._read(0.1)
            if again and time.monotonic() > pressed + 1:
                self._press(again)
                pressed = time.monotonic()
        while termios.tcgetattr(self._fd)[LOCAL_FLAGS] & termios.ICANON:
            assert time.monotonic() < deadline, self.text
            time.sleep(0.01)


def ask(shop: pathlib.Path, *words: str) -> List[str]:
    answer = goheap.run([shop / "shop-go1.27.core", shop / "shop-go1.27", *words])
    return answer.out.splitlines()


def lines_of(text: str) -> List[str]:
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text).replace("\r", "").splitlines()


def test_lines_completion_and_history(shop: pathlib.Path, tmp_path: pathlib.Path) -> None:
    terminal = Terminal(shop, tmp_path)
    rows = ask(shop, "spans", "-n", "1")[0:3]
    assert [row for row in rows if row in lines_of(terminal.type(b"spa" + TAB + b"-n 1" + ENTER))] \
        == rows
    text = terminal.type(b"top -n 1 --so" + TAB + b"cou" + TAB + ENTER)
    assert "42366 live objects" in text and "goheap: " not in text
    assert "there is no command 'bad'" in terminal.type(b"bad" + ENTER)
    assert "a quote is not closed" in terminal.type(b"top 'x" + ENTER)
    assert "live objects" not in terminal.type(b"top -n 1" + CTRL_C)
    assert "go version" in terminal.type(b"info -n 1" + ENTER)
    assert terminal.end(b"quit" + ENTER) == goheap.ANSWERED

    again = Terminal(shop, tmp_path)
    assert "go version" in again.type(UP + UP + ENTER)
    assert again.end(CTRL_D) == goheap.ANSWERED


def test_interrupts_in_a_row(shop: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Each drops a line and nothing else: what comes after is completed and answered."""
    terminal = Terminal(shop, tmp_path)
    for _ in range(3):
        terminal.begin(b"top" + CTRL_C, 0.2)
    terminal.type(CTRL_C)
    text = terminal.type(b"inf" + TAB + b"-n 1" + ENTER)
    assert "go version" in text and "goheap: " not in text
    assert terminal.end(b"quit" + ENTER) == goheap.ANSWERED


def test_choices(shop: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """What gdb completes comes from the same table."""
    def shown(keys: bytes) -> Tuple[str, ...]:
        terminal = Terminal(shop, tmp_path)
        text = " ".join(lines_of(terminal.type(keys + TAB + TAB)))
        terminal.end(b"\x15" + CTRL_D)  # Ctrl-U empties the line
        return tuple(re.findall(r"[-\w]+", text))

    assert {"top", "objects", "memstats", "doctor"} <= set(shown(b""))
    assert {"info"} <= set(shown(b"help i"))
    assert {"--by", "--dead", "--sort", "--json"} <= set(shown(b"top --"))
    assert {"count", "bytes", "exact_bytes"} <= set(shown(b"top --sort "))


def test_next_and_handles(shop: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """A second page goes on where the first ended; $oN and $gN are arguments of commands."""
    rows = [line.split()[0] for line in ask(shop, "objects", "main.Session", "-n", "4")[3:7]]
    terminal = Terminal(shop, tmp_path)
    assert "nothing was shown yet" in terminal.type(b"next" + ENTER)
    first = lines_of(terminal.type(b"objects main.Session -n 2" + ENTER))
    assert "… 3998 more rows: `next`" in first
    second = lines_of(terminal.type(b"next" + ENTER))
    shown = [line.split()[:2] for line in first + second if line.startswith("$o")]
    assert shown == [["$o%d" % (i + 1), row] for i, row in enumerate(rows)]
    assert any(line.split()[1:3] == [rows[2], "main.Session"]
               for line in lines_of(terminal.type(b"objects $o3" + ENTER)) if line[:1] == "$")
    assert "the rows shown were $o1 to $o5" in terminal.type(b"objects $o99" + ENTER)
    assert "$" not in terminal.type(b"objects main.Order -n 1 --csv" + ENTER)
    assert "$g18" in terminal.type(b"goroutines -n 2" + ENTER)
    assert "chan send" in terminal.type(b"goroutines $g18" + ENTER)
    assert "goroutine 18: waiting (chan send)" in terminal.type(b"goroutine $g18 -n 1" + ENTER)
    assert "chan send" in terminal.type(b"goroutines $g18" + ENTER)
    assert "nothing is left: all rows of `goroutines`" in terminal.type(b"next" + ENTER)
    # names of types and handles complete, once the heap is known
    assert "4000 objects" in terminal.type(b"objects main.Ses" + TAB + b"-n 1" + ENTER)
    assert "main.Session" in terminal.type(b"objects $o" + TAB + ENTER)
    assert "objects\r\n" in terminal.type(b"objects map[string]*main.Session\\ gr" + TAB + ENTER)
    assert terminal.end(b"quit" + ENTER) == goheap.ANSWERED
