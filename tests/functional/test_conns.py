# SPDX-License-Identifier: Apache-2.0
"""Connections: tests/programs/conns states what is open, who has it, and what a goroutine uses."""

import json
import pathlib
import re
from typing import Dict, Iterator, List, Set, Tuple

import pytest

from conftest import RELEASES
from lib import gdb, goheap, programs, simple

ENDS = (RELEASES[0], RELEASES[-1])
STANDARD = ["/dev/stderr", "/dev/stdin", "/dev/stdout"]
HTTP_OWNERS = {"main.bodies", "main.client", "main.client2", "main.going2", "main.open2"}
WHOLE = {"sql.DB", "sql.Conn", "sql.Tx", "sql.Rows", "sql.Stmt"}  # all of these are stated
OTHERS = re.compile(r"(.*) and (\d+) others?$")
PAIRS = Dict[Tuple[str, str], List[int]]


class Conns:
    """The program, dead, with what goheap says."""

    def __init__(self, dead: simple.Dead) -> None:
        self.core, self.exe = dead.core, dead.exe
        self.statement = json.loads(dead.out)
        self.asked = goheap.ask(dead.core, dead.exe, "conns", "conns --all", "conns --unused",
                                "conns --no-values", "suspects")
        self.suspects = {row["rule"]: row
                         for row in goheap.rows(self.asked["suspects"], "suspects")}
        self.groups = goheap.rows(self.asked["conns"], "groups")
        self.all = goheap.rows(self.asked["conns --all"], "conns")
        assert not self.asked["conns"]["skipped"]

    def sums(self, rows: List[dict]) -> PAIRS:
        """Return count and in_use by kind and owner, and of each kind."""
        sums: PAIRS = {}
        for row in rows:
            for key in ((row["kind"], row["owner"]), (row["kind"], "")):
                pair = sums.setdefault(key, [0, 0])
                pair[0] += row["count"]
                pair[1] += row["in_use"]
        return sums


@pytest.fixture(scope="module", params=[(release, variant) for release in RELEASES
                                        for variant in ("plain", "nodwarf")],
                ids="-".join)
def build(request: pytest.FixtureRequest) -> programs.Build:
    release, variant = request.param
    return programs.Build("conns", release, variant)


@pytest.fixture(scope="module")
def opened(build: programs.Build, workshop: programs.Workshop) -> Iterator[Conns]:
    with simple.death(workshop, build, ["open"]) as dead:
        yield Conns(dead)


def test_counts_owners_use(opened: Conns) -> None:
    sums, all_sums = opened.sums(opened.groups), opened.sums(opened.all)
    wrong = []
    for row in opened.statement["Rows"]:
        key, true = (row["Kind"], row["Owner"]), [row["Count"], row["In_use"]]
        if sums.get(key) != true or all_sums.get(key) != true:
            wrong.append("%s: %s, not %s" % (key, sums.get(key), true))
    assert not wrong, "\n".join(wrong)


def test_nothing_else_is_open(opened: Conns) -> None:
    """The other ends of HTTP connections, and the standard files."""
    said = {row["Kind"] for row in opened.statement["Rows"]} | set(opened.statement["Sharers"])
    assert {row["kind"] for row in opened.groups} <= said
    by_kind = opened.sums(opened.all)
    true = {row["Kind"]: row["Count"] for row in opened.statement["Rows"] if not row["Owner"]}
    ends = 2 * (true["HTTP connection"] + true["idle HTTP connection"])
    tcp = sum(row["Count"] for row in opened.statement["Rows"] if row["Kind"] == "TCP connection")
    assert by_kind[("TCP connection", "")][0] == tcp + ends
    assert by_kind[("TCP listener", "")][0] == 4
    names = [row["name"] for row in opened.all if row["kind"] == "file"]
    assert sorted(names) == sorted(opened.statement["Names"] + STANDARD)
    fds = [row["fd"] for row in opened.all if row["fd"] is not None]
    assert len(fds) == len(set(fds))


def test_peers_states_owners_of_http(opened: Conns) -> None:
    peers = opened.statement["Peers"]
    for row in opened.all:
        if row["kind"] in ("HTTP connection", "idle HTTP connection"):
            assert row["peer"] in peers
            assert row["state"] == ("idle" if row["kind"].startswith("idle") else "lent")
        if row["kind"] in ("HTTP connection", "HTTP/2 request", "HTTP response body"):
            assert sharers(row["owner"])[0] & HTTP_OWNERS
        if row["kind"] == "unix listener":
            assert row["local"].endswith("/socket")
        if row["kind"] == "TCP connection" and row["owner"] == "main.dialed":
            assert row["local"].startswith("127.0.0.1:") and row["state"] == "idle"
        if row["kind"] == "sql.DB":
            assert row["peer"] == "main.fake"


def sharers(owner: str) -> Tuple[Set[str], int]:
    """Return the names in a text such as "a, b, c and 2 others", and how many there are at all."""
    match = OTHERS.match(owner)
    names = (match.group(1) if match else owner.replace(" and ", ", ")).split(", ")
    return set(names), len(names) + (int(match.group(2)) if match else 0)


def test_all_who_share(opened: Conns) -> None:
    """Three are named, the others counted."""
    for kind, stated in opened.statement["Sharers"].items():
        missing = [set(names) for names in stated]
        for row in opened.all:
            if row["kind"] != kind:
                continue
            names, count = sharers(row["owner"])
            assert len(names) == min(count, 3)
            fits = [all_names for all_names in map(set, stated)
                    if names <= all_names and count == len(all_names)]
            assert fits or kind not in WHOLE, row
            missing = [all_names for all_names in missing if all_names not in fits]
        assert not missing, kind


def test_pools(opened: Conns) -> None:
    pools = [{"Open": row["count"], "In_use": row["in_use"], "Idle": row["idle"],
              "Waiting": row["waiting"], "Limit": row["limit"] or 0, "Lost": row["lost"]}
             for row in opened.all if row["kind"] == "sql.DB"]
    key = sorted(pools[0])
    assert sorted(pools, key=lambda pool: [pool[name] for name in key]) == \
        sorted(opened.statement["Pools"], key=lambda pool: [pool[name] for name in key])
    for row in [*opened.all, *opened.groups]:
        if row["kind"] != "sql.DB":
            assert (row["idle"], row["waiting"], row["limit"], row["lost"]) == (None,) * 4
        if row["kind"] in WHOLE:
            assert row["peer"] == "main.fake"


def test_unused(opened: Conns) -> None:
    unused = opened.sums(goheap.rows(opened.asked["conns --unused"], "groups"))
    for key, (count, in_use) in opened.sums(opened.groups).items():
        if key[1] and in_use in (0, count):
            assert (unused.get(key) == [count, 0]) == (in_use == 0 and count > 0)


def test_suspects(opened: Conns) -> None:
    """What nobody can close any more; bodies that were read to their end hold nothing."""
    sums = opened.sums(opened.all)
    count, in_use = sums[("HTTP response body", "")]
    row = opened.suspects["bodies-open"]
    assert row["level"] == "likely" and row["title"].startswith("%d " % (count - in_use))
    left = {kind: sums[(kind, "")][0] - sums[(kind, "")][1]
            for kind in ("sql.Conn", "sql.Tx", "sql.Rows")}
    # Conns in a package variable may wait for their next use
    kept = sum(pair[0] for (kind, owner), pair in sums.items()
               if kind == "sql.Conn" and owner.startswith("main."))
    left["sql.Conn"] -= kept
    rows = {row["level"]: row for row in goheap.rows(opened.asked["suspects"], "suspects")
            if row["rule"] == "sql-not-closed"}
    assert set(rows) == {"likely", "possible"} and left["sql.Conn"] > 0 < kept
    assert rows["possible"]["title"].startswith("%d sql.Conn " % kept)
    row = rows["likely"]
    assert row["title"].startswith("%d " % sum(left.values()))
    for kind, number in left.items():
        assert "%d %s" % (number, kind) in row["evidence"]
    waiting = sum(pool["Waiting"] for pool in opened.statement["Pools"])
    assert "%d requests" % waiting in row["evidence"]


def test_ports_of_sockets_are_the_kernels(opened: Conns) -> None:
    """Three sockets of one owner, on ports that nobody chose, are one row."""
    row, = [row for row in opened.groups if row["owner"] == "main.sockets"]
    assert (row["kind"], row["count"], row["local"]) == ("UDP socket", 3, "127.0.0.1:*")
    assert len({row["local"] for row in opened.all if row["owner"] == "main.sockets"}) == 3


def test_what_nobody_can_give_back(opened: Conns) -> None:
    """Rows that were dropped; those that wait in a variable or on a stack can still be closed."""
    lost = sum(pool["Lost"] for pool in opened.statement["Pools"])
    row = opened.suspects["sql-lost"]
    assert row["level"] == "proven" and row["title"].startswith("%d connections " % lost)
    assert "opened %d" % (lost + 2) in row["evidence"] and row["bytes"] >= lost * 128


def test_no_values(opened: Conns) -> None:
    for row in goheap.rows(opened.asked["conns --no-values"], "groups"):
        assert row["local"] is None and row["peer"] in (None, "main.fake")


def test_closed_twin(build: programs.Build, workshop: programs.Workshop) -> None:
    """What was closed is not open; the standard files are."""
    with simple.death(workshop, build, ["closed"]) as dead:
        of = Conns(dead)
    assert {row["kind"] for row in of.all} == {"file"}
    assert not {"bodies-open", "sql-lost", "sql-not-closed"} & set(of.suspects)
    assert sorted(row["name"] for row in of.all) == STANDARD


@pytest.mark.parametrize("end", ENDS)
def test_http2_of_its_own(end: str, tmp_path: pathlib.Path) -> None:
    """A program with golang.org/x/net/http2; net/http's is in it, too."""
    exe = tmp_path / "ownhttp2"
    programs.go(end, ["build", "-o", str(exe), "."],
                folder=programs.PROGRAMS / "thirdparty" / "ownhttp2")
    process = programs.start(exe, tmp_path, {})
    programs.finish(process, tmp_path, programs.RUN_SECONDS)
    programs.check_death(process, tmp_path)
    said = json.loads((tmp_path / "stdout").read_text())
    rows = goheap.rows(goheap.ask(tmp_path / "core", exe, "conns")["conns"], "groups")
    of = {row["kind"]: row for row in rows}
    assert (of["HTTP response body"]["owner"], of["HTTP response body"]["count"]) == \
        ("main.open", said["Open"])
    assert of["HTTP response body, read"]["count"] == said["Read"]
    assert (of["idle HTTP connection"]["count"], of["idle HTTP connection"]["peer"]) == \
        (1, said["Peer"])
    assert "HTTP connection" not in of and "HTTP/2 request" not in of


@pytest.mark.parametrize("end", ENDS)
def test_all_faces_say_the_same(workshop: programs.Workshop, end: str,
                                tmp_path: pathlib.Path) -> None:
    build = programs.Build("conns", end, "plain")
    with simple.death(workshop, build, ["open"]) as dead:
        program = goheap.ask(dead.core, dead.exe, "conns")["conns"]
        answer = gdb.run(["goheap conns --json"], [dead.exe, dead.core])
        assert json.loads(answer.out.strip().splitlines()[-1])["tables"] == program["tables"]
    process = programs.start(workshop.build(build), tmp_path, {}, ["open", "stay"])
    try:
        programs.wait_for_line(tmp_path / "stdout", process, programs.RUN_SECONDS)
        answer = goheap.run(["--pid", process.pid, "conns", "--json"])
        ours = {(row["kind"], row["owner"], row["count"], row["in_use"], row["state"])
                for row in json.loads(answer.out)["tables"]["groups"]["rows"]}
        theirs = {(row["kind"], row["owner"], row["count"], row["in_use"], row["state"])
                  for row in program["tables"]["groups"]["rows"]}
        assert ours == theirs
        fds = {int(path.name) for path in pathlib.Path("/proc/%d/fd" % process.pid).iterdir()
               if path.readlink().name.startswith("socket:")}
        answer = goheap.run(["--pid", process.pid, "conns", "--all", "--json"])
        rows = json.loads(answer.out)["tables"]["conns"]["rows"]
        assert {row["fd"] for row in rows
                if row["fd"] is not None and row["kind"] not in ("file", "pipe")} == fds
    finally:
        process.kill()
        process.wait()
