"""`guardian-tui probe print`: the probe as it is installed on hosts, to be reviewed; it needs no engine."""

from __future__ import annotations

import click


@click.command("print")
@click.option("--checksum", is_flag=True, help="Only its version and SHA-256.")
def print_command(checksum: bool) -> None:
    """The probe as a file: read it before you trust it."""
    from guardian_tui.engine.fleet import probe

    if checksum:
        click.echo(f"version {probe.version()}\nsha256  {probe.checksum()}")
    else:
        click.echo(probe.file(), nl=False)
