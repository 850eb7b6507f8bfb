"""A host that calls itself anything at all: the terminal gets letters, and nobody's click runs a host's words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter
from textual.screen import ModalScreen

from guardian_tui.app import GuardianApp
from guardian_tui.config import Paths, Settings
from guardian_tui.protocol.access import Session
from guardian_tui.protocol.alerts import Alert
from guardian_tui.protocol.audit import AuditEvent
from guardian_tui.protocol.base import Request
from guardian_tui.protocol.errors import HostUnavailable
from guardian_tui.protocol.events import Delta
from guardian_tui.protocol.fleet import HostRow
from guardian_tui.protocol.routes import PERMISSIONS
from screens.dialogs import ConfirmDialog, TextDialog
from screens.reports import ReportDialog
from tests.support.painting import PaintingDriver, leftovers
from widgets.backstop import Backstop

HOSTILE = {
    "markup that acts": "[@click=app.quit]web[/]",
    "markup that closes": "[/]",
    "half markup": "foo[/b] [ERROR] [bold",
    "clipboard": "\x1b]52;c;cHduZWQ=\x07web",
    "title": "\x1b]0;pwned\x1b\\web",
    "screen": "\x1b[2J\x1b[H\x1bcweb",
    "c1": "\x9b2J\x9d52;c;cHduZWQ=\x9cweb",
    "bidi": "web\u202e\u2066gnp.exe\u200b\ufeff",
    "line": "web\r\nroot: ok\tx\x0b\x0c\x08",
    "marks": "w" + "\u0301" * 500 + "eb",
    "tags": "web\U000e0041\ue000\ud7ff\u2028",
    "long": "x" * 4000,
    "wide": "漢" * 2000,
    "nothing": "",
}

WHERE_WIDTH_COUNTS = ("markup that acts", "line", "marks", "long", "wide")
CASES = (
    pytest.param((120, 40), tuple(HOSTILE), id="120"),
    pytest.param((80, 24), WHERE_WIDTH_COUNTS, id="80"),
    pytest.param((80, 24), tuple(HOSTILE), id="80-all", marks=pytest.mark.soak),
)
"""All of them on a screen that has room for every column, and on a small one those that a column may cut; the rest of these in the soak."""

NOW = 1_800_000_000.0


class StillApp(GuardianApp):
    """The console without an engine: what it shows is put in by hand.

    The last door stands open, so that a widget that forgets ``safe()`` is found.
    """

    last_door = False

    def get_line_filters(self) -> Sequence[LineFilter]:
        filters = super().get_line_filters()
        return filters if self.last_door else [f for f in filters if not isinstance(f, Backstop)]

    async def _meet_engine(self) -> None:
        return

    async def _follow(self) -> None:
        return

    async def ask(self, name: str, kind: type[Any], request: Request | None = None) -> Any:
        raise HostUnavailable(HOSTILE["clipboard"] + HOSTILE["markup that acts"])


def delta_of(texts: Sequence[str]) -> Delta:
    """A fleet of a host each, that has these texts wherever a host's words can be."""
    rows = tuple(
        HostRow(
            id=f"h{place}", name=text, state="down", since=NOW - 60, why=text, environment=text, labels={text: text},
            jump=(text,), behind=text, cpu=0.5, memory=0.5, disk=0.9, disk_mount=text, measured_at=NOW,
        )
        for place, text in enumerate(texts)
    )  # fmt: skip
    alerts = tuple(
        Alert(
            id=f"a{place}", rule="host_down", title=text, severity="critical", tier="page", state="firing", since=NOW - 60,
            host_id=f"h{place}", host=text, instance=text, why=text, note=text, acknowledged_by=text, delivered=(text,),
        )
        for place, text in enumerate(texts)
    )  # fmt: skip
    events = tuple(
        AuditEvent(
            seq=place, time_ms=int(NOW * 1000), actor=text, action=text, target=text, outcome="denied", body=text
        )
        for place, text in enumerate(texts, 1)
    )  # fmt: skip
    return Delta(seq=1, complete=True, hosts=rows, alerts=alerts, audit=events)


def session() -> Session:
    return Session(
        id="s", account="ada", profiles=("admin",), permissions=PERMISSIONS, kind="tui", created_at=NOW,
        expires_at=NOW + 3600, idle_seconds=900, fresh_until=NOW, token="t",
    )  # fmt: skip


def dialogs(text: str) -> list[ModalScreen[Any]]:
    """Dialogs whose every word is a host's."""
    return [
        ConfirmDialog(text, [text, "and"], typed=text),
        TextDialog(text, text),
        ReportDialog(text, [(text, "good"), ("", "")], accept="go"),
    ]


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[StillApp]:
    PaintingDriver.painted.clear()
    app = StillApp(Paths(tmp_path, tmp_path, tmp_path), Settings(), clock=lambda: NOW)
    app.driver_class = PaintingDriver
    yield app


def painted(what: str) -> str:
    """What was painted since the last look; it is letters alone."""
    text = "".join(PaintingDriver.painted)
    PaintingDriver.painted.clear()
    assert len(text) > 100, f"nothing was painted of {what}"
    assert leftovers(text) == "", what
    assert "\x1b]52" not in text and "cHduZWQ=\x07" not in text, what
    return text


@pytest.mark.timeout(900)  # ten seconds on a quiet machine; it waits for nothing but the processor
@pytest.mark.parametrize(("size", "kinds"), CASES)
async def test_only_safe_text_reaches_the_terminal(
    app: StillApp, size: tuple[int, int], kinds: tuple[str, ...]
) -> None:
    async with app.run_test(headless=False, size=size) as pilot:
        app.begin(session())
        await pilot.pause()
        app._changed(delta_of([f"first {kind}" for kind in kinds]))
        app._changed(delta_of([HOSTILE[kind] for kind in kinds]))
        await pilot.pause()
        app._tick()
        for screen in ("alerts", "audit", "fleet"):
            app.go(screen)
            await pilot.pause()
            await pilot.press(*["down"] * len(kinds), "up")
        painted("the lists")
        for row in range(1, len(kinds) + 7):
            await pilot.click(offset=(6, row))
        await pilot.pause()
        assert app.is_running and app._exit is False, "a host's words were obeyed"
        app.go("fleet")
        for place, kind in enumerate(kinds):
            app.open_alert(f"a{place}")
            await pilot.pause()
            app.pop_screen()
            app.open_host(f"h{place}")
            await pilot.pause()
            app.pop_screen()
            app.say_error(HostUnavailable(HOSTILE[kind]))
            await pilot.pause()
            for dialog in dialogs(HOSTILE[kind]):
                app.push_screen(dialog)
                await pilot.pause()
                app.pop_screen()
            painted(f"the pages of {kind}")
            assert app.is_running and app._exit is False, "a host's words were obeyed"


async def test_what_an_input_field_holds_passes_the_last_door(app: StillApp) -> None:
    app.last_door = True
    async with app.run_test(headless=False, size=(80, 24)) as pilot:
        app.begin(session())
        for kind in ("clipboard", "screen", "c1", "bidi", "tags"):
            app.push_screen(TextDialog("label", "of a host", HOSTILE[kind]))
            await pilot.pause()
            app.pop_screen()
    assert "cHduZWQ" in painted("the field")


def test_the_last_door_keeps_the_width_of_a_line() -> None:
    plain = [Segment("up ● 漢"), Segment("web-1")]
    assert Backstop().apply(plain, Color(0, 0, 0)) is plain
    shut = Backstop().apply([Segment("a\x1b[2J\x9b\u202eb"), Segment("c")], Color(0, 0, 0))
    assert [segment.text for segment in shut] == ["a[2Jb", "c"]
