"""`guardian-tui engine start|stop|status|run`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time

import click
import msgspec

from guardian_tui.attach import engine_listens, start_engine, wait_until_listening
from guardian_tui.cli_session import EXIT_NO_ENGINE, EXIT_REFUSED, raise_words
from guardian_tui.client import Client
from guardian_tui.config import Paths, find_paths
from guardian_tui.protocol.errors import GuardianError
from guardian_tui.protocol.system import Hello
from guardian_tui.text import safe

STOP_SECONDS = 20.0


@click.group("engine")
def engine_group() -> None:
    """The engine that watches the hosts: one per person, or one per team."""


@engine_group.command("run")
@click.option("--linger/--no-linger", default=True, help="Go on when the last client leaves.")
def run_command(linger: bool) -> None:
    """Run the engine in the foreground (for systemd)."""
    from guardian_tui.engine.main import run_engine

    raise SystemExit(run_engine(find_paths(), linger=linger))


@engine_group.command("start")
def start_command() -> None:
    """Start an engine in the background that goes on when the terminal closes."""
    paths = find_paths()
    if engine_listens(paths.socket):
        click.echo("An engine already listens.")
        return
    process = start_engine(paths, linger=True)
    try:
        asyncio.run(wait_until_listening(paths, process))
    except GuardianError as error:
        raise_words(error, EXIT_REFUSED)
    click.echo("The engine watches.")


@engine_group.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status_command(as_json: bool) -> None:
    """Say whether an engine listens, and what it is.  Ends with 3 if none does."""
    hello = _hello(find_paths())
    if hello is None:
        click.echo("No engine listens.")
        raise SystemExit(EXIT_NO_ENGINE)
    if as_json:
        click.echo(msgspec.json.encode(hello).decode())
        return
    vault = "vault locked until the first login" if hello.vault_locked else "vault open"
    stay = "stays when you leave" if hello.lingering else "stops 15 min after the last client"
    click.echo(f"Guardian {hello.version} ({hello.mode}), {vault}, {stay}.")
    if hello.store_problem:
        click.echo(f"The store can't be written: {safe(hello.store_problem, 300)}")
    for words in hello.store_mended:
        click.echo(f"At the start: {safe(words, 300)}.")


@engine_group.command("stop")
def stop_command() -> None:
    """Stop this account's engine in good order.

    It is your own process: this asks for no login (`:stop-engine` on screen does, and is audited by name); the engine records who stopped it.
    """
    paths = find_paths()
    pid = _engine_pid(paths)
    if pid is None:
        click.echo("No engine runs.")
        return
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        if not engine_listens(paths.socket) and not _runs(pid):
            click.echo("The engine is stopped.")
            return
        time.sleep(0.05)
    raise click.ClickException(
        f"Process {pid} did not end within {STOP_SECONDS:.0f} s; see {paths.state / 'engine.log'}."
    )


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # a child that has ended but was not waited for still has a pid
    with contextlib.suppress(ChildProcessError, OSError):
        done, _ = os.waitpid(pid, os.WNOHANG)
        return done == 0
    return True


def _engine_pid(paths: Paths) -> int | None:
    """The pid of whoever listens on our socket (SO_PEERCRED of the listening end)."""
    import socket
    import struct

    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    probe.settimeout(2.0)
    try:
        probe.connect(str(paths.socket))
        pid, _uid, _gid = struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    except OSError:
        return None
    finally:
        probe.close()
    return int(pid)


def _hello(paths: Paths) -> Hello | None:
    async def ask() -> Hello:
        client = Client(paths.socket)
        try:
            return await client.hello()
        finally:
            await client.close()

    try:
        return asyncio.run(ask())
    except GuardianError:
        return None
