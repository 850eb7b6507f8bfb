"""Approvals on screen: what waits is told to whom it concerns, read, answered, and carried out by who asked."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from guardian_tui.app import GuardianApp
from guardian_tui.protocol.approvals import Approval, ApprovalRef, GiveApproval, GivenApproval
from guardian_tui.protocol.errors import ApprovalNeeded
from guardian_tui.protocol.events import Delta
from screens.choice import ChoiceDialog
from screens.dialogs import TextDialog
from screens.reports import ReportDialog
from tests.screens.test_console import dialog, words_of
from tests.screens.test_pictures import shown
from tests.support.canned import NOW, SESSION, canned
from tests.support.console import until

ONE = Approval(
    id="a1b2c3d4", order="backups.restore", target="shop", host="db-1", words="Restore 12 files of shop to /srv on db-1.",
    lines=("snapshot of 2026-11-29 02:30 UTC (4f3a)", "3 files that are there would be overwritten", "  /srv/\x1b[2Ja", "$ restic restore 4f3a"),
    digest="9" * 64, by="grace", asked_at=NOW - 60, expires_at=NOW + 3000,
)  # fmt: skip
MINE = msgspec.structs.replace(
    ONE, id="ffff0000", by=SESSION.account, state="approved", given=(GivenApproval(by="grace", at=NOW, ok=True, until=NOW + 3000, note="fine"),),
)  # fmt: skip


def arrives(app: GuardianApp, *approvals: Approval) -> None:
    app._changed(Delta(seq=2, approvals=approvals))


async def opened(app: GuardianApp, pilot: Pilot[int]) -> None:
    app.run_line("approvals")
    await dialog(app, ReportDialog)
    await pilot.pause()


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_another_person_s_order_is_read_and_approved_or_refused(size: tuple[int, int]) -> None:
    async with canned(size) as (app, pilot, client):
        app.run_line("approvals")
        await until(lambda: "Nothing waits" in words_of(app))
        arrives(app, ONE)
        await until(lambda: "grace: Restore 12 files of shop" in words_of(app))
        await shown(app, "1 for :approvals" if size[0] > 100 else ":approvals 1")
        await opened(app, pilot)
        await shown(
            app, "asked for by grace", "0 of 1 have approved it", "would be overwritten", "/srv/␛[2Ja"
        )
        if folder := os.environ.get("GUARDIAN_PICTURES"):
            Path(folder, f"approval-{size[0]}.svg").write_text(app.export_screenshot())
        client.answers |= {"approvals.approve": ONE, "approvals.refuse": ONE}
        await pilot.press("enter")
        await dialog(app, ChoiceDialog)
        await pilot.press("enter")
        await until(lambda: client.orders)
        assert client.orders[-1] == (
            "approvals.approve",
            GiveApproval(approval=ONE.id, digest=ONE.digest),
        )
        await opened(app, pilot)
        await pilot.press("enter")
        await dialog(app, ChoiceDialog)
        await pilot.press("down", "enter")
        await dialog(app, TextDialog)
        app.screen.query_one(Input).value = "not now"
        await pilot.press("enter")
        await until(lambda: client.orders[-1][0] == "approvals.refuse")
        assert client.orders[-1][1] == GiveApproval(approval=ONE.id, digest=ONE.digest, note="not now")


async def test_what_was_approved_is_told_to_who_asked_and_carried_out() -> None:
    async with canned((120, 40)) as (app, pilot, client):
        waiting = msgspec.structs.replace(MINE, state="waiting", given=())
        arrives(app, waiting)
        await pilot.pause()
        assert "asked of you" not in str([note.title for note in app._notifications])
        arrives(app, MINE)
        await until(lambda: "carries it out" in words_of(app))
        await opened(app, pilot)
        await shown(app, "approved by grace", "fine", "carry it out")
        client.answers["approvals.go"] = msgspec.structs.replace(MINE, state="done", run="r1")
        await pilot.press("enter")
        await until(lambda: "It has begun." in words_of(app))
        assert client.orders[-1] == ("approvals.go", ApprovalRef(approval=MINE.id))
        # two that wait: one is picked
        arrives(app, ONE)
        app.run_line("approvals")
        await dialog(app, ChoiceDialog)
        await pilot.press("escape")
        arrives(app, msgspec.structs.replace(MINE, state="refused", why="grace refused."))
        await until(lambda: "grace refused." in words_of(app))


async def test_an_order_that_waits_is_no_failure() -> None:
    async with canned((120, 40)) as (app, _, _):
        app.say_error(ApprovalNeeded("It waits.", field="a1"))
        await until(lambda: any(one.message == "It waits." for one in app._notifications))
        assert {one.severity for one in app._notifications if one.message == "It waits."} == {"warning"}
