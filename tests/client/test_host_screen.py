"""What a host's shell may do to a person's terminal: draw, and nothing else, however it is cut into pieces."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_tui.host_screen import LONGEST_SEQUENCE, HostScreen
from guardian_tui.shell_here import LineStart


def passed(data: bytes | str) -> str:
    return HostScreen().feed(data.encode() if isinstance(data, str) else data)


@pytest.mark.parametrize(
    "drawn",
    [
        "plain words\r\n\tand more\x08\x07", "\x1b[1;31mred\x1b[0m", "\x1b[38;2;1;2;3m", "\x1b[38:5:9m", "\x1b[2J\x1b[H\x1b[10;20r", "\x1b[?1049h\x1b[?25l", "\x1b(0lqk\x1b(B",
        "\x1b7\x1b8\x1bM\x1b=\x1b>", "\x1b[6n\x1b[c\x1b[>c", "\x1b[5 q", "\x1b[!p", "größe 漢字 e\u0301", "\x0elqk\x0f", "\x1b[?2004h", "\x1b[3@\x1b[2L\x1b[4P",
    ],
)  # fmt: skip
def test_letters_colours_and_movement_pass(drawn: str) -> None:
    assert passed(drawn) == drawn


@pytest.mark.parametrize(
    "acts",
    [
        "\x1b]52;c;aGk=\x07", "\x1b]0;evil\x1b\\", "\x1b]8;;http://evil\x07", "\x1bP$q\"p\x1b\\", "\x1b_Gf=24;AAAA\x1b\\", "\x1b^pm\x1b\\", "\x1bXsos\x1b\\", "\x9d52;c;aGk=\x9c",
        "\x90q#0\x9c", "\x9b21t", "\x1b[21t", "\x1b[8;9;9t", "\x1b[5i", "\x1b[?5i", "\x1b[>1u", "\x1b[=1u", "\x1b[>4;2m", "\x1b[>q", "\x1b[?1$p", "\x1b[x", "\x1bc", "\x1bZ", "\x1bN", "\x1b#8",
        "\x1b%@", "\x00\x01\x7f\x85", "\u202e\u2066\u200f", "\U000e0041", "\x1b[1;2y", "\x1b[1'w",
    ],
)  # fmt: skip
def test_what_acts_on_the_terminal_does_not_and_what_follows_it_is_seen(acts: str) -> None:
    assert passed(f"a{acts}b") == "ab"


def test_a_string_without_an_end_is_swallowed_until_it_is_cancelled_and_a_sequence_has_a_bound() -> None:
    assert passed("\x1b]52;c;" + "x" * 100_000 + "\x18after") == "after"
    assert passed("\x1b[" + "1;" * LONGEST_SEQUENCE + "mtext").endswith("text")
    # ESC within a string ends nothing but with its backslash; a new sequence begins anew
    assert passed("\x1b]0;a\x1bb\x1b\\c\x1b[\x1b[31md") == "c\x1b[31md"
    # a control within a sequence is carried out, a cancelled one is gone
    assert passed("\x1b[3\r1m\x1b[3\x18x") == "\r\x1b[31mx"


_PIECES = st.sampled_from(
    [b"\x1b", b"[", b"]", b"52;c;", b"\x07", b"\\", b"P", b"?", b"1", b"t", b"m", b"\xc2\x9b", b"\xff", b"x", b" ", b"q", b"\x18", "漢".encode(), b"$", b"p"]
)  # fmt: skip
_ALLOWED = re.compile(
    r"\x1b(?:[78DEHM=>]|[()*+][ -~]|\[(?:[0-9:;]*[A-Z@`a-z]|\?[0-9:;]*[hlJKnrs]|>[0-9:;]*c|[0-9:;]* q|!p))|[^\x1b\x00-\x06\x10-\x1f\x7f-\x9f]"
)


@given(st.lists(_PIECES | st.binary(max_size=6), max_size=60))
def test_whatever_comes_in_whatever_pieces_only_what_draws_is_left(pieces: list[bytes]) -> None:
    screen = HostScreen()
    out = "".join(screen.feed(piece) for piece in pieces)
    assert out == passed(b"".join(pieces))
    assert not _ALLOWED.sub("", out), repr(out)


def test_a_tilde_and_a_dot_at_the_start_of_a_line_leave_and_nowhere_else() -> None:
    def typed(*pieces: bytes) -> tuple[bytes, bool]:
        start, out = LineStart(), b""
        for piece in pieces:
            data, leaves = start.take(piece)
            out += data
            if leaves:
                return out, True
        return out, False

    assert typed(b"~.") == (b"", True)
    assert typed(b"ls\r", b"~", b".") == (b"ls\r", True)
    assert typed(b"cd ~.\r") == (b"cd ~.\r", False)
    assert typed(b"~~.\r~x") == (b"~.\r~x", False)
