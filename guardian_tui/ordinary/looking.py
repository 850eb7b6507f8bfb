"""Commands on the screen itself: palette, help, theme, pause, and the check of the audit log."""

from __future__ import annotations

import time

from guardian_tui.commands import GLOBAL, shown_key
from guardian_tui.ordinary.part import CommandPart
from guardian_tui.protocol.audit import AuditVerdict
from guardian_tui.remembered import remember_theme
from screens.reports import ReportDialog
from widgets.painting import STATE_GLYPHS

SIGNS: tuple[tuple[str, str], ...] = (
    ("signs", "strong"),
    ("  ".join(f"{glyph} {state}" for state, (glyph, _) in STATE_GLYPHS.items()), ""),
    (
        f"{'':<8} States of hosts. ✖ and ▲ beside an alert, a figure or a line of a log: critical, warning.",
        "muted",
    ),
    ("⚑ 9 2!   ▶ 3 1?", ""),
    (
        f"{'':<8} In the top line: 9 alerts fire, 2 of them critical; 3 runbooks run, 1 waits for an approval.",
        "muted",
    ),
    ("@  z  ✓", ""),
    (f"{'':<8} Behind an alert: somebody has it, it is silenced, it is over.", "muted"),
    ("↑ ↓ or k j, page up, page down, home, end", ""),
    (
        f"{'':<8} Move the cursor of a list. A click puts it there, two clicks open; + stands before what is marked.",
        "muted",
    ),
)


class LookingCommands(CommandPart):
    """How the picture is looked at."""

    def command_palette(self, arguments: tuple[str, ...]) -> None:
        """`^p`."""
        self._app.action_command_palette()

    def command_help(self, arguments: tuple[str, ...]) -> None:
        """`?`: from the registry."""
        contexts = getattr(self._app.screen, "contexts", ("",))
        lines: list[tuple[str, str]] = []
        for title, here in ((f"on this screen ({contexts[0]})", True), ("everywhere", False)):
            lines.append((title, "strong"))
            for command in self._app.offered(contexts):
                if (GLOBAL not in command.where) == here:
                    keys = " ".join(shown_key(key) for key in command.keys)
                    words = f":{command.words[0]} {command.arguments}".strip() if command.words else ""
                    lines.append((f"{keys:<8} {command.title}{'  ' + words if words else ''}", ""))
                    lines.append((f"{'':<8} {command.help}", "muted"))
            lines.append(("", ""))
        self._app.push_screen(ReportDialog("help", [*lines, *SIGNS]))

    def command_notices(self, arguments: tuple[str, ...]) -> None:
        """`:notices`."""
        lines: list[tuple[str, str]] = []
        for at, severity, title, words in reversed(self._app.said):
            grave = {"error": "error", "warning": "strong"}.get(severity, "")
            lines.append((f"{time.strftime('%H:%M:%S', time.localtime(at))}  {title or words}", grave))
            if title:
                lines.append((f"{'':<10}{words}", "muted"))
        self._app.push_screen(
            ReportDialog("notices", lines or [("Nothing was said since the start.", "muted")])
        )

    def command_theme(self, arguments: tuple[str, ...]) -> None:
        """`:theme [NAME]`."""
        app = self._app
        if arguments and arguments[0] not in app.themes.themes:
            app.say(
                f"There is no theme {arguments[0]}; there are {', '.join(app.themes.themes)}.",
                severity="error",
            )
            return
        app.theme = arguments[0] if arguments else app.themes.after(app.theme)
        remember_theme(app.paths, app.theme)
        app.say(f"{app.theme}; the next start begins with it.")

    def command_pause(self, arguments: tuple[str, ...]) -> None:
        """`P`."""
        self._app.picture.toggle_pause()

    def command_draw_slower(self, arguments: tuple[str, ...]) -> None:
        """`>`."""
        self._say_pace(self._app.picture.step(1))

    def command_draw_faster(self, arguments: tuple[str, ...]) -> None:
        """`<`."""
        self._say_pace(self._app.picture.step(-1))

    def _say_pace(self, seconds: float) -> None:
        self._app.say(
            f"The picture is drawn every {seconds:.0f} s."
            if seconds
            else "The picture is drawn as news come."
        )

    def command_audit_verify(self, arguments: tuple[str, ...]) -> None:
        """`V` on the fleet screen."""
        self.verify_audit()

    def verify_audit(self) -> None:
        """Check the whole chain."""
        self._app.say("Checking every event…")

        def done(verdict: AuditVerdict) -> None:
            self._app.say(
                verdict.words,
                severity="information" if verdict.ok else "error",
                title="the chain holds" if verdict.ok else "THE CHAIN IS BROKEN",
            )

        self._app.order("audit.verify", AuditVerdict, None, done)
