# SPDX-License-Identifier: Apache-2.0
"""What only vector registers of running code refer to is live, however the process is read."""

import json
import pathlib
import signal
import struct
import subprocess
from typing import Iterator, List

import pytest

from lib import gdb, gocore, goheap, programs


class Running:
    """A process of tests/programs/registers whose code runs in a loop without end."""

    def __init__(self, workshop: programs.Workshop, release: str, folder: pathlib.Path) -> None:
        self.release = release
        self.folder = folder
        self.exe = workshop.build(programs.Build("registers", release, "plain"))
        self.core = folder / "core"
        self.process = programs.start(self.exe, folder, {})
        programs.wait_for_line(folder / "stdout", self.process, programs.RUN_SECONDS)

    def close(self) -> None:
        """End the process."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def held(self) -> List[int]:
        """Return the addresses that the core says were put into registers."""
        core = gocore.Core(str(self.core), str(self.exe), self.release)
        data = core.read(core.symbol("main.heldAddresses"), 3 * 8)
        core.close()
        return [address for address, in struct.iter_unpack("<Q", data) if address]


@pytest.fixture(name="running")
def _running(workshop: programs.Workshop, release: str,
             tmp_path: pathlib.Path) -> Iterator[Running]:
    made = Running(workshop, release, tmp_path)
    yield made
    made.close()


def check(running: Running, document: dict) -> None:
    held = running.held()
    assert len(held) >= 2
    live = goheap.addresses(document)
    assert not [hex(address) for address in held if address not in live]


def test_saved_by_a_signal(running: Running) -> None:
    running.process.send_signal(signal.SIGABRT)
    programs.finish(running.process, running.folder, programs.RUN_SECONDS)
    programs.check_death(running.process, running.folder)
    check(running, goheap.ask(running.core, running.exe, "objects")["objects"])


def test_in_gdb_and_its_gcore(running: Running) -> None:
    answer = gdb.run(["goheap objects --json -n 0", "gcore %s" % running.core],
                     before=["file %s" % running.exe, "attach %d" % running.process.pid])
    stopped = json.loads(answer.out.splitlines()[0])
    check(running, stopped)
    check(running, goheap.ask(running.core, running.exe, "objects")["objects"])
