# SPDX-License-Identifier: Apache-2.0
"""Run the program under test, and never let a crash, a sanitizer's report or a hang pass."""

import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import tempfile
import threading
from typing import Dict, List, NamedTuple, Sequence

from lib import programs

DEFAULT = programs.ROOT / "build-asan" / "goheap"
SECONDS = 60   # of one processor, for an instrumented program
PATIENCE = 10  # times as long may it take on a machine that does other things, too
# Resident memory of an instrumented program on a core of a few megabytes.
MAX_RSS_MIB = 2048
REPORT = re.compile(r"ERROR: \w+Sanitizer|WARNING: \w+Sanitizer|runtime error:|SUMMARY: \w+Sanitizer")
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1:hard_rss_limit_mb=%d" % MAX_RSS_MIB,
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
}
ANSWERED, FINDINGS, USAGE, NOTHING = range(4)


class Answer(NamedTuple):
    """What one run of goheap said."""

    words: List[str]
    code: int
    out: str
    err: str
    max_rss_kib: int
    written_bytes: int  # to files on disks

    def fits(self, mib: int) -> bool:
        """Tell whether it took so much memory at most. A child begins with the peak of its parent."""
        ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return self.max_rss_kib <= max(mib << 10, ours)

    def documents(self) -> Dict[str, dict]:
        """Return the JSON documents by command line, such as "objects --dead"."""
        found = {}
        for line in filter(None, self.out.split("\n")):  # splitlines knows other ends of lines
            document = json.loads(line)
            found[_title(document)] = document
        return found


def path() -> pathlib.Path:
    """Return the program under test: $GOHEAP, or the sanitized build."""
    return pathlib.Path(os.environ.get("GOHEAP", str(DEFAULT))).absolute()


def run(words: Sequence[str], seconds: float = SECONDS, prefix: Sequence[str] = (),
        cwd: str = "/") -> Answer:
    """Run goheap with some words.

    :param seconds: of a processor
    :param prefix: what runs it, such as valgrind
    :raises AssertionError: it was ended by a signal, hangs, or a sanitizer has found something
    """
    line = [*prefix, str(path()), *(str(word) for word in words)]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=cwd,
                                   env={**SANITIZERS, **os.environ, "TERM": "dumb"})
        overdue = threading.Event()
        timer = threading.Timer(seconds * PATIENCE, _end, (process, overdue))
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        answer = Answer([str(word) for word in words], process.returncode,
                        out.read().decode(errors="replace"), err.read().decode(errors="replace"),
                        usage.ru_maxrss, usage.ru_oublock * 512)
    shown = "%s\n%s" % (" ".join(line), answer.err[-6000:])
    assert not overdue.is_set(), "runs for over %d s: %s" % (seconds * PATIENCE, shown)
    assert answer.code >= 0, "ended by %s: %s" % (signal.Signals(-answer.code).name, shown)
    assert not REPORT.search(answer.err), shown
    used = usage.ru_utime + usage.ru_stime
    assert used <= 2 * seconds, "takes %d s of two processors: %s" % (used, shown)
    assert answer.fits(MAX_RSS_MIB), "takes %d KiB: %s" % (answer.max_rss_kib, shown)
    return answer


def ask(core: pathlib.Path, exe: pathlib.Path, *commands: str) -> Dict[str, dict]:
    """Return the JSON documents of some commands on one core, by command line.

    :raises AssertionError: one of them was not answered
    """
    words = [str(core), str(exe), "--json"]
    for command in commands:
        words += ["-e", command]
    answer = run(words)
    assert answer.code == ANSWERED, "exit code %d: %s\n%s" % (
        answer.code, " ".join(words), answer.err[-3000:])
    documents = answer.documents()
    missing = set(commands) - set(documents)
    assert not missing, "no document for %s, only for %s" % (sorted(missing), sorted(documents))
    return documents


def rows(document: dict, table: str) -> List[dict]:
    """Return the rows of a table."""
    return document["tables"][table]["rows"]


def addresses(document: dict) -> Dict[int, dict]:
    """Return the rows of a table of objects by address."""
    return {int(row["address"], 16): row for row in rows(document, "objects")}


def failed_checks(document: dict) -> List[str]:
    """Return the comparisons with the runtime's own totals that do not hold."""
    return ["%s: %s" % (name, value) for name, value in document["selfcheck"].items()
            if isinstance(value, dict) and not value.get("ok", True)]


def _title(document: dict) -> str:
    words = [word for word in document["args"] if word != "--json"]
    return " ".join(words if words[:1] == [document["command"]] else [document["command"], *words])


def _end(process: subprocess.Popen, overdue: threading.Event) -> None:
    overdue.set()
    process.kill()
