"""What all screens share, while they come up."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from textual.app import App, ComposeResult
from textual.containers import Vertical

from screens.base import GuardianScreen
from screens.work import begin
from tests.support.console import until
from themes import load_themes
from widgets.alerts_list import AlertsList
from widgets.footer import Footer


class SlowPane(Vertical):
    """A pane whose widgets come late, as on a busy machine."""

    def __init__(self, gate: asyncio.Event) -> None:
        super().__init__()
        self._gate = gate

    async def on_compose(self) -> None:
        await self._gate.wait()

    def compose(self) -> ComposeResult:
        yield AlertsList(id="alerts")


class SlowScreen(GuardianScreen):
    def __init__(self, gate: asyncio.Event) -> None:
        super().__init__()
        self._gate = gate

    def content(self) -> ComposeResult:
        yield SlowPane(self._gate)


class Bare(App[None]):
    session = None

    def __init__(self) -> None:
        super().__init__()
        for one in load_themes().textual_themes():
            self.register_theme(one)
        self.theme = "guardian-dark"


async def test_a_screen_is_drawn_on_only_when_the_widgets_in_its_panes_are_there_too() -> None:
    gate = asyncio.Event()
    app = Bare()
    async with app.run_test():
        screen = SlowScreen(gate)
        pushed = asyncio.ensure_future(app.push_screen(screen))
        await until(lambda: bool(screen.query(Footer)))
        early = screen.composed
        gate.set()
        await pushed
        assert not early
        await until(lambda: screen.composed)
        assert screen.query(AlertsList)


async def test_work_that_would_fail_without_a_word_is_refused_aloud() -> None:
    app = Bare()
    done: list[str] = []

    async def work(word: str = "plain") -> None:
        done.append(word)

    async with app.run_test():
        with pytest.raises(TypeError, match="no async def"):
            begin(app, lambda: work("lambda"))
        begin(app, work)
        begin(app, partial(work, "partial"))
        await until(lambda: done == ["plain", "partial"])
