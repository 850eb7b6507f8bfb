"""Live tables: a follower sees what is true, what it may see, and nothing twice."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as some

from guardian_tui.engine import live as module
from guardian_tui.engine.live import Live
from guardian_tui.protocol.fleet import HostRow


def row(name: str, why: str = "") -> HostRow:
    return HostRow(id=name, name=name, state="up", since=0.0, why=why)


def everything(table: str, labels: Any) -> bool:
    return True


def taken(body: bytes | None) -> dict[str, Any]:
    return msgspec.json.decode(body) if body else {}


def test_a_follower_gets_a_snapshot_then_only_what_changed() -> None:
    live = Live()
    live.hosts.put("a", row("a"))
    live.hosts.put("b", row("b"))
    follower = live.subscribe(everything)
    first = taken(follower.take())
    assert first["complete"] and {r["id"] for r in first["hosts"]} == {"a", "b"}
    assert follower.take() is None
    live.hosts.put("b", row("b", "x"))
    live.hosts.drop("a")
    live.hosts.drop("never there")
    delta = taken(follower.take())
    assert (
        not delta["complete"]
        and [r["why"] for r in delta["hosts"]] == ["x"]
        and delta["gone"] == {"hosts": ["a"]}
    )
    assert live.hosts.get("a") is None and live.hosts.labels("a") is None and len(live.hosts) == 1
    assert live.hosts.rows()[0].name == "b"


def test_one_that_comes_back_gets_what_it_missed() -> None:
    live = Live()
    live.hosts.put("a", row("a"))
    mark = live.seq
    live.hosts.put("b", row("b"))
    live.hosts.drop("a")
    back = taken(live.subscribe(everything, mark).take())
    assert (
        not back["complete"]
        and [r["id"] for r in back["hosts"]] == ["b"]
        and back["gone"] == {"hosts": ["a"]}
    )
    assert taken(live.subscribe(everything, live.seq + 5).take())["complete"]


def test_one_that_missed_too_many_removals_begins_anew(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "TOMBSTONES", 2)
    live = Live()
    follower = live.subscribe(everything)
    follower.take()
    mark = live.seq
    for name in "abcd":
        live.hosts.put(name, row(name))
    for name in "abc":
        live.hosts.drop(name)
    assert taken(follower.take())["complete"]
    assert taken(live.subscribe(everything, mark).take())["complete"]


def test_rows_that_leave_a_scope_are_gone_for_it_and_foreign_ones_never_seen() -> None:
    live = Live()
    live.hosts.put("web", row("web"), {"role": "web"})
    live.hosts.put("db", row("db"), {"role": "db"})
    follower = live.subscribe(lambda table, labels: labels.get("role") == "web")
    assert [r["id"] for r in taken(follower.take())["hosts"]] == ["web"]
    live.hosts.put("db", row("db", "x"))
    assert follower.take() is None
    live.hosts.put("web", row("web"), {"role": "mail"})
    assert taken(follower.take())["gone"] == {"hosts": ["web"]}
    live.hosts.drop("db")
    follower.close()


def test_a_follower_that_may_see_other_rows_now_begins_anew() -> None:
    live = Live()
    live.hosts.put("web", row("web"), {"role": "web"})
    live.hosts.put("db", row("db"), {"role": "db"})
    follower = live.subscribe(lambda table, labels: labels.get("role") == "web")
    follower.take()
    follower.see(lambda table, labels: labels.get("role") == "db")
    assert follower.changed.is_set()
    anew = taken(follower.take())
    assert anew["complete"] and [r["id"] for r in anew["hosts"]] == ["db"]
    assert follower.take() is None


async def test_a_change_wakes_followers_until_they_close() -> None:
    live = Live()
    follower = live.subscribe(everything)
    follower.take()
    live.hosts.put("a", row("a"))
    await asyncio.wait_for(follower.changed.wait(), 5)
    follower.close()
    follower.changed.clear()
    live.hosts.put("b", row("b"))
    assert not follower.changed.is_set()


@given(
    some.lists(
        some.tuples(some.sampled_from("abcde"), some.sampled_from(["put", "drop", "take", "cut"])),
        max_size=60,
    )
)
def test_whatever_happens_a_follower_ends_with_what_is_true(steps: list[tuple[str, str]]) -> None:
    live, seen = Live(), {}
    follower = live.subscribe(everything)

    def read() -> None:
        body = taken(follower.take())
        if body.get("complete"):
            seen.clear()
        for entry in body.get("hosts", ()):
            seen[entry["id"]] = entry["why"]
        for gone in body.get("gone", {}).get("hosts", ()):
            seen.pop(gone, None)

    for number, (name, what) in enumerate(steps):
        if what == "put":
            live.hosts.put(name, row(name, str(number)))
        elif what == "drop":
            live.hosts.drop(name)
        elif what == "take":
            read()
        else:
            follower = live.subscribe(everything, follower.seq)
    read()
    assert seen == {r.id: r.why for r in live.hosts.rows()}


def test_whoever_comes_back_after_hosts_were_relabelled_begins_anew() -> None:
    def of_x(table: str, labels: Any) -> bool:
        return not labels or labels.get("team") == "x"

    live = Live()
    live.hosts.put("a", row("a"), {"host": "a", "team": "x"})
    live.runbook_runs.put("r", row("r"), {"host": "a", "team": "x", "run": "r"})  # type: ignore[arg-type]  # any row will do
    live.silences.put("s", row("s"), {})  # type: ignore[arg-type]  # as above
    follower, away = live.subscribe(of_x), live.subscribe(of_x)
    assert taken(follower.take())["hosts"] and taken(away.take())["hosts"]
    live.relabel({"a": {"host": "a", "team": "y"}})
    # a run is of all of its hosts: who knows them tells
    assert taken(follower.take())["gone"] == {"hosts": ["a"]}
    back = taken(live.subscribe(of_x, away.seq).take())
    assert back["complete"] and "hosts" not in back and back["silences"] and back["runbook_runs"]
    live.runbook_runs.relabel("r", {"run": "r"})
    live.runbook_runs.relabel("nothing", {})
    assert taken(follower.take())["gone"] == {"runbook_runs": ["r"]}
