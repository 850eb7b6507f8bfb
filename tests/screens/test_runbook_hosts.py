"""The hosts of a step in their table: filtered as it is typed, all of them again by esc, saved as they are shown."""

from __future__ import annotations

from msgspec.structs import replace

from guardian_tui.protocol.runbooks import RunbookRun
from screens.runbook_run import StepScreen
from tests.screens.test_pictures import sizes
from tests.screens.test_runbooks import seen, step, words_of
from tests.support import runbooks as made
from tests.support.canned import NOW
from tests.support.console import until
from widgets.runbooks_list import ResultsList

ROWS = {"runbook_results": made.RESULTS, "runbook_progress": (made.PROGRESS,)}


@sizes
async def test_hosts_of_a_step_are_filtered_as_it_is_typed(size: tuple[int, int]) -> None:
    async with step(made.FANNED, size, **ROWS) as (app, pilot, _):
        screen = app.screen
        assert isinstance(screen, StepScreen)
        await pilot.press("slash", *"failed")
        await seen(app, "─ hosts 1 of 20 ─", "web-eu-03")
        assert "web-eu-01 " not in words_of(app)
        await pilot.press("enter")
        # the arrows move among what is shown, and the keys of the run work again
        await until(lambda: isinstance(screen.focused, ResultsList))
        await seen(app, "› /failed")
        columns, rows = screen.table_shown or ([], [])
        assert columns[:4] == ["host", "state", "batch", "exit"]
        assert [row[:4] for row in rows] == [("web-eu-03", "failed", 2, 1)]
        await pilot.press("escape")
        await seen(app, "─ hosts 20 ─")
        assert app.screen is screen, "the filter goes first, and then the page"
        app.run_line("filter exit=0 batch>1")
        await seen(app, "─ hosts 4 of 20 ─")
        app.run_line("filter nowhere")
        await seen(app, "No host passes the filter; esc shows all.")
        assert screen.table_shown is None
        await pilot.press("escape", "escape")
        await until(lambda: app.screen is not screen)


async def test_of_one_host_there_is_nothing_to_filter() -> None:
    async with step(made.RUN, (120, 40)) as (app, _pilot, _):
        names = {command.name for command in app.screen.offered()}  # type: ignore[attr-defined]  # a screen of ours
        assert "filter" not in names and "runbook.skip" in names
        assert app.screen.table_shown is None  # type: ignore[attr-defined]  # as above


async def test_what_is_shown_of_many_hosts_is_looked_up_once_for_each_picture() -> None:
    """A fleet's results are sorted for each look: twenty commands in the footer must not make that twenty times."""
    many = tuple(
        replace(made.RESULTS[0], id=f"r1/vacuum/h{place}", host=f"h{place}", state="ok", started_at=NOW - 5, ended_at=NOW)
        for place in range(500)
    )  # fmt: skip
    async with step(made.FANNED, (80, 24), runbook_results=many) as (app, _pilot, _):
        await seen(app, "─ hosts 500 ─")
        looked: list[RunbookRun] = []
        real = app.world.results_of

        def results_of(run: RunbookRun) -> list[object]:
            looked.append(run)
            return real(run)  # type: ignore[return-value]  # rows of it

        app.world.results_of = results_of  # type: ignore[method-assign,assignment]  # counts
        app.screen.draw()  # type: ignore[attr-defined]  # it is the step's
        assert 0 < len(looked) <= 4
