"""What came of a step on each of its hosts, in a table that is filtered as it is typed."""

from __future__ import annotations

from collections import Counter

from msgspec.structs import replace

from guardian_tui import filter as filters
from guardian_tui.protocol.runbooks import (
    RunbookOutput,
    RunbookOutputQuery,
    RunbookProgress,
    RunbookResult,
    RunbookRun,
    RunbookRunDetail,
)
from guardian_tui.rows import result_columns, result_text
from screens.base import GuardianScreen
from screens.reports import ReportDialog
from widgets.runbooks_list import ResultsList

HOST_OUTPUT_LINES = 400


class RunHosts(GuardianScreen):
    """Of a page that shows a run, and the hosts of the step in front in a table."""

    _run: RunbookRun | None = None
    _detail: RunbookRunDetail | None = None
    _wanted = filters.parse("")
    """Which of the hosts are to be seen."""

    @property
    def _hosts(self) -> int:
        """Over how many hosts the current step goes."""
        return len(self.results(self._run)) if self._run is not None else 0

    def results(self, run: RunbookRun) -> list[RunbookResult]:
        """What came of the current step on each host."""
        found = self.console.world.results_of(run)
        if not found and self._detail is not None and self._detail.run.step == run.step:
            found = list(self._detail.results)
        return found

    def progress(self, run: RunbookRun) -> RunbookProgress | None:
        """How the current step gets on."""
        found = self.console.world.runbook_progress.get(run.id)
        if found is None or found.step != run.step:
            return None
        states = Counter(one.state for one in self.results(run) if one.attempt == found.attempt)
        if (
            states.total() < found.waiting + found.running + found.ok + found.failed + found.unknown
            or not states
        ):
            return found
        # each host's result may have come since: figures and table say the same
        return replace(
            found, **{state: states[state] for state in ("waiting", "running", "ok", "failed", "unknown")}
        )

    def draw_hosts(self, run: RunbookRun, results: list[RunbookResult], now: float) -> None:
        """Show those that pass the filter."""
        progress, listing = self.progress(run), self.query_one(ResultsList)
        note = f"{progress.failed} failed, {progress.ok} ok" if progress and results else ""
        if self.filtered:
            shown = [one for one in results if self._wanted.matches(result_columns(one), result_text(one))]
            listing.say_nothing("No host passes the filter; esc shows all.")
        else:
            shown = results
            listing.say_nothing("")
        listing.show(shown, len(results), note, now)

    # --- the filter -------------------------------------------------------------------------------

    @property
    def filtered(self) -> str:
        """What hosts are filtered by; empty: all of them are shown."""
        return self._wanted.text.strip()

    @property
    def table_shown(self) -> tuple[list[str], list[tuple[object, ...]]] | None:
        """The hosts that are shown, if they are."""
        listing = self.query_one(ResultsList)
        if not listing.region.height or not listing.ids:
            return None
        rows = [result_columns(one) for id in listing.ids if (one := listing.result(id)) is not None]
        return list(rows[0]), [tuple(row.values()) for row in rows]

    def filter_typed(self, text: str, *, done: bool) -> None:
        """Filter the hosts as it is typed."""
        wanted = self.parsed_filter(text, done=done)
        if wanted is not None and self._run is not None:
            self._wanted = wanted
            self.query_one(ResultsList).expect_filtered()
            self.draw_hosts(self._run, self.results(self._run), self.console.world.now())
            self.refresh_frame()

    def command_filter(self, arguments: tuple[str, ...]) -> None:
        """`/`: of the hosts, which come into sight for it."""
        super().command_filter(arguments)
        # once the keys are with the prompt: what is hidden while it has them gives them to nobody
        self.call_after_refresh(self._show_hosts)

    def _show_hosts(self) -> None:
        self.set_class(True, "hosts")
        self.remove_class("output")

    # --- one of them ------------------------------------------------------------------------------

    def command_runbook_host_output(self, arguments: tuple[str, ...]) -> None:
        """`o`: all that the host under the cursor wrote."""
        listing, run = self.query_one(ResultsList), self._run
        one = listing.result(listing.cursor_id)
        if run is None or one is None:
            return
        query = RunbookOutputQuery(run=run.id, step=one.step, host=one.host)

        def shown(answer: RunbookOutput) -> None:
            text = "".join(piece.text for piece in answer.pieces if piece.attempt == one.attempt)
            lines = text.rstrip("\n").split("\n")[-HOST_OUTPUT_LINES:]
            said = one.exit_code is None or one.words.startswith("exit status ")
            code = "," if said and one.words else "" if said else f", exit {one.exit_code}"
            head = (f"{one.state}{code} {one.words}".strip(), "strong")
            more = [("… more is in the transcript", "muted")] if answer.more else []
            self.console.push_screen(
                ReportDialog(
                    f"{one.step} on {one.host}", [head, ("", ""), *((line, "") for line in lines), *more]
                )
            )

        self.console.order("runbooks.output", RunbookOutput, query, shown)
