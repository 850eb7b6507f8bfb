"""Why a connection failed: an error of asyncssh or the system, as a kind and as words that a person can act on."""

from __future__ import annotations

import errno
import logging
import re
import socket
from collections.abc import Callable

import asyncssh

from guardian_tui.engine.remote.credentials import Offer
from guardian_tui.engine.remote.kexinit import listed
from guardian_tui.engine.remote.target import ConnectFailed, Target
from guardian_tui.text import safe

log = logging.getLogger(__name__)

OUR_OWN = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EADDRNOTAVAIL})
"""What the kernel tells when it is we who have too much open."""

CERTIFICATE_SIGNS = (
    ("Certificate expired", "The certificate of its host key has expired."),
    ("not yet valid", "The certificate of its host key is not valid yet: its clock or ours is wrong, or it was made for later."),
    ("principal mismatch", "The certificate of its host key is not for {address}: the names in it are others."),
    ("Host CA key is not trusted", "The certificate of its host key was signed by an authority that is not pinned."),
)  # fmt: skip
"""What asyncssh says of a certificate that does not hold, and our words."""

_SIGNS: tuple[tuple[Callable[[BaseException], bool], str, str], ...] = (
    (lambda e: isinstance(e, TimeoutError), "timeout", "It did not answer within {seconds:.0f} s: a firewall, a dead host, or one that accepts and says nothing."),
    (lambda e: isinstance(e, OSError) and e.errno in OUR_OWN, "engine", "The engine itself could not connect: {words}. See its limits (ulimit -n)."),
    (lambda e: isinstance(e, socket.gaierror | UnicodeError), "dns", "Its name {address} can't be resolved. Check the address or the resolver."),
    (lambda e: isinstance(e, ConnectionRefusedError), "refused", "It refuses connections on port {port}: is sshd running there?"),
    (lambda e: isinstance(e, asyncssh.PermissionDenied), "auth", "It refused {user}: tried {tried}. Check the user name and its authorized_keys."),
    (lambda e: isinstance(e, asyncssh.KeyExchangeFailed), "algorithms", "No algorithm in common: {lists}."),
    (lambda e: "authentication failures" in str(e), "too_many_keys", "It ended the login: more was offered than it allows ({tried})."),
    (lambda e: isinstance(e, asyncssh.ProtocolError | asyncssh.ProtocolNotSupported), "not_ssh", "What answers on port {port} does not speak SSH: {words}."),
    (lambda e: isinstance(e, asyncssh.ChannelOpenError), "refused", "The jump host could not open a way to it: {words}."),
    (lambda e: isinstance(e, asyncssh.ConnectionLost | ConnectionResetError | BrokenPipeError), "closed", "It closed the connection before the login was done: {words}."),
    (lambda e: isinstance(e, OSError), "no_route", "It can't be reached: {words}."),
    (lambda e: isinstance(e, asyncssh.Error), "closed", "The connection failed: {words}."),
)  # fmt: skip


def failed(target: Target, error: BaseException, offer: Offer, seconds: float) -> ConnectFailed:
    """Why a connection failed, in a kind and in words a person can act on."""
    for matches, kind, words in _SIGNS:
        if matches(error):
            told = words.format(
                address=target.address, port=target.port, user=target.user, words=words_of(error), seconds=seconds, lists=_lists_of(error),
                tried=", ".join(offer.tried) or "nothing, for there is nothing to offer",
            )  # fmt: skip
            return ConnectFailed(kind, told)  # type: ignore[arg-type]  # one of its literals, by the table above
    # nothing that a host can bring about: a fault of ours, and no verdict on the host
    log.error("connecting failed in a way that is not foreseen", exc_info=error)
    return ConnectFailed("engine", f"The engine could not connect: {type(error).__name__}.")


_NO_MATCH = re.compile(r"No matching (.+?) algorithm found, sent (\S+) and received (\S+)")


def _lists_of(error: BaseException) -> str:
    """Both sides' algorithms, from what asyncssh says of them."""
    found = _NO_MATCH.search(str(error))
    if found is None:
        return words_of(error)
    kind, ours, theirs = found.groups()
    return f"for {kind} it offers {listed(theirs.split(','))}; we accept {listed(ours.split(','))}"


def words_of(error: BaseException) -> str:
    """An error's own words, made harmless."""
    text = (
        getattr(error, "reason", "") or getattr(error, "strerror", "") or str(error) or type(error).__name__
    )
    return safe(str(text).rstrip("."), 200)
