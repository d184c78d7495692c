# SPDX-License-Identifier: Apache-2.0
"""The file to source in gdb: (gdb) source gdb-scripts/goheap.py, or as installed
/usr/local/share/goheap/goheap.py.

Finds the package beside this file, which finds the compiled module, wherever it was sourced from,
and registers the goheap commands. Sourcing it twice is harmless.
"""

import os
import sys

import gdb

HERE = os.path.dirname(os.path.realpath(__file__))


def _why_not(error):
    """Say why the module does not load, and what works instead.

    :param error: the ImportError
    :return: one line
    """
    return ("goheap: cannot load the compiled module into gdb's Python %d.%d: %s; build it with: "
            "meson setup build && ninja -C build; or use the program instead: goheap CORE EXE top"
            % (sys.version_info[0], sys.version_info[1], error))


class _Broken(gdb.Command):
    """goheap could not be loaded; any use says why."""

    def __init__(self, why):
        super().__init__("goheap", gdb.COMMAND_DATA)
        self._why = why

    def invoke(self, argument, from_tty):
        """Say why."""
        raise gdb.GdbError(self._why)


def _load():
    """Import the package and register the commands, or one that says why there are none."""
    if HERE not in sys.path:
        sys.path.insert(0, HERE)
    from goheap import module
    try:
        module.load()
    except ImportError as error:
        gdb.write(_why_not(error) + "\n", gdb.STDERR)
        _Broken(_why_not(error))
        return
    from goheap import commands
    commands.register()


_load()
