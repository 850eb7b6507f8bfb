"""A theme's colours on a terminal that has 256 of its own, as most do over SSH."""

from __future__ import annotations

_GREYISH = 40
"""A colour whose channels differ by no more is nearly grey."""
_WHITE_FROM = 247.0


def in_256(colour: str) -> str:
    """The grey of the terminal that comes nearest to what is nearly grey; other colours as they are.

    A terminal's driver takes the nearest by distance alone: a cursor of dark slate would become navy, a thin line of slate teal.
    """
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    if max(red, green, blue) - min(red, green, blue) > _GREYISH:
        return colour
    light = (red * 299 + green * 587 + blue * 114) / 1000
    if light >= _WHITE_FROM:
        return "#ffffff"
    place = max(1, min(24, round((light - 8) / 10) + 1))
    # rich, which picks the number in the end, goes by lightness in steps of a 25th
    grey = round(255 * place / 25)
    return f"#{grey:02x}{grey:02x}{grey:02x}"
