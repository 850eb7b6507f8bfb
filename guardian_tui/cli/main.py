"""The `guardian-tui` command: the screen, the engine, and every order headless.

Without a subcommand it opens the terminal console.  The headless commands are made from the route table
(`guardian-tui hosts list --json`), so that what the screen can do, a script can do.  They are built only when one is
asked for: the console starts its engine and paints before anything else is imported.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from guardian_tui import __version__
from guardian_tui.attach import attach_paths, engine_listens, start_engine


class _LazyGroup(click.Group):
    """Builds its subcommands when one is looked for; what the system refuses is told in a line."""

    def invoke(self, ctx: click.Context) -> Any:  # Any: as click has it
        """Run it."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # whoever read has had enough: click ends for that by itself
            raise
        except OSError as error:
            where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
            raise click.ClickException(f"{where}{error.strerror or error}.") from error

    def _build(self) -> None:
        if not self.commands:
            from guardian_tui.cli.tree import add_commands

            add_commands(self)

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._build()
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "demo":
            # as the console: it paints before the headless tree is built
            from guardian_tui.cli.demo import demo_command

            return demo_command
        self._build()
        return super().get_command(ctx, cmd_name)


@click.group(
    cls=_LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Ends with 0: done; 1: refused, failed, or not all well; 2: wrong use; 3: no engine listens; 4: not logged in.",
)
@click.version_option(__version__, prog_name="guardian-tui")
@click.option("--read-only", is_flag=True, help="Offer no command that changes anything.")
@click.option("--no-mouse", is_flag=True, help="Leave the mouse alone (slow links).")
@click.option("--theme", default="", help="Theme to begin with.")
@click.option("--ascii", is_flag=True, help="Draw with no other signs than those of ASCII.")
@click.pass_context
def main(context: click.Context, read_only: bool, no_mouse: bool, theme: str, ascii: bool) -> None:
    """Guardian: the live health, alerts and audit log of your servers, over nothing but SSH."""
    if context.invoked_subcommand is not None:
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError("The console wants a terminal. For scripts see `guardian-tui --help`.")
    paths = attach_paths()
    # a private engine comes up while we import the terminal's side
    process = None if paths.shared or engine_listens(paths.socket) else start_engine(paths, linger=False)
    from guardian_tui.app import run_console

    sys.exit(run_console(paths, process, read_only=read_only, mouse=not no_mouse, theme=theme, ascii=ascii))
