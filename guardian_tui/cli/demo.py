"""`guardian-tui demo`: a living fleet in seconds, with nothing to set up, and nothing left of it."""

from __future__ import annotations

import sys

import click

from guardian_tui.demo.script import KINDS


@click.command("demo")
@click.option("--hosts", type=click.IntRange(1, 5000), default=40, show_default=True, help="How many.")
@click.option(
    "--speed", type=click.FloatRange(1, 600), default=60.0, show_default=True,
    help="Minutes of its day that pass in a minute; the rules wait as much less.",
)  # fmt: skip
@click.option(
    "--fault", "faults", multiple=True, type=click.Choice(sorted(KINDS)), metavar="NAME",
    help="In place of the day's script have just this go wrong, from the start; may be given several times. "
    f"One of {', '.join(sorted(KINDS))}.",
)  # fmt: skip
@click.option("--no-console", is_flag=True, help="Only run it, and say how to attach and log in.")
@click.option("--no-mouse", is_flag=True, help="Leave the mouse alone (slow links).")
@click.option("--theme", default="", help="Theme to begin with.")
@click.option("--ascii", is_flag=True, help="Draw with no other signs than those of ASCII.")
def demo_command(
    hosts: int,
    speed: float,
    faults: tuple[str, ...],
    no_console: bool,
    no_mouse: bool,
    theme: str,
    ascii: bool,
) -> None:
    """Show a simulated fleet: real SSH servers on this machine's loopback that live a day of faults.

    It has an engine and a folder of its own, which are gone when you leave.  Your own engine, hosts and keys are not touched.
    """
    if not no_console and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError("The console wants a terminal; --no-console runs the demo without one.")
    from guardian_tui.demo.backstage import Backstage

    # comes up while we import the terminal's side
    backstage = Backstage(hosts, speed, faults)
    try:
        if no_console:
            code = backstage.wait_for_the_end(click.echo)
        else:
            from guardian_tui.demo.console import run_demo

            code = run_demo(backstage, mouse=not no_mouse, theme=theme, ascii=ascii)
    finally:
        backstage.close()
    click.echo("The demo is over; nothing of it is left.")
    sys.exit(code)
