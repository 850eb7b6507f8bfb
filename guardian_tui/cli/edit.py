"""`guardian-tui hosts|backups|repositories edit`: changes what is named, and leaves the rest as it is."""

from __future__ import annotations

import typing
from typing import Any, TypeVar

import click
import msgspec

from guardian_tui.cli.complete import known_names
from guardian_tui.cli.options import field_of, fitted, is_struct, option_of, plain_type, shown_flag, singular
from guardian_tui.cli.session import with_client
from guardian_tui.client import Client
from guardian_tui.protocol import backups
from guardian_tui.protocol.base import Request, Response
from guardian_tui.protocol.fleet import EditHost, HostDetail, HostRef, HostRow, HostSpec
from guardian_tui.text import json_safe, safe

S = TypeVar("S", bound=msgspec.Struct)


def changed(spec: S, given: dict[str, Any]) -> S:  # Any: click's values
    """A specification with what was given in place of what stood there.

    Of labels and of records only what is named changes; ``KEY=`` takes a label away, and an empty word empties a list.

    Raises:
        click.UsageError: a value does not fit; says which.
    """
    hints = typing.get_type_hints(type(spec))
    fields = msgspec.to_builtins(spec)
    for name, value in given.items():
        if value is None or value == ():
            continue
        hint = plain_type(hints[name])
        new = field_of(name, hint, value)
        if typing.get_origin(hint) is dict:
            new = {key: text for key, text in {**fields[name], **new}.items() if text}
        elif is_struct(hint):
            new = {**fields[name], **new}
        elif value == ("",):
            new = []
        fields[name] = new
    return fitted(fields, type(spec), {name: _flag(name, hint) for name, hint in hints.items()})


def _flag(name: str, hint: Any) -> str:  # Any: a type
    if typing.get_origin(plain_type(hint)) in (dict, tuple):
        return "--" + singular(name).replace("_", "-")
    return shown_flag(name)


def _options(route: str, kind: type[msgspec.Struct]) -> list[click.Parameter]:
    hints = typing.get_type_hints(kind)
    # none of them must be given
    return [
        option_of(route, field.name, hints[field.name] | None, msgspec.structs.FieldInfo(field.name, field.name, field.type, default=None))
        for field in msgspec.structs.fields(kind)
    ]  # fmt: skip


def _edit_command(
    name: str, words: str, kind: type[msgspec.Struct], work: typing.Callable[[Client, str, dict[str, Any]], typing.Awaitable[Response]],
) -> click.Command:  # fmt: skip
    def callback(thing: str, as_json: bool, **given: Any) -> None:  # Any: click's values
        row = with_client(lambda client: work(client, thing, given))
        told = safe(str(getattr(row, "name", thing)), 253)
        click.echo(json_safe(msgspec.json.encode(row)) if as_json else f"{told} is changed.")

    return click.Command(
        "edit", callback=callback, help=words,
        params=[
            click.Argument(["thing"], metavar=name.upper(), shell_complete=known_names(name)),
            *_options("hosts.add" if name == "host" else "backups.add" if name == "job" else "repositories.add", kind),
            click.Option(["--json", "as_json"], is_flag=True, help="Print JSON."),
        ],
    )  # fmt: skip


async def _host(client: Client, host: str, given: dict[str, Any]) -> Response:  # Any: click's values
    detail = await client.call("hosts.show", HostDetail, HostRef(host=host))
    order: Request = EditHost(host=detail.row.id, spec=changed(detail.spec, given), before=detail.spec)
    return await client.call("hosts.edit", HostRow, order)


async def _job(client: Client, job: str, given: dict[str, Any]) -> Response:  # Any: click's values
    detail = await client.call("backups.show", backups.JobDetail, backups.JobRef(job=job))
    order = backups.EditJob(job=detail.row.id, spec=changed(detail.spec, given), before=detail.spec)
    return await client.call("backups.edit", backups.JobRow, order)


async def _repository(
    client: Client, repository: str, given: dict[str, Any]
) -> Response:  # Any: click's values
    ref = backups.RepositoryRef(repository=repository)
    detail = await client.call("repositories.show", backups.RepositoryDetail, ref)
    order = backups.EditRepository(
        repository=detail.row.id, spec=changed(detail.spec, given), before=detail.spec
    )
    return await client.call("repositories.edit", backups.RepositoryRow, order)


edit_host_command = _edit_command(
    "host", "Change how a host is reached; what is not named stays.", HostSpec, _host
)
edit_job_command = _edit_command(
    "job", "Change what is backed up; what is not named stays.", backups.JobSpec, _job
)
edit_repository_command = _edit_command(
    "repository",
    "Change how a repository is reached; what is not named stays.",
    backups.RepositorySpec,
    _repository,
)
