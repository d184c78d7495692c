# SPDX-License-Identifier: Apache-2.0
"""The committed layout tables are what the compiler of each release says today."""

import pathlib
import subprocess

from lib import programs

TABLES = programs.ROOT / "src/goruntime/versions"
GENERATE = programs.ROOT / "tools/godwarf/gen.sh"
SECONDS = 600


def test_tables_are_what_dwarf_says(release: str, tmp_path: pathlib.Path) -> None:
    """Build the generator's program with a release for both architectures, and read its DWARF."""
    made = subprocess.run([str(GENERATE), "-o", str(tmp_path), release], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS,
                          check=False)
    assert made.returncode == 0, made.stdout
    minor = release.split(".")[1]
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["go1_%s_amd64.inc" % minor, "go1_%s_arm64.inc" % minor]
    for name in names:
        assert (tmp_path / name).read_text() == (TABLES / name).read_text(), (
            "%s is stale: run tools/godwarf/gen.sh %s" % (name, release))


def test_every_field_is_somewhere() -> None:
    """A field that no release has is a typing error in layout_fields.def."""
    absent = [{line.split(" = ")[0].strip() for line in path.read_text().splitlines()
               if line.endswith("= GH_ABSENT,")} for path in TABLES.glob("*.inc")]
    assert len(absent) == 2 * len(programs.RELEASES)
    assert not set.intersection(*absent)
