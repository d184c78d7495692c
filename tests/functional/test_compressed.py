# SPDX-License-Identifier: Apache-2.0
"""Compressed cores answer as the core itself; damaged ones say how much could be had."""

import pathlib
import random
import shutil
import subprocess
from typing import Iterator, List

import pytest

from lib import goheap, programs

PACKERS = {"zst": ["zstd", "-q", "-c"], "gz": ["gzip", "-1", "-c"], "xz": ["xz", "-0", "-c"],
           "lz4": ["lz4", "-q", "-c"]}
COMMANDS = ["info", "top", "memstats", "goroutines --all"]


class Bundle:
    """A bundled core and its executable."""

    def __init__(self, folder: pathlib.Path) -> None:
        subprocess.run([str(programs.ROOT / "corefiles" / "unpack"), "go1.27", str(folder)],
                       check=True)
        self.folder = folder
        self.exe, self.core = folder / "shop-go1.27", folder / "shop-go1.27.core"

    def pack(self, way: str) -> pathlib.Path:
        """Return the core, compressed."""
        packed = self.folder / ("core." + way)
        with open(packed, "wb") as out:
            subprocess.run([*PACKERS[way], str(self.core)], stdout=out, check=True)
        return packed


@pytest.fixture(name="bundle", scope="module")
def _bundle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bundle]:
    folder = tmp_path_factory.mktemp("compressed")
    yield Bundle(folder)
    shutil.rmtree(folder)


def tables(core: pathlib.Path, exe: pathlib.Path) -> List[dict]:
    """Return the tables and notes that goheap answers to COMMANDS."""
    documents = goheap.ask(core, exe, *COMMANDS)
    return [{key: documents[command][key] for key in ("tables", "selfcheck", "notes")}
            for command in COMMANDS]


@pytest.mark.parametrize("way", PACKERS)
def test_same_answers(bundle: Bundle, way: str) -> None:
    packed = bundle.pack(way)
    assert packed.stat().st_size * 10 < bundle.core.stat().st_size
    assert tables(packed, bundle.exe) == tables(bundle.core, bundle.exe)


@pytest.mark.parametrize("way", PACKERS)
def test_streams_one_after_the_other(bundle: Bundle, way: str) -> None:
    """pzstd and pigz write many, and so does cat."""
    half = bundle.core.stat().st_size // 2
    data = bundle.core.read_bytes()
    joined = bundle.folder / ("joined." + way)
    joined.write_bytes(b"".join(
        subprocess.run(PACKERS[way], input=part, stdout=subprocess.PIPE, check=True).stdout
        for part in (data[:half], data[half:])))
    assert tables(joined, bundle.exe) == tables(bundle.core, bundle.exe)


@pytest.mark.parametrize("way", PACKERS)
@pytest.mark.parametrize("share", [0.5, 0.98])
def test_cut(bundle: Bundle, way: str, share: float) -> None:
    packed = bundle.pack(way)
    with open(packed, "r+b") as file:
        file.truncate(int(packed.stat().st_size * share))
    answer = goheap.run([str(packed), str(bundle.exe), "info", "--json"])
    assert answer.code in (goheap.ANSWERED, goheap.NOTHING)
    if answer.code == goheap.ANSWERED:
        assert any("cut or damaged" in note for note in answer.documents()["info"]["notes"])
    else:
        assert answer.err.startswith("goheap: ") and answer.err.count("\n") == 1


@pytest.mark.parametrize("way", PACKERS)
def test_cut_at_the_start(bundle: Bundle, way: str) -> None:
    """That is no damage: a download has ended too early."""
    packed = bundle.pack(way)
    with open(packed, "r+b") as file:
        file.truncate(24)
    answer = goheap.run([str(packed), str(bundle.exe), "info"])
    assert answer.code == goheap.NOTHING
    assert answer.err.endswith(": copy it again, whole\n") and "damaged" not in answer.err


@pytest.mark.parametrize("way", PACKERS)
def test_damaged_from_the_start(bundle: Bundle, way: str) -> None:
    packed = bundle.pack(way)
    data = bytearray(packed.read_bytes())
    data[8:4096] = random.Random(way).randbytes(4088)
    packed.write_bytes(data)
    answer = goheap.run([str(packed), str(bundle.exe), "info"])
    assert answer.code == goheap.NOTHING
    assert answer.err.startswith("goheap: ") and answer.err.count("\n") == 1


def test_scratch(bundle: Bundle) -> None:
    packed = bundle.pack("zst")
    place = bundle.folder / "scratch"
    place.mkdir()
    answer = goheap.run([str(packed), str(bundle.exe), "--scratch", str(place), "info"])
    assert answer.code == goheap.ANSWERED and not list(place.iterdir())
    answer = goheap.run([str(packed), str(bundle.exe), "--scratch", str(place / "none"), "info"])
    assert answer.code == goheap.NOTHING and str(place / "none") in answer.err


def test_full_scratch(bundle: Bundle) -> None:
    """As on a full disk: no file may grow beyond 1 MiB."""
    limited = ["sh", "-c", "trap '' XFSZ; ulimit -f 2048; exec \"$@\"", "sh"]
    answer = goheap.run([bundle.pack("zst"), bundle.exe, "info"], prefix=limited)
    assert answer.code == goheap.NOTHING
    assert "is full" in answer.err and "--scratch DIR" in answer.err


def test_unpacked_holes_cost_nothing(bundle: Bundle) -> None:
    """4 GiB of zeros, packed: refused as no ELF file, and little was written. The kernel counts it."""
    packed = bundle.folder / "zeros.zst"
    with open(packed, "wb") as out:
        subprocess.run("head -c 4G /dev/zero | zstd -q -1 -c", shell=True, stdout=out, check=True)
    answer = goheap.run([str(packed), str(bundle.exe), "info"])
    assert answer.code == goheap.NOTHING and "zeros" in answer.err
    assert answer.written_bytes < 1 << 30
    where = subprocess.run(["stat", "-f", "-c", "%T", "/var/tmp"], stdout=subprocess.PIPE, text=True,
                           check=True).stdout
    whole = goheap.run([bundle.pack("zst"), bundle.exe, "info"])
    assert whole.written_bytes > 1 << 20 or where.startswith("tmpfs")
