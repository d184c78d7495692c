# SPDX-License-Identifier: Apache-2.0
"""Run the real gdb with gdb-scripts/goheap.py, and the compiled module in a plain Python."""

import os
import pathlib
import subprocess
from typing import List, NamedTuple, Sequence

from lib import programs

SCRIPT = programs.ROOT / "gdb-scripts" / "goheap.py"
MODULE = pathlib.Path(os.environ.get(
    "GOHEAP_MODULE", str(programs.ROOT / "build" / "plugin" / "_goheap.abi3.so"))).absolute()
SECONDS = 600


class Answer(NamedTuple):
    """What one run of gdb said; out is what the commands after `source` wrote."""

    out: str
    err: str
    code: int


def run(commands: Sequence[str], files: Sequence[object] = (), cwd: str = "/",
        source: bool = True, environment: dict = {}, before: Sequence[str] = ()) -> Answer:
    """Run gdb commands in batch mode.

    :param before: commands before goheap.py is sourced
    :raises AssertionError: a Python traceback, or gdb does not end
    """
    words: List[str] = ["gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off",
                        "-iex", "set auto-load off"]
    first = ["source %s" % SCRIPT] if source else []
    for command in [*before, *first, "echo <answers>\\n", *commands]:
        words += ["-ex", command]
    process = subprocess.run([*words, *(str(file) for file in files)], cwd=cwd, text=True,
                             errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, timeout=SECONDS, check=False,
                             env={**os.environ, "GOHEAP_MODULE": str(MODULE), "TERM": "dumb",
                                  **environment})
    assert "Traceback" not in process.stderr, process.stderr
    _, _, out = process.stdout.partition("<answers>\n")
    return Answer(out, process.stderr, process.returncode)


def python(code: str, *arguments: object) -> str:
    """Run Python code with the module loaded as _goheap, by the system's Python.

    :raises AssertionError: it fails; with what it wrote
    """
    head = ("import importlib.machinery as m, importlib.util as u, sys\n"
            "spec = u.spec_from_file_location('_goheap', %r, "
            "loader=m.ExtensionFileLoader('_goheap', %r))\n"
            "_goheap = u.module_from_spec(spec)\n"
            "spec.loader.exec_module(_goheap)\n" % (str(MODULE), str(MODULE)))
    process = subprocess.run(["/usr/bin/python3", "-c", head + code,
                              *(str(argument) for argument in arguments)],
                             text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             timeout=SECONDS, check=False)
    assert process.returncode == 0, process.stderr
    return process.stdout
