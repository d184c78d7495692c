# SPDX-License-Identifier: Apache-2.0
"""Programs that die by themselves and need none of the modes of package truth."""

import contextlib
import pathlib
import shutil
from typing import Dict, Iterator, NamedTuple, Optional, Sequence

from lib import programs


class Dead(NamedTuple):
    """What such a program left behind."""

    exe: pathlib.Path
    core: pathlib.Path
    out: str  # its stdout
    err: str


@contextlib.contextmanager
def death(workshop: programs.Workshop, build: programs.Build, words: Sequence[str] = (),
          environment: Optional[Dict[str, str]] = None) -> Iterator[Dead]:
    """Run a program until it dies by SIGABRT, and delete what it left when it is no longer needed.

    :raises programs.Failure: it does not build, or does not die as it should
    """
    exe = workshop.build(build)
    folder = exe.parent / ("%s.run" % "-".join([build.program, *words]))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        process = programs.start(exe, folder, environment or {}, words,
                                  build.variant)
        programs.finish(process, folder, programs.RUN_SECONDS)
        programs.check_death(process, folder)
        yield Dead(exe, folder / "core", (folder / "stdout").read_text(),
                   (folder / "stderr").read_text(errors="replace"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
