"""The hosts table as a person sees it: what stands where, what is drawn again, and what a hostile name can't do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from textual._wait import wait_for_idle
from textual.app import App, ComposeResult

from guardian_tui.protocol.fleet import HostRow
from tests.widgets.fleet_app import NOW, FleetApp, fleet, row
from themes import load_themes
from widgets.hosts_columns import columns_for
from widgets.hosts_table import HostsTable, Looks
from widgets.live_list import CACHED_STRIPS

HOSTILE = [
    "[@click=app.quit]", "[/]", "foo[/b]", "\x1b]52;c;aGk=\x07", "\x9b31m", "x" * 4000, "漢" * 300, "a\nb\tc\x00", "\u202eevil",
    "e\u0301" * 40, "",
]  # fmt: skip


def lines(table: HostsTable) -> list[str]:
    """What stands on the screen, line by line."""
    return [table.render_line(y).text for y in range(table.size.height)]


def line_of(table: HostsTable, id: str) -> str:
    """The line of a row, drawn if need be outside the screen."""
    return "".join(text for text, _ in table.line(id, table.width))


def right_of(width: int) -> list[str]:
    """Names of what stands right of the figures."""
    return [name for name, _ in columns_for(width).right]


class _Untouched(App[None]):
    """A table of hosts in which nobody has moved the cursor."""

    def __init__(self) -> None:
        super().__init__()
        for one in load_themes().textual_themes():
            self.register_theme(one)
        self.theme = "guardian-dark"

    def compose(self) -> ComposeResult:
        yield HostsTable()


@pytest.fixture
async def app() -> AsyncIterator[FleetApp]:
    app = FleetApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        yield app


async def show(app: FleetApp, rows: Sequence[HostRow], now: float = NOW) -> HostsTable:
    """Put rows in and let them be painted."""
    app.hosts.apply(rows, [id for id in list(app.hosts._rows) if id not in {r.id for r in rows}], now)
    # the number of rows decides whether there is a scroll bar: a layout, in Textual's next idle moment
    for _ in range(3):
        await wait_for_idle(0)
        app.screen._refresh_layout()
    assert lines(app.hosts)
    return app.hosts


async def test_at_120_columns_the_spark_and_the_traffic_are_seen(app: FleetApp) -> None:
    table = await show(app, [row("web-1", cpu_points=(1, 50, 100) * 4)])
    line = lines(table)[1]
    assert "▄" in line and "█" in line
    assert re.search(r"2\.1M 421K", line)
    assert "net" in right_of(table.width)


@pytest.mark.parametrize("width", [77, 79])
def test_eighty_columns_are_enough_for_the_traffic(width: int) -> None:
    assert right_of(width) == ["net"]


def test_wide_terminals_show_more_columns_not_wider_gaps() -> None:
    assert columns_for(160).figures == columns_for(99).figures
    assert right_of(160) == ["net", "load", "up", "fullest", "environment"]
    assert not right_of(40)


async def test_columns_that_a_person_chose_stand_in_their_order_as_far_as_there_is_room(
    app: FleetApp,
) -> None:
    table = await show(app, [row("web-1", disk=0.65, labels={"role": "web"}), row("web-2", labels={})])
    table.set_columns(["label:role", "disk", "uptime", "mount", "nonsense"])
    titles, first, second = lines(table)[:3]
    assert "cpu" not in titles and "mem" not in titles and "net" not in titles
    assert line_of(table, table.ids[0]).index("65") < first.index("web ")
    assert first.index("web ") == titles.index("role") and first.index("/var") == titles.index("fullest")
    assert "web " not in second
    table.look_at(Looks("no such column", columns=("groups",)))
    assert table.looked_at == Looks(columns=("groups",)) and "groups" in lines(table)[0]


async def test_a_degraded_host_says_why_also_where_no_figure_was_chosen(app: FleetApp) -> None:
    table = await show(app, fleet())
    table.set_columns(["environment"])
    assert any("cpu" in line.partition("degraded")[2] for line in lines(table)[1:])


async def test_titles_stand_over_their_columns(app: FleetApp) -> None:
    table = await show(app, [row("web-1", cpu=0.21, memory=0.43, disk=0.65)])
    titles, line = lines(table)[:2]
    assert line.index("21 ") == titles.index("cpu")
    assert line.index("43 ") == titles.index("mem")
    assert line.index("65 ") == titles.index("disk")
    assert line.index("web-1") == titles.index("host")
    assert line.index(" up") + 1 == titles.index("state")


async def test_a_wide_table_has_titles_for_all_it_shows() -> None:
    app = FleetApp([row("web-1")])
    async with app.run_test(size=(200, 20)):
        titles, line = lines(app.hosts)[:2]
        for title in ("net", "load", "up", "fullest", "environment"):
            assert title in titles
        assert line.index("/var") == titles.index("fullest")
        assert line.index("prod") == titles.index("environment")


async def test_trouble_stands_first_and_says_why_and_since_when(app: FleetApp) -> None:
    table = await show(app, fleet())
    shown = lines(table)
    assert "db-eu-3" in shown[1] and "down" in shown[1] and "no route to host  2m" in shown[1]
    assert "34 behind jump-" in shown[2] and "does not answer  4m" in shown[2]
    assert "degraded" in shown[3]


async def test_forty_hosts_behind_a_dead_one_are_one_line_that_opens(app: FleetApp) -> None:
    table = await show(app, fleet())
    before = len(table.ids)
    assert table.toggle_fold("fold:jump-ap")
    assert len(table.ids) == before + 34
    assert "⏎ closes" in lines(table)[2]
    assert table.hosts_of(["fold:jump-ap", "db-eu-3"])[-1] == "db-eu-3"
    assert len(table.hosts_of(["fold:jump-ap"])) == 34
    assert table.toggle_fold("fold:jump-ap")
    assert len(table.ids) == before
    assert not table.toggle_fold("db-eu-3")


async def test_a_host_that_comes_back_leaves_the_fold_under_any_sort(app: FleetApp) -> None:
    behind = [row(f"b{i}", "unreachable", behind="jump") for i in range(3)]
    for sort in ("name", "cpu", "state"):
        table = await show(app, behind)
        if table._sort != sort:
            table.sort_by(sort)
        assert table.ids == ["fold:jump"]
        table.apply([row("b1")], (), NOW)
        assert "b1" in table.ids
        assert "fold:jump" in table.ids
        table.apply([row("b2")], (), NOW)
        assert set(table.ids) == {"b0", "b1", "b2"}  # one alone is no fold


async def test_problems_only_follows_changes_under_any_sort(app: FleetApp) -> None:
    table = await show(app, [row("a"), row("b", "down", why="gone")])
    table.sort_by("name")
    assert table.toggle_problems()
    assert table.ids == ["b"]
    assert "problems only" in table.caption and "1 of 2" in table.caption
    table.apply([row("a", "degraded", why="x")], (), NOW)
    assert table.ids == ["a", "b"]
    table.apply([row("b")], (), NOW)
    assert table.ids == ["a"]
    assert not table.toggle_problems()
    assert table.ids == ["a", "b"]


async def test_a_filter_follows_changes_under_any_sort(app: FleetApp) -> None:
    table = await show(app, [row("a", cpu=0.1), row("b", cpu=0.95)])
    table.sort_by("name")
    table.set_filter(lambda one: (one.cpu or 0) > 0.9)
    assert table.ids == ["b"]
    table.apply([row("a", cpu=0.92)], (), NOW)
    assert table.ids == ["a", "b"]
    table.apply([row("b", cpu=0.2)], (), NOW)
    assert [one.id for one in table.shown] == ["a"]
    table.set_filter(None)
    assert len(table.ids) == 2


async def test_old_values_go_stale_and_then_the_host_unknown_by_age_alone(app: FleetApp) -> None:
    table = await show(app, [row("a", measured_at=NOW), row("b", measured_at=NOW + 500)])
    table.sort_by("name")
    table.toggle_problems()
    assert table.ids == []
    table.tick(NOW + 30)
    assert "stale 30s" in line_of(table, "a")
    table.tick(NOW + 80)
    assert table.ids == ["a"]
    assert "unknown" in line_of(table, "a") and "no news of it" in line_of(table, "a")
    table.tick(NOW + 1)  # the clock was set back
    assert table.ids == []


async def test_the_sort_turns_round_and_hosts_without_a_figure_stay_last(app: FleetApp) -> None:
    rows = [row("a", cpu=0.1, memory=0.9, disk=0.2), row("b", cpu=0.5, memory=0.1, disk=0.3), row("c", cpu=None, memory=None, disk=None)]  # fmt: skip
    table = await show(app, rows)
    table.sort_by("cpu")
    assert table.ids == ["b", "a", "c"] and "by cpu ▾" in table.caption
    table.sort_by("cpu")
    assert table.ids == ["a", "b", "c"] and "▴" in table.caption
    table.sort_by("memory")
    assert table.ids == ["a", "b", "c"]
    table.sort_by("disk")
    assert table.ids == ["b", "a", "c"]
    table.sort_by("name")
    table.sort_by("name")
    assert table.ids == ["c", "b", "a"]
    table.sort_by("nonsense")
    assert table.ids == ["c", "b", "a"]


async def test_the_cursor_stays_on_its_row_when_the_order_changes(app: FleetApp) -> None:
    table = await show(app, fleet())
    table.move_to("web-eu-05")
    table.apply([row("web-eu-05", "down", why="gone")], (), NOW)
    assert table.cursor_id == "web-eu-05"
    line = next(text for text in lines(table) if text.startswith("▌"))
    assert "web-eu-05" in line
    table.apply((), ["web-eu-05"], NOW)
    assert table.cursor_id in table.ids
    assert table.row("web-eu-05") is None


async def test_trouble_that_comes_while_nobody_is_there_comes_into_view() -> None:
    app = _Untouched()
    async with app.run_test(size=(80, 12)) as pilot:
        table = app.query_one(HostsTable)
        table.focus()
        table.apply([row(f"h{n:03d}") for n in range(60)], (), NOW)
        table._first_at -= 60.0
        table.idle_seconds = lambda: 1.0
        bad = [row(f"h{n:03d}", "down", why="no route to host") for n in range(20, 40)]
        table.apply(bad[:10], (), NOW)
        assert table.cursor_id == "h000"
        await pilot.pause()
        # somebody has just pressed a key: the cursor stays, and the border says what is above
        assert table.scroll_offset.y > 0 and "in trouble above, home shows" in table.caption
        table.idle_seconds = lambda: 60.0
        table.apply(bad[10:15], (), NOW)
        await pilot.pause()
        assert table.cursor_id == "h020" and table.scroll_offset.y == 0 and "above" not in table.caption
        # where a person has put it, it stays for longer, and with marks for ever
        await pilot.press("end")
        table.apply(bad[15:18], (), NOW)
        assert table.cursor_id == "h059"
        table.toggle_mark()
        table.idle_seconds = lambda: 4000.0
        table.apply(bad[18:19], (), NOW)
        assert table.cursor_id == "h059"
        table.clear_marks()
        table.apply(bad[19:], (), NOW)
        assert table.cursor_id == "h020"


async def test_a_filter_that_lets_the_cursor_s_row_go_leads_to_the_first_that_passes(app: FleetApp) -> None:
    table = await show(app, [row(f"web-{place:02}") for place in range(20)])
    table.move_to(table.ids[15])
    table.expect_filtered()
    table.set_filter(lambda one: one.name < "web-10")
    assert table.cursor_id == table.ids[0]
    table.move_to(table.ids[7])
    table.expect_filtered()
    table.set_filter(lambda one: one.name < "web-09")
    assert table.cursor_id == table.ids[7]
    # a row that goes by itself leaves the cursor near where it was
    table.apply([], [table.ids[7]], NOW)
    assert table.cursor_id == table.ids[7]


async def test_nothing_left_leaves_no_cursor(app: FleetApp) -> None:
    table = await show(app, [row("a")])
    table.apply((), ["a", "never known"], NOW)
    assert table.cursor_id == "" and table.chosen_ids == [] and table.ids == []
    table.action_move(1)
    table.toggle_mark()
    table.move_to("a")


async def test_a_change_off_screen_draws_nothing_and_one_on_screen_one_line(app: FleetApp) -> None:
    rows = [row(f"h{i:03d}") for i in range(200)]
    table = await show(app, rows)
    drawn = table.lines_drawn
    table.apply([row("h150", cpu=0.7)], (), NOW)
    lines(table)
    assert table.lines_drawn == drawn
    table.apply([row("h003", cpu=0.7)], (), NOW)
    lines(table)
    assert table.lines_drawn == drawn + 1
    table.apply(rows[5:9], (), NOW)
    table.tick(NOW + 1)
    lines(table)
    assert table.lines_drawn == drawn + 1


async def test_an_age_that_ticks_draws_its_own_line_only(app: FleetApp) -> None:
    table = await show(
        app, [row("a", "down", since=NOW - 5, why="x"), row("b", "down", since=NOW - 9000, why="x")]
    )
    drawn = table.lines_drawn
    table.tick(NOW + 1)
    lines(table)
    assert table.lines_drawn == drawn + 1
    assert "6s" in lines(table)[1]


async def test_marks_are_painted_at_once_and_leave_with_their_rows(app: FleetApp) -> None:
    table = await show(app, [row(name) for name in "abcde"])
    table.move_to("a")
    table.toggle_mark()
    assert lines(table)[1].startswith("+") and lines(table)[2].startswith("▌")
    table.action_move(2)
    table.mark_range()
    assert [text[0] for text in lines(table)[1:6]] == ["+", "+", "+", "╋", " "]
    assert table.chosen_ids == ["a", "b", "c", "d"]
    table.apply((), ["b"], NOW)
    assert table.chosen_ids == ["a", "c", "d"]
    table.move_to("a")
    table.toggle_mark()
    assert table.chosen_ids == ["c", "d"]
    assert table.clear_marks() and not table.clear_marks()
    assert "+" not in "".join(text[0] for text in lines(table))


@pytest.mark.parametrize("deed", ["range", "clear", "toggle"])
async def test_marking_asks_for_a_repaint_of_the_lines_it_changes(
    app: FleetApp, deed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = await show(app, [row(name) for name in "abc"])
    table.move_to("a")
    table.marked["b"] = None
    lines(table)
    asked: list[int] = []
    monkeypatch.setattr(table, "refresh", lambda *regions, **_: asked.extend(region.y for region in regions))
    {"range": table.mark_range, "clear": table.clear_marks, "toggle": table.toggle_mark}[deed]()
    assert asked


async def test_what_was_drawn_is_forgotten_in_time(app: FleetApp) -> None:
    table = await show(app, [row("a")])
    for number in range(CACHED_STRIPS + 50):
        table.apply([row("a", cpu=(number % 99) / 100, load_per_core=float(number))], (), NOW)
        lines(table)
    assert len(table._strips) <= CACHED_STRIPS
    assert len(table._drawn) <= table.size.height


async def test_keys_and_clicks_move_and_choose(app: FleetApp) -> None:
    table = await show(app, [row(f"h{i:03d}") for i in range(100)])
    table.action_jump(-1)
    assert table.cursor_id == "h099" and table.scroll_offset.y > 0
    table.action_page(-1)
    table.action_jump(0)
    assert table.cursor_id == "h000" and table.scroll_offset.y == 0
    chosen: list[str] = []

    class Listening(App[None]):
        def compose(self) -> ComposeResult:
            yield HostsTable(id="hosts")

        CSS = "HostsTable { height: 1fr; }"

        def on_live_list_chosen(self, event: HostsTable.Chosen) -> None:
            chosen.append(event.id)

        def on_live_list_highlighted(self, event: HostsTable.Highlighted) -> None:
            assert event.control is event.list

    from themes import load_themes

    listening = Listening()
    for theme in load_themes().textual_themes():
        listening.register_theme(theme)
    listening.theme = "guardian-dark"
    async with listening.run_test(size=(90, 20)) as pilot:
        listening.query_one(HostsTable).apply([row("a"), row("b")], (), NOW)
        await pilot.pause()
        await pilot.click("#hosts", offset=(5, 3), times=2)
        assert chosen == ["b"]
        await pilot.click("#hosts", offset=(5, 12))
        assert listening.query_one(HostsTable).cursor_id == "b"


async def test_another_theme_paints_anew(app: FleetApp) -> None:
    table = await show(app, [row("a", "down", why="x")])
    before = [segment.style for segment in table.render_line(1)]
    app.theme = "guardian-light"
    app.refresh_css(animate=False)
    await wait_for_idle(0)
    assert [segment.style for segment in table.render_line(1)] != before
    table.redraw_all()


async def test_hostile_words_stay_words(app: FleetApp) -> None:
    rows = [
        row(name, state, id=f"h{number}", why=name, environment=name, behind=name if state == "unreachable" else "", disk_mount=name)
        for number, (name, state) in enumerate((name, state) for name in HOSTILE for state in ("up", "down", "degraded", "unreachable", "unreachable"))
    ]  # fmt: skip
    table = await show(app, rows)
    for id in table.ids:
        text = line_of(table, id)
        assert text.isprintable(), ascii(text)
    assert any("[@click=app.quit]" in line_of(table, id) for id in table.ids)
    for y in range(table.size.height):
        assert table.render_line(y).cell_length == table.width


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    name=st.text(max_size=60), why=st.text(max_size=300), state=st.sampled_from(["up", "degraded", "down", "unreachable", "unknown", "maintenance"]),
    share=st.one_of(st.none(), st.floats(allow_nan=False, min_value=-1, max_value=9)), points=st.lists(st.integers(-1, 300), max_size=14),
    rate=st.one_of(st.none(), st.floats(min_value=-1, max_value=1e18)), now=st.floats(0, 4e9), width=st.integers(20, 240),
)  # fmt: skip
def test_any_row_is_drawn_in_printable_cells(
    name: str,
    why: str,
    state: str,
    share: float | None,
    points: list[int],
    rate: float | None,
    now: float,
    width: int,
) -> None:
    table = HostsTable()
    one = row(
        name, state, id="x", why=why, cpu=share, memory=share, disk=share, cpu_points=tuple(points), receive_bytes_per_second=rate,
        transmit_bytes_per_second=rate, environment=why[:40], load_per_core=share, uptime_seconds=rate,
    )  # fmt: skip
    table.apply([one], (), now)
    text = "".join(text for text, _ in table.line("x", width))
    assert text.isprintable()
