"""Rows ``V path:value``: files of /sys with what is in them, as grep writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from guardian_tui.engine.fleet.sections.raw import Raw


def values_of(raw: Raw, names: re.Pattern[str]) -> Iterator[tuple[str, str, str]]:
    """Folder, file and a line of it.

    Args:
        raw: the section.
        names: what a file may be called; folders may hold colons, and so may values.
    """
    for row in raw.rows:
        if row[0] != "V" or len(row) < 2:
            continue
        line, place = row[1], row[1].find(":")
        while place >= 0:
            folder, _, name = line[:place].rpartition("/")
            if names.fullmatch(name):
                yield folder, name, line[place + 1 :]
                break
            place = line.find(":", place + 1)
        else:
            raw.problem(f"not understood: {line[:60]}")
