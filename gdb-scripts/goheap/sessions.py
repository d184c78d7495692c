# SPDX-License-Identifier: Apache-2.0
"""One session for each inferior, renewed when what it looked at is no longer so."""

import os

import gdb

from goheap import inferior as target
from goheap import terminal

_sessions = {}  # inferior number -> (key, session)
_generation = 0  # of live processes: changes whenever one may have run
_connected = False


def _forget(*_):
    global _generation
    _generation += 1


def connect():
    """Listen to gdb's events, once."""
    global _connected
    if _connected:
        return
    _connected = True
    for name in ("cont", "exited", "new_objfile", "clear_objfiles", "inferior_call",
                 "memory_changed", "register_changed", "new_inferior", "free_progspace"):
        registry = getattr(gdb.events, name, None)
        if registry is not None:
            registry.connect(_forget)
    if hasattr(gdb.events, "inferior_deleted"):
        gdb.events.inferior_deleted.connect(lambda event: drop(event.inferior.num))


def drop(number):
    """Give back what the session of an inferior holds."""
    _, session = _sessions.pop(number, (None, None))
    if session is not None:
        session.close()


def kept():
    """Return the session that the selected inferior has at hand, or None. Opens nothing."""
    return _sessions.get(gdb.selected_inferior().num, (None, None))[1]


def _core_key(path, options):
    status = os.stat(path)
    return ("core", path, status.st_mtime_ns, status.st_size, tuple(sorted(options.items())))


def _open_core(module, path, options):
    return module.Session(core=path, progress=terminal.Progress(), **options)


def _open_live(module, inferior, options):
    native = target.is_native(inferior)
    return module.Session(pid=inferior.pid if native else 0,
                          read_memory=target.reader(inferior),
                          mappings=target.mappings(inferior, native),
                          threads=target.threads(inferior), progress=terminal.Progress(),
                          **options)


def current(module, options):
    """Return the session for what gdb looks at now, the kept one if it still holds.

    :param options: dict of exe, sysroot, force, no_mmap as given by the user
    :raises gdb.GdbError: there is neither core nor process
    """
    inferior = gdb.selected_inferior()
    path = target.core_path()
    options = dict(options)
    if not options.get("exe"):
        options["exe"] = target.exe_path()
    if path:
        key = _core_key(path, options)
    elif inferior.pid:
        key = ("live", inferior.pid, _generation, tuple(sorted(options.items())))
    else:
        raise gdb.GdbError("goheap: there is nothing to look at: load a core (core-file CORE) or "
                           "stop a process (attach PID)")
    kept, session = _sessions.get(inferior.num, (None, None))
    if session is not None and kept == key:
        return session
    drop(inferior.num)
    session = _open_core(module, path, options) if path else _open_live(module, inferior, options)
    # reading registers may count as a change: the key is what holds now
    if not path:
        key = key[:2] + (_generation,) + key[3:]
    _sessions[inferior.num] = (key, session)
    return session
