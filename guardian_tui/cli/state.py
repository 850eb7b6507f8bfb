"""`guardian-tui state export|verify|restore`: Guardian's own state in one file.  Needs no engine."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from guardian_tui.cli.session import EXIT_REFUSED, ask_secret, raise_words
from guardian_tui.config import Paths, find_paths, load_settings, paths_below
from guardian_tui.protocol.errors import Conflict, GuardianError, StoreUnavailable
from guardian_tui.text import counted, safe

if TYPE_CHECKING:
    from guardian_tui.engine.own_state.archive import Manifest

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group("state")
def state_group() -> None:
    """Guardian's own state (people, hosts, secrets, audit log, settings) in one sealed file."""


@state_group.command("export")
@click.argument("file", type=_FILE)
@click.option("--metrics", is_flag=True, help="Also the samples of charts; they may be large.")
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
def export_command(file: Path, metrics: bool, force: bool) -> None:
    """Write the state to FILE, while the engine works or at rest.

    Asks for a passphrase: without it the audit log's keys and the settings can't be restored.  Keep it elsewhere.
    """
    from guardian_tui.engine.own_state.archive import check_passphrase
    from guardian_tui.engine.own_state.snapshot import Source, take

    paths = find_paths()
    with _told():
        if file.exists() and not force:
            raise Conflict(f"{file} is there already. Name another file, or say --force.")
        passphrase = ask_secret("Passphrase", twice=True)
        check_passphrase(passphrase)
        source = Source(paths, load_settings(paths).store)
        manifest = take(source, file.absolute(), passphrase, time.time(), with_metrics=metrics)
    click.echo(f"{safe(str(file), 500)}: {_words(manifest)}")


@state_group.command("verify")
@click.argument("file", type=_FILE)
@click.option("--passphrase", "asks", is_flag=True, help="Also see whether a passphrase opens it.")
def verify_command(file: Path, asks: bool) -> None:
    """Read all of FILE: its hashes, its databases page by page.  Ends with 1 if anything is wrong."""
    from guardian_tui.engine.own_state.restore import verify

    with _told():
        found = verify(file.absolute())
        if asks:
            found.open(ask_secret("Passphrase"))
    click.echo(f"{safe(str(file), 500)} is whole: {_words(found.manifest)}")


@state_group.command("restore")
@click.argument("file", type=_FILE)
@click.option(
    "--home", type=click.Path(path_type=Path, file_okay=False), help="Folder for all of it, as GUARDIAN_HOME."
)
@click.option(
    "--store-url",
    default="",
    help="An empty PostgreSQL database, in place of the one in the settings; may be env:NAME.",
)
@click.option("--force", is_flag=True, help="Move a state that is there aside.")
def restore_command(file: Path, home: Path | None, store_url: str, force: bool) -> None:
    """Restore FILE on a machine without a state: all of it, or nothing."""
    from guardian_tui.engine.own_state.restore import restore, verify

    paths = paths_below(home.absolute()) if home else find_paths()
    with _told():
        found = verify(file.absolute())
        click.echo(f"{safe(str(file), 500)} is whole: {_words(found.manifest)}")
        passphrase = ask_secret("Passphrase")
        done = asyncio.run(restore(found, passphrase, paths, url=store_url, force=force))
    for aside in done.aside:
        click.echo(f"What was there is now {safe(str(aside), 500)}.")
    if done.verdict.ok:
        click.echo(
            f"Restored. The audit log holds: {counted(done.verdict.events, 'event')}, the restore is the last of them."
        )
    else:
        click.echo(
            f"Restored, but the audit log does not hold, as it was saved: {safe(done.verdict.words, 300)}"
        )
    click.echo(_next(paths, home))


def _next(paths: Paths, home: Path | None) -> str:
    start = f"GUARDIAN_HOME={home.absolute()} guardian-tui" if home else "guardian-tui"
    return (
        f"Next: start `{safe(start, 500)}` and log in with name, password and authenticator as before; that opens the vault. All sessions were ended.\n"
        f"A vault that the engine opened itself (keyring, systemd credential) wants its slot anew: `guardian-tui vault slots`.\n"
        f"Under systemd, credentials named audit-mac and audit-signing win over the keys in {safe(str(paths.state / 'keys'), 500)}.\n"
        "See that the engine that this state is of does not run any more: two would watch the same hosts and fork one audit log."
    )


def _words(manifest: Manifest) -> str:
    at = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(manifest.made_at))
    samples = "with samples" if manifest.metrics else "without samples"
    return (
        f"state of {at} from {safe(manifest.machine, 253)}, Guardian {safe(manifest.program, 40)}, {manifest.store}, {samples},"
        f" audit log {safe(manifest.chain, 40)} up to event {manifest.head}, {manifest.bytes / 1e6:.1f} MB."
    )


@contextmanager
def _told() -> Iterator[None]:
    """Errors in words, with exit code 1."""
    try:
        yield
    except GuardianError as error:
        raise_words(error, EXIT_REFUSED)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        where = f"{error.filename}: " if error.filename else ""
        advice = " Free space, or use another disk; nothing was changed." if full else " Nothing was changed."
        raise_words(StoreUnavailable(f"{where}{error.strerror}.{advice}"), EXIT_REFUSED)
