"""Logs in on a server, by options that asyncssh made once for all logins that are alike.

asyncssh makes its options anew for each connection, on a thread: it looks who we are, whether there are files of ours, and through a hundred names of
algorithms.  But for the address and what is offered they are the same for a whole fleet; so they are made once, and each login has a copy of its own.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Sequence
from copy import copy
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any

import asyncssh

from guardian_tui.engine.remote.algorithms import (
    CIPHERS,
    KEX,
    MACS,
    SIGNATURES,
    available,
    certificates,
)
from guardian_tui.engine.remote.connection import Connection
from guardian_tui.engine.remote.corked import CorkedTcp
from guardian_tui.engine.remote.credentials import Offer
from guardian_tui.engine.remote.offering import Guard
from guardian_tui.engine.remote.pins import Trusted
from guardian_tui.engine.remote.target import Target

MOST_ALIKE = 256

_of_options = attrgetter(
    "client_keys", "host", "known_hosts", "orig_host", "password", "port", "protocol_factory"
)
"""What we set of options that are made already; an asyncssh that keeps it otherwise makes them itself, each time."""
_of_making = ("self", "loop", "options", "acceptor", "error_handler", "wait")
"""What its connections are made of."""


async def log_in(
    guard: Guard, target: Target, trusted: Trusted, offer: Offer, keys: Sequence[asyncssh.SSHKeyPair], parent: Connection | None
) -> asyncssh.SSHClientConnection:  # fmt: skip
    """A connection that is logged in.

    Args:
        guard: asked about the server's key.
        target: where to, and as whom.
        trusted: what the server's key is held against.
        offer: what is offered, …
        keys: … after these of the agent.
        parent: what it goes through.

    Raises:
        asyncssh.Error, OSError: it is none.
    """
    alike, tunnel = alike_for(target, trusted, offer), parent.ssh if parent else CorkedTcp()
    own = own_of(guard, target, trusted, offer, keys)
    if _is_as_we_know_it():
        options = copy(alike)
        options.__dict__.update(own)
        return await _open(options, tunnel)
    given = {name: own[name] for name in ("client_keys", "host", "known_hosts", "password", "port")}
    conn, _ = await asyncssh.create_connection(lambda: guard, options=alike, tunnel=tunnel, **given)
    return conn


async def _open(
    options: Any, tunnel: Any
) -> asyncssh.SSHClientConnection:  # Any: with what their making sets; what opens a TCP connection
    """What asyncssh does once the options are made."""
    loop = asyncio.get_running_loop()
    ready = options.waiter = loop.create_future()
    try:
        _, conn = await tunnel.create_connection(
            lambda: asyncssh.SSHClientConnection(loop, options, wait="auth"), options.host, options.port
        )
    except BaseException:
        ready.cancel()
        raise
    try:
        await ready
    except BaseException:
        conn.abort()
        await conn.wait_closed()
        raise
    made: asyncssh.SSHClientConnection = conn
    return made


def own_of(
    guard: Guard, target: Target, trusted: Trusted, offer: Offer, keys: Sequence[asyncssh.SSHKeyPair]
) -> dict[str, Any]:  # Any: options
    """What a login has for itself."""
    return {
        "host": target.address, "orig_host": target.address, "port": target.port, "password": offer.password,
        "client_keys": asyncssh.load_keypairs([*keys, *offer.keys]) or None, "protocol_factory": lambda: guard,
        "known_hosts": (list(trusted.keys), list(trusted.authorities), list(trusted.revoked)),
    }  # fmt: skip


def alike_for(target: Target, trusted: Trusted, offer: Offer) -> asyncssh.SSHClientConnectionOptions:
    """What it has alike with others; no secret is in it."""
    pinned = tuple(algorithm for key in trusted.keys for algorithm in key.sig_algorithms)
    return _alike(target.user, pinned, bool(trusted.authorities), bool(offer.password))


@cache
def _is_as_we_know_it() -> bool:
    """Whether this asyncssh has all that we use of what it keeps to itself."""
    try:
        _of_options(_alike("-", (), False, False))
    except AttributeError:
        return False
    return tuple(inspect.signature(asyncssh.SSHClientConnection.__init__).parameters) == _of_making


@lru_cache(maxsize=MOST_ALIKE)
def _alike(
    user: str, pinned: tuple[bytes, ...], certified: bool, by_password: bool
) -> asyncssh.SSHClientConnectionOptions:
    return asyncssh.SSHClientConnectionOptions(
        config=None, known_hosts=None, x509_trusted_certs=None, username=user, agent_path=None, client_keys=None,
        preferred_auth="publickey,keyboard-interactive,password" if by_password else "publickey",
        gss_host=None, gss_kex=False, gss_auth=False, compression_algs=["none"],
        kex_algs=available(KEX, asyncssh.kex.get_kex_algs()),
        encryption_algs=available(CIPHERS, asyncssh.encryption.get_encryption_algs()),
        mac_algs=available(MACS, asyncssh.mac.get_mac_algs()),
        server_host_key_algs=_signatures(pinned, certified), keepalive_interval=0, client_version="Guardian",
    )  # fmt: skip


def _signatures(pinned: Sequence[bytes], certified: bool) -> list[str]:
    """The pinned kind first, so that a server with several keys shows the one we know."""
    algorithms = available(SIGNATURES, asyncssh.public_key.get_public_key_algs())
    preferred = [name for name in map(bytes.decode, pinned) if name in algorithms]
    rest = [name for name in algorithms if name not in preferred]
    return [*(certificates() if certified else ()), *preferred, *rest]
