"""The whole way: a document in a folder, the CLI, an engine, a real sshd."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from guardian_tui.cli import runs as cli_runs
from guardian_tui.config import AuditSettings, FleetSettings, RunbooksSettings, Settings
from guardian_tui.protocol import runbooks as wire
from guardian_tui.protocol.fleet import HostList, HostRow, HostSpec, HostsQuery
from guardian_tui.protocol.imports import ImportPreview, ImportRequest
from tests.cli.test_cli import guardian, login
from tests.support.console import House, house
from tests.support.sshd import Sshd

BOOK = """---
id: look
title: Look at a host
version: 1
hosts: person
---
See who we are there.
```step who
run: id -un; echo to-err >&2
capture: {user: '(\\w+)'}
```
```step again
check: id -un {{user}}
```
"""
DANGEROUS = BOOK.replace("id: look", "id: risky").replace("capture:", "dangerous: true\ncapture:")

QUIET = """---
id: quiet
title: Planned work
version: 1
hosts: person
---
```step window
silence: the disk is changed
maintenance: true
duration: 1h
```
```step work
instruct: Change the disk.
```
"""


@pytest.fixture
async def guarded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sshd: Callable[..., Sshd]
) -> AsyncIterator[House]:
    """An engine that watches a real host."""
    monkeypatch.setenv("GUARDIAN_HOME", str(tmp_path))
    books = tmp_path / "books"
    books.mkdir(mode=0o755)
    (books / "look.md").write_text(BOOK)
    (books / "risky.md").write_text(DANGEROUS)
    (books / "quiet.md").write_text(QUIET)
    settings = Settings(
        fleet=FleetSettings(interval_seconds=1.0), audit=AuditSettings(syslog=False), runbooks=RunbooksSettings(folder=str(books))
    )  # fmt: skip
    server = sshd()
    key = tmp_path / "key"
    shutil.copy(server.client_key, key)
    key.chmod(0o600)
    async with house(tmp_path, settings) as one:
        known = f"[{server.address}]:{server.port} {server.host_key}"
        await one.client.call("hosts.import", ImportPreview, ImportRequest(known_hosts=known, names=()))
        spec = HostSpec(
            name="real", address=server.address, port=server.port, user=server.user, credential=f"key:{key}"
        )
        await one.client.call("hosts.add", HostRow, spec)
        async with asyncio.timeout(60):
            while not (
                await one.client.call("runbooks.list", wire.RunbookList, wire.RunbooksQuery())
            ).runbooks:
                await asyncio.sleep(0.05)
        await login(one)
        yield one


async def test_a_runbook_is_run_by_the_command_line_on_a_real_host(
    guarded: House, unix_user: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = await guardian("runbooks", "list")
    assert "Look at a host" in listed.output
    done = await guardian("runbooks", "run", "look", "--host", "real", "--yes")
    assert done.exit_code == 0, done.output
    user = getattr(unix_user, "name")  # noqa: B009  # a fixture of the root conftest
    assert user in done.output
    assert "to-err" in done.output
    runs = json.loads((await guardian("runbooks", "runs", "--json")).output)["runs"]
    assert [(run["runbook"], run["verdict"], run["values"]["user"]) for run in runs] == [
        ("look", "done", user)
    ]
    transcript = await guardian("runbooks", "transcript", runs[0]["id"])
    assert f"id -un {user}" in transcript.output
    assert runs[0]["transcript"]
    played = await guardian("runbooks", "play", runs[0]["id"], "--speed", "100")
    assert user in played.output
    found = await guardian("runbooks", "search", "--text", "to-err")
    assert runs[0]["id"] in found.output
    refused = await guardian("runbooks", "run", "risky", "--host", "real", "--yes")
    assert refused.exit_code == 1
    assert "The step who needs a person: It is dangerous" in refused.output
    # a window of planned work is open as long as the run goes on
    answer = await guarded.client.call(
        "runbooks.run", wire.RunbookRun, wire.StartRunbook(runbook="quiet", hosts=("real",))
    )
    go = wire.AnswerRunbook(run=answer.id, version=answer.version)
    await guarded.client.call("runbooks.answer", wire.RunbookRun, go)

    async def planned() -> bool:
        hosts = await guarded.client.call("hosts.list", HostList, HostsQuery())
        return next(host for host in hosts.hosts if host.name == "real").state == "maintenance"

    async def until(wanted: bool) -> None:
        async with asyncio.timeout(30):
            while await planned() is not wanted:
                await asyncio.sleep(0.05)

    await until(True)
    stopped = await guardian("runbooks", "stop", answer.id, "--reason", "not tonight")
    assert stopped.exit_code == 0, stopped.output
    await until(False)
    asked = await guardian("runbooks", "run", "risky", "--host", "real", "--json")
    assert asked.exit_code == 1
    run = json.loads(asked.output)
    assert run["asked"] == "type"
    followed = await guardian("runbooks", "follow", run["id"])
    assert "asking" in followed.output
    missing = await guardian("runbooks", "run", "none", "--host", "real")
    assert missing.exit_code == 1
    left = await guardian(
        "runbooks",
        "answer",
        run["id"],
        "--version",
        str(run["version"]),
        "--act",
        "skip",
        "--reason",
        "seen enough",
    )
    assert left.exit_code == 0, left.output
    # a person at a terminal is led through
    monkeypatch.setattr(cli_runs, "asks_a_person", lambda: True)
    led = await guardian("runbooks", "run", "risky", "--host", "real", feed="go\nreal\nskip\nI know\n")
    assert led.exit_code == 0, led.output
    assert "DANGEROUS" in led.output
    stopped = await guardian("runbooks", "run", "risky", "--host", "real", feed="stop\n")
    assert stopped.exit_code == 1
    assert "stopped" in stopped.output
