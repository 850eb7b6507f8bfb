"""Which part of a run's page has the keys: a field that is asked for, else what has come into sight; and what `tab` goes through."""

from __future__ import annotations

from screens.ask_pane import AskPane
from screens.runbook_hosts import RunHosts
from widgets.lines_pane import LinesPane
from widgets.prompt import Prompt
from widgets.runbooks_list import ResultsList

_PANES = {"what": "#what", "steps": "#steps", "output": "#output", "hosts": "#results"}


class RunFocus(RunHosts):
    """Of a page with a pane that asks, and panes for steps, what runs, output and hosts."""

    @property
    def _asked(self) -> bool:
        """Whether something has the keys into which is typed now: a field that was asked for before may still have them."""
        prompt = self.query_one(Prompt)
        return prompt.display or (self.focused is not None and self.focused is self.query_one(AskPane).entry)

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
        """To what is read: what is to be approved, first of all, if it has to be scrolled."""
        first = ("what",) if self._long and self._run is not None and self._run.asked == "approve" else ()
        for name in (*first, "hosts", "output", "steps"):
            pane = self.query_one(_PANES[name])
            if pane.display and pane.region.height:
                # at once, not when the queue comes to it: a prompt that is opened meanwhile keeps the keys
                self.set_focus(pane)
                return
        self.set_focus(None)

    # --- tab ----------------------------------------------------------------------------------------

    @property
    def _long(self) -> bool:
        """Whether what runs has no room for all of its lines."""
        pane = self.query_one("#what", LinesPane)
        return pane.display and len(pane.lines) > pane.size.height > 0

    @property
    def _stages(self) -> list[str]:
        """What can be looked at, and scrolled, one after the other."""
        many = self._hosts > 1
        found = (
            ["steps", "what", "output", "hosts"]
            if self.has_class("narrow")
            else ["hosts", "output", "steps", "what"]
        )
        return [name for name in found if (name != "what" or self._long) and (name != "hosts" or many)]

    @property
    def behind(self) -> str:
        """What `tab` shows next."""
        stages = self._stages
        focused = next(
            (name for name in ("what", "steps") if self.focused is self.query_one(_PANES[name])), ""
        )
        shown = "hosts" if self.has_class("hosts") else "output"
        if self.has_class("narrow") and not (self.has_class("hosts") or self.has_class("output")):
            shown = "steps"
        now = focused or shown
        return stages[(stages.index(now) + 1) % len(stages)] if now in stages else stages[0]

    @property
    def behind_word(self) -> str:
        """The same in a word."""
        runs = self._run is not None and (
            self._run.asked == "approve" or (self._run.current is not None and self._run.current.commands)
        )
        return ("commands" if runs else "words") if (found := self.behind) == "what" else found

    def command_pane_next(self, arguments: tuple[str, ...]) -> None:
        """`tab`: steps, what runs, output, hosts."""
        after = self.behind
        self._show(after)
        self.call_after_refresh(self._to, after)

    def action_look_behind(self) -> None:
        """`tab` in a field: what was written before may be what is asked for; the field keeps the keys."""
        if self._asked and self.has_class("narrow"):
            self._show(self.behind)
            self.refresh_frame()

    def _show(self, after: str) -> None:
        if after in ("output", "hosts") or (after == "steps" and self.has_class("narrow")):
            self.set_class(after == "hosts", "hosts")
            self.set_class(after == "output" and self.has_class("narrow"), "output")

    def _to(self, name: str) -> None:
        self.set_focus(self.query_one(_PANES[name]))
        self.refresh_frame()
