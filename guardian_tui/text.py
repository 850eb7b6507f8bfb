"""Host text is hostile: the one door from bytes of the outside to a terminal, a file or a message.

What comes from hosts, files and services is :class:`HostText` until :func:`safe` has made it harmless: every control
character, escape, bidirectional or invisible character is replaced by a form that can be seen and does nothing.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

LIMIT = 400
"""Characters after which :func:`safe` cuts, unless told otherwise."""

MOST_MARKS = 4
"""Combining marks left on one base character; more is a flood meant to cover other lines."""

_DELETE = 0x7F
_PICTURES = 0x2400
# C0 → its Unicode control picture; DEL has its own
_TABLE = {code: chr(_PICTURES + code) for code in range(0x20)} | {_DELETE: "\u2421"}

# Cc: C1 controls; Cf: bidi, zero width, tags; Co, Cs, Cn: private, lone surrogates, unassigned; Zl, Zp: line separators
_HIDDEN = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})
# invisible though of a printing category: Hangul fillers, Braille blank, combining grapheme joiner, Mongolian and Khmer selectors
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u180b\u180c\u180d\u180f\u17b4\u17b5")
_JSON_ESCAPED = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]")


@dataclass(frozen=True, slots=True)
class HostText:
    """Text of the outside, not to be shown: it is no ``str``, so that it can't slip through by mistake."""

    raw: str

    @classmethod
    def from_bytes(cls, data: bytes) -> HostText:
        """Decode as UTF-8; bytes that are none become ``\\xNN``."""
        return cls(data.decode("utf-8", "backslashreplace"))

    def __str__(self) -> str:
        return safe(self)


def safe(text: str | HostText | bytes, limit: int = LIMIT, *, newlines: bool = False) -> str:
    """Harmless, visible text of at most ``limit`` characters.

    Args:
        text: text of the outside.
        limit: most characters of the answer; what is cut ends with ``…``.
        newlines: keep line feeds and turn tabs to spaces (for text shown on several lines).
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    raw = text.raw if isinstance(text, HostText) else text
    if len(raw) > limit:
        raw = raw[: limit + 1]
    if not (raw.isascii() and raw.isprintable()):
        raw = "".join(_visible(raw, newlines))
    if len(raw) > limit:
        return raw[: max(0, limit - 1)] + "…"
    return raw


def _visible(raw: str, newlines: bool) -> list[str]:
    out: list[str] = []
    marks = 0
    for char in raw:
        code = ord(char)
        if code in _TABLE:
            out.append({"\n": "\n", "\t": "    "}.get(char, _TABLE[code]) if newlines else _TABLE[code])
            marks = 0
            continue
        category = unicodedata.category(char)
        if category in _HIDDEN or char in _BLANK:
            out.append(f"\\x{code:02x}" if code < 0x100 else f"‹U+{code:04X}›")
            marks = 0
        elif category in ("Mn", "Me"):
            marks += 1
            # at the very start there is nothing to combine with but what stands before us on the screen
            if marks <= MOST_MARKS and out:
                out.append(char)
        elif category == "Zs" and char != " ":
            out.append(" ")
            marks = 0
        else:
            out.append(char)
            marks = 0
    return out


def json_safe(document: bytes | str) -> str:
    """JSON text with C1, DEL, bidi and invisible characters escaped, so that it can be printed to a terminal or a log.

    Such characters stand only inside strings, where ``\\uXXXX`` means the same.  JSON encoders escape C0 themselves.
    """
    text = document.decode("utf-8", "backslashreplace") if isinstance(document, bytes) else document
    return _JSON_ESCAPED.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
