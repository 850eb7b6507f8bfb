"""What a shell offers after tab: commands and options from click, names of hosts, jobs and the like from the engine, if one answers at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

import click
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ZshComplete

from guardian_tui.attach import attach_paths, engine_listens
from guardian_tui.cli.session import read_token
from guardian_tui.client import Client
from guardian_tui.protocol.alerts import AlertList
from guardian_tui.protocol.approvals import ApprovalList
from guardian_tui.protocol.backups import JobList, RepositoryList
from guardian_tui.protocol.base import Request, Response
from guardian_tui.protocol.checks import CheckList
from guardian_tui.protocol.errors import GuardianError
from guardian_tui.protocol.fleet import HostList
from guardian_tui.protocol.runbooks import RunbookList, RunbookRunList, RunbookRunsQuery
from guardian_tui.text import safe

SECONDS = 2.0
Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


class _Source(NamedTuple):
    """A list of the engine: which columns are a value and what is said of it."""

    route: str
    kind: type[Response]
    value: str
    words: str
    request: Request | None = None


_HOSTS = _Source("hosts.list", HostList, "name", "state")
_LISTS: dict[str, tuple[_Source, ...]] = {
    "host": (_HOSTS,),
    "jump": (_HOSTS,),
    "job": (_Source("backups.list", JobList, "name", "state"),),
    "repository": (_Source("repositories.list", RepositoryList, "name", "engine"),),
    "runbook": (_Source("runbooks.list", RunbookList, "id", "title"),),
    "check": (_Source("checks.list", CheckList, "name", "state"),),
    "alert": (_Source("alerts.list", AlertList, "id", "why"),),
    "approval": (
        _Source("approvals.list", ApprovalList, "id", "words"),
        _Source("runbooks.runs", RunbookRunList, "id", "title", RunbookRunsQuery(active=True)),
    ),
}
"""Parameter → the lists that have its values."""


def known_names(parameter: str) -> Complete | None:
    """What completes a parameter of that name; None where nothing does."""
    if parameter not in _LISTS:
        return None

    def complete(context: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        found = [item for source in _LISTS[parameter] for item in _asked(source)]
        return [item for item in found if item.value.startswith(incomplete)]

    return complete


def _asked(source: _Source) -> list[CompletionItem]:
    paths = attach_paths()
    token = read_token(paths.cli_token)
    if not token or not engine_listens(paths.socket):
        return []

    async def ask() -> Response:
        client = Client(paths.socket, token)
        try:
            return await asyncio.wait_for(client.call(source.route, source.kind, source.request), SECONDS)
        finally:
            await client.close()

    try:
        answer = asyncio.run(ask())
    except (GuardianError, OSError, TimeoutError):
        return []
    (rows,) = (
        getattr(answer, name) for name in answer.__struct_fields__ if isinstance(getattr(answer, name), tuple)
    )
    return [
        CompletionItem(safe(getattr(row, source.value), 253), help=safe(getattr(row, source.words), 60))
        for row in rows
    ]


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion_command(context: click.Context, shell: str) -> None:
    """Print what makes tab complete commands, options and names in SHELL.

    Bash: eval "$(guardian-tui completion bash)" in ~/.bashrc.  Zsh: the same with zsh in ~/.zshrc.
    Fish: guardian-tui completion fish > ~/.config/fish/completions/guardian-tui.fish
    """
    kind = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}[shell]
    click.echo(kind(context.find_root().command, {}, "guardian-tui", "_GUARDIAN_TUI_COMPLETE").source())
