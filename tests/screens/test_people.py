"""People on screen, by keys, before a real engine: invite, change, close, open again, end a session."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from guardian_tui.app import GuardianApp
from guardian_tui.protocol.access import AccountList, SessionList
from guardian_tui.protocol.errors import InvalidRequest
from screens.dialogs import ConfirmDialog, TextDialog
from screens.people import PeopleScreen, parse_grants
from screens.reports import ReportDialog
from tests.screens.test_console import console, dialog, go, words_of
from tests.screens.test_pictures import picture, shown
from tests.support.canned import SESSION, canned
from tests.support.console import house, until
from widgets.people_list import PeopleList

pytestmark = pytest.mark.timeout(240)


async def type_in(app: GuardianApp, pilot: Pilot[int], field: str, text: str) -> None:
    app.screen.query_one(f"#{field}", Input).value = text
    await pilot.press("enter")


async def test_a_person_is_invited_changed_closed_and_opened_again(tmp_path: Path) -> None:
    async with house(tmp_path) as one, console(one) as (app, pilot):
        await pilot.press("g", "6")
        await until(lambda: isinstance(app.screen, PeopleScreen))
        await shown(app, "ada", "tui session", "admin", "viewer")

        await pilot.press("n")
        await dialog(app, TextDialog)
        await type_in(app, pilot, "text", "grace support role=web")
        await dialog(app, ReportDialog)
        await shown(app, "grace enrols with this code, once", "It is shown only now.")
        await pilot.press("escape")
        # nobody asks again: the audit log tells that something is new
        await shown(app, "grace", "invited", "support role=web", "never")

        people = app.screen.query_one(PeopleList)
        grace = next(one for one in people._people.values() if one.name == "grace")
        people.move_to(grace.id)
        await pilot.press("e")
        await dialog(app, TextDialog)
        assert app.screen.query_one("#text", Input).value == "support role=web"
        await type_in(app, pilot, "text", "viewer, auditor")
        await dialog(app, ConfirmDialog)
        await shown(app, "now    support role=web", "then   viewer, auditor")
        await pilot.press("n")
        await until(lambda: isinstance(app.screen, PeopleScreen))
        assert people.person is not None and people.person.grants[0].profile == "support"
        await pilot.press("e")
        await dialog(app, TextDialog)
        await type_in(app, pilot, "text", "viewer, auditor")
        await dialog(app, ConfirmDialog)
        await pilot.press("y")
        await shown(app, "viewer, auditor")

        await pilot.press("delete")
        await dialog(app, ConfirmDialog)
        await type_in(app, pilot, "typed", "somebody else")
        assert isinstance(app.screen, ConfirmDialog)
        await type_in(app, pilot, "typed", "grace")
        await shown(app, "closed")
        await pilot.press("o")
        await dialog(app, ConfirmDialog)
        await pilot.press("y")
        await until(lambda: all(one.state != "disabled" for one in people._people.values()))
        await pilot.press("o")
        await until(lambda: "is not closed" in words_of(app))


async def test_a_session_is_ended_by_whoever_may(tmp_path: Path) -> None:
    async with house(tmp_path) as one, console(one) as (app, pilot):
        await go(app, pilot, "people")
        await until(lambda: isinstance(app.screen, PeopleScreen))
        await shown(app, "tui session")
        await pilot.press("home", "x")
        await until(lambda: "cursor on a session" in words_of(app))
        await pilot.press("down", "x")
        await dialog(app, ConfirmDialog)
        await shown(app, "It is your own, here.")
        await pilot.press("y")
        await until(lambda: app.screen is app.login_screen and app.session is None)


async def test_who_may_only_see_is_offered_no_change() -> None:
    async with canned((80, 24)) as (app, _, client):
        app.session = msgspec.structs.replace(SESSION, permissions=("accounts.see", "hosts.see"))
        app.run_line("people")
        await shown(app, "old-hand", "support customer=shop role=web")
        offered = {command.name for command in app.screen.offered()}  # type: ignore[attr-defined]  # of our screens
        assert not offered & {"person.invite", "person.grants", "person.close", "person.open", "session.end"}
        assert "go.people" in offered and not client.orders
        app.session = msgspec.structs.replace(SESSION, permissions=("hosts.see",))
        assert "go.people" not in {command.name for command in app.offered("fleet")}


async def test_what_others_named_themselves_is_only_text() -> None:
    async with canned((80, 24)) as (app, _, client):
        people = client.answers["accounts.list"]
        assert isinstance(people, AccountList)
        hostile = msgspec.structs.replace(people.accounts[0], name="[@click=app.quit]\x1b]52;c;x\x07")
        client.answers["accounts.list"] = AccountList(accounts=(hostile,))
        client.answers["sessions.list"] = SessionList(sessions=())
        app.run_line("people")
        await shown(app, "[@click=app.q")
        assert "\x1b" not in "".join(picture(app))


def test_grants_are_read_as_they_are_shown() -> None:
    told = [
        (grant.profile, grant.scope) for grant in parse_grants("operator, support customer=shop role=web")
    ]
    assert told == [("operator", ""), ("support", "customer=shop role=web")]
    for wrong in ("", "operator,", "role=web", "x " + "a=b " * 300):
        with pytest.raises(InvalidRequest):
            parse_grants(wrong)
