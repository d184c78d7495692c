# SPDX-License-Identifier: Apache-2.0
"""Cores of a program that allocates while the collector runs, taken at random moments."""

import pathlib
import random
import shutil
import signal
import struct
import subprocess
import time
from typing import Set

from lib import gocore, programs

HELD = 20000  # nHeld in tests/programs/allocator
WAYS = ("abort", "gcore")
CHURNS = ("allocate", "mark", "sweep")
MAX_DELAY = 0.4
GCORE_SECONDS = 600


class Moment:
    """One core: slots that the program held all the time, slots that are not free, the phase.

    :param churn: what keeps the collector busy, one of CHURNS
    :param way: "abort" lets the kernel write the core, "gcore" lets gdb do it
    :raises programs.Failure: the program does not run, or nobody writes a core
    """

    def __init__(self, workshop: programs.Workshop, release: str, churn: str, way: str,
                 seed: int) -> None:
        build = programs.Build("allocator", release, "plain")
        self.release = release
        self.exe = workshop.build(build)
        self.folder = self.exe.parent / ("allocator.%s.%s.%d" % (churn, way, seed))
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        self.core = self.folder / "core"
        self.held: Set[int] = set()
        self.allocated: Set[int] = set()
        self.phase = "between collections"
        process = programs.start(self.exe, self.folder, {"GOHEAP_CHURN": churn})
        try:
            programs.wait_for_line(self.folder / "stdout", process, programs.RUN_SECONDS)
            time.sleep(random.Random(seed).random() * MAX_DELAY)
            if way == "gcore":
                self._gcore(process)
            else:
                process.send_signal(signal.SIGABRT)
                programs.finish(process, self.folder, programs.RUN_SECONDS)
                programs.check_death(process, self.folder)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        self._read()

    def forget(self) -> None:
        """Delete the files."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _read(self) -> None:
        """Find the slots of what the program held, all slots that are not free, and the phase."""
        core = gocore.Core(str(self.core), str(self.exe), self.release)
        data = core.read(core.symbol("main.heldAddresses"), HELD * 8)
        self.held = {core.slot_of(address) or 0 for address, in struct.iter_unpack("<Q", data)}
        self.allocated = set(core.allocated())
        if core.read(core.symbol("runtime.gcphase"), 4) != bytes(4):
            self.phase = "marking"
        elif any(span.unswept for span in core.spans):
            self.phase = "sweeping"
        core.close()

    def _gcore(self, process: subprocess.Popen) -> None:
        prefix = self.folder / "gcore"
        result = subprocess.run(["gcore", "-o", str(prefix), str(process.pid)], text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, timeout=GCORE_SECONDS, check=False)
        written = pathlib.Path("%s.%d" % (prefix, process.pid))
        if result.returncode or not written.exists():
            raise programs.Failure("gcore: " + result.stdout[-2000:])
        written.rename(self.core)
