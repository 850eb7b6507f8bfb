"""Lists that grow while keys are pressed."""

from __future__ import annotations

import pytest
from textual.screen import Screen

from tests.widgets.test_small_widgets import OneWidget
from widgets.lines_pane import LinesPane


async def test_a_longer_list_moves_its_scroll_bar_and_leaves_the_screen_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = OneWidget(LinesPane())
    async with app.run_test(size=(80, 24)) as pilot:
        pane = app.query_one(LinesPane)
        pane.show([[(f"line {number}", "text")] for number in range(50)], "lines")
        await pilot.pause()
        assert pane.show_vertical_scrollbar
        arranged: list[Screen[object]] = []
        arrange = Screen._refresh_layout

        def counted(screen: Screen[object], *args: object, **named: object) -> None:
            arranged.append(screen)
            arrange(screen, *args, **named)  # type: ignore[arg-type]  # as it was called

        monkeypatch.setattr(Screen, "_refresh_layout", counted)
        pane.show([[(f"line {number}", "text")] for number in range(80)], "lines")
        await pilot.pause()
        assert pane.vertical_scrollbar.window_virtual_size == 80
        assert pane.max_scroll_y == 80 - pane.size.height
        assert not arranged
        # a scroll bar that goes gives its column to the lines
        pane.show([[("one", "text")]], "lines")
        await pilot.pause()
        assert not pane.show_vertical_scrollbar
        assert arranged
