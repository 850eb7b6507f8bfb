"""People: accounts, what they may do, and their open sessions; invite, change, close, open again, end."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import msgspec
from textual import events
from textual.app import ComposeResult

from guardian_tui.protocol.access import (
    Account,
    AccountList,
    AccountRef,
    GrantSpec,
    Profile,
    ProfileList,
    SessionList,
    SessionRef,
    SetGrants,
)
from guardian_tui.protocol.base import Done
from guardian_tui.protocol.errors import GuardianError, InvalidRequest
from guardian_tui.protocol.refusals import told
from guardian_tui.rows import Table
from guardian_tui.text import safe
from guardian_tui.world import Change
from screens.base import GuardianScreen
from screens.dialogs import ConfirmDialog, TextDialog
from screens.work import begin
from widgets.box import Box, folded
from widgets.painting import fit
from widgets.people_list import PeopleList, grants_words


class PeopleScreen(GuardianScreen):
    """Read when it is opened, and again whenever the audit log tells of something new."""

    CONTEXT: ClassVar[str] = "people"
    DEFAULT_CSS = """
    PeopleScreen #people { height: 1fr; }
    PeopleScreen #profiles { height: auto; max-height: 12; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._profiles: tuple[Profile, ...] = ()

    def content(self) -> ComposeResult:
        """The people, and what the profiles mean."""
        yield PeopleList(id="people")
        yield Box("profiles", id="profiles")

    @property
    def table_shown(self) -> Table:
        """What `^s` saves: accounts and what they may do."""
        names = ["person", "account", "created_at", "last_login_at", "may_do"]
        return names, [
            (one.name, one.state, one.created_at, one.last_login_at, grants_words(one.grants))
            for one in self._list.people
        ]

    @property
    def _list(self) -> PeopleList:
        return self.query_one(PeopleList)

    def on_mount(self) -> None:
        """Focus the list."""
        self._list.focus()

    def world_changed(self, change: Change) -> None:
        """Whatever is done to people is an event."""
        if change.audit:
            self._load()

    def tick(self, now: float) -> None:
        """Ages tick."""
        super().tick(now)
        self._list.tick(now)

    def _load(self) -> None:
        begin(self, self._read, exclusive=True, group="page")

    async def _read(self) -> None:
        call = self.console.client.call
        try:
            people = await call("accounts.list", AccountList)
            sessions = await call("sessions.list", SessionList)
            profiles = await call("profiles.list", ProfileList)
        except GuardianError as error:
            # the banner speaks for an engine that is gone
            if error.status != 503:
                self.console.say_error(error)
            return
        self._list.show(people.accounts, sessions.sessions, self.console.world.now())
        self._profiles = profiles.profiles
        self._tell_profiles()

    def _tell_profiles(self) -> None:
        room = self.app.size.width - 4
        box = self.query_one("#profiles", Box)
        box.show(
            [
                line
                for one in self._profiles
                for line in folded(fit(safe(one.name, 60), 12), safe(one.help, 300), room, "muted", "text")
            ]
        )
        box.refresh(layout=True)

    def on_resize(self, event: events.Resize) -> None:
        """What the profiles mean is wrapped anew."""
        if self._profiles:
            self._tell_profiles()

    def give_back_focus(self) -> None:
        """Back to the list."""
        self._list.focus()

    def command_back(self, arguments: tuple[str, ...]) -> None:
        """Back to the fleet."""
        self.console.go("fleet")

    # --- commands ------------------------------------------------------------------------------

    def _person(self) -> Account | None:
        person = self._list.person
        if person is None:
            self.console.say("Put the cursor on a person first.", severity="warning")
        return person

    def command_person_invite(self, arguments: tuple[str, ...]) -> None:
        """`n`: asks for what `:invite` takes."""

        def entered(text: str | None) -> None:
            if text:
                self.console.command_invite(tuple(text.split()))

        words = "A name, a profile, and labels if it is for some hosts only, e.g. grace support customer=shop"
        self.console.push_screen(TextDialog("invite a person", words), entered)

    def command_person_grants(self, arguments: tuple[str, ...]) -> None:
        """`e`: profiles with their labels, one after the other."""
        person = self._person()
        if person is None:
            return
        before = grants_words(person.grants)

        def entered(text: str | None) -> None:
            if text is None or text.strip() == before:
                return
            try:
                order = SetGrants(account=person.id, grants=parse_grants(text))
            except InvalidRequest as error:
                self.console.say_error(error)
                return
            lines = [
                f"now    {before}",
                f"then   {safe(text.strip(), 500)}",
                "",
                "It holds at once, in open sessions too.",
            ]
            self._confirm(
                f"what {person.name} may do", lines, "",
                lambda: self.console.order("accounts.grants", Account, order, f"{person.name} may do that from now on."),
            )  # fmt: skip

        words = (
            f"What may {person.name} do? Profiles, each with the labels that bound it; commas between them."
        )
        self.console.push_screen(TextDialog("change grants", words, before), entered)

    def command_person_close(self, arguments: tuple[str, ...]) -> None:
        """`del`: the name must be typed."""
        person = self._person()
        if person is None:
            return
        lines = [f"{person.name} can no longer log in, and open sessions end.", "It can be opened again; nothing is forgotten."]  # fmt: skip
        self._confirm(
            "close the account", lines, person.name,
            lambda: self.console.order("accounts.disable", Done, AccountRef(account=person.id), f"{person.name} is closed."),
        )  # fmt: skip

    def command_person_open(self, arguments: tuple[str, ...]) -> None:
        """`o`."""
        person = self._person()
        if person is None:
            return
        if person.state != "disabled":
            self.console.say(f"{person.name} is not closed.", severity="warning")
            return
        lines = [f"{person.name} can log in again, with the same password and authenticator.", f"May do: {grants_words(person.grants)}"]  # fmt: skip
        self._confirm(
            "open the account again", lines, "",
            lambda: self.console.order("accounts.enable", Done, AccountRef(account=person.id), f"{person.name} is open again."),
        )  # fmt: skip

    def command_session_end(self, arguments: tuple[str, ...]) -> None:
        """`x`: the session under the cursor."""
        session = self._list.session
        if session is None:
            self.console.say("Put the cursor on a session first.", severity="warning")
            return
        lines = [f"The {session.kind} session of {session.account} ends; they have to log in again."]
        if self.console.session is not None and session.id == self.console.session.id:
            lines.append("It is your own, here.")
        self._confirm(
            "end the session", lines, "",
            lambda: self.console.order("sessions.revoke", Done, SessionRef(session=session.id), "The session is ended."),
        )  # fmt: skip

    def _confirm(self, title: str, lines: list[str], typed: str, act: Callable[[], None]) -> None:
        def answered(yes: bool | None) -> None:
            if yes:
                act()

        self.console.push_screen(ConfirmDialog(title, lines, typed=typed), answered)


def parse_grants(text: str) -> tuple[GrantSpec, ...]:
    """Grants as they are written: ``operator, support customer=shop role=web``.

    Raises:
        InvalidRequest: a grant has no profile, or is too long.
    """
    parts = [part.split() for part in text.split(",")]
    if not all(parts) or any("=" in words[0] for words in parts):
        raise InvalidRequest("Each grant begins with a profile, e.g. operator, support customer=shop.")
    grants = [{"profile": words[0], "scope": " ".join(words[1:])} for words in parts]
    try:
        return msgspec.convert(grants, tuple[GrantSpec, ...])
    except msgspec.ValidationError as error:
        raise InvalidRequest(told(error)) from error
