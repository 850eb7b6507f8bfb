"""What calls a person to the screen: the bell, a notice on it, and one of their desktop, through whatever terminal they sit at."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from guardian_tui.protocol.alerts import Alert
from guardian_tui.text import safe

if TYPE_CHECKING:
    from guardian_tui.app import GuardianApp

Desktop = Literal["off", "osc9", "osc777"]

MOST_TOLD = 3
"""Of alerts that begin at once so many are told by name."""


def ring(app: GuardianApp, fired: tuple[Alert, ...]) -> None:
    """Tell of alerts that somebody should look at now."""
    if not fired:
        return
    if app.settings.ui.bell:
        app.bell()
    for alert in fired[:MOST_TOLD]:
        app.say(f"{alert.host or 'engine'}: {alert.why or alert.title}", severity="error", title=alert.title)
    more = f", and {len(fired) - 1} more" if len(fired) > 1 else ""
    first = fired[0]
    words = f"{first.title}, {first.host or 'engine'}{more}"
    app.write_raw(desktop_notice(app.settings.ui.desktop, words, os.environ))


def desktop_notice(kind: Desktop, words: str, environment: Mapping[str, str]) -> str:
    """The sequence that makes a terminal show a notice of the desktop; empty for none.

    Inside tmux it is wrapped, so that it goes on to the terminal outside (tmux wants ``allow-passthrough on``).
    """
    text = safe(words, 200)
    if kind == "off":
        return ""
    body = f"9;guardian: {text}" if kind == "osc9" else f"777;notify;guardian;{text.replace(';', ',')}"
    notice = f"\x1b]{body}\x07"
    return f"\x1bPtmux;{notice.replace(chr(27), chr(27) * 2)}\x1b\\" if environment.get("TMUX") else notice
