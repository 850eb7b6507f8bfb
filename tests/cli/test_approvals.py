"""`guardian-tui approvals`: nobody approves without a screen what they have not read."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from guardian_tui.cli.asked import told_order
from guardian_tui.cli.main import main
from guardian_tui.config import ApprovalSettings, AuditSettings, RunbooksSettings, Settings
from guardian_tui.engine.approvals import records
from guardian_tui.engine.approvals.records import Waiting
from guardian_tui.protocol.approvals import Approval, ApprovalRef
from tests.cli.test_cli import login
from tests.support.console import house, until


async def guardian(*words: str, feed: str = "") -> Result:
    return await asyncio.to_thread(CliRunner().invoke, main, list(words), input=feed)


async def test_what_would_be_done_is_shown_and_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDIAN_HOME", str(tmp_path))
    now = time.time()
    one = Waiting(
        "a1b2c3d4", "backups.retain", msgspec.Raw(b'{"job":"shop"}'), "somebody", "grace", "shop", "local", "here", "Forget 2 snapshots of shop.",
        ("- 2026-11-29  4f3a\x1b[2J",), "9" * 64, 1, now, now + 3000,
    )  # fmt: skip
    async with house(tmp_path) as engine:
        await until(lambda: engine.engine.health.ready)
        async with engine.engine.store.write() as tx:
            await records.put(tx, one)
        # as after a restart
        await _start_again(engine)
        await login(engine)
        listed = await guardian("approvals", "list")
        assert "a1b2c3d4" in listed.output
        asked = await guardian("approvals", "approve", "a1b2c3d4", feed="n\n")
        assert asked.exit_code == 1
        assert "grace asks: Forget 2 snapshots" in asked.output
        assert "\x1b" not in asked.output
        done = await guardian("approvals", "approve", "a1b2c3d4", "--note", "fine", feed="y\n")
        assert (done.exit_code, "approved." in done.output) == (0, True), done.output
        shown = await guardian("approvals", "show", "a1b2c3d4")
        assert "approved by ada at " in shown.output and ": fine" in shown.output
        assert "grace: guardian-tui approvals go a1b2c3d4" in shown.output
        nobody = await guardian("approvals", "refuse", "a1b2c3d4")
        assert (nobody.exit_code, "give the digest that was read: --digest" in nobody.output) == (1, True)
        gone = await guardian("approvals", "refuse", "none")
        assert (gone.exit_code, "'none' that waits for an approval does not exist" in gone.output) == (
            1,
            True,
        )
        mine = await guardian("approvals", "go", "a1b2c3d4")
        assert (mine.exit_code, "It was grace who asked for it" in mine.output) == (1, True)
        over = await guardian("approvals", "refuse", "a1b2c3d4", "--digest", "9" * 64, "--json")
        assert '"state":"refused"' in over.output
        again = await guardian("approvals", "approve", "a1b2c3d4", "--digest", "9" * 64)
        assert (again.exit_code, "It waits no more: ada refused." in again.output) == (1, True)
        last = json.loads((await guardian("approvals", "show", "a1b2c3d4", "--json")).output)
        assert (last["state"], last["given"][0]["ok"]) == ("refused", False)


async def test_a_repositorys_password_is_not_replaced_by_one_person_where_its_change_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUARDIAN_HOME", str(tmp_path))
    settings = Settings(
        audit=AuditSettings(syslog=False), approvals=ApprovalSettings(orders=("repositories.edit",))
    )
    async with house(tmp_path, settings) as engine:
        await login(engine)
        first = await guardian("secrets", "set", "backups/vault", feed="one\none\n")
        assert first.exit_code == 0, first.output
        added = await guardian(
            "repositories", "add", "vault", "--engine", "restic", "--location", str(tmp_path / "vault"), "--host", "local",
            "--secret", "RESTIC_PASSWORD=secret:backups/vault",
        )  # fmt: skip
        assert added.exit_code == 0, added.output
        again = await guardian("secrets", "set", "backups/vault", feed="two\ntwo\n")
        assert again.exit_code == 1 and "by which vault is reached" in again.output
        listed = json.loads((await guardian("approvals", "list", "--json")).output)
        ident = listed["approvals"][0]["id"]
        approved = msgspec.structs.replace(
            await engine.client.call("approvals.show", Approval, ApprovalRef(approval=ident)),
            state="approved",
        )
        assert told_order(approved)[-1] == "ada: guardian-tui secrets set backups/vault"


BOOK = """---
id: tidy
title: Tidy
version: 1
hosts: engine
---
```step ok
approve: |
  May it?
  Look twice.
expires: 10m
```
```step do
run: |
  true first
  true second
rollback: |
  true third
  true fourth
```
"""


async def test_a_run_that_asks_is_listed_shown_and_answered_by_the_same_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUARDIAN_HOME", str(tmp_path))
    books = tmp_path / "books"
    books.mkdir(mode=0o755)
    (books / "tidy.md").write_text(BOOK)
    settings = Settings(
        audit=AuditSettings(syslog=False), runbooks=RunbooksSettings(folder=str(books), shipped=False)
    )
    async with house(tmp_path, settings) as engine:
        await until(lambda: engine.engine.health.ready)
        await login(engine)
        begun = await guardian("runbooks", "run", "tidy", "--json")
        run = json.loads(begun.stdout)
        assert run["asked"] == "approve"
        listed = await guardian("approvals", "list")
        head, line = listed.output.splitlines()
        assert "given" in head and run["id"] in line and "runbooks.run" in line and "0 of 1" in line
        told = json.loads((await guardian("approvals", "list", "--json")).output)
        assert (told["approvals"], [one["id"] for one in told["runs"]]) == ([], [run["id"]])
        shown = (await guardian("approvals", "show", run["id"])).output
        for words in ("ada leads Tidy", "   Another person approves: May it?\n   Look twice.", "   $ true first\n   > true second",
                      "   taken back by:\n   $ true third\n   > true fourth", f"digest {run['digest']}"):  # fmt: skip
            assert words in shown, (words, shown)
        asked = await guardian("approvals", "approve", run["id"], feed="n\n")
        assert (asked.exit_code, "Approve exactly this?" in asked.output) == (1, True)
        mine = await guardian("approvals", "approve", run["id"], feed="y\n")
        assert (mine.exit_code, "Whoever leads a run does not approve it" in mine.output) == (1, True)
        other = await guardian("approvals", "refuse", run["id"], "--digest", "9" * 64)
        assert other.exit_code == 1
        stopped = await guardian("runbooks", "stop", run["id"])
        assert stopped.exit_code == 0, stopped.output
        late = await guardian("approvals", "refuse", run["id"])
        assert (late.exit_code, "asks for no approval now" in late.output) == (1, True)


async def _start_again(engine) -> None:  # type: ignore[no-untyped-def]  # a house
    book = next(
        handler.__self__._book
        for name, handler in engine.engine.dispatch._handlers.items()
        if name == "approvals.list"
    )
    await book.start()
