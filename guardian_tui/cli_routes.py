"""Headless twins: a CLI command for every route of the table.

`GROUP.VERB` becomes `guardian-tui GROUP VERB`; path parameters are arguments, the request's other fields options.  `--json` prints
the answer as JSON that is safe for a terminal; without it, a table or a list of fields.
"""

from __future__ import annotations

import typing
from pathlib import Path
from typing import Any

import click
import msgspec

from guardian_tui.cli_approvals import approve_command, refuse_command
from guardian_tui.cli_edit import edit_command
from guardian_tui.cli_hosts import bulk_command, import_command
from guardian_tui.cli_probe import print_command
from guardian_tui.cli_runbooks import lint_command, read_command, schema_command
from guardian_tui.cli_runs import follow_command, play_command, run_command, transcript_command
from guardian_tui.cli_session import EXIT_REFUSED, raise_words, save_token, with_client
from guardian_tui.cli_trust import accept_command
from guardian_tui.cli_words import words_of
from guardian_tui.client import Client
from guardian_tui.config import find_paths
from guardian_tui.protocol.access import Session, StepUp
from guardian_tui.protocol.audit import AuditBundle, AuditExport, AuditVerdict
from guardian_tui.protocol.base import Request, Response
from guardian_tui.protocol.errors import GuardianError, StepUpRequired
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
    "accounts": "People.", "profiles": "Profiles of permissions.", "sessions": "Open sessions.", "session": "My session.",
    "secrets": "Names in the vault.", "questions": "Answers to questions about hosts.", "recovery": "Recovery codes.", "password": "My password.",
    "checks": "Checks: see, add, edit, remove, make now.", "processes": "Processes of a host.", "units": "Units of a host.", "logs": "Logs of a host.",
    "backups": "Backups: jobs, runs, snapshots, and whether hosts could be restored.", "repositories": "Repositories of backups.",
    "runbooks": "Runbooks: see, plan, run, follow, approve, read and play back.",
    "approvals": "Orders that wait for another person: list, approve, refuse, carry out.",
    "authorities": "Authorities that sign host keys.", "probe": "The probe as a file on a host.", "vault": "What can open the vault.",
}  # fmt: skip
_SECRET_FIELDS = frozenset({"password", "old", "new", "value", "secret", "code"})


def headless_routes() -> list[Route]:
    """Routes that get a CLI command."""
    return [
        route
        for route in ROUTES.values()
        if not (route.stream or route.raw or route.name in _NOT_HEADLESS)
        and not route.name.startswith(("setup.", "enrol.", "engine."))
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
    groups["probe"].add_command(print_command)
    groups["audit"].add_command(verify_command, "verify")
    groups["approvals"].add_command(approve_command)
    groups["approvals"].add_command(refuse_command)
    groups["hosts"].add_command(import_command, "import")
    groups["questions"].add_command(accept_command, "accept")
    groups["hosts"].add_command(bulk_command, "bulk")
    groups["hosts"].add_command(edit_command)
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
    params: list[click.Parameter] = []
    fields = {field.name: field for field in msgspec.structs.fields(route.request)}
    hints = typing.get_type_hints(route.request)
    for name, field in fields.items():
        if "{" + name + "}" in route.path:
            params.append(click.Argument([name]))
        else:
            params.append(_option(name, hints[name], field))
    params.append(click.Option(["--json", "as_json"], is_flag=True, help="Print JSON."))

    def callback(as_json: bool, **given: Any) -> None:  # Any: click's values
        _run(
            route, {key: value for key, value in given.items() if value is not None and value != ()}, as_json
        )

    return click.Command(verb, params=params, callback=callback, help=route.help)


def _plain_type(hint: Any) -> Any:  # Any: a type
    """The type itself of one that may also be None."""
    parts = [part for part in typing.get_args(hint) if part is not type(None)]
    return parts[0] if type(None) in typing.get_args(hint) and len(parts) == 1 else hint


def _is_struct(hint: Any) -> bool:  # Any: a type
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)


def _example(kind: type[msgspec.Struct]) -> str:
    """The names of a struct's fields, those that must be given first."""
    fields = msgspec.structs.fields(kind)
    return ", ".join(field.name for field in sorted(fields, key=lambda field: not field.required))


def _of_json(name: str, text: str) -> Any:  # Any: JSON values
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise click.UsageError(f"--{name.replace('_', '-')} is no JSON: {error}.") from error


def _option(name: str, hint: Any, field: msgspec.structs.FieldInfo) -> click.Option:  # Any: a type
    required = field.default is msgspec.NODEFAULT and field.default_factory is msgspec.NODEFAULT
    flag = "--" + name.replace("_", "-")
    hint = _plain_type(hint)
    origin = typing.get_origin(hint)
    if hint is bool:
        return click.Option([f"{flag}/--no-{flag[2:]}", name], default=None, help="")
    if name in _SECRET_FIELDS and (required or name != "value"):
        return click.Option(
            [flag, name], prompt=name.capitalize(), hide_input=True, help="Asked for when not given."
        )
    if origin is dict:
        return click.Option(
            [flag, name], multiple=True, metavar="KEY=VALUE", required=required, help="May be given again."
        )
    if _is_struct(hint):
        return click.Option(
            [flag, name], required=required, metavar="JSON", help=f"As JSON: {_example(hint)}"
        )
    if name == "grants":
        return click.Option(
            [flag, name],
            multiple=True,
            required=required,
            metavar="PROFILE[@SCOPE]",
            help="May be given again.",
        )
    if origin is tuple and _is_struct(typing.get_args(hint)[0]):
        words = f"As JSON, may be given again: {_example(typing.get_args(hint)[0])}"
        return click.Option([flag, name], multiple=True, required=required, metavar="JSON", help=words)
    if origin is tuple:
        return click.Option([flag, name], multiple=True, required=required, help="May be given again.")
    return click.Option([flag, name], required=required, help="")


def _shape(route: Route, given: dict[str, Any]) -> Request:  # Any: click's values
    fields: dict[str, Any] = {}
    hints = typing.get_type_hints(route.request)
    for name, value in given.items():
        if typing.get_origin(_plain_type(hints[name])) is dict:
            fields[name] = dict(pair.partition("=")[::2] for pair in value)
        elif _is_struct(_plain_type(hints[name])):
            fields[name] = _of_json(name, value)
        elif route.request.__name__ in ("Invite", "SetGrants") and name == "grants":
            fields[name] = [
                dict(zip(("profile", "scope"), word.split("@", 1), strict=False)) for word in value
            ]
        elif isinstance(value, tuple) and _is_struct((typing.get_args(hints[name]) or (None,))[0]):
            fields[name] = [_of_json(name, one) for one in value]
        else:
            fields[name] = value
    try:
        return msgspec.convert(fields, route.request, strict=False)
    except msgspec.ValidationError as error:
        raise click.UsageError(str(error)) from error


def _run(route: Route, given: dict[str, Any], as_json: bool) -> None:  # Any: click's values
    order = _shape(route, given)

    async def work(client: Client) -> Response:
        try:
            return await client.call(route.name, route.response, order)
        except StepUpRequired:
            code = click.prompt("Code from your authenticator", hide_input=True, err=True)
            session = await client.call("session.step_up", Session, StepUp(code=code))
            if session.token:
                client.token = session.token
                save_token(find_paths(), session.token)
            return await client.call(route.name, route.response, order)

    async def all_of_it(client: Client) -> Response:
        answer = await work(client)
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
