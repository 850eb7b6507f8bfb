"""The audit log: who did what, when, and whether the chain holds."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult

from guardian_tui.protocol.audit import AuditEvent, AuditPage, AuditQuery, AuditVerdict
from guardian_tui.protocol.errors import GuardianError
from guardian_tui.rows import Table, table_of
from guardian_tui.text import safe
from guardian_tui.world import Change
from screens.base import GuardianScreen, filter_crumb
from widgets.audit_list import AuditList
from widgets.box import Box, Line, folded
from widgets.live_list import LiveList

PAGE = 200


class AuditScreen(GuardianScreen):
    """Events newest first, the one under the cursor in full below; older ones are read as one goes down."""

    CONTEXT: ClassVar[str] = "audit"
    DEFAULT_CSS = """
    AuditScreen #audit { height: 1fr; }
    AuditScreen #event { height: 7; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._filter = ""
        self._older: list[AuditEvent] = []
        self._more = True
        self._reading = False

    def content(self) -> ComposeResult:
        """The list and the event."""
        yield AuditList(id="audit")
        yield Box("event", id="event")

    def on_mount(self) -> None:
        """Focus the list."""
        self.query_one(AuditList).focus()

    @property
    def crumbs(self) -> tuple[str, ...]:
        """The filter is part of where we are."""
        return ("audit", filter_crumb(self._filter)) if self._filter else ("audit",)

    @property
    def kept_view(self) -> dict[str, object]:
        """Its filter."""
        return {"screen": "audit", "filter": self._filter}

    @property
    def table_shown(self) -> Table:
        """What `^s` saves: the events that were read so far, as they are filtered; `audit export` has the proofs too."""
        return table_of(AuditEvent, self._events(), {"chain", "mac"})

    def _events(self) -> list[AuditEvent]:
        live = [] if self._filter else self.console.world.events()
        seen = {event.seq for event in live}
        return [*live, *[event for event in self._older if event.seq not in seen]]

    def world_changed(self, change: Change) -> None:
        """Draw."""
        if change.audit:
            self._draw()

    def _draw(self) -> None:
        listing = self.query_one(AuditList)
        listing.say_nothing(
            "No event has all these words; esc shows all." if self._filter and not self._reading else ""
        )
        listing.show(self._events(), self.console.verified_words(), holds=self.console.audit_holds)

    def tick(self, now: float) -> None:
        """The age of the last verification."""
        super().tick(now)
        self.query_one(AuditList).say_verified(self.console.verified_words(), holds=self.console.audit_holds)

    def on_live_list_highlighted(self, event: LiveList.Highlighted) -> None:
        """Show the event; read older ones near the end."""
        found = self.query_one(AuditList).event(event.id)
        if found is not None:
            self._tell(found)
        ids = self.query_one(AuditList).ids
        if self._more and not self._reading and len(ids) > 0 and event.id in ids[-20:]:
            self._read_older(int(ids[-1]))

    def _tell(self, event: AuditEvent) -> None:
        """All of an event; what it holds is wrapped, not cut, as far as there is room."""
        uid = f"uid {event.peer_uid}" if event.peer_uid >= 0 else "the engine itself"
        box = self.query_one("#event", Box)
        lines: list[Line] = [
            [("hash      ", "muted"), (event.hash, "text")],
            [("previous  ", "muted"), (event.prev_hash, "muted")],
            [("session   ", "muted"), (f"{event.session or '–'}   {uid}   outcome {event.outcome}", "text")],
        ]
        lines += folded("body      ", safe(event.body, 4000), self.app.size.width - 4)
        box.styles.height = max(7, min(2 + len(lines), self.app.size.height // 2))
        box.show(lines, title=f"event {event.seq}")

    def _read_older(self, before: int | None) -> None:
        self._reading = True
        self.run_worker(self._read(before), exit_on_error=False)

    async def _read(self, before: int | None) -> None:
        try:
            page = await self.console.client.call(
                "audit.list", AuditPage, AuditQuery(before=before, limit=PAGE, filter=self._filter)
            )
        except GuardianError as error:
            self.console.say_error(error)
            return
        finally:
            self._reading = False
        self._older += page.events
        self._more = page.more
        self._draw()

    def filter_typed(self, text: str, *, done: bool) -> None:
        """Every word must be in actor, action, target or outcome."""
        if not done:
            return
        self._filter, self._older, self._more = text.strip(), [], True
        if self._filter:
            self._read_older(None)
        self._draw()

    def give_back_focus(self) -> None:
        """Back to the list."""
        self.query_one(AuditList).focus()

    def command_audit_verify(self, arguments: tuple[str, ...]) -> None:
        """`V`: the whole chain."""
        self.console.verify_audit()

    def command_back(self, arguments: tuple[str, ...]) -> None:
        """Undo the filter, then back to the fleet."""
        if self._filter:
            self.filter_typed("", done=True)
        else:
            self.console.go("fleet")


def verdict_words(verdict: AuditVerdict) -> str:
    """A verdict for a person."""
    return safe(verdict.words, 300)
