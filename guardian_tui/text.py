"""Host text is hostile: the one door from bytes of the outside to a terminal, a file or a message.

What comes from hosts, files and services is :class:`HostText` until :func:`safe` has made it harmless:
each control, escape, bidirectional or invisible character is replaced by a form that is seen and is inert.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

LIMIT = 400
"""Characters after which :func:`safe` cuts, unless told otherwise."""

MOST_MARKS = 4
"""Combining marks left on one base character; more is a flood meant to cover other lines."""

_DELETE = 0x7F
_PICTURES = 0x2400
# C0 → its Unicode control picture; DEL has its own
_TABLE = {code: chr(_PICTURES + code) for code in range(0x20)} | {_DELETE: "\u2421"}

# Cc: C1 controls; Cf: bidi, zero width, tags; Co, Cs, Cn: private, lone surrogates, unassigned; Zl, Zp: lines
_HIDDEN = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})
# invisible though of a printing category: Hangul fillers, Braille blank, combining grapheme joiner, Mongolian
# and Khmer selectors
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u180b\u180c\u180d\u180f\u17b4\u17b5")
# variation selectors: marks of no width that change how wide a terminal draws what stands before them
_SELECTORS = frozenset(map(chr, [*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]))
_HIDDEN_CHARS = _BLANK | _SELECTORS
# Hangul vowels and finals take no width of their own: a run of them is a flood as well
_JAMO = re.compile("[\u1161-\u11ff\ud7b0-\ud7ff]")

# one number: bounded, so that a name of a thousand digits costs nothing
_DIGITS = re.compile(r"([0-9]{1,18})")
_JSON_ESCAPED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e01ef]"
)


@dataclass(frozen=True, slots=True)
class HostText:
    """Text of the outside, not to be shown: it is no ``str``, so that it can't slip through by mistake."""

    raw: str

    @classmethod
    def from_bytes(cls, data: bytes) -> HostText:
        """Decode as UTF-8; bytes that are none become a backslash, ``x`` and two hex digits."""
        return cls(data.decode("utf-8", "backslashreplace"))

    def __str__(self) -> str:
        return safe(self)


def safe(text: str | HostText | bytes, limit: int = LIMIT, *, newlines: bool = False) -> str:
    """Harmless, visible text of at most ``limit`` characters.

    Args:
        text: text of the outside.
        limit: most characters of the answer, at least 1; what is cut ends with ``…``.
        newlines: keep line feeds and turn tabs to spaces (for text shown on several lines).
    """
    if isinstance(text, bytes):
        # a character is at most four bytes: no need to decode 100 MB for one line
        text = text[: 4 * limit + 4].decode("utf-8", "backslashreplace")
    raw = text.raw if isinstance(text, HostText) else text
    cut = len(raw) > limit
    if cut:
        raw = raw[:limit]
    if not (raw.isascii() and raw.isprintable()):
        raw = "".join(_visible(raw, newlines))
    if cut or len(raw) > limit:
        return raw[: limit - 1] + "…"
    return raw


def _visible(raw: str, newlines: bool) -> list[str]:
    out: list[str] = []
    # marks on the current base; with none before it a mark would sit on what stands before us on the screen
    marks, base = 0, False
    for char in raw:
        code = ord(char)
        if newlines and char in "\n\t":
            out.append("\n" if char == "\n" else "    ")
            base = False
            continue
        if code in _TABLE:
            out.append(_TABLE[code])
            marks, base = 0, True
            continue
        category = unicodedata.category(char)
        if category in _HIDDEN or char in _HIDDEN_CHARS:
            out.append(_named(code))
            marks, base = 0, True
        elif category in ("Mn", "Me") or _JAMO.match(char):
            if not base:
                out.append(_named(code))
                marks, base = 0, True
                continue
            marks += 1
            if marks <= MOST_MARKS:
                out.append(char)
            elif marks == MOST_MARKS + 1:
                out.append("…")
        else:
            out.append(" " if category == "Zs" else char)
            marks, base = 0, True
    return out


def _named(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"‹U+{code:04X}›"


@lru_cache(maxsize=16384)
def in_order(name: str) -> tuple[str | int, ...]:
    """What names are sorted by, as people count: ``web-2`` stands before ``web-10``."""
    return tuple(int(part) if place % 2 else part for place, part in enumerate(_DIGITS.split(name.lower())))


def counted(count: int, one: str, many: str = "") -> str:
    """A number and what it is of: ``1 process``, ``2 processes``."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def json_safe(document: bytes | str) -> str:
    """JSON text with C1, DEL, bidi and invisible characters escaped: fit for a terminal or a log.

    Such characters stand only inside strings, where an escape by number means the same.  Line feeds and tabs
    between values stay.
    """
    text = document.decode("utf-8", "replace") if isinstance(document, bytes) else document
    return _JSON_ESCAPED.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
