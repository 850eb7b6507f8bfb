"""Commands on authorities that sign host keys: show them; pin one."""

from __future__ import annotations

from pathlib import Path

from guardian_tui.ordinary.part import CommandPart
from guardian_tui.protocol.trust import Authority, PinAuthority
from guardian_tui.text import counted, safe
from screens.authorities import AuthoritiesScreen
from screens.dialogs import ConfirmDialog

KEY_CHARACTERS = 8192


class TrustCommands(CommandPart):
    """Authorities."""

    def command_authorities(self, arguments: tuple[str, ...]) -> None:
        """`:authorities`, or `:authorities PATTERN FILE.pub` to pin one."""
        if not arguments:
            if not isinstance(self._app.screen, AuthoritiesScreen):
                self._app.push_screen(AuthoritiesScreen())
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
            f"{authority.fingerprint} is pinned for {authority.pattern}; it covers {counted(len(authority.hosts), 'host')}."
        )
        if isinstance(self._app.screen, AuthoritiesScreen):
            self._app.screen.read()
