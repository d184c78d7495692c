# SPDX-License-Identifier: Apache-2.0
"""One death of one program: the truth about it, and goheap's answers, each computed once."""

import concurrent.futures
import threading
from typing import Dict, List, Optional, Set

from lib import goheap, gocore, heapdump, programs, traceback

COMMANDS = ["top", "memstats", "goroutines --all", "objects", "objects --dead", "spans"]
TRUTH = "goheap.test/programs/truth."
OURS = ("main.", "goheap.test/")
# The runtime outgrows the heap of timers of a processor on behalf of whoever comes by.
OUTGROWN = {"runtime.(*timers).addHeap", "runtime.doaddtimer"}
ATTEMPTS = 30


class Case:
    """What a program left behind and what it stated.

    :param death: a program that ran in mode "missing" or "garbage"
    """

    def __init__(self, death: programs.Death) -> None:
        self.death = death
        self.build = death.build
        self.core = gocore.Core(str(death.core), str(death.exe), death.build.release)
        self.statement = death.statement
        self.allocated = self.core.allocated()
        self.dump = heapdump.HeapDump(str(death.dump))
        # Since Go 1.22 the dump also has slots at or beyond nelems, which do not exist.
        self.dumped = {address: size for address, size in self.dump.objects.items()
                       if self.core.slot_of(address) == address}
        self.memstats = self.core.memstats(TRUTH + "MemStats")
        planted = self._slots(self.statement["planted"])
        self.planted = planted
        self.kept = self._slots(self.statement["kept"]) - planted
        self._goroutines: Optional[Dict[int, traceback.Goroutine]] = None
        self._lock = threading.Lock()
        self._documents: Optional[Dict[str, dict]] = None

    def close(self) -> None:
        """Give the core back."""
        self.core.close()

    @property
    def documents(self) -> Dict[str, dict]:
        """What goheap answers to COMMANDS, by command line."""
        with self._lock:
            if self._documents is None:
                self._documents = goheap.ask(self.death.core, self.death.exe, *COMMANDS)
            return self._documents

    @property
    def goroutines(self) -> Dict[int, traceback.Goroutine]:
        """The program's own traceback."""
        if self._goroutines is None:
            self._goroutines = traceback.parse(self.death.traceback)
        return self._goroutines

    def restless(self) -> List[str]:
        """Return what changed between the reading of MemStats and the end.

        A thread that the runtime starts just then, or a page that it gives back to the system,
        makes the statement untrue, and is nobody's fault.
        """
        later = [*self.dump.memstats.items(), *self.core.heap_sizes().items()]
        changed = ["MemStats.%s" % name for name, value in later if self.memstats[name] != value]
        if self.dumped != self.allocated:
            changed.append("objects")
        return changed

    def is_ours(self, address: int) -> bool:
        """Tell whether the program itself, and not the runtime, allocated a slot."""
        return any(name.startswith(OURS) for stack in self.core.allocation_stacks(address)
                   if not OUTGROWN.intersection(stack) for name in stack)

    def describe(self, slots: Set[int]) -> str:
        """Name slots for a failed assertion: how many of each size and allocation stack."""
        groups: Dict[str, int] = {}
        example: Dict[str, int] = {}
        for slot in sorted(slots):
            stack = self.core.allocation_stack(slot)
            name = "%d bytes by %s" % (self.allocated.get(slot, 0), " < ".join(stack) or "nobody")
            groups[name] = groups.get(name, 0) + 1
            example.setdefault(name, slot)
        ordered = sorted(groups.items(), key=lambda group: (-group[1], group[0]))
        lines = ["%d slots" % len(slots)]
        lines += ["%6d of %s, such as %#x" % (count, name, example[name])
                  for name, count in ordered[:20]]
        return "\n".join(lines)

    def _slots(self, texts: List[str]) -> Set[int]:
        slots = set()
        for text in texts:
            slot = self.core.slot_of(int(text, 16))
            if slot is None:
                raise programs.Failure("%s states %s, which is outside the heap"
                                       % (self.death.folder, text))
            slots.add(slot)
        return slots


class Producer:
    """Makes cases ahead of the tests that need them, on threads of its own.

    :param order: cases in the order in which tests will ask for them
    """

    def __init__(self, workshop: programs.Workshop, order: List[tuple], threads: int = 2) -> None:
        self._workshop = workshop
        self._order = order
        self._ahead = threads + 1
        self._pool = concurrent.futures.ThreadPoolExecutor(threads)
        self._futures: Dict[tuple, "concurrent.futures.Future[Case]"] = {}

    def take(self, build: programs.Build, mode: str) -> Case:
        """Return a case.

        :raises programs.Failure: the program does not build or run
        """
        key = (build, mode)
        if key in self._order:
            at = self._order.index(key)
            for coming in self._order[at:at + self._ahead]:
                self._submit(coming)
        return self._submit(key).result()

    def give_back(self, case: Case, keep: bool) -> None:
        """Forget a case, and delete its files unless they are to be kept."""
        self._futures.pop((case.build, case.death.mode), None)
        case.close()
        if not keep:
            self._workshop.forget(case.death)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _submit(self, key: tuple) -> "concurrent.futures.Future[Case]":
        if key not in self._futures:
            self._futures[key] = self._pool.submit(self._make, *key)
        return self._futures[key]

    def _make(self, build: programs.Build, mode: str) -> Case:
        case = make(self._workshop, build, mode)
        try:
            case.documents  # pylint: disable=pointless-statement
        except Exception:  # pylint: disable=broad-except
            pass  # the tests that need it will ask again, and say what is wrong
        return case


def make(workshop: programs.Workshop, build: programs.Build, mode: str) -> Case:
    """Run a program until nothing changes behind its back.

    :raises programs.Failure: it never does
    """
    changed: List[str] = []
    for _ in range(ATTEMPTS):
        death = workshop.run(build, mode)
        case = Case(death)
        changed = case.restless()
        if not changed:
            return case
        case.close()
        workshop.forget(death)
    raise programs.Failure("%s %s: %s change in %d of %d runs while it dies"
                           % (build, mode, ", ".join(changed), ATTEMPTS, ATTEMPTS))
