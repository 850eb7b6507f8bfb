"""Packets that say nothing are not sent, and what is sent needs none of them."""

from __future__ import annotations

from typing import Any

import asyncssh

from guardian_tui.engine.remote.connections import CIPHERS
from guardian_tui.engine.remote.corked import say_no_more_than_needed

IGNORE, CHANNEL_OPEN = 2, 90


async def test_a_host_is_sent_what_it_is_asked_and_nothing_to_ignore() -> None:
    received: list[int] = []

    class Server(asyncssh.SSHServer):
        def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
            # Any: asyncssh's own arguments
            def note(pkttype: int, *_: Any, **__: Any) -> None:
                received.append(pkttype)

            conn.log_received_packet = note  # type: ignore[method-assign]  # to see what comes

        def begin_auth(self, username: str) -> bool:
            return False

    class Client(asyncssh.SSHClient):
        def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
            say_no_more_than_needed(conn)

    async def answer(process: asyncssh.SSHServerProcess[str]) -> None:
        process.stdout.write(await process.stdin.readline())
        process.exit(0)

    key = asyncssh.generate_private_key("ssh-ed25519")
    server = await asyncssh.listen("127.0.0.1", 0, server_factory=Server, server_host_keys=[key], process_factory=answer)  # fmt: skip
    async with server:
        conn, _ = await asyncssh.create_connection(
            Client, "127.0.0.1", server.get_port(), known_hosts=None, client_keys=None, config=None, agent_path=None, username="ada",
            encryption_algs=[CIPHERS[0]],
        )  # fmt: skip
        async with conn:
            done = await conn.run("echo", input="hello\n")
    assert done.stdout == "hello\n"
    assert CHANNEL_OPEN in received and IGNORE not in received


def test_no_cipher_is_one_that_guessed_vectors_break() -> None:
    assert not [cipher for cipher in CIPHERS if "cbc" in cipher]
