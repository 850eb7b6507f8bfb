"""What a console remembers of its person from one start to the next."""

from __future__ import annotations

import contextlib
from collections.abc import Collection

from guardian_tui.config import Paths

_THEME = "theme"


def remembered_theme(paths: Paths, known: Collection[str]) -> str:
    """The name of the theme that was chosen last; empty if none was, or it is there no more."""
    try:
        name = (paths.state / _THEME).read_text(encoding="utf-8")[:64].strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return name if name in known else ""


def remember_theme(paths: Paths, name: str) -> None:
    """Begin with this theme the next time; where nothing can be written, nothing is remembered."""
    if paths.state.is_dir():
        with contextlib.suppress(OSError):
            (paths.state / _THEME).write_text(name, encoding="utf-8")
