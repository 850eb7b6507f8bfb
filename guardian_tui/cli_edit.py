"""`guardian-tui hosts edit`: changes what is named of a host's way, and leaves the rest as it is."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from guardian_tui.cli_session import with_client
from guardian_tui.client import Client
from guardian_tui.protocol.fleet import EditHost, HostDetail, HostRef, HostRow, HostSpec
from guardian_tui.text import json_safe, safe

_MANY = frozenset({"jump", "groups"})


def _options() -> list[click.Parameter]:
    found: list[click.Parameter] = []
    for field in msgspec.structs.fields(HostSpec):
        flag = "--" + field.name.replace("_", "-")
        if field.name == "labels":
            found.append(
                click.Option(
                    ["--label", "labels"],
                    multiple=True,
                    metavar="KEY=VALUE",
                    help="KEY= takes it away; may be given again.",
                )
            )
        elif field.name in _MANY:
            found.append(
                click.Option([flag, field.name], multiple=True, help="All of them; may be given again.")
            )
        else:
            found.append(click.Option([flag, field.name]))
    return found


def changed(spec: HostSpec, given: dict[str, Any]) -> HostSpec:  # Any: click's values
    """A way with what was given in place of what stood there.

    Raises:
        click.UsageError: a value does not fit; says which.
    """
    fields = msgspec.to_builtins(spec)
    for name, value in given.items():
        if value is None or value == ():
            continue
        if name == "labels":
            pairs = dict(pair.partition("=")[::2] for pair in value)
            fields["labels"] = {key: text for key, text in {**spec.labels, **pairs}.items() if text}
        else:
            fields[name] = list(value) if name in _MANY else value
    try:
        return msgspec.convert(fields, HostSpec, strict=False)
    except msgspec.ValidationError as error:
        raise click.UsageError(str(error)) from error


def _edit(host: str, as_json: bool, **given: Any) -> None:  # Any: click's values
    async def work(client: Client) -> HostRow:
        detail = await client.call("hosts.show", HostDetail, HostRef(host=host))
        order = EditHost(host=detail.row.id, spec=changed(detail.spec, given))
        return await client.call("hosts.edit", HostRow, order)

    row = with_client(work)
    click.echo(json_safe(msgspec.json.encode(row)) if as_json else f"{safe(row.name, 253)} is changed.")


edit_command = click.Command(
    "edit", callback=_edit, help="Change how a host is reached; what is not named stays.",
    params=[click.Argument(["host"]), *_options(), click.Option(["--json", "as_json"], is_flag=True, help="Print JSON.")],
)  # fmt: skip
