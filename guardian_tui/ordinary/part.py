"""What every part of the ordinary commands stands on: the app, and what is in front of the person."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from guardian_tui.protocol.alerts import Alert
from guardian_tui.protocol.base import Request, Response
from guardian_tui.protocol.errors import GuardianError
from guardian_tui.protocol.fleet import HostRow
from guardian_tui.text import safe
from screens.base import GuardianScreen
from widgets import figures

if TYPE_CHECKING:
    from guardian_tui.app import GuardianApp

R = TypeVar("R", bound=Response)

DEFAULT_SILENCE_SECONDS = 3600.0
"""Silences and planned work for which nobody said how long."""
MOST_NAMED = 12
"""Of many things that an order concerns so many are named before it is given."""


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

    def _order_each(
        self,
        name: str,
        kind: type[R],
        requests: Sequence[tuple[str, Request]],
        done: Callable[[list[R]], str],
    ) -> None:
        """Give an order for each of several things, one after the other; say in one notice what was done, and in another what was not.

        Args:
            name: the route.
            kind: its answer.
            requests: what each is about, in words, and the order.
            done: words for the answers of those that were carried out.
        """
        app = self._app

        async def work() -> None:
            answers: list[R] = []
            refused: list[str] = []
            for about, request in requests:
                try:
                    answers.append(await app.ask(name, kind, request))
                except GuardianError as error:
                    refused.append(f"{about}: {error.detail or error.title}")
                    if app.session is None:
                        # the session has ended: the others would be refused for that alone
                        break
            if answers:
                app.say(done(answers))
            if refused:
                more = f" And {len(refused) - 1} more." if len(refused) > 1 else ""
                app.say(
                    f"{refused[0]}{more}",
                    severity="error",
                    title=f"{len(refused)} of {len(requests)} not done",
                )

        app.run_worker(work(), group="orders", exit_on_error=False)


def named(things: Sequence[str]) -> list[str]:
    """What an order concerns, a line each: so many as there is room for, and how many more."""
    lines = [safe(one, 120) for one in things[:MOST_NAMED]]
    return [*lines, f"and {len(things) - MOST_NAMED} more"] if len(things) > MOST_NAMED else lines


def clock_words(at: float) -> str:
    """The minute of a moment, on the person's clock; with its day where that is not today."""
    return figures.clock(at, time.time())
