"""Shells on a real host: over the connection that is there, one's own alone, bounded, and told in the audit log when they begin and end."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import shutil
import struct
import termios
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec import convert

from guardian_tui.client import Client
from guardian_tui.config import AuditSettings, FleetSettings, Settings
from guardian_tui.engine.access.profiles import PROFILES
from guardian_tui.engine.fleet import shells as kept
from guardian_tui.engine.remote import terminal
from guardian_tui.protocol.access import Login
from guardian_tui.protocol.access import Session as LoginSession
from guardian_tui.protocol.audit import AuditEvent
from guardian_tui.protocol.base import Done
from guardian_tui.protocol.errors import Conflict, GuardianError, HostUnavailable, NotFound, TooManyRequests
from guardian_tui.protocol.fleet import HostRow, HostSpec
from guardian_tui.protocol.imports import ImportPreview, ImportRequest
from guardian_tui.protocol.shells import OpenShell, Shell, ShellInput, ShellOutput, ShellRef, ShellSize
from guardian_tui.shell_here import ShellHere
from tests.support.console import PASSWORD, House, house, until
from tests.support.sshd import Sshd

pytestmark = pytest.mark.timeout(240)


@asynccontextmanager
async def watched(folder: Path, server: Sshd, *, shells: bool = True) -> AsyncIterator[House]:
    """An engine that watches a real host."""
    settings = Settings(
        fleet=FleetSettings(interval_seconds=1.0, shells=shells), audit=AuditSettings(syslog=False)
    )
    key = folder / "key"
    shutil.copy(server.client_key, key)
    key.chmod(0o600)
    async with house(folder, settings) as one:
        known = f"[{server.address}]:{server.port} {server.host_key}"
        await one.client.call("hosts.import", ImportPreview, ImportRequest(known_hosts=known, names=()))
        spec = HostSpec(
            name="real", address=server.address, port=server.port, user=server.user, credential=f"key:{key}"
        )
        await one.client.call("hosts.add", HostRow, spec)
        yield one


async def opened(one: House, client: Client | None = None) -> Shell:
    return await (client or one.client).call(
        "shell.open", Shell, OpenShell(host="real", columns=101, lines=33)
    )


async def typed(client: Client, shell: Shell, text: str) -> None:
    await client.call("shell.write", Done, ShellInput(shell=shell.id, data=text.encode()))


async def heard(client: Client, shell: Shell, words: str) -> str:
    """What it wrote, up to these words or its end."""
    out = b""
    async with asyncio.timeout(60):
        while words not in out.decode("utf-8", "replace"):
            output = await client.call("shell.read", ShellOutput, ShellRef(shell=shell.id))
            out += output.data
            if output.ended:
                return out.decode("utf-8", "replace") + output.words
    return out.decode("utf-8", "replace")


def events(one: House, action: str) -> list[AuditEvent]:
    return sorted((e for e in one.engine.live.audit.rows() if e.action == action), key=lambda e: e.seq)


async def test_a_shell_is_a_terminal_of_the_size_that_is_told_and_its_begin_and_end_are_events(
    tmp_path: Path, sshd: Callable[..., Sshd]
) -> None:
    server = sshd()
    async with watched(tmp_path, server) as one:
        shell = await opened(one)
        assert (shell.host, shell.user) == ("real", server.user)
        await typed(one.client, shell, "stty size; tty; echo $TERM; echo do''ne\n")
        out = await heard(one.client, shell, "done\r\n")
        assert "33 101" in out and "/dev/pts/" in out and "xterm-256color" in out
        await one.client.call("shell.resize", Done, ShellSize(shell=shell.id, columns=70, lines=20))
        await typed(one.client, shell, "stty size; echo do''ne\n")
        assert "20 70" in await heard(one.client, shell, "done\r\n")
        assert len(one.engine.fleet.inventory.hosts) == 2
        await typed(one.client, shell, "exit 3\n")
        assert "the shell ended with status 3" in await heard(one.client, shell, "no such words")
        with pytest.raises(NotFound):
            await typed(one.client, shell, "x")
        await until(lambda: events(one, "shell.end"))
        assert [(e.outcome, e.target) for e in events(one, "shell.open")] == [
            ("intent", "real"),
            ("ok", "real"),
        ]
        end = events(one, "shell.end")[0]
        assert (
            end.target == "real" and end.actor == "ada" and "status 3" in end.body and "stty" not in end.body
        )


async def test_a_shell_is_its_session_s_alone_and_ends_with_it_and_nobody_gets_too_many(
    tmp_path: Path, sshd: Callable[..., Sshd], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "HELD_BYTES", 64 << 10)
    async with watched(tmp_path, sshd()) as one:
        mine = await opened(one)
        # who floods has to wait, and nothing is lost of it
        await typed(one.client, mine, "stty -onlcr; head -c 3000000 /dev/zero | tr '\\0' x; echo do''ne\n")
        out = await heard(one.client, mine, "done")
        assert out.count("x") >= 3_000_000
        monkeypatch.setattr(kept, "MOST_OF_A_SESSION", 1)
        with pytest.raises(TooManyRequests, match="close one first"):
            await opened(one)
        monkeypatch.setattr(kept, "MOST_SHELLS", 1)
        with pytest.raises(TooManyRequests, match="as it bears"):
            await opened(one)
        again = Client(one.paths.socket)
        login = {"name": "ada", "password": PASSWORD, "code": one.recovery_code()}
        again.token = (await again.call("login", LoginSession, convert(login, Login))).token
        try:
            for order in (
                typed(again, mine, "id\n"),
                again.call("shell.close", Done, ShellRef(shell=mine.id)),
                heard(again, mine, "x"),
            ):
                with pytest.raises(NotFound):
                    await order
        finally:
            await again.close()
        reading = asyncio.create_task(heard(one.client, mine, "no such words"))
        await one.client.call("session.lock", Done)
        with contextlib.suppress(GuardianError):
            # between two reads it is refused, as all is while the session is locked
            assert "the session was locked" in await reading
        await until(lambda: events(one, "shell.end"))
        assert "the session was locked" in events(one, "shell.end")[0].body


async def test_what_can_not_be_opened_says_why_and_a_shell_that_nobody_reads_is_closed(
    tmp_path: Path, sshd: Callable[..., Sshd], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = sshd(PermitTTY="no")
    async with watched(tmp_path, server) as one:
        with pytest.raises(Conflict, match="real gives no shell in a terminal"):
            await opened(one)
        local = next(row.id for row in one.engine.live.hosts.rows() if row.name != "real")
        with pytest.raises(Conflict, match="engine's own machine"):
            await one.client.call("shell.open", Shell, OpenShell(host=local))
        assert [e.outcome for e in events(one, "shell.open")].count("failed") == 2 and not events(
            one, "shell.end"
        )
        server.stop()
        server._options["PermitTTY"] = "yes"
        server.start()
        monkeypatch.setattr(kept, "UNREAD_SECONDS", 0.2)
        async with asyncio.timeout(60):
            while True:
                try:
                    await opened(one)
                    break
                except HostUnavailable:
                    await asyncio.sleep(0.1)
        await until(lambda: events(one, "shell.end"))
        assert "nobody read it" in events(one, "shell.end")[0].body


async def test_the_terminal_is_handed_over_and_comes_back_with_nothing_left_switched_on(
    tmp_path: Path, sshd: Callable[..., Sshd]
) -> None:
    async with watched(tmp_path, sshd()) as one:
        shell = await opened(one)
        ours, theirs = pty.openpty()
        own = Client(one.paths.socket, one.client.token)
        try:
            carried = asyncio.create_task(ShellHere(own, shell, theirs, theirs).carry_on())
            seen = b""

            async def see(words: bytes) -> None:
                nonlocal seen
                async with asyncio.timeout(60):
                    while words not in seen:
                        seen += await asyncio.to_thread(os.read, ours, 65536)

            await see(b"audit log")
            os.write(ours, b"printf '\\033]0;evil\\007\\033[1mbo''ld\\n'\r")
            await see(b"\x1b[1mbold")
            assert b"\x1b]0;" not in seen
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 99, 0, 0))
            os.write(ours, b"stty size\r")
            await see(b"44 99")
            os.write(ours, b"~.\r")
            await see(b"\x1b[?1049l")
            assert await carried == "you left it"
            await until(lambda: events(one, "shell.end"))
            assert "it was closed" in events(one, "shell.end")[0].body
        finally:
            await own.close()
            os.close(ours)
            os.close(theirs)


async def test_shells_can_be_switched_off_for_all(tmp_path: Path, sshd: Callable[..., Sshd]) -> None:
    async with watched(tmp_path, sshd(), shells=False) as one:
        with pytest.raises(Conflict, match="switched off"):
            await opened(one)


def test_only_admins_and_whoever_was_given_it_may_open_a_shell() -> None:
    assert {name for name, (held, _) in PROFILES.items() if "shell.open" in held} == {"admin", "shell"}
