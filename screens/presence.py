"""Says again and again that a run is in front of somebody here, so that others see who looks on."""

from __future__ import annotations

import contextlib
from functools import partial

from guardian_tui.protocol.errors import GuardianError
from guardian_tui.protocol.runbooks import RunbookWatchers, WatchRun
from screens.base import GuardianScreen
from screens.work import begin

AGAIN_SECONDS = 10.0
"""A third of what the engine bears: one that is lost on the way changes nothing."""


class Presence:
    """Of a screen that shows a run."""

    def __init__(self, screen: GuardianScreen, run_id: str) -> None:
        self._screen = screen
        self._run_id = run_id
        self._said = False
        self.over = False
        """The run has ended: nobody is told any more."""

    def begin(self) -> None:
        """The screen is there: say so now, and again."""
        self.say()
        # it goes on below a dialog, where the screen's own seconds do not; in another mode it finds out that it is not shown
        self._screen.set_interval(AGAIN_SECONDS, self._again)

    def say(self) -> None:
        """The screen is shown."""
        if not self.over and self._screen.console.session is not None:
            self._said = True
            begin(self._screen, partial(self._tell, leave=False), group="presence", exclusive=True)

    def end(self) -> None:
        """The screen is shown no more."""
        if self._said and not self.over and self._screen.console.session is not None:
            # the screen may be gone before it is told
            begin(self._screen.console, partial(self._tell, leave=True), group="presence")
        self._said = False

    def _again(self) -> None:
        if self._screen in self._screen.console.screen_stack:
            self.say()
        else:
            self.end()

    async def _tell(self, *, leave: bool) -> None:
        client = self._screen.console.client
        order = WatchRun(run=self._run_id, console=client.console, leave=leave)
        # whatever hinders it is told where it matters: by the banner, or when the run is read
        with contextlib.suppress(GuardianError):
            await client.call("runbooks.watch", RunbookWatchers, order)
