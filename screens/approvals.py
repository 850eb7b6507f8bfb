"""Approvals: what waits for another person, what one asked for oneself, and what was lately decided, of orders and of runs alike."""

from __future__ import annotations

from dataclasses import asdict
from typing import ClassVar

from textual.app import ComposeResult

from guardian_tui.protocol.approvals import Approval
from guardian_tui.protocol.runbooks import RunbookRun
from guardian_tui.text import counted
from guardian_tui.world import Change
from screens.list_screen import ListsScreen
from widgets.approvals_list import ApprovalsList, AskedRow, AskedState

TITLES = {"waiting": "waiting for others", "mine": "asked for by me", "decided": "decided"}
_ORDER = {"for you": 0, "waiting": 1, "said yes": 2, "approved": 1, "refused": 3, "void": 3, "done": 3}
_NOTHING = {
    "waiting": "Nothing that others asked for waits for an approval.",
    "mine": "Nothing that you asked for waits. Orders that have to come here by themselves when they are given.",
    "decided": "Nothing was decided in the last day; :audit has all of it.",
}


class ApprovalsScreen(ListsScreen):
    """Three lists, one of which is shown."""

    CONTEXT: ClassVar[str] = "approvals"
    FIRST: ClassVar[str] = "waiting"

    def content(self) -> ComposeResult:
        """All three; one has the room."""
        for name in TITLES:
            yield ApprovalsList(id=name)

    @property
    def crumbs(self) -> tuple[str, ...]:
        """Which of the lists it is."""
        first, *rest = super().crumbs
        return (first, *rest) if self.view == "waiting" else (first, self.view, *rest)

    @property
    def asked(self) -> AskedRow | None:
        """What is under the cursor."""
        listing = self.query_one(f"#{self.view}", ApprovalsList)
        return listing.row(listing.cursor_id)

    def concerns(self, change: Change) -> bool:
        """Orders that wait, and runs of runbooks."""
        return change.orders or change.runbooks

    def draw(self, now: float) -> None:
        """Show what passes the filter; what this person can answer first, then what is void first."""
        world, session = self.console.world, self.console.session
        if session is None:
            return
        me, permissions = session.account, session.permissions
        rows = [of_order(one, me, "approvals.give" in permissions) for one in world.approvals.values()]
        rows += [
            row
            for run in world.runbook_runs.values()
            if (row := of_run(run, me, "runbooks.approve" in permissions)) is not None
        ]
        shown = [row for row in rows if self._view_of(row, me) == self.view and self._passes(row)]
        if self.view == "decided":
            shown.sort(key=lambda row: -row.at)
        else:
            shown.sort(key=lambda row: (_ORDER[row.state], row.expires_at or row.at))
        listing = self.query_one(f"#{self.view}", ApprovalsList)
        if not self.wanted.text.strip():
            listing.say_nothing(_NOTHING[self.view])
        listing.show(shown, TITLES[self.view], now)

    def _passes(self, row: AskedRow) -> bool:
        text = f"{row.state} {row.words} {row.where} {row.by} {row.why}".lower()
        return self.wanted.matches(asdict(row), text)

    @staticmethod
    def _view_of(row: AskedRow, me: str) -> str:
        if row.state in ("refused", "void", "done"):
            return "decided"
        return "mine" if row.by == me else "waiting"

    def open_row(self, id: str) -> None:
        """What would be done, with what this person can do about it."""
        row = self.query_one(f"#{self.view}", ApprovalsList).row(id)
        if row is not None:
            self.console.open_asked(row.id, run=row.run)

    def command_approvals_waiting(self, arguments: tuple[str, ...]) -> None:
        """`1`."""
        self.go_view("waiting")

    def command_approvals_mine(self, arguments: tuple[str, ...]) -> None:
        """`2`."""
        self.go_view("mine")

    def command_approvals_decided(self, arguments: tuple[str, ...]) -> None:
        """`3`."""
        self.go_view("decided")

    def command_approvals_approve(self, arguments: tuple[str, ...]) -> None:
        """`y`: it is read first."""
        row = self._answerable()
        if row is not None:
            self.console.approve_asked(row.id, run=row.run)

    def command_approvals_refuse(self, arguments: tuple[str, ...]) -> None:
        """`n`: with a reason."""
        row = self._answerable()
        if row is not None:
            self.console.refuse_asked(row.id, " ".join(arguments), run=row.run)

    def _answerable(self) -> AskedRow | None:
        row = self.asked
        if row is None:
            return None
        if row.state not in ("for you", "said yes"):
            words = (
                "You asked for it: another person answers."
                if self.view == "mine"
                else "It is decided already."
                if self.view == "decided"
                else "It is not yours to answer."
            )
            self.console.say(words, severity="warning")
            return None
        return row


def of_order(one: Approval, me: str, may_give: bool) -> AskedRow:
    """An order that waits, or did, as one person sees it."""
    held = [given for given in one.given if given.ok and not given.void]
    state: AskedState
    if one.state in ("refused", "void", "done"):
        state = one.state
    elif one.by == me:
        state = "approved" if one.state == "approved" else "waiting"
    elif any(given.by == me for given in held):
        state = "said yes"
    else:
        state = "for you" if may_give and one.state == "waiting" else one.state
    at = max([one.asked_at, *(given.at for given in one.given)])
    return AskedRow(
        one.id, False, state, one.words, one.host, one.by, len(held), one.quorum, at, one.expires_at, one.why
    )


def of_run(run: RunbookRun, me: str, may_give: bool) -> AskedRow | None:
    """A run that asks for an approval, or was approved or refused; None: it has nothing to do with any."""
    asks = run.asked == "approve"
    if not asks and not run.approvals:
        return None
    held = [given for given in run.approvals if given.ok and not given.void]
    state: AskedState
    if not asks:
        state = "done" if run.approvals[-1].ok else "refused"
    elif me in (run.by, run.leader):
        state = "waiting"
    elif any(given.by == me for given in held):
        state = "said yes"
    else:
        state = "for you" if may_give else "waiting"
    by = me if me in (run.by, run.leader) else run.leader
    where = run.hosts[0] if run.hosts_count == 1 and run.hosts else counted(run.hosts_count, "host")
    last = run.approvals[-1] if run.approvals else None
    why = f"by {last.by}{f': {last.note}' if last.note else ''}" if last is not None and not asks else ""
    return AskedRow(
        run.id, True, state, f"{run.title}, step {run.step}" if asks else run.title, where, by, len(held), run.quorum,
        last.at if last is not None else run.started_at, min((given.until for given in held), default=None), why,
    )  # fmt: skip
