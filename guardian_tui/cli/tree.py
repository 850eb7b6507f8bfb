"""The whole tree of subcommands, built when one is asked for."""

from __future__ import annotations

import click

from guardian_tui.cli.complete import completion_command
from guardian_tui.cli.demo import demo_command
from guardian_tui.cli.engine import engine_group
from guardian_tui.cli.install import first_code_command, install_command, uninstall_command
from guardian_tui.cli.keys import keys_command
from guardian_tui.cli.routes import add_route_commands
from guardian_tui.cli.session import login_command, logout_command, recover_command
from guardian_tui.cli.state import state_group


def add_commands(main: click.Group) -> None:
    """Add every subcommand to the root."""
    main.add_command(demo_command)
    main.add_command(engine_group)
    for command in (install_command, uninstall_command, first_code_command):
        engine_group.add_command(command)
    main.add_command(completion_command)
    main.add_command(keys_command)
    main.add_command(login_command)
    main.add_command(logout_command)
    main.add_command(recover_command)
    main.add_command(state_group)
    add_route_commands(main)
