"""The short way for what nearly all packets are: a request to a probe, or its answer, under AES-GCM.

asyncssh takes every packet through queues, logs and dispatch that these have no use for; that was more than half of what a poll cost us.  So they are
sealed and opened here, with the keys and counters that asyncssh keeps, which stay its own: whatever is not wholly as expected (another cipher, a part of
a packet, a window that is too small, a new key that is due, anything but data of an open channel) goes its way, untouched.
"""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Callable
from functools import cache, partial
from operator import attrgetter
from typing import Any, Final

import asyncssh
from asyncssh.encryption import GCMEncryption
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from guardian_tui.engine.remote.corked import CorkedTransport

_IGNORE: Final = 2
_CHANNEL_DATA: Final = 94
"""RFC 4253, 12, and RFC 4254, 9."""
_TAG_BYTES: Final = 16
_BLOCK_BYTES: Final = 16
_LEAST_PADDING: Final = 4
_HEAD = struct.Struct(">BBII")
"""Length of the padding, kind, channel, length of the data."""
_LENGTH = struct.Struct(">I")

_of_connection = attrgetter(
    "_auth_complete", "_channels", "_compressor", "_decompressor", "_inpbuf", "_kex_complete", "_max_recv_pktlen", "_recv_encryption",
    "_recv_handler", "_recv_pkthdr", "_recv_seq", "_rekey_bytes", "_rekey_bytes_sent", "_rekey_seconds", "_rekey_time", "_send_encryption",
    "_send_seq", "_transport",
)  # fmt: skip
"""What we use of a connection; an asyncssh that has not all of it takes all packets itself."""
_of_channel = attrgetter(
    "_accept_data", "_conn", "_encoding", "_recv_state", "_recv_window", "_send_buf", "_send_chan", "_send_pktsize", "_send_state", "_send_window"
)  # fmt: skip


def _kept(cipher: Any) -> AESGCM:  # Any: as below
    """What seals and opens with a key: asyncssh makes one anew for each packet."""
    try:
        kept: AESGCM = cipher.kept
    except AttributeError:
        kept = cipher.kept = AESGCM(cipher._key)
    return kept


def _has(whole: Any, of: Callable[[Any], object]) -> bool:  # Any: asyncssh's, with what it keeps to itself
    try:
        of(whole)
    except AttributeError:
        return False
    return True


class Shortcut:
    """Receives for one of asyncssh's connections.

    Args:
        conn: asyncssh's.
    """

    __slots__ = ("_conn",)

    def __init__(self, conn: Any) -> None:  # Any: with what it keeps to itself
        self._conn = conn

    def data_received(self, data: bytes, datatype: int | None = None) -> None:
        """Whole packets of data go to their channels, all from the first other one on to asyncssh."""
        conn, at, end = self._conn, 0, len(data)
        # none of it is in the middle of something
        if not conn._inpbuf and conn._auth_complete and conn._recv_handler == conn._recv_pkthdr:
            try:
                while at < end and (taken := self._take(data, at, end)):
                    at += taken
                    if conn._transport is None:
                        # closed by whoever heard of it
                        return
            except Exception:
                conn.internal_error()
                return
        if at < end:
            type(conn).data_received(conn, data[at:] if at else data)

    def _take(self, data: bytes, at: int, end: int) -> int:
        """Take the packet that begins here; answers its bytes, 0 if it is asyncssh's."""
        conn, sealed = self._conn, at + _LENGTH.size
        encryption = conn._recv_encryption
        length = int.from_bytes(data[at:sealed], "big")
        after = sealed + length + _TAG_BYTES
        if (
            after > end
            or length > conn._max_recv_pktlen
            or type(encryption) is not GCMEncryption
            or conn._decompressor
        ):
            return 0
        cipher = encryption._cipher
        try:
            packet = _kept(cipher).decrypt(cipher._iv, data[sealed:after], data[at:sealed])
        except InvalidTag:
            # asyncssh finds out by itself, and knows what to say
            return 0
        if len(packet) < _HEAD.size:
            return 0
        kind = packet[1]
        if kind == _CHANNEL_DATA:
            padding, _, number, size = _HEAD.unpack_from(packet)
            channel, body = conn._channels.get(number), packet[_HEAD.size : -padding]
            if (
                channel is None or len(body) != size or channel._recv_state != "open" or size > channel._recv_window
                or channel._encoding is not None
            ):  # fmt: skip
                return 0
        elif kind != _IGNORE:
            return 0
        cipher._update_iv()
        conn._recv_seq = conn._recv_seq + 1 & 0xFFFFFFFF
        if kind == _CHANNEL_DATA:
            channel._accept_data(body)
        return after - at


def shorten(conn: Any) -> None:  # Any: as above
    """Have a connection receive the short way; before its transport learns who receives."""
    if _has(conn, _of_connection):
        conn.data_received = Shortcut(conn).data_received


@cache
def _for_channels() -> asyncssh.SSHClientConnectionOptions:
    return asyncssh.SSHClientConnectionOptions(
        config=None, known_hosts=None, client_keys=None, agent_path=None, username="-"
    )


def forget_beginning(conn: Any) -> None:  # Any: as above
    """Drop what an open connection was begun with and has no more use for, some 6 KB of each.

    That is what both sides said first of all (it was part of the hash that was signed, and a later exchange of keys says it anew), and the options of the
    login; what channels want of options is the same for all connections, as we set none of it.
    """
    if getattr(conn, "_kex_complete", False) and not conn._kex:
        conn._client_kexinit = conn._server_kexinit = b""
    if isinstance(getattr(conn, "_options", None), asyncssh.SSHClientConnectionOptions):
        conn._options = _for_channels()


def writer_of(channel: Any) -> Callable[[bytes], None]:  # Any: as above
    """What writes on a channel without an encoding; it raises BrokenPipeError where that is not open."""
    return partial(_send, channel) if _is_whole(channel) else channel.write


def _send(channel: Any, data: bytes) -> None:  # Any: as above
    packet = _sealed(channel, data)
    if packet is None:
        channel.write(data)
        return
    conn, transport = channel._conn, channel._conn._transport
    if type(transport) is CorkedTransport:
        transport.write_at_once(packet)
    else:
        _send_through(conn, packet)


def _send_through(conn: Any, packet: bytes) -> None:  # Any: as above
    """Send a sealed packet of a connection that goes through other hosts: it is data of a channel to the one before, and so on.

    The last packet waits for the end of the turn: all hosts behind one of a wave are asked in one system call.
    """
    while type(before := conn._transport) is asyncssh.SSHTCPChannel and _is_whole(before):
        sealed = _sealed(before, packet)
        if sealed is None:
            break
        conn, packet = before._conn, sealed
    conn._send(packet)


def _is_whole(channel: Any) -> bool:  # Any: as above
    return _has(channel, _of_channel) and _has(channel._conn, _of_connection)


def _sealed(channel: Any, data: bytes) -> bytes | None:  # Any: as above
    """The packet of some data of a channel, as if it were sent already; None if it is for asyncssh to send."""
    conn = channel._conn
    if not (
        channel._send_state == "open" and not channel._send_buf and len(data) <= min(channel._send_window, channel._send_pktsize)
        and conn._kex_complete and type(conn._send_encryption) is GCMEncryption and not conn._compressor
        and conn._rekey_bytes_sent < conn._rekey_bytes and (not conn._rekey_seconds or time.monotonic() < conn._rekey_time)
    ):  # fmt: skip
        return None
    padding = -(_HEAD.size + len(data)) % _BLOCK_BYTES
    if padding < _LEAST_PADDING:
        padding += _BLOCK_BYTES
    head = _HEAD.pack(padding, _CHANNEL_DATA, channel._send_chan, len(data))
    # it is sealed like the rest: no attacker sees it, so it need not be of the kind that costs a system call
    packet = b"".join((head, data, random.randbytes(padding)))  # noqa: S311  # no secret
    length, cipher = _LENGTH.pack(len(packet)), conn._send_encryption._cipher
    sealed = _kept(cipher).encrypt(cipher._iv, packet, length)
    cipher._update_iv()
    channel._send_window -= len(data)
    conn._send_seq = conn._send_seq + 1 & 0xFFFFFFFF
    conn._rekey_bytes_sent += len(packet)
    return length + sealed
