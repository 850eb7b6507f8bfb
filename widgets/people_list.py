"""People and their open sessions: who may do what on which hosts, and who is here now."""

from __future__ import annotations

from collections.abc import Sequence

from guardian_tui.protocol.access import Account, Grant, Session
from guardian_tui.text import safe
from widgets import figures
from widgets.live_list import LiveList
from widgets.painting import Piece, fit

_STATES = {"active": ("●", "ok"), "invited": ("◌", "warning"), "disabled": ("✖", "muted")}
_SESSION = "session:"


class PeopleList(LiveList):
    """A line per person, and below it one per open session of theirs."""

    head = 1

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._people: dict[str, Account] = {}
        self._sessions: dict[str, Session] = {}
        self._now = 0.0

    def show(self, people: Sequence[Account], sessions: Sequence[Session], now: float) -> None:
        """Show these people, by name, each with their sessions."""
        self._now = now
        self._people = {account.id: account for account in people}
        self._sessions = {_SESSION + session.id: session for session in sessions}
        order: list[str] = []
        for account in sorted(people, key=lambda one: (one.state == "disabled", one.name)):
            order.append(account.id)
            order += [id for id, session in self._sessions.items() if session.account == account.name]
        self.set_order(order)
        self.set_caption(
            "people", f"{len(people)}", f"{len(sessions)} session{'s' * (len(sessions) != 1)} open"
        )
        self.redraw_changed()

    def tick(self, now: float) -> None:
        """Ages tick."""
        self._now = now
        self.redraw_changed()

    @property
    def people(self) -> list[Account]:
        """Everybody, in the order shown."""
        return [self._people[id] for id in self.ids if id in self._people]

    @property
    def session(self) -> Session | None:
        """The session under the cursor."""
        return self._sessions.get(self.cursor_id)

    @property
    def person(self) -> Account | None:
        """The person under the cursor, or whose session it is."""
        if (session := self.session) is not None:
            return next((one for one in self._people.values() if one.name == session.account), None)
        return self._people.get(self.cursor_id)

    def titles(self, width: int) -> list[Piece]:
        """Names of the columns."""
        return [(f"  {fit('person', 17)}{fit('account', 10)}{fit('last login', 12)}may do", "muted")]

    def look(self, id: str, width: int) -> object:
        """What a line shows, ages as they are shown."""
        session = self._sessions.get(id)
        if session is not None:
            return (id, session.locked, figures.age(self._now - session.last_seen_at))
        account = self._people[id]
        return (account.name, account.state, grants_words(account.grants), self._last_login(account))

    def _last_login(self, account: Account) -> str:
        if account.last_login_at is None:
            return "never"
        return f"{figures.age(self._now - account.last_login_at)} ago"

    def line(self, id: str, width: int) -> list[Piece]:
        """A person, or a session of theirs."""
        session = self._sessions.get(id)
        if session is not None:
            seen = f"seen {figures.age(self._now - session.last_seen_at)} ago"
            locked = "locked" if session.locked else ""
            words = f"{session.kind} session  uid {session.peer_uid}  {seen}  {locked}"
            return [("    └ ", "faint"), (fit(words, width - 7), "muted")]
        account = self._people[id]
        glyph, colour = _STATES[account.state]
        closed = account.state == "disabled"
        state = "closed" if closed else account.state
        return [
            (f"{glyph} ", colour),
            (fit(safe(account.name, 64), 16) + " ", "muted" if closed else "strong"),
            (fit(state, 10), colour),
            (fit(self._last_login(account), 12), "muted"),
            (fit(grants_words(account.grants), width - 1 - 41), "muted" if closed else "text"),
        ]


def grants_words(grants: Sequence[Grant]) -> str:
    """``operator, support customer=shop``: profiles, and the labels that bound them."""
    return ", ".join(f"{safe(grant.profile, 60)} {safe(grant.scope, 500)}".strip() for grant in grants)
