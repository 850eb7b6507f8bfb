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
from screens.approvals import ApprovalsScreen
from screens.choice import ChoiceDialog
from screens.dialogs import TextDialog
from screens.forms import Words
from screens.reports import ReportDialog
from screens.runbook_run import StepScreen
from tests.screens.test_console import dialog, words_of
from tests.screens.test_pictures import picture, shown
from tests.support import runbooks as made
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


async def listed(app: GuardianApp, pilot: Pilot[int], *words: str) -> ApprovalsScreen:
    """The screen, with these words on it."""
    app.run_line("approvals")
    await until(lambda: isinstance(app.screen, ApprovalsScreen) and app.screen.composed)
    await shown(app, *words)
    screen = app.screen
    assert isinstance(screen, ApprovalsScreen)
    return screen


async def opened(app: GuardianApp, pilot: Pilot[int]) -> None:
    await listed(app, pilot)
    await pilot.press("enter")
    await dialog(app, ReportDialog)
    await pilot.pause()


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_another_person_s_order_is_read_and_approved_or_refused(size: tuple[int, int]) -> None:
    async with canned(size) as (app, pilot, client):
        await listed(app, pilot, "Nothing that others asked for waits")
        app.go("fleet")
        arrives(app, ONE)
        await until(lambda: "grace: Restore 12 files of shop" in words_of(app))
        await shown(app, "1 for :approvals" if size[0] > 100 else "g8 approve 1")
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
        answer = app.screen.query_one(Input)
        await until(lambda: answer.region.width > 0)
        # a field without a label begins where the words of the box do
        assert answer.region.x == app.screen.query(Words).first().region.x
        answer.value = "not now"
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
        await listed(app, pilot)
        await pilot.press("2", "enter")
        await dialog(app, ReportDialog)
        await shown(app, "approved by grace", "fine", "carry it out")
        client.answers["approvals.go"] = msgspec.structs.replace(MINE, state="done", run="r1")
        await pilot.press("enter")
        await until(lambda: "It has begun." in words_of(app))
        assert client.orders[-1] == ("approvals.go", ApprovalRef(approval=MINE.id))
        arrives(app, msgspec.structs.replace(MINE, state="refused", why="grace refused."))
        await until(lambda: "grace refused." in words_of(app))
        secret = msgspec.structs.replace(
            MINE, id="s1", order="secrets.set", words="Replace the secret backups/vault."
        )
        arrives(app, secret)
        await until(lambda: "Give it again: its value is kept nowhere" in words_of(app))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_all_that_waits_stands_in_one_list_with_what_is_left_of_its_time(size: tuple[int, int]) -> None:
    me = SESSION.account
    given = GivenApproval(by=me, at=NOW - 5, ok=True, until=NOW + 100)
    two = msgspec.structs.replace(
        ONE, id="b2", words="Forget 2 snapshots of shop.", quorum=2, given=(given,), expires_at=NOW + 100
    )
    fallen = msgspec.structs.replace(given, by="eve", void="The account eve is closed.")
    run = msgspec.structs.replace(
        made.RUN, asked="approve", by="sup-2", leader="sup-2", quorum=2, approvals=(fallen,), digest="d" * 64,
    )  # fmt: skip
    over = msgspec.structs.replace(
        run,
        id="r9",
        asked="",
        approvals=(msgspec.structs.replace(given, by="eve", ok=False, note="too late"),),
    )
    own = msgspec.structs.replace(run, id="r8", leader=me)
    other = msgspec.structs.replace(run, id="r7", asked="", approvals=(), state="ended")
    async with canned(size) as (app, pilot, client):
        client.answers |= made.ANSWERS
        arrives(app, ONE, two, MINE, msgspec.structs.replace(ONE, id="c3", state="void", why="It ran out."))
        app._changed(made.delta(run, over, own, other))
        screen = await listed(app, pilot, "2 for you", "said yes", "0/2", "1/2", "50m")
        rows = [screen.listing.row(id) for id in screen.listing.ids]  # type: ignore[attr-defined]  # a list of approvals
        states = {row.id: row.state for row in rows}
        assert states == {run.id: "for you", ONE.id: "for you", "b2": "said yes"} and rows[-1].id == "b2"
        if folder := os.environ.get("GUARDIAN_PICTURES"):
            Path(folder, f"approvals-{size[0]}.svg").write_text(app.export_screenshot())
        # a run is read where it stands
        screen.listing.move_to(run.id)
        await pilot.press("y")
        await until(lambda: isinstance(app.screen, StepScreen) and app.screen.ready)
        assert not [name for name, _ in client.orders if name.endswith("approve")], (
            "nothing is approved unread"
        )
        app.screen.command_back(())
        await until(lambda: app.screen is screen)
        screen.listing.move_to(run.id)
        await pilot.press("n")
        await dialog(app, TextDialog)
        app.screen.query_one(Input).value = "not tonight"
        await pilot.press("enter")
        await until(lambda: client.orders and client.orders[-1][0] == "runbooks.approve")
        answer = client.orders[-1][1]
        assert (answer.run, answer.version, answer.ok, answer.note) == (
            run.id,
            run.version,
            False,
            "not tonight",
        )
        screen.listing.move_to(ONE.id)
        await pilot.press("y")
        await dialog(app, ReportDialog)
        await pilot.press("escape")
        client.answers["approvals.refuse"] = ONE
        await until(lambda: app.screen is screen)
        app.run_line("refuse-approval no reason needed")
        await until(lambda: client.orders[-1][0] == "approvals.refuse")
        assert client.orders[-1][1].note == "no reason needed"
        await pilot.press("2")
        await shown(app, "asked for by me", "approved", "Restore 12 files")
        await pilot.press("y")
        await until(lambda: "You asked for it" in words_of(app))
        await pilot.press("3")
        await shown(app, "decided", "void", "refused", "It ran out: Restore", "by eve: too late: Disk")
        await pilot.press("n")
        await until(lambda: "It is decided already." in words_of(app))
        screen.filter_typed("too late", done=True)
        assert screen.listing.ids == ["r9"]
        screen.filter_typed("nothing like it", done=True)
        await pilot.press("y", "n")
        assert screen.asked is None


async def test_who_may_not_answer_sees_what_waits_and_no_more() -> None:
    async with canned((120, 40)) as (app, pilot, client):
        assert app.session is not None
        fewer = tuple(
            one for one in app.session.permissions if one not in ("approvals.give", "runbooks.approve")
        )
        app.session = msgspec.structs.replace(app.session, permissions=fewer)
        arrives(app, ONE)
        app._changed(
            made.delta(msgspec.structs.replace(made.RUN, asked="approve", by="sup-2", leader="sup-2"))
        )
        screen = await listed(app, pilot, "○ waiting")
        assert "for you" not in "\n".join(picture(app))
        screen.command_approvals_approve(())
        await until(lambda: "It is not yours to answer." in words_of(app))
        assert not client.orders


async def test_an_order_that_waits_is_no_failure() -> None:
    async with canned((120, 40)) as (app, _, _):
        app.say_error(ApprovalNeeded("It waits.", field="a1"))
        await until(lambda: any(one.message == "It waits." for one in app._notifications))
        assert {one.severity for one in app._notifications if one.message == "It waits."} == {"warning"}


async def test_whoever_leads_a_run_is_told_what_others_said_of_it() -> None:
    me = SESSION.account
    asked = msgspec.structs.replace(
        made.RUN, leader=me, asked="approve", acts=("stop",), phrase="", quorum=2, approvals=()
    )
    yes = GivenApproval(by="grace", at=NOW - 5, ok=True, until=NOW + 600, note="looks right")
    too = GivenApproval(by="bob", at=NOW, ok=True, until=NOW + 600)
    no = GivenApproval(by="bob", at=NOW, ok=False, until=NOW + 600, note="not on a Friday")
    async with canned((120, 40)) as (app, _pilot, client):
        client.answers |= made.ANSWERS

        def told(**changes: object) -> list[str]:
            """What is said when the run is like this."""
            app.said.clear()
            app._changed(made.delta(msgspec.structs.replace(asked, **changes)))
            return [f"{title} | {words}" for _, _, title, words in app.said]

        app._changed(made.delta(asked))
        where = "Disk almost full on web-eu-12"
        assert told(approvals=(yes,)) == [
            f"approved by grace | {where}: 1 of 2 have approved it. looks right"
        ]
        assert told(asked="confirm", approvals=(yes, too)) == [
            f"approved by bob | {where} can go on. :runbooks opens it."
        ]
        assert told(asked="confirm", approvals=(yes, too), version=30) == [], "nothing was said anew"
        app._changed(made.delta(asked))
        assert told(state="deciding", asked="decide", approvals=(no,)) == [
            f"refused by bob | {where}. not on a Friday :runbooks opens it: decide how it goes on."
        ]
        app._changed(made.delta(asked))
        assert told(asked="confirm", auto=True, approvals=(too,)) == [
            f"approved by bob | {where} goes on by itself. :runbooks opens it."
        ]
        app._changed(made.delta(msgspec.structs.replace(asked, by="sup-3", leader="sup-2")))
        assert told(by="sup-3", leader="sup-2", approvals=(yes,)) == [], "it is not theirs"
        # whoever looks at it sees it there
        app._changed(made.delta(asked))
        app.open_runbook_run("r1")
        await until(lambda: isinstance(app.screen, StepScreen) and app.screen.composed)
        assert told(approvals=(yes,)) == []
