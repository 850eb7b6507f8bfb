"""SSH connections: one per host, kept and shared, opened with a ramp, through jump hosts, to pinned keys only.

No credential is offered to a server whose key is not trusted: asyncssh asks :class:`~guardian_tui.engine.remote.offering.Guard` about the
key before it logs in, and the answer is no.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncssh

from guardian_tui.config import FleetSettings
from guardian_tui.engine.remote.algorithms import CIPHERS as CIPHERS
from guardian_tui.engine.remote.algorithms import accepted as accepted
from guardian_tui.engine.remote.connection import Completed as Completed
from guardian_tui.engine.remote.connection import Connection as Connection
from guardian_tui.engine.remote.credentials import Credentials, NeedsAnswer, Offer
from guardian_tui.engine.remote.failures import CERTIFICATE_SIGNS
from guardian_tui.engine.remote.failures import failed as failed
from guardian_tui.engine.remote.failures import words_of as words_of
from guardian_tui.engine.remote.login import log_in
from guardian_tui.engine.remote.offering import Guard, agent_of
from guardian_tui.engine.remote.pins import Pins, Trusted
from guardian_tui.engine.remote.questions import Questions
from guardian_tui.engine.remote.room import leave_room
from guardian_tui.engine.remote.target import ConnectFailed, Target
from guardian_tui.text import safe

log = logging.getLogger(__name__)
logging.getLogger("asyncssh").setLevel(logging.ERROR)

MOST_HOPS = 8
IDLE_SECONDS = 60.0
"""A connection for commands is closed when nobody has used it for so long."""


class Remote:
    """Opens connections and keeps them."""

    def __init__(
        self, settings: FleetSettings, pins: Pins, credentials: Credentials, questions: Questions
    ) -> None:
        self._settings = settings
        self._pins = pins
        self._credentials = credentials
        self._questions = questions
        self._open: dict[str, Connection] = {}
        self._opening: dict[str, asyncio.Task[Connection]] = {}
        self._ramp = asyncio.Semaphore(settings.connects_at_once)
        self._ramps: dict[str, asyncio.Semaphore] = {}
        self._users: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._open)

    @property
    def connecting(self) -> int:
        """Connections that are under way or wait for their turn."""
        return len(self._opening)

    async def connection(self, target: Target) -> Connection:
        """The host's connection, opened if there is none; shared by all who ask.

        Raises:
            ConnectFailed: why not, in a kind and in words.
        """
        known = self._open.get(target.key)
        if known is not None and not known.closed:
            return known
        task = self._opening.get(target.key)
        if task is None:
            task = asyncio.create_task(self._connect(target), name=f"connect {target.key}")
            self._opening[target.key] = task
            task.add_done_callback(lambda done: self._opened(target.key, done))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if task.cancelled() and not (current and current.cancelling()):
                raise ConnectFailed("closed", f"Connecting to {target.name} was given up.") from None
            raise

    @asynccontextmanager
    async def borrowed(self, target: Target) -> AsyncIterator[Connection]:
        """A host's connection for as long as it is used; one that is for commands alone is closed when nobody has used it for a while.

        Raises:
            ConnectFailed: why not.
        """
        self._users[target.key] = self._users.get(target.key, 0) + 1
        try:
            yield await self.connection(target)
        finally:
            self._users[target.key] -= 1
            if not self._users[target.key]:
                del self._users[target.key]
                if target.purpose != "probe":
                    asyncio.get_running_loop().call_later(
                        IDLE_SECONDS, self._close_idle, target.key, self._open.get(target.key)
                    )

    def _close_idle(self, key: str, connection: Connection | None) -> None:
        if key not in self._users and connection is not None and self._open.get(key) is connection:
            self.drop(key)

    def _opened(self, key: str, task: asyncio.Task[Connection]) -> None:
        wanted = self._opening.get(key) is task
        if wanted:
            del self._opening[key]
        # asked even if nobody waits any more, so that it is not reported as lost
        if task.cancelled() or task.exception() is not None:
            return
        if wanted:
            self._open[key] = task.result()
        else:
            # given up while it was on its last step
            task.result().close()

    def give_up(self, host_id: str) -> None:
        """Close a host's connections, and end the attempts to open one: the host is gone, or is reached another way now."""
        for key in (host_id, f"{host_id}/commands"):
            task = self._opening.pop(key, None)
            if task is not None:
                task.cancel()
            self.drop(key)
        self._ramps.pop(host_id, None)

    def drop(self, key: str) -> None:
        """Close a connection; those through it end with it."""
        connection = self._open.pop(key, None)
        if connection is not None:
            connection.close()

    async def close(self) -> None:
        """Close everything."""
        tasks = list(self._opening.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for key in list(self._open):
            self.drop(key)

    async def _connect(self, target: Target) -> Connection:
        parent = await self._through(target)
        if parent is None:
            async with self._ramp:
                return await self.open(target, None)
        ramp = self._ramps.setdefault(
            parent.target.host_id, asyncio.Semaphore(self._settings.connects_per_jump)
        )
        async with ramp:
            return await self.open(target, parent)

    async def _through(self, target: Target) -> Connection | None:
        if not target.jump:
            return None
        if len(target.jump) > MOST_HOPS:
            raise ConnectFailed(
                "loop", f"More than {MOST_HOPS} jump hosts stand before it; do they jump in a circle?"
            )
        hop = target.jump[-1]
        try:
            return await self.connection(hop)
        except ConnectFailed as error:
            at_fault = error.parent_id or hop.host_id
            raise ConnectFailed(
                "jump",
                f"{hop.name}, through which it is reached, can't be reached: {error.detail}",
                parent_id=at_fault,
            ) from error

    async def auth_methods(self, target: Target, parent: Connection | None) -> list[str]:
        """Ways to log in that a server offers this user, for the doctor: one more connection, which offers nothing."""
        async with asyncio.timeout(self._settings.connect_timeout_seconds):
            methods = await asyncssh.get_server_auth_methods(
                target.address, target.port, target.user, config=None, tunnel=parent.ssh if parent else None
            )
        return [safe(method, 40) for method in methods]

    async def open(self, target: Target, parent: Connection | None) -> Connection:
        """Open a connection of its own (the doctor uses it too).

        Raises:
            ConnectFailed: why not.
        """
        trusted = self._pins.trusted(target.address, target.port)
        guard = Guard()
        # a server that is not known yet must be asked for its key before anything of ours is looked for
        offer = Offer()
        if trusted.keys or trusted.authorities:
            try:
                offer = await self._credentials.for_target(target)
            except NeedsAnswer as needed:
                self._questions.about_secret(target, needed.kind, needed.words)
                raise ConnectFailed(
                    "no_credential", f"{needed.words} Answer the question on the fleet screen."
                ) from needed
        try:
            leave_room(files=0 if parent else 1)
            async with asyncio.timeout(self._settings.connect_timeout_seconds), agent_of(offer) as keys:
                conn = await log_in(guard, target, trusted, offer, keys, parent)
        except ConnectFailed:
            raise
        except asyncssh.HostKeyNotVerifiable as error:
            raise self._key_refused(target, guard, trusted, error) from error
        except asyncssh.PermissionDenied as error:
            if offer.given:
                # typed wrong, perhaps: to try it again and again would lock the account
                self._credentials.refused(target.host_id)
            raise failed(target, error, offer, self._settings.connect_timeout_seconds) from error
        except (asyncssh.ConnectionLost, ConnectionResetError, BrokenPipeError) as error:
            if guard.greeted:
                raise failed(target, error, offer, self._settings.connect_timeout_seconds) from error
            raise ConnectFailed(
                "closed",
                f"It closed the connection on port {target.port} without a word of SSH:"
                " another service, or an sshd that is full or denies us.",
            ) from error
        except TimeoutError as error:
            if offer.signing:
                raise ConnectFailed(
                    "no_credential",
                    "The ssh-agent did not sign in time: does it wait for a touch or a confirmation?",
                ) from error
            raise failed(target, error, offer, self._settings.connect_timeout_seconds) from error
        except Exception as error:
            raise failed(target, error, offer, self._settings.connect_timeout_seconds) from error
        self._questions.withdraw(target.host_id)
        return Connection(target, conn, parent)

    def _key_refused(self, target: Target, guard: Guard, trusted: Trusted, error: Exception) -> ConnectFailed:
        if guard.seen is None:
            for sign, words in CERTIFICATE_SIGNS:
                if sign in str(error):
                    return ConnectFailed("certificate", words.format(address=target.address))
            return ConnectFailed(
                "key_revoked", f"Its key is revoked, or its certificate does not hold: {words_of(error)}."
            )
        print_ = guard.seen.get_fingerprint()
        self._questions.about_key(target, guard.seen, trusted.keys)
        if trusted.keys:
            return ConnectFailed(
                "key_changed", f"Its key changed to {print_}; pinned is {trusted.keys[0].get_fingerprint()}."
            )
        return ConnectFailed(
            "key_unknown", f"Its key is not accepted yet; K compares and accepts it ({print_})."
        )
