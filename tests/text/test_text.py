"""Nothing of a host's bytes reaches a terminal, a file or a message but what can be seen and does nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_tui.text import LIMIT, MOST_MARKS, HostText, counted, json_safe, safe

anything = st.text(alphabet=st.characters(codec=None, categories=None), max_size=600)
HARMFUL = {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}


def harmless(text: str, allowed: str = "") -> bool:
    """Whether a terminal draws each character of it, and does nothing else."""
    return all(char in allowed or unicodedata.category(char) not in HARMFUL for char in text)


@given(anything)
def test_no_character_of_any_plane_gets_through_that_a_terminal_would_obey(text: str) -> None:
    shown = safe(text)
    assert harmless(shown)
    assert len(shown) <= LIMIT
    shown.encode()


@given(st.binary(max_size=600))
def test_bytes_of_any_kind_become_visible_text(data: bytes) -> None:
    assert harmless(safe(data))
    assert harmless(str(HostText.from_bytes(data)))


@given(anything, st.integers(1, 50))
def test_the_limit_holds_for_every_length(text: str, limit: int) -> None:
    shown = safe(text, limit)
    assert len(shown) <= limit
    assert len(text) <= limit or shown.endswith("…")


@given(anything)
def test_lines_and_tabs_stay_apart_where_they_are_asked_for(text: str) -> None:
    shown = safe(text, newlines=True)
    assert harmless(shown, allowed="\n")
    assert "\t" not in shown


@given(st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=LIMIT))
def test_plain_text_is_left_as_it_is(text: str) -> None:
    assert safe(text) == text


@given(anything)
def test_what_is_safe_stays_as_it_is(text: str) -> None:
    assert safe(safe(text)) == safe(text)


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b]52;c;aGk=\x07", "␛]52;c;aGk=␇"),
        ("\x1b[2J", "␛[2J"),
        ("\x9b31m", r"\x9b31m"),
        ("\x7f\x00", "␡␀"),
        ("a\nb\tc\rd", "a␊b␉c␍d"),
        ("ad\u202enimda", "ad‹U+202E›nimda"),
        ("pay\u200bpal", "pay‹U+200B›pal"),
        ("\U000e0041", "‹U+E0041›"),
        ("\ue000\ufe0f", "‹U+E000›‹U+FE0F›"),
        ("\ud800", "‹U+D800›"),
        ("a\u2028b", "a‹U+2028›b"),
        ("1\u00a0234", "1 234"),
        ("Grüße 漢字 ✓", "Grüße 漢字 ✓"),
        ("e\u0301", "e\u0301"),
        ("\u0301x", "‹U+0301›x"),
        ("\u1161", "‹U+1161›"),
    ],
)
def test_an_attack_is_seen_and_does_nothing(hostile: str, shown: str) -> None:
    assert safe(hostile) == shown


def test_bytes_that_are_no_utf8_are_shown_by_number() -> None:
    assert safe(b"caf\xe9") == r"caf\xe9"
    assert HostText.from_bytes(b"\xff").raw == r"\xff"


def test_a_flood_of_marks_does_not_cover_the_lines_above() -> None:
    shown = safe("a" + "\u0301" * 200 + "b")
    assert shown == "a" + "\u0301" * MOST_MARKS + "…b"
    assert safe("가" + "\u11a8" * 200).count("\u11a8") == MOST_MARKS


def test_a_flood_that_is_cut_says_so() -> None:
    assert safe("a" + "\u0301" * 5000).endswith("…")


def test_a_mark_at_the_start_of_a_line_does_not_sit_on_the_line_before() -> None:
    assert safe("a\n\u0301b", newlines=True) == "a\n‹U+0301›b"
    assert safe("a\tb", newlines=True) == "a    b"


def test_a_hundred_megabytes_for_one_line_are_not_decoded() -> None:
    assert safe(b"x" * (1 << 20), 10) == "x" * 9 + "…"
    assert safe("é".encode() * 100, 10) == "é" * 9 + "…"


def test_host_text_is_no_str_and_prints_safely() -> None:
    text = HostText("\x1b[31m")
    assert not isinstance(text, str)
    assert f"{text}" == "␛[31m"
    assert "\x1b" not in repr(text)


@given(st.dictionaries(anything, anything, max_size=3))
def test_json_for_terminals_means_the_same_and_holds_no_control(document: dict[str, str]) -> None:
    printed = json_safe(json.dumps(document, ensure_ascii=False, indent=1))
    assert json.loads(printed) == document
    for char in printed:
        assert char == "\n" or not 0x7F <= ord(char) <= 0x9F
        assert unicodedata.category(char) not in {"Cs", "Zl", "Zp"}
        assert char == "\n" or char.isascii() or unicodedata.bidirectional(char) not in BIDI


BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI", "BN"}


def test_json_for_terminals_takes_bytes_and_mends_what_is_no_utf8() -> None:
    assert json_safe(b'"\xc2\x9b\xff"') == '"\\u009b\ufffd"'
    assert json_safe('"\U000e0041\x1b"') == '"\\udb40\\udc41\\u001b"'


def test_the_terminal_pays_for_no_heavy_import() -> None:
    heavy = ("rich", "textual", "msgspec")
    code = f"import sys, guardian_tui.text; print([m for m in sys.modules if m.split('.')[0] in {heavy}])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert out.stdout.strip() == "[]"


def test_one_is_no_many() -> None:
    assert [counted(n, "file") for n in (0, 1, 2)] == ["0 files", "1 file", "2 files"]
    assert (
        counted(1, "host is", "hosts are") == "1 host is"
        and counted(2, "host is", "hosts are") == "2 hosts are"
    )
