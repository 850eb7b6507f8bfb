"""What stands between a server and what we have: the guard of its key, and the agent's keys, which are there while they sign."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncssh

from guardian_tui.engine.remote.corked import say_no_more_than_needed
from guardian_tui.engine.remote.credentials import Offer
from guardian_tui.engine.remote.failures import words_of
from guardian_tui.engine.remote.shortcut import shorten
from guardian_tui.engine.remote.target import ConnectFailed
from guardian_tui.engine.remote.unlogged import keep_no_log


class Guard(asyncssh.SSHClient):
    """Sees the server's key; trusts none that is not pinned."""

    def __init__(self) -> None:
        self.seen: asyncssh.SSHKey | None = None
        self._conn: asyncssh.SSHClientConnection | None = None

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        """The TCP connection stands."""
        self._conn = conn
        say_no_more_than_needed(conn)
        shorten(conn)
        keep_no_log(conn)

    @property
    def greeted(self) -> bool:
        """Whether the server said that it speaks SSH."""
        return self._conn is not None and bool(self._conn.get_extra_info("server_version"))

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Called for a key that is not among the trusted ones."""
        self.seen = key
        return False


@asynccontextmanager
async def agent_of(offer: Offer) -> AsyncIterator[Sequence[asyncssh.SSHKeyPair]]:
    """The agent's keys, which sign while it is open.

    asyncssh asks an agent by itself only if it may also read the default key files, so its keys are handed over one by one.
    """
    if offer.agent is None:
        yield ()
        return
    try:
        agent = await asyncssh.connect_agent(offer.agent)
        keys = await agent.get_keys()
    except (OSError, ValueError, asyncssh.Error) as error:
        # it answered a moment ago; that it went says nothing of the host
        raise ConnectFailed(
            "no_credential", f"The ssh-agent does not answer any more: {words_of(error)}."
        ) from error
    sign = agent.sign

    async def noted(*request: Any) -> bytes:  # Any: as the agent's own
        offer.signing = True
        try:
            signature = await sign(*request)
        except Exception:
            offer.signing = False
            raise
        # not when it is cancelled: whoever gave up wants to know what for
        offer.signing = False
        return signature

    agent.sign = noted  # type: ignore[method-assign, assignment]  # its key pairs call it
    try:
        yield keys
    finally:
        agent.close()
