# SPDX-License-Identifier: Apache-2.0
"""The heap of a Go process, out of a core file or of the running process.

>>> import goheap
>>> with goheap.open("core", "server") as session:
...     for row in session.run("top", "-n", "5")["tables"]["types"]["rows"]:
...         print(row["count"], row["bytes"], row["type"])

Works in any Python from 3.8 on, and in gdb's. The other modules of this package are for gdb and
loaded by goheap.py only. Errors are kinds of goheap.Error, one class a code, and of the built-in
class that fits: UsageError (ValueError), FileError (OSError), FormatError, MismatchError and
CorruptError (ValueError), MissingError (LookupError), UnsupportedError (NotImplementedError),
LimitError and OutOfMemoryError (MemoryError).
"""

import collections
import json
import os

from goheap import module

Object = collections.namedtuple("Object", "address type bytes strength")
Object.__doc__ = """One heap object.

address and bytes are those of its heap slot; type is its full name, as `top` prints it; strength
says how sure that is: "exact", "declared", "inferred" or "unknown".
"""


def __getattr__(name):
    """Yield __version__ and the classes of errors, which the compiled module makes."""
    if name != "__version__" and not name[0].isupper():  # a module of the package, or nothing
        raise AttributeError("goheap has no %s" % name)
    native = module.load()
    value = getattr(native, name, None)
    if name != "__version__" and not (isinstance(value, type) and issubclass(value, native.Error)):
        raise AttributeError("goheap has no %s" % name)
    return value


def open(core=None, exe=None, pid=None, sysroot=None, scratch=None, force=False, no_mmap=False,
         progress=None):
    """Open a core file or a process.

    :param core: path of the core, also compressed
    :param exe: path of the executable; looked for if not given
    :param pid: number of a running process instead: it is stopped, copied and let go
    :param sysroot: folder that stands before paths found in the core
    :param scratch: folder to unpack compressed cores into
    :param force: go on although build ids differ
    :param no_mmap: read files rather than map them
    :param progress: called with (stage, done, total) while something takes long
    :return: a Session
    :raises Error: it cannot be used; the message says why and what to do

    >>> goheap.open(pid=1234).run("memstats")
    """
    return Session(core, exe, pid, sysroot, scratch, force, no_mmap, progress)


def _path(path):
    return None if path is None else os.fsdecode(path)


class Session:
    """One opened core or process. What a question needs is computed when it is asked, and kept.

    Other threads of Python go on while it works; one session answers one question at a time.
    """

    def __init__(self, core=None, exe=None, pid=None, sysroot=None, scratch=None, force=False,
                 no_mmap=False, progress=None):
        if (core is None) == (pid is None):
            raise __getattr__("UsageError")("open either a core or a pid")
        self._progress = progress
        self._session = module.load().Session(
            core=_path(core), exe=_path(exe), pid=pid or 0, sysroot=_path(sysroot),
            scratch=_path(scratch), force=force, no_mmap=no_mmap, progress=progress)

    def run(self, *words):
        """Run a command and return its report as data.

        :param words: the command's name and its options, as the program takes them
        :return: dict as docs/contract.md says: tables, selfcheck, skipped, notes
        :raises Error: it cannot be answered; KeyboardInterrupt leaves the session usable

        >>> session.run("objects", "--min", "1M")["tables"]["objects"]["rows"]
        """
        text = self._session.run(_words(words), json=True, progress=self._progress)[0]
        try:
            return json.loads(text)
        except ValueError:
            pass
        raise __getattr__("UsageError")(
            "`%s` gives text and no data: use text()" % " ".join(_words(words)))

    def text(self, *words, **how):
        """Run a command and return its report as people read it, or as CSV with "--csv".

        :param words: as for run()
        :param width: columns that a line may take, 0 for no limit

        >>> print(session.text("top", "-n", "5"))
        """
        width = how.pop("width", 0)
        if how:
            raise TypeError("text() takes words and width only, not %s" % sorted(how)[0])
        return self._session.run(_words(words), width=width, progress=self._progress)[0]

    def objects(self, type=None, dead=False):
        """Iterate over heap objects, by address.

        :param type: full name of the wanted type, as `top` prints it; None for all
        :param dead: garbage instead of what is live
        :return: iterator of Object

        >>> sum(o.bytes for o in session.objects(type="main.Session"))
        """
        batches = self._session.objects(type=type, dead=dead, progress=self._progress)
        make = Object._make
        for batch in batches:
            for row in batch:
                yield make(row)

    def close(self):
        """Give files and memory back. Closing twice is harmless."""
        self._session.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _words(words):
    return [os.fsdecode(word) if isinstance(word, (bytes, os.PathLike)) else str(word)
            for word in words]
