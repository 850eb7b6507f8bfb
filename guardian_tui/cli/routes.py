"""Headless twins: a CLI command for every route of the table.

`GROUP.VERB` becomes `guardian-tui GROUP VERB`; path parameters are arguments, the request's other fields options.  `--json` prints
the answer as JSON that is safe for a terminal; without it, a table or a list of fields.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from guardian_tui.cli.approvals import approve_command, list_command, refuse_command, show_command
from guardian_tui.cli.backups import (
    LATEST,
    conclude,
    forget_command,
    newest_good,
    preview_command,
    restore_command,
    wait_option,
    waited,
)
from guardian_tui.cli.edit import edit_host_command, edit_job_command, edit_repository_command
from guardian_tui.cli.hosts import bulk_command, import_command
from guardian_tui.cli.options import params_of, shape
from guardian_tui.cli.probe import print_command
from guardian_tui.cli.runbooks import lint_command, read_command, schema_command
from guardian_tui.cli.runs import follow_command, play_command, run_command, transcript_command
from guardian_tui.cli.session import EXIT_REFUSED, raise_words, save_token, with_client
from guardian_tui.cli.trust import accept_command
from guardian_tui.cli.words import words_of
from guardian_tui.client import Client
from guardian_tui.config import find_paths
from guardian_tui.protocol.access import Session
from guardian_tui.protocol.audit import AuditBundle, AuditExport, AuditVerdict
from guardian_tui.protocol.backups import FilesQuery, RunRow
from guardian_tui.protocol.base import Response
from guardian_tui.protocol.errors import GuardianError
from guardian_tui.protocol.routes import ROUTES, Route
from guardian_tui.text import json_safe

# what makes no sense without a screen, or has a command of its own
_NOT_HEADLESS = frozenset(
    {
        "login",
        "logout",
        "hello",
        "session.attach",
        "session.touch",
        "session.lock",
        "session.unlock",
    }
)
_GROUP_HELP = {
    "hosts": "Hosts: see, add, test, remove.", "alerts": "Alerts: see and acknowledge.", "silences": "Silences of alerts.",
    "rules": "Alert rules in force.", "channels": "Ways to reach someone.", "audit": "The audit log: list, verify, export.",
    "views": "Views of lists: mine, and those that others share.", "accounts": "People.", "profiles": "Profiles of permissions.", "sessions": "Open sessions.",
    "session": "My session.",
    "secrets": "Names in the vault.", "questions": "Answers to questions about hosts.", "recovery": "Recovery codes.", "password": "My password.",
    "checks": "Checks: see, add, edit, remove, make now.", "processes": "Processes of a host.", "units": "Units of a host.", "logs": "Logs of a host.",
    "backups": "Backups: jobs, runs, snapshots, and whether hosts could be restored.", "repositories": "Repositories of backups.",
    "runbooks": "Runbooks: see, plan, run, follow, approve, read and play back.",
    "approvals": "What waits for another person, orders and runs: list, approve, refuse, carry out.",
    "authorities": "Authorities that sign host keys.", "probe": "The probe as a file on a host.", "vault": "What can open the vault.",
}  # fmt: skip
_HIDDEN = frozenset({"hosts.bulk_maintenance"})
"""Those that another command does better: `hosts bulk --set maintenance=2h`."""


def headless_routes() -> list[Route]:
    """Routes that get a CLI command."""
    return [
        route
        for route in ROUTES.values()
        if not (route.stream or route.raw or route.name in _NOT_HEADLESS)
        and not route.name.startswith(("setup.", "enrol.", "engine.", "shell."))
    ]


def add_route_commands(main: click.Group) -> None:
    """Add a command per route, grouped by the first word of its name."""
    groups: dict[str, click.Group] = {}
    for route in headless_routes():
        group, _, verb = route.name.partition(".")
        if group not in groups:
            groups[group] = click.Group(group, help=_GROUP_HELP.get(group, ""))
            main.add_command(groups[group])
        groups[group].add_command(_command(route, verb.replace("_", "-")))
    groups["backups"].commands["retain"].hidden = True
    for command in (preview_command, restore_command, forget_command, edit_job_command):
        groups["backups"].add_command(command)
    groups["repositories"].add_command(edit_repository_command)
    groups["probe"].add_command(print_command)
    groups["audit"].add_command(verify_command, "verify")
    for command in (list_command, show_command, approve_command, refuse_command):
        groups["approvals"].add_command(command)
    groups["hosts"].add_command(import_command, "import")
    groups["questions"].add_command(accept_command, "accept")
    groups["hosts"].add_command(bulk_command, "bulk")
    groups["hosts"].add_command(edit_host_command)
    for command in (
        lint_command,
        read_command,
        schema_command,
        run_command,
        follow_command,
        transcript_command,
        play_command,
    ):
        groups["runbooks"].add_command(command)
    groups["audit"].add_command(_alias(groups["audit"].commands["list"]), "tail")


def _alias(command: click.Command) -> click.Command:
    return click.Command("tail", params=command.params, callback=command.callback, help=command.help)


def _command(route: Route, verb: str) -> click.Command:
    params = params_of(route)
    waits = route.response is RunRow
    if waits:
        params.append(wait_option())
    params.append(click.Option(["--json", "as_json"], is_flag=True, help="Print JSON."))

    def callback(as_json: bool, wait: bool = False, **given: Any) -> None:  # Any: click's values
        said = {key: value for key, value in given.items() if value is not None and value != ()}
        _run(route, said, as_json, wait=wait)

    return click.Command(
        verb or "show", params=params, callback=callback, help=route.help, hidden=route.name in _HIDDEN
    )


def _run(route: Route, given: dict[str, Any], as_json: bool, *, wait: bool) -> None:  # Any: click's values
    order = shape(route, given)

    async def all_of_it(client: Client) -> Response:
        wanted = order
        if isinstance(order, FilesQuery) and order.snapshot == LATEST:
            wanted = msgspec.structs.replace(order, snapshot=await newest_good(client, order.job))
        answer = await client.call(route.name, route.response, wanted)
        if wait and isinstance(answer, RunRow):
            return await waited(client, answer)
        # an export comes in parts
        while isinstance(answer, AuditBundle) and answer.more:
            rest = AuditExport(first=answer.events[-1].seq + 1, last=getattr(order, "last", None))
            more = await client.call("audit.export", AuditBundle, rest)
            answer = msgspec.structs.replace(
                answer,
                events=answer.events + more.events,
                checkpoints=answer.checkpoints + more.checkpoints,
                more=more.more,
            )
        return answer

    answer = with_client(all_of_it)
    if isinstance(answer, RunRow):
        conclude(answer, as_json=as_json, wait=wait)
        return
    if isinstance(answer, Session) and answer.token:
        # the one before it is void
        save_token(find_paths(), answer.token)
        answer = msgspec.structs.replace(answer, token="")
    click.echo(
        json_safe(msgspec.json.encode(answer))
        if as_json or isinstance(answer, AuditBundle)
        else words_of(answer)
    )


@click.command("verify")
@click.argument("bundle", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--key", "public_key", default="", help="Public key that you noted before; else the bundle's own."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify_command(bundle: Path | None, public_key: str, as_json: bool) -> None:
    """Check the audit chain: the engine's own, or an export (BUNDLE) offline.  Ends with 1 if it does not hold."""
    if bundle is None:

        async def work(client: Client) -> AuditVerdict:
            return await client.call("audit.verify", AuditVerdict)

        verdict = with_client(work)
    else:
        from guardian_tui.audit_verify import verify_export

        try:
            verdict = verify_export(bundle.read_bytes(), public_key)
        except GuardianError as error:
            raise_words(error, EXIT_REFUSED)
    click.echo(json_safe(msgspec.json.encode(verdict)) if as_json else words_of(verdict))
    if not verdict.ok:
        raise SystemExit(EXIT_REFUSED)
