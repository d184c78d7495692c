# SPDX-License-Identifier: Apache-2.0
"""The gdb commands: a prefix `goheap` and one subcommand for each row of the C table."""

import gdb

from goheap import module as loader
from goheap import handles, sessions, terminal

# The program's own options, which in gdb may stand on any command: how to open the target.
OPENING = {"--exe": "exe", "--sysroot": "sysroot", "--force": "force", "--no-mmap": "no_mmap"}
FLAGS = ("--force", "--no-mmap")


def _take_opening(words):
    """Split the words of a command into its own and the options that open the target.

    :return: (words, options)
    """
    own, options = [], {}
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if name not in OPENING:
            own.append(word)
        elif name in FLAGS:
            options[OPENING[name]] = True
        else:
            value = value if equals else next(rest, None)
            if value is None:
                raise gdb.GdbError("goheap: %s needs a value" % name)
            options[OPENING[name]] = value
    return own, options


def _run(words, needs_target):
    native = loader.load()
    words, options = _take_opening(words)
    progress = terminal.Progress()
    if not needs_target or "--help" in words or "-h" in words:
        return native.run(words, width=terminal.width(), colour=terminal.colour())[0]
    session = sessions.current(native, options)
    try:
        text = session.run(words, width=terminal.width(), colour=terminal.colour(),
                           progress=progress, how_next="goheap next")[0]
        handles.publish(session)
        return text
    finally:
        progress.clear()


def _answer(words, needs_target):
    """Run a command line and write what it says, through gdb's pager."""
    try:
        text = _run(words, needs_target)
    except KeyboardInterrupt:
        raise gdb.GdbError("goheap: interrupted: what was asked is not answered")
    except (gdb.GdbError, gdb.error):
        raise
    except Exception as error:  # a traceback would be a bug of ours, not an answer
        raise gdb.GdbError("goheap: %s" % error)
    gdb.write(text)


class Prefix(gdb.Command):
    """Go heaps out of cores and stopped processes: what fills the memory, who holds it."""

    def __init__(self):
        super().__init__("goheap", gdb.COMMAND_DATA, prefix=True)

    def invoke(self, argument, from_tty):
        """Say what there is; gdb calls this for words that are no subcommand, too."""
        self.dont_repeat()
        _answer(gdb.string_to_argv(argument) or ["help"], False)


class Subcommand(gdb.Command):
    """One row of the C table."""

    def __init__(self, row):
        self.__doc__ = row["help"].rstrip()
        self._name = row["name"]
        self._needs_target = row["needs_target"]
        super().__init__("goheap " + row["name"], gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        """Run the command."""
        _answer([self._name] + gdb.string_to_argv(argument), self._needs_target)

    def complete(self, text, word):
        """Complete what the C table tells, types of this heap and handles of the last answer."""
        *before, token = text.split(" ")
        session = sessions.kept()
        complete = session.complete if session else loader.load().complete
        choices = complete([self._name] + before, token)
        if token.startswith("-"):
            choices += [option for option in sorted(OPENING) if option.startswith(token)]
        done = len(token) - len(word)  # gdb's idea of a word may begin later, after a dash
        return [choice[done:] for choice in choices]


def register():
    """Register the commands; a second time replaces them with the same."""
    native = loader.load()
    rows = native.commands()
    lines = ["  goheap %-11s %s" % (row["name"], row["summary"]) for row in rows]
    Prefix.__doc__ = "\n".join(
        ["Go heaps out of cores and stopped processes.", "",
         "Commands, in the order of an investigation:"] + lines +
        ["", "help goheap COMMAND says more.",
         "Options of every command on how to open the target: --exe FILE, --sysroot DIR,",
         "--force (go on although build ids differ), --no-mmap."])
    Prefix()
    for row in rows:
        Subcommand(row)
    sessions.connect()
