"""Charts on the pages of hosts and alerts: the cursor, zoom, comparison, limits of the rules, series of an instance; and how little is drawn for it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from textual.geometry import Offset
from textual.widgets import Input

from guardian_tui.protocol.alerts import Rule
from guardian_tui.protocol.fleet import HistoryQuery
from screens.alert import AlertScreen
from screens.chart_pane import FAR_CELLS, ChartPane
from screens.chart_views import Limits, View, limits_of, view_of, views_beside
from screens.chart_window import LEAST_SECONDS, SPANS, Window
from screens.host import VIEWS, HostScreen
from screens.host_lines import GAUGED
from tests.support.canned import CannedClient, canned
from tests.support.console import until
from tests.widgets.fleet_app import NOW
from tests.widgets.test_small_widgets import text_of
from widgets.box import Box
from widgets.prompt import Prompt

pytestmark = pytest.mark.timeout(240)
HOUR = 3600.0


def queries(client: CannedClient) -> list[HistoryQuery]:
    return [query for query in client.asked if isinstance(query, HistoryQuery)]


def legend_of(chart: ChartPane) -> str:
    title = chart._border_subtitle
    return title.plain if title is not None else ""


async def page(app: object) -> ChartPane:
    """The chart of a host's page, with its values."""
    await until(lambda: isinstance(app.screen, HostScreen) and app.screen.composed)  # type: ignore[attr-defined]  # the app
    chart = app.screen.query_one(ChartPane)  # type: ignore[attr-defined]  # the app
    await until(lambda: chart.has_values and chart._drawn_size[0] > 0)
    return chart


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_cursor_says_time_value_range_and_what_is_typical(size: tuple[int, int]) -> None:
    async with canned(size) as (app, pilot, _):
        app.run_line("host web-eu-12")
        chart = await page(app)
        await pilot.press("left")
        await until(lambda: "(95" in text_of(chart)[-1])
        words = text_of(chart)[-1]
        assert "07:5" in words or "08:00" in words
        assert "97 %" in words and "(95–100 %)" in words
        # what has no room is left out whole
        assert ("typical 16–38 %" in words) == (size[0] == 120)
        await pilot.press(*["shift+left"] * -(-(chart.columns // 2 - 1) // FAR_CELLS))
        await until(lambda: "07:00" in text_of(chart)[-1])
        start, _ = chart._window.bounds(NOW)
        # beyond the edge the chart moves under the cursor
        await pilot.press("left")
        await until(lambda: not chart.follows)
        assert chart._window.bounds(NOW)[0] == pytest.approx(start - HOUR / 2)
        await pilot.press("full_stop")
        await until(lambda: chart.follows and "(" not in text_of(chart)[-1])


async def test_the_cursor_follows_the_mouse_and_goes_with_it() -> None:
    async with canned((120, 40)) as (app, pilot, _):
        app.run_line("host web-eu-12")
        chart = await page(app)
        await pilot.hover(chart, Offset(30, 4))
        await until(lambda: chart.cursor is not None)
        column = next(line.index("│") for line in text_of(chart)[:-1] if "│" in line)
        assert column == 29
        await pilot.hover("#gauges", Offset(5, 3))
        await until(lambda: chart.cursor is None)


async def test_what_is_drawn_for_a_cursor_or_for_the_same_values_is_counted() -> None:
    async with canned((120, 40)) as (app, pilot, _):
        app.run_line("host web-eu-12")
        chart = await page(app)
        await pilot.press("left")
        await pilot.pause()
        drawn: list[tuple[int, ...]] = []
        refresh = chart.refresh

        def counted(*regions: object, **more: object) -> object:
            drawn.extend(regions or [("everything",)])  # type: ignore[arg-type]  # regions are tuples
            return refresh(*regions, **more)  # type: ignore[arg-type]  # handed on as they are

        chart.refresh = counted  # type: ignore[method-assign]  # watched
        chart.draw()
        assert drawn == []
        chart.move_cursor(-1)
        height = chart.size.height
        assert 0 < len(drawn) <= height and ("everything",) not in drawn
        # the cursor's old and new cell of each line, and the line of words: not the chart
        assert all(region[2] <= 2 for region in drawn if region[1] < height - 1)
        del chart.refresh  # type: ignore[method-assign]  # as it was


async def test_zoom_is_around_the_cursor_and_spans_have_names() -> None:
    async with canned((120, 40)) as (app, pilot, client):
        app.run_line("host web-eu-12")
        chart = await page(app)
        await pilot.press("plus")
        await until(lambda: "[6 h]" in chart.caption)
        await pilot.press("left", *["shift+left"] * 2)
        at = chart.cursor
        assert at is not None
        await pilot.press("x")
        await until(lambda: "[3.0 h]" in chart.caption)
        start, end = chart._window.bounds(NOW)
        assert end - start == 3 * HOUR and start < at < end
        await pilot.press("x", "x", "x")
        await until(lambda: "[22 min]" in chart.caption)
        start, end = chart._window.bounds(NOW)
        assert (start + end) / 2 == pytest.approx(at)
        await pilot.press("X", "X", "X", "X")
        await until(lambda: "[6 h]" in chart.caption)
        assert queries(client)[-1].end - queries(client)[-1].start == pytest.approx(6 * HOUR)


async def test_a_chart_is_compared_with_a_day_or_a_week_before_and_with_another_host() -> None:
    async with canned((120, 40)) as (app, pilot, client):
        app.run_line("host web-eu-12")
        chart = await page(app)
        await pilot.press("c")
        await until(lambda: "○" in "".join(text_of(chart)))
        assert "○ a day before" in legend_of(chart) and "░ typical" in legend_of(chart)
        ours, before = queries(client)[-2:]
        assert (
            ours.start - before.start == 86400 and before.host == ours.host and ours.band and not before.band
        )
        await pilot.press("left")
        await until(lambda: "○ " in text_of(chart)[-1])
        await pilot.press("c")
        await until(lambda: "a week before" in legend_of(chart))
        await pilot.press("c")
        await until(lambda: "○" not in "".join(text_of(chart)))
        app.run_line("compare web-eu-11")
        await until(lambda: "○ web-eu-11" in legend_of(chart))
        assert queries(client)[-1].start == queries(client)[-2].start
        app.run_line("compare nobody")
        await until(lambda: any("no host nobody" in str(note.message) for note in app._notifications))
        app.run_line("compare off")
        await until(lambda: "○" not in legend_of(chart))


async def test_the_limit_is_that_of_the_rule_in_force_and_marks_say_what_happened() -> None:
    async with canned((120, 40)) as (app, _, _client):
        app.run_line("host web-eu-12")
        chart = await page(app)
        await until(lambda: "> 95 %" in "".join(text_of(chart)))
        assert "◆" in text_of(chart)[-2] and "⚑" in text_of(chart)[-2]
        assert any("╌" in line for line in text_of(chart))
        chart._put_cursor(NOW - 900)
        await until(lambda: "◆ shop 4.18.0 → 4.19.0" in text_of(chart)[-1])
        app.run_line("chart load1")
        await until(lambda: "load1" in chart.caption and ">" not in "".join(text_of(chart)))


async def test_a_series_of_an_instance_is_completed_and_brings_the_others_of_it() -> None:
    async with canned((120, 40)) as (app, pilot, _):
        app.run_line("host web-eu-12")
        chart = await page(app)
        names = {f"disk_{what}{{{device}}}" for what in ("busy_ratio", "queue") for device in ("vda", "vdb")}
        chart.know(names)
        await pilot.press("colon")
        await until(lambda: app.screen.query_one(Prompt).display)
        entry = app.screen.query_one(Prompt).query_one(Input)
        entry.value = "chart disk_q"
        await pilot.pause()
        assert [f"chart disk_queue{{{device}}}" for device in ("vda", "vdb")] == app.screen._complete(
            entry.value
        )  # type: ignore[attr-defined]  # the page
        entry.value = "chart disk_busy_ratio{vda"
        await pilot.press("tab", "enter")
        await until(lambda: "disk_busy_ratio{vda}" in chart.caption)
        await pilot.press("m")
        await until(lambda: "disk_queue{vda}" in chart.caption)
        await pilot.press("m")
        await until(lambda: "cpu" in chart.caption)


def rule(metric: str, severity: str, value: float, *, above: bool = True) -> Rule:
    return Rule(
        rule="r", title="R", severity=severity, tier="show", condition="", for_seconds=0, metric=metric, threshold=value, above=above,  # type: ignore[arg-type]  # a severity
    )  # fmt: skip


def test_limits_are_those_of_the_metric_or_of_what_is_left_of_it() -> None:
    rules = [
        rule("cpu_busy_ratio", "warning", 0.85), rule("cpu_busy_ratio", "critical", 0.95), rule("load1_per_core", "warning", 2.0),
        rule("memory_available_ratio", "critical", 0.05, above=False), Rule("e", "E", "critical", "page", "", 0.0),
    ]  # fmt: skip
    assert limits_of("cpu_busy_ratio", rules) == Limits((0.95,), (0.85,), "> 95 %")
    assert limits_of("load1_per_core", rules) == Limits((2.0,), (), "> 2")
    assert limits_of("memory_available_ratio", rules) == Limits((0.05,), (), "< 5.0 %")
    assert limits_of("memory_used_ratio", rules) == Limits((0.95,), (), "> 95 %")
    assert limits_of("check_ok{x}", rules) == Limits()


def test_the_named_series_is_first_and_none_comes_twice() -> None:
    views = views_beside("cpu_busy_ratio", {"cpu_busy_ratio", "disk_queue{vda}"}, VIEWS)
    assert views[0].title == "cpu" and len({view.series for view in views}) == len(views) == len(VIEWS)
    assert view_of("no_such{x}").unit == "" and view_of("unit_failed{x}").top == 1.0
    # what a line would say of a level, its axis says
    assert view_of("check_trouble{x}") == View("check_trouble{x}", "check_trouble{x}", "level", 2.0, Limits())


steps = st.lists(
    st.one_of(
        st.sampled_from(["wider", "narrower"]),
        st.tuples(st.just("move"), st.sampled_from([-0.5, 0.5])),
        st.tuples(st.just("zoom"), st.sampled_from([0.5, 2.0]), st.floats(0, 1)),
    ),
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(steps=steps)
def test_no_way_through_time_leaves_it(steps: list[object]) -> None:
    window = Window()
    for step in steps:
        if isinstance(step, str):
            window = getattr(window, step)()
        elif isinstance(step, tuple) and step[0] == "move":
            window = window.moved(step[1], NOW)
        elif isinstance(step, tuple):
            start, end = window.bounds(NOW)
            window = window.zoomed(step[1], start + (end - start) * step[2], NOW)
        start, end = window.bounds(NOW)
        assert start < end <= NOW and LEAST_SECONDS <= window.seconds <= SPANS[-1][0]
        assert window.words.count("[") == 1


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_an_alert_s_chart_has_a_cursor_a_zoom_and_the_threshold_that_it_was_judged_by(
    size: tuple[int, int],
) -> None:
    async with canned(size) as (app, pilot, client):
        app.open_alert("a1")
        await until(lambda: isinstance(app.screen, AlertScreen) and app.screen.composed)
        chart = app.screen.query_one(ChartPane)
        await until(lambda: chart.has_values and chart._drawn_size[0] > 0)
        assert "limit 95 %" in legend_of(chart) or "limit 95 %" in "\n".join(text_of(chart))
        first = queries(client)[-1]
        assert first.metric == "cpu_busy_ratio" and first.start <= app.world.alerts["a1"].since - 1800
        assert any("⚑" in line for line in text_of(chart))
        await pilot.press("left")
        await until(lambda: "97 %" in text_of(chart)[-1])
        await pilot.press("x")
        await until(lambda: queries(client)[-1].end - queries(client)[-1].start < first.end - first.start)
        # what else its host's page charts is behind it, under the limits of the rules
        await pilot.press("m")
        await until(lambda: queries(client)[-1].metric == VIEWS[1].series)


async def test_an_alert_without_a_value_has_its_reason_whole_and_how_its_host_was_before_it() -> None:
    why = "It refuses connections on port 35637: is sshd running there, and does a firewall let us through to it today?"
    async with canned((120, 40)) as (app, _pilot, client):
        app.world.alerts["a1"] = replace(app.world.alerts["a1"], metric="", threshold=None, why=why)
        app.open_alert("a1")
        await until(lambda: isinstance(app.screen, AlertScreen) and app.screen.composed)
        chart = app.screen.query_one(ChartPane)
        await until(lambda: chart.has_values and chart._drawn_size[0] > 0)
        assert queries(client)[-1].metric == VIEWS[0].series
        assert any("⚑" in line for line in text_of(chart))
        box = app.screen.query_one("#words", Box)
        await until(lambda: box.size.height == len(box._lines))
        told = " ".join("".join(text for text, _ in line) for line in box._lines)
        assert why in " ".join(told.split())


@pytest.mark.parametrize(
    ("hours", "span"), [(0.4, HOUR), (1.0, HOUR), (1.1, 6 * HOUR), (20.0, 24 * HOUR), (500.0, 168 * HOUR)]
)
def test_a_chart_that_shall_hold_a_moment_takes_the_shortest_span_that_does(
    hours: float, span: float
) -> None:
    assert Window.holding(NOW - hours * HOUR, NOW) == Window(span)


async def test_a_chart_has_no_more_columns_than_its_host_has_samples() -> None:
    async with canned((120, 40)) as (app, pilot, client):
        app.run_line("host web-eu-12")
        chart = await page(app)
        assert queries(client)[-1].points == chart.columns
        for _ in range(4):
            await pilot.press("x")
        seconds = HOUR / 16
        await until(lambda: (last := queries(client)[-1]).end - last.start == pytest.approx(seconds))
        # polled every 5 s
        assert queries(client)[-1].points == int(seconds / 6.25)


async def test_every_pane_of_a_host_s_page_follows_the_chart_through_time_and_back() -> None:
    async with canned((120, 40)) as (app, pilot, client):
        app.run_line("host web-eu-12")
        chart = await page(app)
        gauges, changes, processes = (
            app.screen.query_one(f"#{name}", Box) for name in ("gauges", "changes", "processes")
        )
        await until(lambda: processes.caption.startswith("processes  ") and "ago" not in processes.caption)
        await pilot.press("[")
        await until(lambda: "at 07:30" in gauges.caption and "07:30" in processes.caption)
        assert "before 07:30" in changes.caption
        asked = [query for query in queries(client) if query.points == 1]
        assert {query.metric for query in asked} >= {
            *GAUGED,
            "filesystem_used_ratio{/var}",
            "disk_busy_ratio{nvme0n1}",
        }
        assert all(query.start == NOW - 1860 and query.end == NOW - 1740 for query in asked)
        assert "not kept" in processes._lines[0][0][0]
        # the panes below are not read anew under it
        app._tick()
        await pilot.press("left")
        await until(lambda: "at 07:29" in gauges.caption)
        await pilot.press(".")
        await until(
            lambda: "at" not in gauges.caption.split() and "not kept" not in processes._lines[0][0][0]
        )
        assert chart.looked_at is None
