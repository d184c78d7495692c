# SPDX-License-Identifier: Apache-2.0
"""User arenas that were freed: their memory is gone, and what only they held is garbage."""

import json
import pathlib

from lib import gocore, goheap, programs


def test_freed_chunks_hold_nothing(workshop: programs.Workshop, release: str,
                                   tmp_path: pathlib.Path) -> None:
    """Freed without a collection: the span is still in use, and in quarantine."""
    exe = workshop.build(programs.Build("userarenas", release, "plain"))
    process = programs.start(exe, tmp_path, {"GOHEAP_MODE": "garbage", "GOGC": "off",
                                             "GODEBUG": "memprofilerate=1"})
    programs.finish(process, tmp_path, programs.RUN_SECONDS)
    programs.check_death(process, tmp_path)
    statement = json.loads((tmp_path / "stdout").read_text())
    documents = goheap.ask(tmp_path / "core", exe, "top", "objects", "doctor")
    live = goheap.addresses(documents["objects"])
    core = gocore.Core(str(tmp_path / "core"), str(exe), release)
    planted = {core.slot_of(int(address, 16)) for address in statement["planted"]}
    kept = {core.slot_of(int(address, 16)) for address in statement["kept"]} - planted
    core.close()

    assert planted and not planted & live.keys()
    assert not kept - live.keys()
    found = {row["type"]: row for row in goheap.rows(documents["top"], "types")}
    assert "main.lost" not in found
    # the arena that was freed has filled the chunk that the runtime had left, and begun another
    chunks = statement["types"]["user arena chunk"]
    assert found["user arena chunk"]["count"] == chunks["count"]
    assert found["user arena chunk"]["bytes"] == chunks["bytes"]
    for document in documents.values():
        assert not goheap.failed_checks(document)
    # the scavenger may just be at work: it counts pages after it has marked them
    assert not [row for row in goheap.rows(documents["doctor"], "checks")
                if row["state"] != "ok" and not row["name"].startswith("heapReleased")]
