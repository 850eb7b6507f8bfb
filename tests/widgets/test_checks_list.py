"""The checks' list: a state is glyph and word, what is old is no longer believed, and words can't harm."""

from __future__ import annotations

import msgspec
import pytest

from guardian_tui.protocol.checks import CheckRow, shown_check_state
from widgets.checks_list import CHECK_GLYPHS, ChecksList
from widgets.painting import width_of

NOW = 1_800_000_000.0
ROW = CheckRow(
    id="c1", name="shop", host_id="h1", host="web-1", kind="http", where="engine", state="ok", since=NOW - 60, words="status 200 in 5 ms",
    measured_at=NOW - 3, seconds=0.005,
)  # fmt: skip


def drawn(row: CheckRow, width: int, now: float = NOW) -> str:
    shown = ChecksList()
    shown._checks, shown._now = {row.id: row}, now
    pieces = shown.line(row.id, width)
    assert width_of(pieces) <= width - 1, "it fits beside the cursor's edge"
    return "".join(text for text, _ in pieces)


@pytest.mark.parametrize("width", [78, 118, 198])
@pytest.mark.parametrize("state", CHECK_GLYPHS)
def test_a_state_is_glyph_and_word_at_every_width(state: str, width: int) -> None:
    row = msgspec.structs.replace(ROW, state=state)
    words = drawn(row, width)
    assert f"{CHECK_GLYPHS[row.state][0]} {state}" in words and "shop" in words and "web-1" in words


def test_a_result_that_is_too_old_is_unknown_and_says_what_it_was() -> None:
    late = NOW + 2 * ROW.period_seconds + ROW.timeout_seconds + 10
    assert shown_check_state(ROW, NOW) == "ok" and shown_check_state(ROW, late) == "unknown"
    assert "◌ unknown" in drawn(ROW, 118, late) and "it was ok" in drawn(ROW, 118, late)
    off = msgspec.structs.replace(ROW, state="off")
    assert shown_check_state(off, late) == "off", "nothing is expected of it"


def test_words_of_the_outside_are_made_harmless() -> None:
    words = drawn(
        msgspec.structs.replace(ROW, words="[/] \x1b]52;c;x\x07 \u202e \x9b2J [@click=app.quit]x"), 118
    )
    assert words.isprintable() and "[@" in words
