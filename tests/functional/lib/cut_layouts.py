# SPDX-License-Identifier: Apache-2.0
"""Cut the few fields that the tests read out of full layout files: cut_layouts.py DIR.

DIR holds goX.Y.Z-amd64.json, generated from the DWARF of each release. Writes layouts/go1.MINOR.json:
structure -> {"sizeof": bytes, field: [offset, bytes]}, constant -> value.
"""

import json
import pathlib
import re
import sys

WANTED = {
    "runtime.mheap": ["sweepgen", "allspans"],
    "runtime.mspan": ["startAddr", "npages", "freeindex", "nelems", "allocBits", "gcmarkBits",
                      "sweepgen", "allocCount", "spanclass", "state", "elemsize", "limit",
                      "specials"],
    "runtime.special": ["next", "offset", "kind"],
    "runtime.specialprofile": ["b"],
    "runtime.bucket": ["size", "nstk"],
    "runtime.gcControllerState": ["heapInUse", "heapReleased", "heapFree"],
    "runtime.MemStats": None,  # all fields
}
CONSTANTS = ["runtime._KindSpecialProfile"]
RELEASE = re.compile(r"go1\.(\d+)\.\d+-amd64\.json")


def cut(source: pathlib.Path, target: pathlib.Path) -> None:
    """Write the subset of one layout file."""
    full = json.loads(source.read_text())
    lines = []
    for name, wanted in WANTED.items():
        struct = full["structs"][name]
        fields = {field: [offset, size] for field, offset, size, _ in struct["fields"]
                  if wanted is None or field in wanted}
        missing = set(wanted or ()) - set(fields)
        if missing:
            raise SystemExit("%s: %s lacks %s" % (source, name, ", ".join(sorted(missing))))
        lines.append('"%s": %s' % (name, json.dumps({"sizeof": struct["size"], **fields})))
    lines += ['"%s": %d' % (name, full["consts"][name]) for name in CONSTANTS]
    target.write_text("{\n%s\n}\n" % ",\n".join(lines))


def main() -> None:
    """Cut every release that the tests know."""
    here = pathlib.Path(__file__).parent / "layouts"
    for source in pathlib.Path(sys.argv[1]).iterdir():
        match = RELEASE.fullmatch(source.name)
        if match and int(match.group(1)) >= 22:
            cut(source, here / ("go1.%s.json" % match.group(1)))


if __name__ == "__main__":
    main()
