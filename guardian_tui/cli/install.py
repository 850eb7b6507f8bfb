"""`guardian-tui engine install|uninstall|first-code`: a shared engine with a Unix user of its own."""

from __future__ import annotations

import asyncio
import os
import pwd
from collections.abc import Sequence
from pathlib import Path

import click

from guardian_tui.as_root import as_user, in_other_hands, out_of_reach
from guardian_tui.cli.session import EXIT_REFUSED, raise_words
from guardian_tui.client import Client
from guardian_tui.installing import (
    NAME,
    Setup,
    Step,
    check_name,
    find_program,
    install_steps,
    runs_older_unit,
    uninstall_steps,
    unit_steps,
)
from guardian_tui.protocol.errors import GuardianError
from guardian_tui.protocol.system import Hello

SYSTEMD = Path("/run/systemd/system")
"""There where systemd is the init (sd_booted(3))."""
_user = click.option("--user", default=NAME, show_default=True, help="Unix user that runs the engine.")
_group = click.option("--group", default=NAME, show_default=True, help="Unix group whose members may attach.")
_dry = click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")


def _setup(user: str, group: str, program: str = "", vault_credential: bool = False) -> Setup:
    try:
        return Setup(
            program or find_program(), check_name(user, "user"), check_name(group, "group"), vault_credential, systemd=SYSTEMD.is_dir()
        )  # fmt: skip
    except GuardianError as error:
        raise_words(error, EXIT_REFUSED)


def carry_out(steps: Sequence[Step], *, dry: bool) -> None:
    """Say each step, and do those that are still to be done."""
    for step in steps:
        click.echo(f"  {'✓ is so  ' if step.done else '· would be' if dry else '+ done   '}  {step.words}")
        if not (step.done or dry):
            step.act()


def _as_root(dry: bool) -> None:
    if os.geteuid() and not dry:
        raise click.ClickException(
            "Only root can do this: users, folders of /etc and /var, units. See it with --dry-run."
        )


@click.command("install")
@_user
@_group
@click.option("--program", default="", help="What the unit runs, if not this guardian-tui.")
@click.option("--vault-credential", is_flag=True, help="Let the unit open the vault (see docs/security.md).")
@_dry
def install_command(user: str, group: str, program: str, vault_credential: bool, dry_run: bool) -> None:
    """Set up an engine for a team: Unix user and group, folders, settings, systemd unit.

    Run again it changes only what is not so any more.
    """
    _as_root(dry_run)
    setup = _setup(user, group, program, vault_credential)
    install(setup, dry=dry_run)


def install(setup: Setup, *, dry: bool) -> None:
    """Set a shared engine up, and say how to go on."""
    if words := out_of_reach(setup.program) or in_other_hands(setup.program):
        if not dry:
            raise click.ClickException(words)
        click.echo(words)
    fresh = not (setup.state / "state.db").exists()
    older = runs_older_unit(setup)
    try:
        carry_out(install_steps(setup), dry=dry)
        # before the start: who is quickest after it has nothing of that
        code = first_code(setup.state, setup.user) if fresh and not dry else ""
        carry_out(unit_steps(setup), dry=dry)
    except GuardianError as error:
        raise_words(error, EXIT_REFUSED)
    if dry:
        return
    if not setup.systemd:
        click.echo(f"There is no systemd here. Let your init run, as root:\n\n    {setup.by_hand}\n")
    if older:
        click.echo(
            "The engine runs on as it was. When it suits you: `systemctl restart guardian`; people stay logged in."
        )
    click.echo(f"Let people in:  usermod --append --groups {setup.group} NAME   (they log in again)")
    if code:
        click.echo(
            f"The first admin starts `guardian-tui` and gives this code, once, within a week:\n\n    {code}\n"
        )
    else:
        click.echo(
            "There is a store already; `guardian-tui engine first-code` prints a code if nobody has an account yet."
        )


@click.command("uninstall")
@_user
@_group
@click.option("--data", is_flag=True, help="Also remove databases, keys, settings, user and group, for good.")
@_dry
def uninstall_command(user: str, group: str, data: bool, dry_run: bool) -> None:
    """Stop the team's engine and take its unit away; its data stay unless --data says otherwise."""
    _as_root(dry_run)
    setup = _setup(user, group)
    if data and not dry_run:
        typed = click.prompt(f"All of {setup.home} goes, audit log included. Type its path to go on")
        if typed.strip() != str(setup.home):
            raise click.ClickException("Nothing was changed.")
    try:
        carry_out(uninstall_steps(setup, data=data), dry=dry_run)
    except GuardianError as error:
        raise_words(error, EXIT_REFUSED)
    if not data:
        click.echo(f"{setup.home} and {setup.config} are as they were.")


@click.command("first-code")
def first_code_command() -> None:
    """Print another one-time code for the first admin of a shared engine; the older one is void."""
    _as_root(False)
    home = Path(os.environ.get("GUARDIAN_HOME") or Setup("").home)
    state = home / "state"
    if not state.is_dir():
        raise click.ClickException(f"There is no {state}: see `guardian-tui engine install`.")
    if asyncio.run(
        _has_admin(Setup("").run / "engine.sock" if home == Setup("").home else home / "run" / "engine.sock")
    ):
        raise click.ClickException(
            "There is an admin already, who invites others: `guardian-tui accounts invite`."
        )
    try:
        # of the home, which lies in a folder of root's: what is below it may be what the engine's user put there
        click.echo(first_code(state, pwd.getpwuid(home.lstat().st_uid).pw_name))
    except (GuardianError, KeyError) as error:
        raise click.ClickException(f"No code was made: {error}") from error


async def _has_admin(socket: Path) -> bool:
    """Whether an engine that listens there says so."""
    client = Client(socket)
    try:
        return (await client.call("hello", Hello)).set_up
    except GuardianError:
        # nobody can be asked; a code that is not wanted any more makes no admin
        return False
    finally:
        await client.close()


def first_code(state: Path, user: str) -> str:
    """A new code, kept as a hash in the engine's folder, by its user."""
    from guardian_tui.engine.access.codes import new_enrolment_code  # offline: works on the folder itself
    from guardian_tui.engine.access.first_code import FirstCode

    code = new_enrolment_code()
    as_user(user, lambda: FirstCode(state).keep(code))
    return code
