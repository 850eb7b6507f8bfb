"""Authorities that sign host keys: whom each covers; pin one, trust one no longer."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult

from guardian_tui.protocol.base import Done
from guardian_tui.protocol.errors import GuardianError
from guardian_tui.protocol.trust import Authority, AuthorityList, AuthorityRef
from guardian_tui.text import counted, safe
from guardian_tui.world import Change
from screens.base import GuardianScreen
from screens.dialogs import ConfirmDialog, TextDialog
from screens.work import begin
from widgets.authorities_list import AuthoritiesList, AuthorityDetails
from widgets.live_list import LiveList
from widgets.state_line import StateLine

MOST_NAMED = 8


class AuthoritiesScreen(GuardianScreen):
    """Read when it is opened, and again whenever the audit log tells of something new."""

    CONTEXT: ClassVar[str] = "authorities"
    DEFAULT_CSS = """
    AuthoritiesScreen #state { height: 1; }
    AuthoritiesScreen #authorities { height: 1fr; }
    AuthoritiesScreen #details { height: 9; }
    """

    def content(self) -> ComposeResult:
        """What it means, the authorities, all of one."""
        yield StateLine(id="state")
        yield AuthoritiesList(id="authorities")
        yield AuthorityDetails("authority", id="details")

    @property
    def _list(self) -> AuthoritiesList:
        return self.query_one(AuthoritiesList)

    def on_mount(self) -> None:
        """Focus the list."""
        self._list.focus()

    def world_changed(self, change: Change) -> None:
        """Whatever is done to authorities is an event."""
        if change.audit:
            self.read()

    def tick(self, now: float) -> None:
        """Ages tick."""
        super().tick(now)
        self._list.tick(now)

    def read(self) -> None:
        """Read them again."""
        begin(self, self._read, exclusive=True, group="page")

    async def _read(self) -> None:
        try:
            answer = await self.console.client.call("authorities.list", AuthorityList)
        except GuardianError as error:
            # the banner speaks for an engine that is gone
            if error.status != 503:
                self.console.say_error(error)
            return
        self._list.show(answer.authorities, self.console.world.now())
        words = (
            "A host that shows a certificate of one of these is trusted without a question."
            if answer.authorities
            else "No authority is pinned: somebody accepts the key of each host."
        )
        self.query_one(StateLine).show([(words, "muted")], [])
        self._tell()

    def _tell(self) -> None:
        self.query_one(AuthorityDetails).tell(self._list.authority)

    def on_live_list_highlighted(self, event: LiveList.Highlighted) -> None:
        """Another one."""
        self._tell()

    def give_back_focus(self) -> None:
        """Back to the list."""
        self._list.focus()

    def command_back(self, arguments: tuple[str, ...]) -> None:
        """Back to where it was opened."""
        self.console.pop_screen()

    def command_authority_pin(self, arguments: tuple[str, ...]) -> None:
        """`n`: asks for what `:authorities` takes."""

        def entered(text: str | None) -> None:
            if text:
                self.console.command_authorities(tuple(text.split()))

        words = (
            "The hosts, as known_hosts names them, and the authority's public key, e.g. *.example.org ca.pub"
        )
        self.console.push_screen(TextDialog("pin an authority", words), entered)

    def command_authority_remove(self, arguments: tuple[str, ...]) -> None:
        """`del`: the pattern must be typed."""
        one = self._list.authority
        if one is None:
            self.console.say("Put the cursor on an authority first.", severity="warning")
            return

        def answered(yes: bool | None) -> None:
            if yes:
                order = AuthorityRef(pattern=one.pattern, fingerprint=one.fingerprint)
                self.console.order("authorities.remove", Done, order, gone)

        def gone(done: Done) -> None:
            self.console.say(f"{one.fingerprint} is trusted no longer for {one.pattern}.")
            self.read()

        self.console.push_screen(
            ConfirmDialog("trust an authority no longer", _warning(one), typed=one.pattern), answered
        )


def _warning(one: Authority) -> list[str]:
    """What removing it means, in words."""
    lines = [f"{safe(one.algorithm, 40)} {safe(one.fingerprint, 100)}", ""]
    if not one.hosts:
        return [*lines, "It covers no host that you see."]
    named = ", ".join(safe(name, 60) for name in one.hosts[:MOST_NAMED])
    more = f" and {len(one.hosts) - MOST_NAMED} more" if len(one.hosts) > MOST_NAMED else ""
    return [
        *lines,
        f"It covers {counted(len(one.hosts), 'host')}: {named}{more}.",
        "They are asked for a key at once. One whose own key isn't pinned waits until somebody accepts it: it isn't watched until then.",
    ]
