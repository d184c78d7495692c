# SPDX-License-Identifier: Apache-2.0
"""gdb's terminal: width, colour, progress."""

import os
import sys
import time

import gdb


def width():
    """Return the columns of the screen, 0 when there is no limit."""
    return gdb.parameter("width") or 0


def colour():
    """Tell whether colours are wanted."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb" or not os.isatty(1):
        return False
    try:
        return bool(gdb.parameter("style enabled"))
    except RuntimeError:
        return False


class Progress:
    """One line on stderr, on a terminal only, once something takes longer than a second."""

    def __init__(self):
        self._start = self._last = time.monotonic()
        self._shown = False
        self._is_terminal = os.isatty(2)

    def __call__(self, stage, done, total):
        now = time.monotonic()
        if not self._is_terminal or now - self._start < 1 or now - self._last < 0.1:
            return
        self._last = now
        self._shown = True
        share = " %d %%" % (100 * done // total) if total else ""
        self._write("\r\x1b[Kgoheap: %s%s" % (stage, share))

    def clear(self):
        """Take the line away."""
        if self._shown:
            self._write("\r\x1b[K")
        self._shown = False

    @staticmethod
    def _write(text):
        sys.__stderr__.write(text)
        sys.__stderr__.flush()
