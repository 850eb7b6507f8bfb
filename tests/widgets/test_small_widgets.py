"""Header, footer, counts, banner, prompt, boxes, QR code: what they show, and what falls away when there is no room."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from rich.segment import Segment
from textual.app import App, ComposeResult
from textual.color import Color
from textual.widget import Widget
from textual.widgets import Input

from guardian_tui.protocol.acts import LogLine
from guardian_tui.protocol.fleet import FileSystem, Nic
from tests.widgets.fleet_app import NOW, FleetApp, alert, alerts, events
from themes import load_themes
from widgets.alerts_list import AlertsList
from widgets.audit_list import AuditList
from widgets.backstop import Backstop
from widgets.banner import Banner
from widgets.box import Box, file_system_lines, gauge, nic_lines
from widgets.chart import Chart
from widgets.counts_line import Count, CountsLine
from widgets.footer import Footer, FooterKey
from widgets.header import Header, HeaderLine
from widgets.log_list import HostLine, LogList
from widgets.painting import clip, fit, width_of
from widgets.plot import ChartData
from widgets.prompt import Prompt
from widgets.qr import QrCode
from widgets.state_line import StateLine


class OneWidget(App[None]):
    """An app with these widgets."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, *parts: Widget) -> None:
        super().__init__()
        for theme in load_themes().textual_themes():
            self.register_theme(theme)
        self.theme = "guardian-dark"
        self.parts = parts
        self.heard: list[tuple[str, str, bool]] = []

    def compose(self) -> ComposeResult:
        yield from self.parts

    def on_prompt_typed(self, event: Prompt.Typed) -> None:
        self.heard.append((event.kind, event.text, event.done))

    def on_prompt_left(self, event: Prompt.Left) -> None:
        self.heard.append((event.kind, "left", True))


def text_of(widget: Widget) -> list[str]:
    """What a widget shows."""
    return [widget.render_line(y).text for y in range(widget.size.height)]


FULL = HeaderLine("prod", ("fleet", "web-1"), {"up": 3, "down": 1}, 2, 1, "ada", "admin", True, "14:02:33")


@pytest.mark.parametrize(
    ("width", "there", "gone"),
    [(140, ["guardian", " prod ", "› web-1", "● 3", "✖ 1", "⚑ 2 1!", "ada · admin (advisory)", "14:02:33"], ["◌"]), (100, ["ada · admin", "14:02:33"], ["advisory"]),
     (72, ["14:02 ", "● 3"], ["14:02:33"]), (30, ["guardian", "14:02 "], ["ada"]), (5, [], [])],
)  # fmt: skip
async def test_the_header_drops_what_has_no_room(width: int, there: list[str], gone: list[str]) -> None:
    header = Header()
    async with OneWidget(header).run_test(size=(width, 5)):
        header.show(FULL)
        header.show(FULL)
        (line,) = text_of(header)
        assert all(word in line for word in there), line
        assert not any(word in line for word in gone), line


@pytest.mark.parametrize(
    ("crumbs", "there"),
    [
        (("backups", "shop", "02:30", "/srv/customers/shop/releases/2026"), "…/2026"),
        (("runbooks", "Bring a PostgreSQL database back to a moment of your choice"), "› Bring a"),
        (("backups", "日本語日本語日本語日本語日本語日本語"), "› 日"),
    ],
)
async def test_where_we_are_gives_way_to_how_many_are_in_trouble(crumbs: tuple[str, ...], there: str) -> None:
    header = Header()
    async with OneWidget(header).run_test(size=(80, 5)):
        header.show(
            HeaderLine("prod", crumbs, {"up": 239, "down": 12}, 20, 1, "ada", "admin", True, "14:02:33")
        )
        (line,) = text_of(header)
        assert there in line and "…" in line, line
        assert all(word in line for word in ("● 239", "✖ 12", "⚑ 20", "14:02 ")), line
        header.show(HeaderLine("prod", ("fleet", *"abcdefghijklmnop"), {"up": 239}, 20, 1))
        assert "› a › b" in text_of(header)[0]


async def test_an_unknown_environment_has_the_other_badge() -> None:
    header = Header()
    async with OneWidget(header).run_test(size=(100, 5)):
        header.show(HeaderLine(environment="lab\x1b"))
        assert " lab␛ " in text_of(header)[0]


async def test_the_footer_leaves_keys_out_whole() -> None:
    footer = Footer()
    keys = tuple(FooterKey(key, "something") for key in "abcdefghij")
    async with OneWidget(footer).run_test(size=(60, 5)):
        footer.show(keys, "engine 3 ms · 8 hosts")
        footer.show(keys, "engine 3 ms · 8 hosts")
        line = text_of(footer)[0]
        assert line.count("something") == 4 and line.endswith("3 ms ")
        # what a newcomer needs most has room at any width
        footer.show((FooterKey("?", "help", always=True), *keys), "engine 3 ms · 8 hosts")
        line = text_of(footer)[0]
        assert line.count("something") == 3 and "? help" in line and line.endswith("3 ms ")


async def test_counts_and_the_state_line_give_way_from_the_right() -> None:
    counts, state = CountsLine(), StateLine()
    async with OneWidget(counts, state).run_test(size=(40, 5)):
        counts.show([Count("2", "alerts 9", "critical"), Count("4", "audit " + "x" * 60, "ok")])
        counts.show([Count("2", "alerts 9", "critical"), Count("4", "audit " + "x" * 60, "ok")])
        assert text_of(counts)[0].startswith(" 2 alerts 9   4 audit") and text_of(counts)[0].endswith("…")
        state.show([("up", "ok")], [("Debian", "muted")])
        assert text_of(state)[0].startswith(" up") and text_of(state)[0].endswith("Debian")
        state.show([("up", "ok")], [("Debian" * 9, "muted")])
        state.show([("up", "ok")], [("Debian" * 9, "muted")])
        assert "Debian" not in text_of(state)[0]


async def test_the_banner_takes_no_room_when_there_is_nothing_to_say() -> None:
    banner = Banner()
    async with OneWidget(banner).run_test(size=(40, 5)) as pilot:
        assert not banner.display
        banner.show("[@click=app.quit]engine lost")
        await pilot.pause()
        assert banner.display and "[@click=app.quit]" in text_of(banner)[0]
        banner.show("")
        assert not banner.display


def room(mount: str, used: float, hours_to_full: float | None = None, read_only: bool = False) -> FileSystem:
    return FileSystem(
        mount=mount, kind="ext4", device="sda", size_bytes=1e11, available_bytes=1e10, used_ratio=used,
        hours_to_full=hours_to_full, read_only=read_only,
    )  # fmt: skip


def words(lines: Sequence[list[tuple[str, str]]]) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines]


def test_file_systems_stand_fullest_first_with_their_forecast() -> None:
    rooms = [
        room("/", 0.2),
        room("/var", 0.96, hours_to_full=7),
        room("/srv", 0.92, hours_to_full=50.0, read_only=True),
        room("/x", 0.1),
    ]
    lines = words(file_system_lines(rooms, 3))
    assert [line.split()[0] for line in lines] == ["/var", "/srv", "/"]
    assert "96 %" in lines[0] and "→7h" in lines[0] and "9.3 GiB free" in lines[0]
    assert lines[1].endswith(" ro") and "→2d" in lines[1]


def test_interfaces_tell_errors_only_when_there_are_some() -> None:
    lines = words(nic_lines([Nic("lo", None, None), Nic("eth0", 1e6, 2e6, error_ratio=0.2)], 5))
    assert lines[0].startswith("eth0") and "errors 20 %" in lines[0]
    assert "↓     –" in lines[1] and "errors" not in lines[1]


def test_gauges_take_colour_only_when_something_is_wrong() -> None:
    assert gauge("cpu", None, "")[1][1] == "rest"
    assert [gauge("cpu", ratio, "x")[1][1] for ratio in (0.5, 0.9, 0.99)] == ["meter", "warning", "critical"]
    # and a sign with it
    assert [gauge("cpu", ratio, "x")[-1][0] for ratio in (0.5, 0.9, 0.99)] == ["  x", "▲ x", "✖ x"]


async def test_a_box_is_as_high_as_its_lines_and_takes_titles_as_words() -> None:
    box = Box("[/]disks")
    box.styles.height = "auto"
    async with OneWidget(box).run_test(size=(40, 12)) as pilot:
        box.show([[("one", "text")], [("two", "text")]], note="[b]note")
        box.refresh(layout=True)
        await pilot.pause()
        assert box.caption == "[/]disks  [b]note"
        assert box.size.height == 2 and text_of(box)[1].startswith(" two")
        assert box.render_line(7).text.strip() == ""
        box.show([], title="[@click=app.quit]")
        box.focus()
        await pilot.pause()
        assert "[@click=app.quit]" in box._border_title.plain  # type: ignore[union-attr]  # it has a title


async def test_the_line_in_a_caption_has_the_colour_of_its_border_with_the_keys_and_without() -> None:
    one, other = AlertsList(), AlertsList()
    for box in (one, other):
        box.styles.height = 6
    async with OneWidget(one, other).run_test(size=(60, 14)) as pilot:
        for box in (one, other):
            box.set_caption("disks", note="a note")
        for keys, rest in ((one, other), (other, one)):
            keys.focus()
            await pilot.pause()
            assert (line_of(keys), line_of(rest)) == ("$g-meter", "$g-border")


def line_of(box: AlertsList) -> str:
    title = box._border_title
    assert title is not None
    (line,) = [span.style for span in title.spans if set(title.plain[span.start : span.end]) == {"─"}]
    return str(line)


async def test_a_chart_names_its_newest_value_and_draws_once_a_size() -> None:
    from tests.widgets.test_chart import history

    chart = Chart()
    chart.styles.height = 8
    async with OneWidget(chart).run_test(size=(60, 12)) as pilot:
        assert "reading…" in "".join(text_of(chart))
        chart.show(ChartData("cpu", "ratio", history(0.2, 0.96, None), top=1.0), "1h 6h")
        await pilot.pause()
        assert chart.caption == "cpu  96 %  1h 6h"
        assert "100 %" in text_of(chart)[0] and chart.columns == columns(chart)
        assert chart.render_line(40).text.strip() == ""
        chart.focus()
        await pilot.pause()
        chart.blur()
        await pilot.pause()
        await pilot.resize_terminal(12, 12)
        chart.show(ChartData("cpu", "ratio", None), "a note that has no room")


def columns(chart: Chart) -> int:
    return (chart.size.width - 8) * 2


async def test_an_alert_says_who_has_it_and_a_wide_list_why() -> None:
    app = FleetApp()
    async with app.run_test(size=(120, 40)) as pilot:
        narrow = app.query_one(AlertsList)
        shown = text_of(narrow)
        assert "✖ host down" in shown[0] and "2m" in shown[0]
        assert (
            shown[1].rstrip().endswith("@") and shown[6].rstrip().endswith("z") and shown[8].startswith(" ✓")
        )
        assert narrow.caption == "alerts  8  2 critical"
        narrow.tick(NOW + 60)
        assert "3m" in text_of(narrow)[0]
        assert narrow.alert("host downdb-eu-3") and narrow.alert("x") is None
        narrow.show([alert("a", "", 5, instance="/srv", state="resolved")], NOW)
        await pilot.pause()
        assert (
            "a /srv" in text_of(narrow)[0]
            and "engine" in text_of(narrow)[0]
            and narrow.caption == "alerts  0"
        )
    wide = AlertsList()
    async with OneWidget(wide).run_test(size=(120, 12)) as pilot:
        wide.show(alerts(), NOW)
        await pilot.pause()
        assert "sup-2 has it: restarting it · 96 % is over 95 %" in text_of(wide)[3]
        assert "ops-1 has it · " in text_of(wide)[1]


async def test_the_audit_list_tells_outcomes_in_glyph_and_word() -> None:
    wide = AuditList()
    async with OneWidget(wide).run_test(size=(120, 12)) as pilot:
        wide.show(events(), "chain broken at 7", holds=False)
        await pilot.pause()
        shown = text_of(wide)
        assert "✗ denied" in shown[2] and "… intent" in shown[5] and "✓ ok" in shown[0]
        assert wide.has_class("broken") and "chain broken at 7" in wide.caption
        assert wide.event("90") and wide.event("1") is None


async def test_the_prompt_completes_recalls_and_gives_up() -> None:
    prompt = Prompt(lambda text: [word for word in ("hosts", "help") if word.startswith(text)])
    app = OneWidget(prompt)
    async with app.run_test(size=(120, 12)) as pilot:
        prompt.open(":")
        await pilot.press("h", "tab")
        assert "hosts  help" in str(prompt.query_one("#hint").render())
        await pilot.press("o", "tab", "w", "enter")
        assert app.heard[-1] == (":", "hosts w", True) and not prompt.display
        prompt.open(":")
        await pilot.press("up")
        assert prompt.query_one(Input).value == "hosts w"
        await pilot.press("down", "escape")
        assert app.heard[-1] == (":", "left", True)
        prompt.open("/", "web")
        await pilot.press("tab", "enter")
        assert app.heard[-1] == ("/", "web", True)
        prompt.open("/")
        await pilot.press("enter")
        assert app.heard[-1] == ("/", "", True)


async def test_a_qr_code_has_its_quiet_zone_and_is_dark_on_light() -> None:
    code = QrCode("otpauth://totp/guardian:ada?secret=JBSWY3DPEHPK3PXP")
    async with OneWidget(code).run_test(size=(100, 40)):
        shown = text_of(code)
        assert len({len(line) for line in shown}) == 1 and len(shown) == (len(shown[0]) + 1) // 2
        assert shown[0].startswith(" ▄▄▄▄▄▄▄ ") and all(
            line.startswith(" ") and line.endswith(" ") for line in shown
        )


def test_the_last_door_takes_controls_out_and_keeps_the_width() -> None:
    door = Backstop()
    clean = [Segment("web 漢")]
    assert door.apply(clean, Color.parse("black")) is clean
    (one, two) = door.apply([Segment("ok"), Segment("a\x1b]\u200bb\u3000c")], Color.parse("black"))
    assert one.text == "ok" and two.text.isprintable() and two.cell_length == Segment("a]b  c").cell_length


def test_fitting_keeps_cells() -> None:
    assert (
        fit("漢字漢字", 5) == "漢字…"
        and fit("é", 3) == "é  "
        and fit("é", 3, right=True) == "  é"
        and fit("ab", 4, right=True) == "  ab"
    )
    assert fit("abc", 0) == "" and fit("abcdef", 3) == "ab…"
    assert width_of(clip([("abc", "text"), ("漢字", "text")], 5)) == 5
    assert clip([("abc", "text"), ("d", "text")], 3) == [("abc", "text")]


@pytest.mark.parametrize(("priority", "sign"), [(2, "✖"), (3, "✖"), (4, "▲"), (6, " ")])
def test_how_grave_a_line_of_a_log_is_reads_without_colour(priority: int, sign: str) -> None:
    listing = LogList(many=False)
    listing._by_id = {"1": HostLine("web-1", LogLine(None, priority, "sshd", "said"))}
    for width in (60, 120):
        line = "".join(text for text, _ in listing.line("1", width))
        assert line[8:11] == f" {sign} " and line.rstrip().endswith("said") and len(line) < width
