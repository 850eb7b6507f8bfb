"""`guardian-tui engine start|stop|status|run`."""

from __future__ import annotations

import asyncio

import click
import msgspec

from guardian_tui.attach import attach_paths, engine_listens, no_answer, start_engine, wait_until_listening
from guardian_tui.cli.session import EXIT_NO_ENGINE, EXIT_REFUSED, foreign_words, raise_words, with_client
from guardian_tui.client import Client
from guardian_tui.config import Paths, find_paths
from guardian_tui.meeting import stop_engine, whose
from guardian_tui.protocol.engine_figures import EngineFigures
from guardian_tui.protocol.errors import GuardianError
from guardian_tui.protocol.system import Hello
from guardian_tui.text import json_safe, safe


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
    paths = attach_paths()
    if paths.shared is not None:
        raise click.ClickException(
            f"Consoles attach to the shared engine on {paths.shared}. For a private one beside it set GUARDIAN_HOME."
        )
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
@click.option("--figures", "in_full", is_flag=True, help="All that it measures of itself; wants a login.")
def status_command(as_json: bool, in_full: bool) -> None:
    """Say whether an engine listens, and what it is.  Ends with 3 if none does."""
    if in_full:
        _print_figures(as_json)
        return
    paths = attach_paths()
    hello = _hello(paths)
    if hello is None:
        # to whoever reads JSON words are no answer
        click.echo(no_answer(paths.shared).detail if paths.shared else "No engine listens.", err=as_json)
        raise SystemExit(EXIT_NO_ENGINE)
    if as_json:
        click.echo(json_safe(msgspec.json.encode(hello)))
        return
    vault = "vault locked until the first login" if hello.vault_locked else "vault open"
    stay = "stays when you leave" if hello.lingering else "stops 15 min after the last client"
    click.echo(f"Guardian {hello.version} ({hello.mode}), {vault}, {stay}.")
    if foreign := foreign_words(paths, hello):
        click.echo(foreign)
    if shared := whose(paths):
        click.echo(f"It is {shared}, on {paths.socket}.")
    if hello.store_problem:
        click.echo(f"The store can't be written: {safe(hello.store_problem, 300)}")
    for words in hello.store_mended:
        click.echo(f"At the start: {safe(words, 300)}.")


def _print_figures(as_json: bool) -> None:
    # what draws is not loaded for the other commands: the engine itself is started by one
    from screens.engine_lines import error_lines, groups, section_lines

    found = with_client(lambda client: client.call("engine.figures", EngineFigures))
    if as_json:
        click.echo(json_safe(msgspec.json.encode(found)))
        return
    for title, of in groups(found).items():
        click.echo(f"{title}:")
        for figure in of:
            click.echo(f"  {'!' if figure.bad else ' '} {figure.label:<17}{figure.value}")
    for title, lines in (
        ("errors of our own", error_lines(found)),
        ("sections of the probe", section_lines(found)),
    ):
        click.echo(f"{title}:")
        for line in lines:
            click.echo("    " + "".join(text for text, _ in line).rstrip())


@engine_group.command("stop")
def stop_command() -> None:
    """Stop this account's engine in good order.

    It is your own process: this asks for no login (`:stop-engine` on screen does, and is audited by name).
    """
    try:
        stopped = asyncio.run(stop_engine(find_paths()))
    except GuardianError as error:
        raise click.ClickException(error.detail) from error
    click.echo("The engine is stopped." if stopped else "No engine runs.")


def _hello(paths: Paths) -> Hello | None:
    if not engine_listens(paths.socket):
        return None

    async def ask() -> Hello:
        client = Client(paths.socket)
        try:
            return await client.hello()
        finally:
            await client.close()

    try:
        return asyncio.run(ask())
    except GuardianError as error:
        # one that listens and does not answer is not one that is not there
        raise_words(error, EXIT_REFUSED)
