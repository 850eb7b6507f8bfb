"""Whoever is of some hosts learns nothing of others, by any route or stream: what is not theirs answers as what is not there."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from guardian_tui.client import Client
from guardian_tui.config import AuditSettings, FleetSettings, RunbooksSettings, Settings
from guardian_tui.engine.alerts.faults import Fault
from guardian_tui.engine.approvals.records import Waiting, put
from guardian_tui.engine.calls import Call, Peer
from guardian_tui.engine.fleet.shells import _Shell as OpenedShell
from guardian_tui.engine.main import Engine
from guardian_tui.protocol import alerts, backups, bulk, changes, checks, fleet, imports, runbooks
from guardian_tui.protocol.access import GrantSpec
from guardian_tui.protocol.base import Done
from guardian_tui.protocol.errors import GuardianError
from guardian_tui.protocol.events import Delta
from guardian_tui.protocol.routes import PUBLIC, ROUTES, SELF, WHOLE, Route
from tests.server.test_streams import invited
from tests.support.console import House, house, until

MARK = "zebra"
"""Stands in all that belongs to the other hosts, and in nothing else."""
BOOK = """---
id: book
title: The book
version: 1
hosts: person
---

Look at it.

```step look
instruct: Look at it.
```

```step late
run: "true"
```
"""
NOW = 1.0e9
SPARED = {
    "events": "looked at by itself",
    "accounts.invite": "people are of no host",
    "accounts.list": "",
    "accounts.grants": "",
    "accounts.disable": "",
    "accounts.enable": "",
    "sessions.list": "",
    "sessions.revoke": "",
    "profiles.list": "",
    "vault.slots": "",
}
"""Routes that name no host and tell of none."""


@dataclass
class Zoo:
    """An engine with a host of mine and one of theirs, and a person of mine alone."""

    house: House
    me: Client
    uid: int
    refs: dict[str, str] = field(default_factory=dict)
    """What is theirs, by kind."""

    async def ask(self, route: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """What I am answered."""
        try:
            order = msgspec.convert(fields, ROUTES[route].request)
            answer: Any = await self.house.engine.dispatch.call(
                route, order, token=self.me.token, peer=Peer(self.uid), request_id="r"
            )
        except GuardianError as error:
            answer = error.problem("r")
        found: dict[str, Any] = msgspec.to_builtins(answer)
        return found

    async def told(self, route: str, order: Mapping[str, Any], refs: Mapping[str, str]) -> str:
        """The same as text."""
        return msgspec.json.encode(await self.ask(route, filled(order, refs))).decode()


def unknown(kind: str, ref: str) -> str:
    """A reference of the same shape that names nothing."""
    if MARK in ref:
        return ref.replace(MARK, "quagga")
    return re.sub("[0-9a-f]", lambda digit: "f" if digit[0] != "f" else "e", ref)


HOST = {"host": "@host"}
SPEC = {"name": "apple-1", "address": "127.0.0.1", "port": 1, "labels": {"team": "x"}}
MINE = {"job": "apple-job"}
RANGE = {"metric": "cpu_busy_ratio", "start": NOW, "end": NOW + 3600}
REPOSITORY = {"engine": "dumps", "location": "/nowhere", "host": "@host"}
ASKS: dict[str, list[dict[str, Any]]] = {
    "hosts.show": [HOST], "hosts.history": [HOST | RANGE], "hosts.section": [HOST | {"section": "processes"}],
    "hosts.changes": [HOST], "hosts.mark": [HOST | {"words": "x"}], "hosts.drift": [HOST], "hosts.accept_drift": [HOST | {"count": 1}],
    "hosts.add": [SPEC | {"name": "apple-2", "jump": ["@name"]}, SPEC | {"name": "apple-3", "credential": "secret:@secret"}],
    "hosts.edit": [
        HOST | {"spec": SPEC}, {"host": "apple-1", "spec": SPEC | {"jump": ["@name"]}},
        {"host": "apple-1", "spec": SPEC | {"command_credential": "secret:@secret"}},
    ],
    "hosts.remove": [HOST, {"host": "apple-hop"}], "hosts.test": [HOST], "hosts.maintenance": [HOST | {"until": NOW * 9, "reason": "x"}],
    "hosts.import": [
        {"source": {"format": "ssh_config", "name": "@source", "text": "Host @name\n HostName 127.0.0.1\n"}},
        {"source": {"format": "ssh_config", "name": "@source", "text": ""}}, {"source": {"format": "ssh_config", "name": "@source", "text": ""}, "remove": ["@imported"]},
    ],
    "hosts.bulk": [
        {"hosts": ["@name"], "environment": "x"}, {"filter": MARK, "environment": "x"}, {"hosts": ["apple-1"], "jump": ["@name"], "count": 1},
        {"hosts": ["apple-1"], "credential": "secret:@secret", "count": 1},
    ],
    "hosts.bulk_maintenance": [{"hosts": ["@name"], "until": NOW * 9}, {"filter": "down", "until": NOW * 9}],
    "hosts.sources": [{}], "hosts.forget_source": [{"name": "@source"}], "hosts.list": [{}, {"filter": MARK}],
    "questions.list": [{}, {"filter": MARK}], "questions.accept": [{"keys": [{"question": "@question", "fingerprint": "x"}], "count": 1}],
    "questions.answer": [{"question": "@question", "accept": True, "secret": "x"}],
    "authorities.list": [{}], "probe.install": [HOST | {"key": "ssh-ed25519 x"}],
    "processes.signal": [HOST | {"pid": 99, "command": "x"}], "units.control": [HOST | {"unit": "a.service", "act": "stop"}], "logs.read": [HOST],
    "alerts.list": [{}, {"resolved": True}, {"filter": MARK, "resolved": True}],
    "alerts.show": [{"alert": "@alert"}, {"alert": "@ended"}], "alerts.acknowledge": [{"alert": "@alert"}, {"alert": "@ended"}],
    "silences.list": [{}], "silences.add": [{"host": "@name", "seconds": 60}, HOST | {"seconds": 60}, {"seconds": 60}],
    "silences.end": [{"silence": "@silence"}], "rules.list": [{}], "channels.list": [{}],
    "checks.list": [{}, {"filter": MARK}], "checks.show": [{"check": "@check"}, {"check": "@check_name"}],
    "checks.add": [{"name": "apple-9", "kind": "tcp", "host": "@name", "params": {"port": 1}}],
    "checks.edit": [{"check": "@check", "enabled": False}, {"check": "apple-check", "params": {"password": "secret:@secret"}}],
    "checks.remove": [{"check": "@check"}], "checks.run": [{"check": "@check"}],
    "backups.list": [{}, {"filter": MARK}], "backups.readiness": [{}, {"filter": MARK}], "backups.show": [{"job": "@job"}, {"job": "@job_name"}],
    "backups.add": [
        {"name": "apple-9", "host": "@name", "repository": "apple-repo", "sources": ["/x"]},
        {"name": "apple-9", "host": "apple-1", "repository": "@repository_name", "sources": ["/x"]},
        {"name": "apple-9", "host": "apple-1", "repository": "apple-repo", "sources": ["/x"], "copies": ["@repository_name"]},
    ],
    "backups.edit": [
        {"job": "@job", "spec": {"name": "apple-job", "host": "apple-1", "repository": "apple-repo", "sources": ["/x"]}},
        MINE | {"spec": {"name": "apple-job", "host": "@name", "repository": "apple-repo", "sources": ["/x"]}},
        MINE | {"spec": {"name": "apple-job", "host": "apple-1", "repository": "@repository_name", "sources": ["/x"]}},
    ],
    "backups.remove": [{"job": "@job"}], "backups.run": [{"job": "@job"}], "backups.runs": [{"job": "@job"}], "backups.snapshots": [{"job": "@job"}],
    "backups.files": [{"job": "@job", "snapshot": "1"}], "backups.log": [{"run": "@run"}], "backups.cancel": [{"run": "@run"}],
    "backups.preview": [{"job": "@job", "snapshot": "1"}, {"job": "@job", "at": NOW}],
    "backups.restore": [{"job": "@job", "snapshot": "1"}, {"job": "@job", "at": NOW}], "backups.window": [{"job": "@job"}],
    "backups.drill": [{"job": "@job"}], "backups.ledger": [{}, {"job": "@job"}], "backups.retention": [{"job": "@job"}], "backups.retain": [{"job": "@job"}],
    "backups.copies": [{}, {"filter": MARK}], "backups.discover": [HOST], "repositories.observe": [HOST | {"found": "0" * 12}],
    "repositories.check": [{"repository": "@repository"}], "repositories.unlock": [{"repository": "@repository"}], "repositories.list": [{}, {"filter": MARK}],
    "repositories.show": [{"repository": "@repository"}, {"repository": "@repository_name"}], "repositories.add": [REPOSITORY | {"name": "apple-8"}],
    "repositories.edit": [
        {"repository": "@repository", "spec": REPOSITORY | {"name": "@repository_name"}},
        {"repository": "apple-repo", "spec": REPOSITORY | {"name": "apple-repo"}},
    ],
    "repositories.remove": [{"repository": "@repository"}], "repositories.make": [{"repository": "@repository"}], "repositories.read": [{"repository": "@repository"}],
    "runbooks.list": [{}], "runbooks.show": [{"runbook": "book"}],
    "runbooks.plan": [{"runbook": "book", "hosts": ["@name"]}, {"runbook": "book", "hosts": ["apple-1"]}, {"runbook": "book", "hosts": ["apple-1"], "alert": "@alert"}],
    "runbooks.try": [{"runbook": "book", "hosts": ["@name"]}], "runbooks.run": [{"runbook": "book", "hosts": ["@name"]}],
    "runbooks.runs": [{}, {"active": True}], "runbooks.follow": [{"run": "@book_run"}, {"run": "@over"}],
    "runbooks.answer": [{"run": "@book_run", "version": 1, "act": "go"}],
    "runbooks.approve": [{"run": "@book_run", "version": 1, "digest": "0" * 64}], "runbooks.stop": [{"run": "@book_run"}],
    "runbooks.watch": [{"run": "@book_run", "console": "c"}], "runbooks.hand_over": [{"run": "@book_run"}], "runbooks.output": [{"run": "@book_run"}, {"run": "@over"}],
    "runbooks.transcript": [{"run": "@book_run"}, {"run": "@over"}, {"run": "@over", "format": "asciicast"}], "runbooks.search": [{"text": MARK}],
    "shell.open": [HOST], "shell.read": [{"shell": "@shell"}], "shell.write": [{"shell": "@shell", "data": "eA=="}],
    "shell.resize": [{"shell": "@shell", "columns": 9, "lines": 9}], "shell.close": [{"shell": "@shell"}],
    "approvals.list": [{}], "approvals.approve": [{"approval": "@approval", "digest": "d"}],
    "approvals.refuse": [{"approval": "@approval", "digest": "d"}], "approvals.go": [{"approval": "@approval"}],
}  # fmt: skip
"""Route → orders; what begins with @ is a reference to something of theirs."""
LIBRARY = ("runbooks.list", "runbooks.show", "runbooks.plan")


def orders_of(route: Route) -> list[dict[str, Any]]:
    """What a route is asked: as it stands in the table, else by what its request must name."""
    if route.name in ASKS:
        return ASKS[route.name]
    kinds = {field.name for field in msgspec.structs.fields(route.request) if field.required}
    unknown = kinds - {
        "host",
        "alert",
        "check",
        "job",
        "repository",
        "approval",
        "question",
        "silence",
        "run",
    }
    assert not unknown, f"say in ASKS how {route.name} is asked about something of theirs: {unknown}"
    run = "@book_run" if route.name.startswith("runbooks.") else "@run"
    return [{kind: run if kind == "run" else f"@{kind}" for kind in kinds}]


def filled(value: Any, refs: Mapping[str, str]) -> Any:
    """An order with its references in their places."""
    if isinstance(value, str):
        return re.sub("@([a-z_]+)", lambda found: refs[found[1]], value)
    if isinstance(value, Mapping):
        return {key: filled(one, refs) for key, one in value.items()}
    return [filled(one, refs) for one in value] if isinstance(value, list) else value


def words_in(value: Any) -> Iterator[str]:
    """All texts of an answer."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield str(key)
            yield from words_in(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from words_in(one)
    else:
        yield str(value)


async def settle(one: House, team: str, name: str) -> dict[str, str]:
    """A host with a check, a repository and a job; answers their ids.  Nobody listens there, so that nothing of it takes time."""
    call, host = one.client.call, f"{name}-1"
    spec = fleet.HostSpec(name=host, address="127.0.0.1", port=1, labels={"team": team})
    check = checks.CheckSpec(name=f"{name}-check", kind="tcp", host=host, params={"port": 1})
    where = backups.RepositorySpec(name=f"{name}-repo", engine="dumps", location=f"/{name}", host=host)
    dumps = (backups.Dump(kind="sqlite", database=f"/{name}"),)
    keep = backups.Retention(last=1)
    job = backups.JobSpec(
        name=f"{name}-job",
        host=host,
        repository=f"{name}-repo",
        dumps=dumps,
        tries=1,
        keep=keep,
        timer="engine",
    )
    return {
        "host": (await call("hosts.add", fleet.HostRow, spec)).id,
        "check": (await call("checks.add", checks.CheckRow, check)).id,
        "repository": (await call("repositories.add", backups.RepositoryRow, where)).id,
        "job": (await call("backups.add", backups.JobRow, job)).id,
    }


def handler_of(engine: Engine, route: str) -> Any:  # Any: a service's orders
    """What answers a route."""
    return engine.dispatch._handlers[route].__self__  # type: ignore[attr-defined]  # a bound method


@pytest.fixture(params=["theirs from the first", "mine until now"])
async def zoo(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Zoo]:
    """Two teams' hosts; theirs with something of every kind, and each of it with the mark in it."""
    moved = request.param == "mine until now"
    books = tmp_path / "books"
    books.mkdir()
    (books / "book.md").write_text(BOOK)
    settings = Settings(
        fleet=FleetSettings(interval_seconds=1.0, watch_this_machine=False), audit=AuditSettings(syslog=False),
        runbooks=RunbooksSettings(folder=str(books), shipped=False),
    )  # fmt: skip
    async with house(tmp_path, settings) as one:
        call, engine = one.client.call, one.engine
        await until(lambda: engine.health.ready)
        me = await invited(one, "eve", GrantSpec(profile="admin", scope="team=x"))
        await settle(one, "x", "apple")
        team = "x" if moved else "y"
        theirs = await settle(one, team, MARK)
        host = theirs["host"]
        refs = {
            **theirs, "name": f"{MARK}-1", "secret": f"{MARK}/key", "source": f"/{MARK}/config", "imported": f"{MARK}-old",
            "check_name": f"{MARK}-check", "job_name": f"{MARK}-job", "repository_name": f"{MARK}-repo",
        }  # fmt: skip
        text = f"Host {MARK}-old\n  HostName 127.0.0.1\n  Port 1\n"
        source = imports.SourceText(format="ssh_config", name=refs["source"], text=text)
        await call(
            "hosts.import",
            imports.ImportPreview,
            imports.ImportRequest(source=source, names=(f"{MARK}-old",)),
        )
        hop = fleet.HostSpec(name="apple-hop", address="127.0.0.1", port=1, labels={"team": "x"})
        await call("hosts.add", fleet.HostRow, hop)
        labels = bulk.BulkEdit(
            hosts=(f"{MARK}-old",), set_labels={"team": team}, jump=("apple-hop",), count=1
        )
        await call("hosts.bulk", bulk.BulkReport, labels)
        await call("secrets.set", Done, fleet.SecretSet(name=refs["secret"], value="x"))
        await call("hosts.mark", changes.Change, changes.SetMark(host=host, words=MARK))
        silence = await call(
            "silences.add", alerts.Silence, alerts.AddSilence(host=f"{MARK}-1", reason=MARK, seconds=3600)
        )
        refs["silence"] = silence.id
        book: Any = handler_of(engine, "alerts.list")._book
        for kind in ("alert", "ended"):
            held = book.fire(
                host, kind, Fault("disk_low", MARK, "warning", "notify", engine.clock.now(), why=MARK)
            )
            refs[kind] = held.alert.id
        book.resolve((host, "disk_low", "ended"), engine.clock.now())
        run = await call("backups.run", backups.RunRow, backups.JobRef(job=refs["job"]))
        await call(
            "repositories.check", backups.RunRow, backups.CheckRepository(repository=refs["repository"])
        )
        refs["run"] = run.id
        for kind in ("over", "book_run"):
            order = runbooks.StartRunbook(runbook="book", hosts=(f"{MARK}-1",), reason=MARK)
            refs[kind] = (await call("runbooks.run", runbooks.RunbookRun, order)).id
        watch = runbooks.WatchRun(run=refs["book_run"], console="c")
        await call("runbooks.watch", runbooks.RunbookWatchers, watch)
        await call("runbooks.stop", runbooks.RunbookRun, runbooks.StopRunbook(run=refs["over"], reason=MARK))
        target = engine.fleet.inventory.hosts[host].target
        refs["question"] = engine.fleet._questions.about_secret(target, "passphrase", f"{MARK}?").id
        waiting = Waiting(
            "abcd1234", "backups.retain", msgspec.Raw(b'{"job":"x"}'), "a", "ada", f"{MARK}-job", host, f"{MARK}-1", MARK, (MARK,), "d", 1,
            engine.clock.now(), engine.clock.now() + 3600,
        )  # fmt: skip
        refs["approval"] = waiting.id
        async with engine.store.write() as tx:
            await put(tx, waiting)
        handler_of(engine, "approvals.list")._book.show(waiting)
        refs["shell"] = "0123456789abcdef"
        mine = await engine.access.authenticate(me.token, Peer(os.geteuid()))
        opened = Call(
            ROUTES["shell.open"], mine, Peer(os.geteuid()), "r", NOW, engine.audit, engine.store.write
        )
        handler_of(engine, "shell.open")._open[refs["shell"]] = OpenedShell(opened, host, f"{MARK}-1")
        table = engine.live.runbook_runs
        await until(lambda: (row := table.get(refs["over"])) is None or row.state == "ended")
        if moved:
            both = bulk.BulkEdit(hosts=(f"{MARK}-1", f"{MARK}-old"), set_labels={"team": "y"}, count=2)
            await call("hosts.bulk", bulk.BulkReport, both)
        yield Zoo(one, me, os.geteuid(), refs)
        await me.close()


async def nothing_is_streamed(zoo: Zoo) -> None:
    async with asyncio.timeout(60):
        async for event in zoo.me.events():
            if isinstance(event, Delta):
                break
    told = msgspec.to_builtins(event)
    assert {row["name"] for row in told["hosts"]} == {"apple-1", "apple-hop"}
    for table, rows in told.items():
        theirs = {MARK} if table == "runbooks" else {MARK, *zoo.refs.values()}
        assert not [word for word in words_in(rows) if any(one in word for one in theirs)], table


async def test_what_is_not_mine_answers_as_what_is_not_there(zoo: Zoo) -> None:
    await nothing_is_streamed(zoo)
    leaks = []
    nothing = {kind: unknown(kind, ref) for kind, ref in zoo.refs.items()}
    asked = [
        (route.name, order)
        for route in ROUTES.values()
        if route.permission not in (PUBLIC, SELF, *WHOLE) and route.name not in SPARED
        for order in orders_of(route)
    ]
    assert set(ASKS) <= {route for route, _ in asked}
    for route, order in asked:
        answer = await zoo.told(route, order, zoo.refs)
        if "@" not in str(order):
            bare = answer.replace(f"'{MARK}'", "")
            # which run of a document was the newest belongs to the library, which is everybody's; the run itself is told to its own
            told = [] if route in LIBRARY else [*zoo.refs.values()]
            leaked = [word for word in (MARK, *told) if word in bare]
        else:
            other = await zoo.told(route, order, nothing)
            for theirs, none in sorted(
                zip(zoo.refs.values(), nothing.values(), strict=True), key=lambda two: -len(two[0])
            ):
                answer, other = answer.replace(theirs, "…"), other.replace(none, "…")
            leaked = [other] if answer != other or MARK in answer else []
        if leaked:
            leaks.append(f"{route} {order}: {answer[:600]}\n  {leaked}")
    assert not leaks, "\n".join(leaks)
    assert zoo.house.engine.live.hosts.get(zoo.refs["host"]) is not None
