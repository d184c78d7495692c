# SPDX-License-Identifier: Apache-2.0
"""An installation of the release build in a folder of its own, and what a user does with it."""

import os
import pathlib
import re
import subprocess
from typing import Dict, List, Sequence

from lib import programs

BUILD = pathlib.Path(os.environ.get("GOHEAP_BUILD", str(programs.ROOT / "build"))).absolute()
SECONDS = 600


def call(words: Sequence[object], environment: Dict[str, str] = {}, cwd: str = "/",
         code: int = 0) -> str:
    """Run a program that must end with that code; return what it wrote.

    :raises AssertionError: it ends otherwise; with what it said
    """
    process = subprocess.run([str(word) for word in words], cwd=cwd, text=True, errors="replace",
                             env={**os.environ, "TERM": "dumb", **environment}, check=False,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, timeout=SECONDS)
    assert process.returncode == code, "%s\n%s%s" % (words, process.stdout, process.stderr)
    return process.stdout


class Prefix:
    """The installed tree; it does not lie where the build was told, so it was moved, too."""

    def __init__(self, folder: pathlib.Path) -> None:
        call(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", folder])
        self.root = folder / "usr" / "local"
        self.program = self.root / "bin" / "goheap"
        self.library = self.find("libgoheap.so").resolve()
        self.script = self.root / "share" / "goheap" / "goheap.py"

    def find(self, name: str) -> pathlib.Path:
        """Return the one file of that name."""
        found = list(self.root.rglob(name))
        assert len(found) == 1, "%s: %s" % (name, found)
        return found[0]

    def compile(self, source: pathlib.Path, to: pathlib.Path) -> Dict[str, str]:
        """Build a C program as goheap.pc says.

        :return: the environment that it runs in
        """
        folder = self.find("goheap.pc").parent
        flags = call(["pkg-config", "--define-variable=prefix=%s" % self.root, "--cflags", "--libs",
                      "goheap"], {"PKG_CONFIG_PATH": str(folder)}).split()
        call(["cc", "-Wall", "-Wextra", "-Werror", source, "-o", to, *flags])
        return {"LD_LIBRARY_PATH": str(self.library.parent)}


def defined(library: pathlib.Path) -> List[str]:
    """Return the names that a shared object offers."""
    lines = call(["nm", "-D", "--defined-only", library]).splitlines()
    return [line.split()[-1] for line in lines]


def strangers(library: pathlib.Path, allowed: str) -> List[str]:
    """Return the names that a shared object offers and should not.

    :param allowed: expression that matches a whole name
    """
    return [name for name in defined(library) if not re.fullmatch(allowed, name)]


def gdb(commands: Sequence[str], files: Sequence[object] = (), cwd: str = "/") -> str:
    """Return what gdb writes, both ways, while it runs some commands and nothing from gdbinit.

    :raises AssertionError: a traceback
    """
    words: List[object] = ["gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off",
                           "-iex", "set auto-load off"]
    for command in commands:
        words += ["-ex", command]
    environment = {key: value for key, value in os.environ.items() if key != "GOHEAP_MODULE"}
    process = subprocess.run([str(word) for word in [*words, *files]], cwd=cwd, text=True,
                             errors="replace", env={**environment, "TERM": "dumb"}, check=False,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, timeout=SECONDS)
    assert "Traceback" not in process.stdout and process.returncode == 0, process.stdout
    return process.stdout
