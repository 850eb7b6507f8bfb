"""SSH connections: one per host, kept and shared, opened with a ramp, through jump hosts, to pinned keys only.

No credential is offered to a server whose key is not trusted: asyncssh asks :class:`_Guard` about the key before it logs in, and the answer is no.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncssh

from guardian_tui.config import FleetSettings
from guardian_tui.engine.remote.corked import CorkedTcp, say_no_more_than_needed
from guardian_tui.engine.remote.credentials import Credentials, NeedsAnswer, Offer
from guardian_tui.engine.remote.failures import CERTIFICATE_SIGNS
from guardian_tui.engine.remote.failures import failed as failed
from guardian_tui.engine.remote.failures import words_of as words_of
from guardian_tui.engine.remote.pins import Pins, Trusted
from guardian_tui.engine.remote.questions import Questions
from guardian_tui.engine.remote.target import ConnectFailed, Target
from guardian_tui.text import safe

log = logging.getLogger(__name__)
logging.getLogger("asyncssh").setLevel(logging.ERROR)

MOST_HOPS = 8
WINDOW_BYTES = 2 << 20
IDLE_SECONDS = 60.0
"""A connection for commands is closed when nobody has used it for so long."""

# modern only, what is cheapest first; the -14-sha1, ssh-rsa and hmac-sha1 that asyncssh still offers are left out
KEX = (
    "mlkem768x25519-sha256", "curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521", "diffie-hellman-group16-sha512", "diffie-hellman-group18-sha512", "diffie-hellman-group14-sha256",
)  # fmt: skip
CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
    "aes128-ctr",
)
MACS = ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512")
SIGNATURES = (
    "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "rsa-sha2-512", "rsa-sha2-256",
    "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
)  # fmt: skip


def accepted() -> dict[str, list[str]]:
    """What we accept, by kind, as :mod:`~guardian_tui.engine.remote.kexinit` names them."""
    signatures = _available(SIGNATURES, asyncssh.public_key.get_public_key_algs())
    return {
        "key exchange": _available(KEX, asyncssh.kex.get_kex_algs()), "host key": signatures,
        "cipher": _available(CIPHERS, asyncssh.encryption.get_encryption_algs()), "MAC": _available(MACS, asyncssh.mac.get_mac_algs()),
    }  # fmt: skip


def _available(wanted: Sequence[str], known: Sequence[bytes]) -> list[str]:
    names = {name.decode() for name in known}
    return [name for name in wanted if name in names]


class _Guard(asyncssh.SSHClient):
    """Sees the server's key; trusts none that is not pinned."""

    def __init__(self) -> None:
        self.seen: asyncssh.SSHKey | None = None
        self._conn: asyncssh.SSHClientConnection | None = None

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        """The TCP connection stands."""
        self._conn = conn
        say_no_more_than_needed(conn)

    @property
    def greeted(self) -> bool:
        """Whether the server said that it speaks SSH."""
        return self._conn is not None and bool(self._conn.get_extra_info("server_version"))

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Called for a key that is not among the trusted ones."""
        self.seen = key
        return False


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that has ended."""

    exit_status: int | None
    out: bytes
    err: bytes
    truncated: bool = False


class Connection:
    """An open connection to a host."""

    def __init__(self, target: Target, conn: asyncssh.SSHClientConnection, parent: Connection | None) -> None:
        self.target = target
        self.parent = parent
        self.ssh = conn
        self.fingerprint = _fingerprint(conn)

    @property
    def closed(self) -> bool:
        """Whether it is gone."""
        return self.ssh.is_closed()

    async def open_channel(
        self, session: asyncssh.SSHClientSession[bytes], command: str, window_bytes: int = WINDOW_BYTES
    ) -> asyncssh.SSHClientChannel[bytes]:
        """Start a command, whose bytes go to ``session``; the caller bounds it in time.

        No more than ``window_bytes`` of it are held while the session reads nothing.

        Raises:
            asyncssh.Error, OSError: it could not be started.
        """
        try:
            channel, _ = await self.ssh.create_session(
                lambda: session, command, encoding=None, window=window_bytes
            )
        except AttributeError as error:
            # asyncssh has forgotten the session of a channel that is closed while it is opened, and stumbles over that
            raise asyncssh.ChannelOpenError(
                asyncssh.OPEN_CONNECT_FAILED, "it was closed while it was opened"
            ) from error
        return channel

    async def run(
        self, command: str, *, timeout: float, limit_bytes: int = 1 << 20, stdin: bytes = b""
    ) -> Completed:
        """Run a command to its end.

        Args:
            command: for the host's shell; join argument lists with :func:`shlex.join`.
            timeout: seconds for all of it.
            limit_bytes: most output that is read; more ends the command.
            stdin: what it is fed.

        Raises:
            ConnectFailed: it did not end in time, or the connection was cut.
        """
        try:
            async with asyncio.timeout(timeout):
                session = _Gathering(limit_bytes)
                channel = await self.open_channel(session, command)
                try:
                    if stdin:
                        channel.write(stdin)
                    channel.write_eof()
                    await session.ended.wait()
                finally:
                    channel.abort()
        except TimeoutError as error:
            raise ConnectFailed("timeout", f"The command did not end in {timeout:.0f} s.") from error
        except (asyncssh.Error, OSError) as error:
            raise ConnectFailed("closed", f"The connection was cut: {words_of(error)}.") from error
        return Completed(session.status, bytes(session.out), bytes(session.err), session.truncated)

    def close(self) -> None:
        """Close it, now."""
        self.ssh.abort()


class _Gathering(asyncssh.SSHClientSession[bytes]):
    """Collects output up to a limit."""

    def __init__(self, limit: int) -> None:
        self.out = bytearray()
        self.err = bytearray()
        self.status: int | None = None
        self.truncated = False
        self.ended = asyncio.Event()
        self._limit = limit

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """Keep what fits."""
        kept = self.err if datatype else self.out
        room = self._limit - len(self.out) - len(self.err)
        kept += data[: max(0, room)]
        if len(data) > room:
            self.truncated = True
            self.ended.set()

    def exit_status_received(self, status: int) -> None:
        """The command's own word."""
        self.status = status

    def connection_lost(self, exc: Exception | None) -> None:
        """The channel is closed."""
        self.ended.set()


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
        guard = _Guard()
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
        options = _options(target, trusted, offer, parent)
        try:
            async with asyncio.timeout(self._settings.connect_timeout_seconds), _agent_of(offer) as keys:
                options["client_keys"] = [*keys, *offer.keys] or None
                conn, _client = await asyncssh.create_connection(
                    lambda: guard, target.address, target.port, **options
                )
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

    def _key_refused(
        self, target: Target, guard: _Guard, trusted: Trusted, error: Exception
    ) -> ConnectFailed:
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


@asynccontextmanager
async def _agent_of(offer: Offer) -> AsyncIterator[Sequence[asyncssh.SSHKeyPair]]:
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


def _options(
    target: Target, trusted: Trusted, offer: Offer, parent: Connection | None
) -> dict[str, Any]:  # Any: keyword arguments
    algorithms = _available(SIGNATURES, asyncssh.public_key.get_public_key_algs())
    preferred = [a for key in trusted.keys for a in _signatures_of(key) if a in algorithms]
    return {
        "config": None,
        "known_hosts": (list(trusted.keys), list(trusted.authorities), list(trusted.revoked)),
        "x509_trusted_certs": None,
        "username": target.user,
        "agent_path": None,
        "password": offer.password,
        "preferred_auth": "publickey,keyboard-interactive,password" if offer.password else "publickey",
        "gss_kex": False,
        "gss_auth": False,
        "compression_algs": ["none"],
        "kex_algs": _available(KEX, asyncssh.kex.get_kex_algs()),
        "encryption_algs": _available(CIPHERS, asyncssh.encryption.get_encryption_algs()),
        "mac_algs": _available(MACS, asyncssh.mac.get_mac_algs()),
        # the pinned kind first, so that a server with several keys shows the one we know
        "server_host_key_algs": _certificates(trusted)
        + preferred
        + [a for a in algorithms if a not in preferred],
        "tunnel": parent.ssh if parent else CorkedTcp(),
        "keepalive_interval": 0,
        "client_version": "Guardian",
    }


def _signatures_of(key: asyncssh.SSHKey) -> list[str]:
    return [algorithm.decode() for algorithm in key.sig_algorithms]


def _certificates(trusted: Trusted) -> list[str]:
    if not trusted.authorities:
        return []
    return _available(
        (
            "ssh-ed25519-cert-v01@openssh.com",
            "ecdsa-sha2-nistp256-cert-v01@openssh.com",
            "rsa-sha2-512-cert-v01@openssh.com",
        ),
        asyncssh.public_key.get_certificate_algs(),
    )


def _fingerprint(conn: asyncssh.SSHClientConnection) -> str:
    key = conn.get_server_host_key()
    return key.get_fingerprint() if key else ""
