"""`guardian-tui hosts import`: what a source would change, and the change, with the client reading the files and running the scripts."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from guardian_tui.cli_session import with_client
from guardian_tui.client import Client
from guardian_tui.protocol.access import Session
from guardian_tui.protocol.errors import InvalidRequest
from guardian_tui.protocol.imports import Found, ImportPreview, ImportRequest, SourceFormat, SourceList
from guardian_tui.source_files import RUN, is_script, read_source
from guardian_tui.text import json_safe, safe

FORMATS: tuple[SourceFormat, ...] = ("ssh_config", "ansible_ini", "ansible_yaml", "ansible_json", "csv")


@click.command("import")
@click.argument("sources", nargs=-1)
@click.option(
    "--run", "command", default="", help="A command whose output is the source (ansible-inventory --list)."
)
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), help="Notation, if it can't be told by name and text."
)
@click.option(
    "--known-hosts",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Pin the keys of this file too.",
)
@click.option("--only", multiple=True, metavar="NAME", help="Add or change this host; may be given again.")
@click.option("--all", "all_", is_flag=True, help="Add what is new and change what changed.")
@click.option("--remove-gone", is_flag=True, help="Watch hosts no longer that are gone from the source.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def import_command(
    sources: tuple[str, ...], command: str, format_: SourceFormat | None, known_hosts: Path | None, only: tuple[str, ...],
    all_: bool, remove_gone: bool, as_json: bool,
) -> None:  # fmt: skip
    """Show what SOURCES would change; with --only or --all, change it.

    A source is a file (ssh_config, an Ansible inventory in INI, YAML or JSON, CSV) or a script, which is run here with --list.
    Without any, the files that you imported before are read again.
    """
    keys = known_hosts.read_text(encoding="utf-8", errors="replace") if known_hosts else ""

    async def work(client: Client) -> list[ImportPreview]:
        names = [*sources, *([RUN + command] if command else [])] or await _mine(client)
        if not names and not keys:
            raise InvalidRequest("Name a file: nothing was imported before.")
        orders = [ImportRequest(source=read_source(name, format_), known_hosts=keys) for name in names]
        answers = []
        for order in orders or [ImportRequest(known_hosts=keys, names=() if all_ else None)]:
            preview = await client.call("hosts.import", ImportPreview, order)
            answers.append(
                await _carried_out(client, order, preview, only, all_=all_, remove_gone=remove_gone)
            )
            if not as_json:
                click.echo(words_of_import(order, answers[-1]))
        return answers

    answers = with_client(work)
    if as_json:
        click.echo(json_safe(msgspec.json.encode(answers[0] if len(answers) == 1 else answers)))


async def _mine(client: Client) -> list[str]:
    """Files that this person imported before.

    Not those of others, who would have us send them any file of ours, and no scripts, which would have us run them.
    """
    session = await client.call("session", Session)
    known = (await client.call("hosts.sources", SourceList)).sources
    return [
        source.name
        for source in known
        if source.imported_by == session.account
        and not source.name.startswith(RUN)
        and not is_script(Path(source.name))
    ]


async def _carried_out(
    client: Client,
    order: ImportRequest,
    preview: ImportPreview,
    only: tuple[str, ...],
    *,
    all_: bool,
    remove_gone: bool,
) -> ImportPreview:
    found = {one.spec.name: one for one in preview.found}
    if unknown := [name for name in only if name not in found]:
        raise InvalidRequest(f"{unknown[0]} is not in the source.")
    names = tuple(only) or (tuple(found) if all_ else None)
    gone = tuple(one.name for one in preview.gone) if remove_gone else ()
    if names is None and not gone:
        return preview
    return await client.call(
        "hosts.import", ImportPreview, msgspec.structs.replace(order, names=names or (), remove=gone)
    )


def words_of_import(order: ImportRequest, answer: ImportPreview) -> str:
    """An import for a person: what is new, changed (field by field) and gone, then what could not be read."""
    acted = order.names is not None or answer.added or answer.changed or answer.removed or answer.pins
    lines = [safe(order.source.name if order.source else "known_hosts", 200)]
    same = 0
    for found in answer.found:
        if found.status == "unchanged":
            same += 1
            continue
        lines.append(_line_of(found))
        lines += [
            f"      {safe(c.field, 60)}: {safe(c.old, 100) or '–'} → {safe(c.new, 100) or '–'}"
            for c in found.changes
        ]
        if found.unsupported:
            lines.append(f"      not supported: {safe(', '.join(found.unsupported), 300)}")
    for gone in answer.gone:
        behind = f" ({len(gone.behind)} hosts are reached through it)" if gone.behind else ""
        lines.append(f"  - {safe(gone.name, 80)} is gone from the source{behind}")
    if same:
        lines.append(f"  {same} unchanged")
    lines += [f"  ! {safe(problem, 400)}" for problem in answer.problems]
    if acted:
        lines.append(
            f"  {answer.added} added, {answer.changed} changed, {answer.removed} removed, {answer.pins} keys pinned."
        )
    elif len(lines) > 1 + bool(same) + len(answer.problems):
        lines.append(
            "  Nothing was done. --all takes what is new and changed, --only NAME one of them, --remove-gone drops what is gone."
        )
    return "\n".join(lines)


def _line_of(found: Found) -> str:
    spec = found.spec
    way = f"{spec.user + '@' if spec.user else ''}{spec.address or spec.name}:{spec.port}"
    through = f" through {', '.join(spec.jump)}" if spec.jump else ""
    groups = f" [{', '.join(spec.groups)}]" if spec.groups else ""
    mark = "+" if found.status == "new" else "~"
    return safe(f"  {mark} {spec.name}  {way}{through}{groups}  {found.where}", 400)
