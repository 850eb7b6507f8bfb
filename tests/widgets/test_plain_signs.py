"""Where a terminal has few signs each becomes one that it has, as wide; states can still be told apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color

from widgets.backstop import Backstop
from widgets.figures import meter
from widgets.painting import SEVERITY_GLYPHS, STATE_GLYPHS
from widgets.plain_signs import in_plain_signs


def test_signs_frames_charts_and_letters_have_their_stand_ins() -> None:
    assert in_plain_signs("● web-1 › ⚑ 9 … ⏎ open", "ascii") == "o web-1 > ! 9 . < open"
    assert in_plain_signs("╭─┬━╮│┃╰╌╯└├┼", "ascii") == "+-+=+||+-++++"
    assert in_plain_signs("⠀⠁⠿⣿▁█", "ascii") == " .##_#"
    assert in_plain_signs("Zürich 日本", "ascii") == "Zurich ????"
    assert in_plain_signs("Zürich · ●", "iso-8859-1") == "Zürich · o"


def test_no_two_states_or_severities_share_a_stand_in() -> None:
    for glyphs in (STATE_GLYPHS, SEVERITY_GLYPHS):
        signs = [in_plain_signs(glyph, "ascii") for glyph, _ in glyphs.values()]
        assert len(set(signs)) == len(signs)


def test_what_is_filled_of_a_meter_can_be_told_from_the_rest() -> None:
    assert in_plain_signs("".join(meter(0.5, 4)), "ascii") == "==--"


@given(st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc", "Mn", "Me", "Cf")), max_size=40))
def test_no_line_grows_or_shrinks(text: str) -> None:
    drawn = in_plain_signs(text, "ascii")
    assert drawn.isascii() and len(drawn) == sum(map(cell_len, text))


def test_what_leaves_for_such_a_terminal_is_in_its_signs_alone() -> None:
    line = [Segment("● up"), Segment(" \x1b ✖")]
    ground = Color(0, 0, 0)
    assert "".join(segment.text for segment in Backstop("ascii").apply(line, ground)) == "o up  X"
    assert "".join(segment.text for segment in Backstop().apply(line, ground)) == "● up  ✖"
