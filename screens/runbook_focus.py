"""Which part of a run's page has the keys: a field that is asked for, else what has come into sight."""

from __future__ import annotations

from screens.ask_pane import AskPane
from screens.base import GuardianScreen
from widgets.runbooks_list import ResultsList


class RunFocus(GuardianScreen):
    """Of a page with a pane that asks, and panes for steps, output and hosts."""

    @property
    def _asked(self) -> bool:
        """Whether the field has the keys that is asked for now: one that was asked for before may still have them."""
        return self.focused is not None and self.focused is self.query_one(AskPane).entry

    def focus_shown(self) -> None:
        """What has come into sight has the keys; but a field that was just asked for keeps them, though it is not laid out yet."""
        if not self._asked:
            super().focus_shown()

    def on_results_list_in_sight(self, event: ResultsList.InSight) -> None:
        """The hosts are what is looked at now, however late they are drawn."""
        if self.is_current and not self._asked:
            self.give_back_focus()

    def action_leave_field(self) -> None:
        """To the keys."""
        self.give_back_focus()
        self.refresh_frame()

    def give_back_focus(self) -> None:
        """To what is read."""
        for name in ("#results", "#output", "#steps"):
            pane = self.query_one(name)
            if pane.display and pane.region.height:
                pane.focus()
                return
        self.set_focus(None)
