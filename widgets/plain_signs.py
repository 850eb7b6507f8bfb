"""Signs for terminals that have no others: each character that can't be shown becomes one of ASCII that is as wide, and says much the same."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from rich.cells import cell_len

_SIGNS = dict(zip(
    "●▲✖◇◌◼■○◉◎◐✓✗⚑▶◆◷↻↶⏎›»…·–—−×≤≥▴▾←→↑↓⇧⌫“”━▌▐░▒▓▀▁▂▃▄▅▆▇█",
    "o^X/?##0@@0vx!>*t@<<>>..---x<>^v<>^v^<\"\"=>|:%%\"_.,-=+*#",
    strict=True,
))  # fmt: skip
"""Enter is ``<``; of a sparkline what is higher is darker."""
_BOXES = range(0x2500, 0x2580)
_BRAILLE = range(0x2800, 0x2900)
_DOTS = ((2, "."), (5, ":"), (8, "#"))
"""A cell of a chart by how many of its dots are set."""


def in_plain_signs(text: str, encoding: str) -> str:
    """A text in the characters of an encoding, as wide as it was."""
    return text if text.isascii() else "".join(_sign(char, encoding) for char in text)


@lru_cache(maxsize=4096)
def _sign(char: str, encoding: str) -> str:
    code = ord(char)
    try:
        char.encode(encoding)
    except UnicodeEncodeError:
        pass
    else:
        return char
    if (sign := _SIGNS.get(char)) is not None:
        return sign
    if code in _BOXES:
        name = unicodedata.name(char)
        both = "VERTICAL AND" in name or "ARC" in name or (" AND " in name and "DASH" not in name)
        return "+" if both else "|" if "VERTICAL" in name else "-"
    if code in _BRAILLE:
        count = (code - _BRAILLE.start).bit_count()
        return next(sign for most, sign in _DOTS if count <= most) if count else " "
    letters = unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode()
    return (letters or "?").ljust(cell_len(char), "?")[: cell_len(char)]
