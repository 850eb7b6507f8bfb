"""What every part of the ordinary commands stands on: the app, and what is in front of the person."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from guardian_tui.protocol.alerts import Alert
from guardian_tui.protocol.fleet import HostRow
from screens.base import GuardianScreen

if TYPE_CHECKING:
    from guardian_tui.app import GuardianApp

DEFAULT_SILENCE_SECONDS = 3600.0
"""Silences and planned work for which nobody said how long."""


class CommandPart:
    """Commands of one feature, mixed into the app."""

    @property
    def _app(self) -> GuardianApp:
        return self  # type: ignore[return-value]  # mixed into it, and into nothing else

    def _subjects(self) -> tuple[list[HostRow], list[Alert]]:
        """Hosts and alerts that a command acts on now."""
        app = self._app
        screen = app.screen
        host_ids, alert_ids = screen.subjects if isinstance(screen, GuardianScreen) else ((), ())
        hosts = [app.world.hosts[id] for id in host_ids if id in app.world.hosts]
        return hosts, [app.world.alerts[id] for id in alert_ids if id in app.world.alerts]

    def _go_list(self, mode: str, arguments: tuple[str, ...]) -> None:
        """Go to a screen; with a filter to its list, whatever page was left open over it."""
        self._app.go(mode)
        if arguments:
            self._app.go(mode)
            self._app.call_after_refresh(self._filter_here, " ".join(arguments))

    def _filter_here(self, text: str) -> None:
        if isinstance(self._app.screen, GuardianScreen):
            self._app.screen.filter_typed(text, done=True)

    def _host(self, arguments: tuple[str, ...]) -> HostRow | None:
        """The host named, or the one in front."""
        app = self._app
        if arguments:
            row = app.world.host_named(arguments[0])
            if row is None:
                app.say(f"There is no host {arguments[0]}.", severity="error")
            return row
        hosts, _ = self._subjects()
        if not hosts:
            app.say("Put the cursor on a host first, or name one.", severity="warning")
            return None
        return hosts[0]


def clock_words(at: float) -> str:
    """The minute of a moment, on the person's clock."""
    return time.strftime("%H:%M", time.localtime(at))
