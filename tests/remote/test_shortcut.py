"""What a probe is asked and answers goes past asyncssh's layers; all else goes through them, and nothing is lost between the two."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from operator import attrgetter
from typing import Any

import asyncssh
import pytest

from guardian_tui.engine.remote import shortcut
from guardian_tui.engine.remote.corked import CorkedTcp
from guardian_tui.engine.remote.offering import Guard

ROUNDS = 12
WAIT_SECONDS = 60


class Probe(asyncssh.SSHServerSession[bytes]):
    """Answers a line that names a number with so many bytes, ``e`` before it on stderr."""

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self.channel = chan

    def exec_requested(self, command: str) -> bool:
        return True

    def data_received(self, data: bytes, datatype: int | None) -> None:
        for line in data.splitlines():
            if line.startswith(b"e"):
                self.channel.write_stderr(b"mind the gap\n")
            self.channel.write(b"x" * (int(line.lstrip(b"e")) - 1) + b"\n")


class Asker(asyncssh.SSHClientSession[bytes]):
    """Gathers answers up to their ends."""

    def __init__(self) -> None:
        self.got = bytearray()
        self.errors = bytearray()
        self.told = asyncio.Event()
        self.lost: list[Exception | None] = []
        self.fails = False

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if self.fails:
            raise ValueError("nobody expects this")
        if datatype is None:
            self.got += data
        else:
            self.errors += data
        self.told.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)
        self.told.set()


class Relay:
    """A way to a server that hands on its bytes in pieces; ``spoil`` changes the next of them."""

    def __init__(self, port: int, piece: int) -> None:
        self._port, self._piece = port, piece
        self.spoil = False

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, away = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            await asyncio.gather(self._hand(reader, away, 1 << 16), self._hand(there, writer, self._piece))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            away.close()
            writer.close()

    async def _hand(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, piece: int) -> None:
        while data := await reader.read(piece):
            if self.spoil and piece == self._piece:
                data = bytes([data[0] ^ 1]) + data[1:]
            writer.write(data)
            await writer.drain()
        writer.close()


class Through(asyncssh.SSHTCPSession[bytes]):
    """The way through a server to another; asyncssh's own hands on nothing under uvloop."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def connection_made(self, chan: asyncssh.SSHTCPChannel[bytes]) -> None:
        self._task = asyncio.create_task(self._answer(chan))

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self._writer.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._writer.close()

    async def _answer(self, chan: asyncssh.SSHTCPChannel[bytes]) -> None:
        while data := await self._reader.read(1 << 16):
            chan.write(data)
        chan.close()


@asynccontextmanager
async def connected(
    *, piece: int = 0, server: dict[str, Any] | None = None, client: dict[str, Any] | None = None
) -> AsyncIterator[tuple[asyncssh.SSHClientConnection, Relay | None]]:
    """A connection as ours are; through a relay if there is a ``piece``."""

    class Server(asyncssh.SSHServer):
        def begin_auth(self, username: str) -> bool:
            return False

        def session_requested(self) -> Probe:
            return Probe()

        async def connection_requested(
            self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
        ) -> Through:
            return Through(*await asyncio.open_connection(dest_host, dest_port))

    key = asyncssh.generate_private_key("ssh-ed25519")
    listening = await asyncssh.listen(
        "127.0.0.1", 0, server_factory=Server, server_host_keys=[key], encoding=None, **(server or {})
    )
    port, relay, between = listening.get_port(), None, None
    if piece:
        relay = Relay(port, piece)
        between = await asyncio.start_server(relay, "127.0.0.1", 0)
        port = between.sockets[0].getsockname()[1]
    trusted = ([key.convert_to_public()], [], [])
    options = {"encryption_algs": ["aes128-gcm@openssh.com"], "tunnel": CorkedTcp(), **(client or {})}
    conn, _ = await asyncssh.create_connection(
        Guard,
        "127.0.0.1",
        port,
        known_hosts=trusted,
        client_keys=None,
        config=None,
        agent_path=None,
        username="ada",
        **options,
    )
    try:
        yield conn, relay
    finally:
        conn.abort()
        listening.close()
        if between is not None:
            between.close()


class Talk:
    """A channel, and what of its packets asyncssh took itself since it was open."""

    def __init__(self, conn: Any) -> None:
        self.conn, self.asker = conn, Asker()
        self.slow = 0

    async def open(self) -> Talk:
        self.channel, _ = await self.conn.create_session(lambda: self.asker, "probe", encoding=None)
        self.write = shortcut.writer_of(self.channel)
        receive = self.conn._recv_packet

        def counted() -> bool:
            self.slow += 1
            done: bool = receive()
            return done

        self.conn._recv_packet = counted
        return self

    async def ask(self, size: int, kind: bytes = b"") -> None:
        """Ask for so many bytes, and wait for the last of them."""
        self.asker.got.clear()
        self.write(b"%s%d\n" % (kind, size))
        async with asyncio.timeout(WAIT_SECONDS):
            while len(self.asker.got) < size:
                self.asker.told.clear()
                assert not self.asker.lost
                await self.asker.told.wait()
        assert self.asker.got == b"x" * (size - 1) + b"\n"


async def test_requests_and_answers_go_the_short_way() -> None:
    async with connected() as (conn, _):
        talk = await Talk(conn).open()
        for number in range(ROUNDS):
            # each length of the padding
            await talk.ask(700 + number)
        assert talk.slow == 0


@pytest.mark.parametrize("piece", [1, 3, 17, 100, 1000])
async def test_packets_in_pieces_are_whole_in_the_end(piece: int) -> None:
    async with connected(piece=piece) as (conn, _):
        talk = await Talk(conn).open()
        for number in range(ROUNDS):
            await talk.ask(400 + number)


async def test_two_channels_keep_their_own(count: int = 2) -> None:
    async with connected() as (conn, _):
        first, second = await Talk(conn).open(), await Talk(conn).open()
        for number in range(ROUNDS):
            await asyncio.gather(first.ask(300 + number), second.ask(5000 + number))


@pytest.mark.parametrize("cipher", ["aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr"])
async def test_other_ciphers_are_asyncssh_s(cipher: str) -> None:
    async with connected(client={"encryption_algs": [cipher]}) as (conn, _):
        talk = await Talk(conn).open()
        for number in range(ROUNDS):
            await talk.ask(600 + number)
        assert (talk.slow == 0) == ("gcm" in cipher)


async def test_keys_may_change_at_any_time() -> None:
    # the server wants new ones after 3,000 bytes of its own, we after 500 of ours
    async with connected(server={"rekey_bytes": 3000}, client={"rekey_bytes": 500}) as (conn, _):
        shortcut.forget_beginning(conn)
        talk = await Talk(conn).open()
        keys = set()
        for number in range(5 * ROUNDS):
            keys.add(conn._recv_encryption._cipher._key)  # type: ignore[attr-defined]  # asyncssh's own
            await talk.ask(700 + number)
        assert len(keys) > 3


async def test_keys_change_by_time_too() -> None:
    async with connected(client={"rekey_seconds": 3600}) as (conn, _):
        talk = await Talk(conn).open()
        before: Any = conn
        key, before._rekey_time = before._send_encryption._cipher._key, 0.0
        await talk.ask(100)
        await talk.ask(100)
        assert before._send_encryption._cipher._key != key


async def test_behind_another_host_all_packets_go_the_short_way() -> None:
    async with (
        connected() as (outer, _),
        connected(client={"tunnel": outer}) as (middle, _),
        connected(client={"tunnel": middle}) as (inner, _),
    ):
        talk = await Talk(inner).open()
        sent: list[int] = []
        for conn in (outer, middle, inner):
            conn.send_packet = lambda kind, *args, **more: sent.append(kind)  # type: ignore[method-assign]  # asyncssh's way
        for number in range(ROUNDS):
            await talk.ask(700 + number)
        assert talk.slow == 0 and not sent


async def test_hosts_behind_one_are_asked_in_one_piece() -> None:
    async with (
        connected() as (outer, _),
        connected(client={"tunnel": outer}) as (one, _),
        connected(client={"tunnel": outer}) as (other, _),
    ):
        first, second = await Talk(one).open(), await Talk(other).open()
        corked: Any = outer
        asking = [asyncio.create_task(talk.ask(300)) for talk in (first, second)]
        await asyncio.sleep(0)
        assert len(corked._transport._waiting) == 2
        await asyncio.gather(*asking)


@pytest.mark.parametrize("cipher", ["aes128-gcm@openssh.com", "aes256-ctr"])
async def test_the_host_before_may_want_it_otherwise(cipher: str) -> None:
    before = {"encryption_algs": [cipher], "rekey_bytes": 3000}
    async with connected(client=before) as (outer, _), connected(client={"tunnel": outer}) as (inner, _):
        talk = await Talk(inner).open()
        for number in range(3 * ROUNDS):
            await talk.ask(700 + number)
        outer.abort()
        async with asyncio.timeout(WAIT_SECONDS):
            await inner.wait_closed()
        with pytest.raises(BrokenPipeError):
            talk.write(b"50\n")


async def test_an_answer_larger_than_the_window_comes_whole() -> None:
    async with connected() as (conn, _):
        talk = await Talk(conn).open()
        await talk.ask(5 << 20)
        await talk.ask(10)


async def test_what_is_no_answer_is_told_apart() -> None:
    async with connected() as (conn, _):
        talk = await Talk(conn).open()
        await talk.ask(50, b"e")
        assert talk.asker.errors == b"mind the gap\n"


async def test_a_packet_that_was_changed_ends_the_connection() -> None:
    async with connected(piece=1 << 16) as (conn, relay):
        talk = await Talk(conn).open()
        await talk.ask(50)
        assert relay is not None
        relay.spoil = True
        talk.write(b"50\n")
        async with asyncio.timeout(WAIT_SECONDS):
            await conn.wait_closed()
        assert len(talk.asker.lost) == 1 and talk.asker.lost[0] is not None


async def test_a_fault_of_ours_costs_the_connection_and_no_more() -> None:
    async with connected() as (conn, _):
        talk = await Talk(conn).open()
        talk.asker.fails = True
        talk.write(b"50\n")
        async with asyncio.timeout(WAIT_SECONDS):
            await conn.wait_closed()
        assert isinstance(talk.asker.lost[0], ValueError)
        with pytest.raises(BrokenPipeError):
            talk.write(b"50\n")


async def test_who_hears_of_an_answer_may_close_the_connection() -> None:
    async with connected() as (conn, _):
        talk = await Talk(conn).open()
        talk.asker.told.set = conn.abort  # type: ignore[method-assign]  # whatever comes
        talk.write(b"50\n60\n70\n")
        async with asyncio.timeout(WAIT_SECONDS):
            await conn.wait_closed()
        assert talk.asker.lost


async def test_another_asyncssh_takes_all_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortcut, "_of_connection", attrgetter("_of_another_release"))
    async with connected() as (conn, _):
        talk = await Talk(conn).open()
        for number in range(3):
            await talk.ask(700 + number)
        assert talk.slow >= 3


async def test_nothing_of_a_connection_is_made_into_words() -> None:
    words: list[object] = []

    class Loud(asyncssh.logging.SSHLogger):
        def log(self, level: int, msg: object, *args: Any, **kwargs: Any) -> None:
            words.append(msg)

    async with connected() as (conn, _):
        before: Any = conn
        assert before.logger.get_child(context="chan=0") is before.logger
        talk = await Talk(conn).open()
        assert talk.channel.logger is before.logger
        await talk.ask(10, b"e")
        before.logger.info("%s", "nobody hears it")
        # a server's connection tells as ever
        Loud(asyncssh.logging.logger.logger).info("said")
    assert words == ["said"]


async def test_channels_are_opened_by_the_options_that_the_login_had() -> None:
    wanted = ("command", "subsystem", "env", "send_env", "request_pty", "term_type", "term_size", "term_modes", "encoding", "errors", "window",
              "max_pktsize", "x11_forwarding")  # fmt: skip
    async with connected() as (conn, _):
        whole: Any = conn
        before = [getattr(whole._options, name) for name in wanted]
        shortcut.forget_beginning(conn)
        assert [getattr(whole._options, name) for name in wanted] == before
        talk = await Talk(conn).open()
        await talk.ask(100)
