"""Commands on authorities that sign host keys: which are pinned and whom they cover; pin one."""

from __future__ import annotations

from pathlib import Path

from guardian_tui.ordinary.part import CommandPart
from guardian_tui.protocol.trust import Authority, AuthorityList, PinAuthority
from guardian_tui.text import safe
from screens.dialogs import ConfirmDialog
from screens.reports import ReportDialog

KEY_CHARACTERS = 8192
MOST_SHOWN = 20


class TrustCommands(CommandPart):
    """Authorities."""

    def command_authorities(self, arguments: tuple[str, ...]) -> None:
        """`:authorities`, or `:authorities PATTERN FILE.pub` to pin one."""
        if not arguments:
            self._app.order("authorities.list", AuthorityList, None, self._show_authorities)
            return
        if len(arguments) != 2:
            self._app.say(
                "Write :authorities PATTERN FILE.pub, as in :authorities *.example.org ca.pub.",
                severity="warning",
            )
            return
        pattern, name = arguments
        try:
            key = (
                Path(name).expanduser().read_text(encoding="utf-8", errors="replace").strip()[:KEY_CHARACTERS]
            )
        except OSError as error:
            self._app.say(f"{name} can't be read: {error.strerror}.", severity="error")
            return
        lines = [
            f"Every host key of {safe(pattern, 200)} that this authority has signed is trusted, now and later:", "", safe(key, 120),
        ]  # fmt: skip

        def answered(yes: bool | None) -> None:
            if yes:
                order = PinAuthority(pattern=pattern, key=key)
                self._app.order("authorities.pin", Authority, order, self._pinned)

        self._app.push_screen(ConfirmDialog("trust an authority", lines, typed=pattern), answered)

    def _pinned(self, authority: Authority) -> None:
        self._app.say(
            f"{authority.fingerprint} is pinned for {authority.pattern}; it covers {len(authority.hosts)} hosts."
        )

    def _show_authorities(self, answer: AuthorityList) -> None:
        lines: list[tuple[str, str]] = []
        for one in answer.authorities:
            more = f" and {len(one.hosts) - MOST_SHOWN} more" if len(one.hosts) > MOST_SHOWN else ""
            lines += [
                (safe(one.pattern, 300), "strong"), (f"  {one.algorithm} {one.fingerprint}, pinned by {safe(one.pinned_by, 64)}", "muted"),
                (f"  covers {len(one.hosts)} hosts: {safe(', '.join(one.hosts[:MOST_SHOWN]), 1000)}{more}", ""), ("", ""),
            ]  # fmt: skip
        if not lines:
            lines = [("No authority is pinned. :authorities PATTERN FILE.pub pins one.", "")]
        self._app.push_screen(ReportDialog("authorities that sign host keys", lines))
