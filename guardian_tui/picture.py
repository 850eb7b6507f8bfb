"""The picture follows the stream: as news come, every so many seconds over a slow link, or not at all while it is paused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guardian_tui.world import EVERYTHING, Change
from screens.base import GuardianScreen

if TYPE_CHECKING:
    from guardian_tui.app import GuardianApp

EVERY_SECONDS = (0.0, 2.0, 5.0, 10.0, 30.0)
"""How often it may be drawn; 0: as news come, and each second for the ages."""


class Picture:
    """What the screen in front is told, and when.

    Keys are answered at once at any pace: only what comes by itself is held.
    """

    def __init__(self, app: GuardianApp) -> None:
        self._app = app
        self.paused_at: float | None = None
        self.every_seconds = EVERY_SECONDS[0]
        self._held: Change | None = None
        self._drawn_at = float("-inf")

    @property
    def _screen(self) -> GuardianScreen | None:
        screen = self._app.screen
        return screen if isinstance(screen, GuardianScreen) and screen.composed else None

    def changed(self, change: Change) -> None:
        """Show what an event changed, now or when it is time."""
        if self.paused_at is not None:
            return
        if self.every_seconds:
            self._held = change if self._held is None else self._held.and_then(change)
        elif screen := self._screen:
            screen.world_changed(change)

    def tick(self) -> None:
        """A second has passed."""
        if self._app.clock() - self._drawn_at >= self.every_seconds or self._app.clock() < self._drawn_at:
            self.draw()

    def draw(self) -> None:
        """Show what was held, and the ages."""
        if self.paused_at is not None:
            return
        self._drawn_at = self._app.clock()
        held, self._held = self._held, None
        if screen := self._screen:
            if held is not None:
                screen.world_changed(held)
            screen.tick(self._app.world.now())

    def step(self, by: int) -> float:
        """Draw less (1) or more often (-1); answers every how many seconds."""
        place = EVERY_SECONDS.index(self.every_seconds) + by
        self.every_seconds = EVERY_SECONDS[max(0, min(len(EVERY_SECONDS) - 1, place))]
        self.draw()
        return self.every_seconds

    def toggle_pause(self) -> None:
        """Freeze the picture, or go on; what came meanwhile is shown at once."""
        self.paused_at = None if self.paused_at is not None else self._app.clock()
        if screen := self._screen:
            screen.refresh_frame()
            if self.paused_at is None:
                self._held = None
                screen.world_changed(EVERYTHING)
