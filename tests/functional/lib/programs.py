# SPDX-License-Identifier: Apache-2.0
"""Build the Go programs of tests/programs with every release, and let them die.

A Build says which executable, a Death how it ran; both are made once and kept in a cache folder.
"""

import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time
from typing import Dict, List, NamedTuple, Optional, Sequence, Set

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROGRAMS = ROOT / "tests" / "programs"
RELEASES: List[str] = (ROOT / "tests" / "releases.txt").read_text().split()

# Programs that state their truth and die by themselves, in the modes of package truth.
STATING = ["trees", "slices", "stackobjects", "defers", "closures", "maps", "chans", "selects",
           "interfaces", "finalizers", "interior", "tiny", "huge", "masks", "syncs", "panics",
           "iterators", "goroutines", "cgocall", "server", "types", "known", "parts", "holdings",
           "captured", "userarenas", "owners"]
# Programs that a test of their own runs.
OTHERS = ["allocator", "blocked", "bubble", "casts", "conns", "cuttings", "graphs", "leaks",
          "leftovers", "loaded", "locks", "longpaths", "parties", "paths", "pending", "registers",
          "stacks", "stuck", "suspects", "timers", "values", "waits"]
NEEDS_CGO = {"blocked", "cgocall"}
NEEDS_ARENAS = {"userarenas"}  # GOEXPERIMENT=arenas, which another standard library goes with

VARIANTS: Dict[str, List[str]] = {
    "plain": [],
    "nodwarf": ["-ldflags=-w"],
    "pie": ["-buildmode=pie"],
    "unoptimised": ["-gcflags=all=-N -l"],
    "cgo": [],  # where net and os/user bring cgo along
    "oldmaps": ["-ldflags=-w"],  # go1.24, go1.25: see EXPERIMENTS
    "synctest": [],  # go1.24
    "arm64": [],
}
TARGETS: Dict[str, Dict[str, str]] = {"arm64": {"GOARCH": "arm64"}}
EMULATORS: Dict[str, str] = {"arm64": "qemu-aarch64"}  # writes a core of what it emulates
UNPORTED: Dict[str, Set[str]] = {"arm64": {"registers"}}
EXPERIMENTS: Dict[str, str] = {"synctest": "synctest", "oldmaps": "noswissmap"}
BUILD_SECONDS = 600  # a cold build of the standard library included
RUN_SECONDS = 600  # emulated, on a busy machine
TOOLCHAIN_SECONDS = 600


class Failure(Exception):
    """A program could not be built, or did not die as it should."""


class Build(NamedTuple):
    """One executable."""

    program: str
    release: str
    variant: str


class Death(NamedTuple):
    """What a program left behind."""

    build: Build
    mode: str
    exe: pathlib.Path
    folder: pathlib.Path

    @property
    def core(self) -> pathlib.Path:
        """The core file."""
        return self.folder / "core"

    @property
    def dump(self) -> pathlib.Path:
        """What WriteHeapDump wrote just before."""
        return self.folder / "heapdump"

    @property
    def traceback(self) -> str:
        """What the runtime wrote while it died."""
        return (self.folder / "stderr").read_text(errors="replace")

    @property
    def statement(self) -> dict:
        """The JSON document that the program wrote: see tests/programs/truth/statement.go."""
        return json.loads((self.folder / "stdout").read_text())


class Workshop:
    """Builds programs and runs them, each once; safe to share among threads.

    :param folder: where all of it lies
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self._sources = _hash_of(PROGRAMS)
        self._lock = threading.Lock()
        self._locks: Dict[str, threading.Lock] = {}

    def build(self, build: Build) -> pathlib.Path:
        """Return the executable.

        :raises Failure: it does not build; says why
        """
        cgo = build.program in NEEDS_CGO or build.variant == "cgo"
        arenas = build.program in NEEDS_ARENAS
        experiment = "arenas" if arenas else EXPERIMENTS.get(build.variant)
        programs = [build.program] if cgo or experiment else [
            name for name in [*STATING, *OTHERS]
            if name not in NEEDS_CGO | NEEDS_ARENAS | UNPORTED.get(build.variant, set())]
        folder = self.folder / self._sources / build.release / build.variant
        exe = folder / build.program
        with self._lock_of(str(folder) + str(cgo) + str(arenas)):
            if not exe.exists():
                go(build.release, ["build", *VARIANTS[build.variant], "-o", str(folder) + "/",
                                   *("./" + name for name in programs)], cgo=cgo,
                   more={"GOEXPERIMENT": experiment or "", **TARGETS.get(build.variant, {})})
        return exe

    def run(self, build: Build, mode: str) -> Death:
        """Return what is left of a program that ran in a mode of package truth.

        :raises Failure: it does not build, or does not die by SIGABRT with a core
        """
        exe = self.build(build)
        folder = exe.parent / ("%s.%s" % (build.program, mode))
        death = Death(build, mode, exe, folder)
        with self._lock_of(str(folder)):
            if not (folder / "done").exists():
                _fresh(folder)
                environment = {"GOHEAP_MODE": mode, "GODEBUG": "memprofilerate=1"}
                if mode != "verify":
                    environment["GOHEAP_DUMP"] = str(death.dump)
                if mode == "garbage":
                    environment["GOGC"] = "off"
                process = start(exe, folder, environment, variant=build.variant)
                finish(process, folder, RUN_SECONDS)
                check_death(process, folder)
                (folder / "done").touch()
        return death

    def forget(self, death: Death) -> None:
        """Delete what a program left behind."""
        with self._lock_of(str(death.folder)):
            shutil.rmtree(death.folder, ignore_errors=True)

    def _lock_of(self, name: str) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(name, threading.Lock())


def go(release: str, words: Sequence[str], cgo: bool = False, folder: pathlib.Path = PROGRAMS,
       more: Optional[Dict[str, str]] = None) -> str:
    """Run the go command of a release in the folder of the programs and return its output.

    :raises Failure: with what it wrote
    """
    environment = {**os.environ, "GOTOOLCHAIN": release, "GOFLAGS": "-mod=mod", "GOWORK": "off",
                   "GOEXPERIMENT": "", "CGO_ENABLED": "1" if cgo else "0", **(more or {})}
    try:
        result = subprocess.run(["go", *words], cwd=folder, env=environment, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, timeout=BUILD_SECONDS, check=False)
    except FileNotFoundError:
        raise Failure("no go command on PATH") from None
    except subprocess.TimeoutExpired:
        raise Failure("%s: go %s takes over %d s" % (release, words[0], BUILD_SECONDS)) from None
    if result.returncode:
        raise Failure("%s: go %s: %s" % (release, " ".join(words), result.stderr.strip()))
    return result.stdout


def start(exe: pathlib.Path, folder: pathlib.Path, environment: Dict[str, str],
          words: Sequence[str] = (), variant: str = "plain") -> subprocess.Popen:
    """Start a program in a folder that takes its core, stdout and stderr."""
    emulator = [EMULATORS[variant]] if variant in EMULATORS else []
    _require_cores()
    inherited = {name: value for name, value in os.environ.items()
                 if not name.startswith(("GO", "ASAN_", "UBSAN_"))}
    with open(folder / "stdout", "wb") as out, open(folder / "stderr", "wb") as err:
        return subprocess.Popen([*emulator, str(exe), *words], cwd=folder, stdin=subprocess.DEVNULL,
                                stdout=out, stderr=err,
                                preexec_fn=_forget_memory if emulator else None,
                                env={**inherited, "GOTRACEBACK": "crash", **environment})


def finish(process: subprocess.Popen, folder: pathlib.Path, seconds: float) -> None:
    """Wait for the end of a program, or end it.

    :raises Failure: it had to be ended
    """
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise Failure("%s runs for over %d s; it wrote: %s"
                      % (folder.name, seconds, _tail(folder / "stderr"))) from None


def check_death(process: subprocess.Popen, folder: pathlib.Path) -> None:
    """Make sure that a program died by SIGABRT, and that its core has the name "core".

    :raises Failure: it did not
    """
    if process.returncode != -signal.SIGABRT:
        raise Failure("%s ends with %d instead of SIGABRT; it wrote: %s"
                      % (folder.name, process.returncode, _tail(folder / "stderr")))
    for emulated in folder.glob("qemu_*.core"):
        emulated.rename(folder / "core")
    named = folder / ("core.%d" % process.pid)
    if named.exists():
        named.rename(folder / "core")
    if not (folder / "core").exists():
        raise Failure("%s left no core in %s: is the limit on core files 0, or the disk full?"
                      % (folder.name, folder))


def wait_for_line(path: pathlib.Path, process: subprocess.Popen, seconds: float) -> None:
    """Wait until a program has written a whole line.

    :raises Failure: it ended, or the time is over; a program that still runs is ended
    """
    deadline = time.monotonic() + seconds
    while b"\n" not in path.read_bytes():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise Failure("%s says nothing; it wrote: %s"
                          % (path.parent.name, _tail(path.parent / "stderr")))
        time.sleep(0.01)


def _require_cores() -> None:
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if pattern not in ("core", "core.%p"):
        raise Failure("kernel.core_pattern is %r, so cores go elsewhere: set it to core" % pattern)


def _forget_memory() -> None:
    """Leave memory out of a core that the kernel would write beside the emulator's."""
    pathlib.Path("/proc/self/coredump_filter").write_text("0", encoding="ascii")


def _fresh(folder: pathlib.Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _hash_of(folder: pathlib.Path) -> str:
    """Return a name for the present state of all files in a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def _tail(path: pathlib.Path) -> str:
    return path.read_text(errors="replace")[-2000:]
