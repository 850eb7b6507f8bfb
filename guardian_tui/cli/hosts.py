"""Orders on many hosts, headless: `guardian-tui hosts import` (the client reads the files and runs the scripts) and `guardian-tui hosts bulk`."""

from __future__ import annotations

import time
from pathlib import Path

import click
import msgspec

from guardian_tui.bulk_words import SYNTAX, edit_of
from guardian_tui.cli.session import ask_for_count, with_client
from guardian_tui.client import Client
from guardian_tui.moments import parse_duration
from guardian_tui.protocol.access import Session
from guardian_tui.protocol.bulk import BulkEdit, BulkMaintenance, BulkReport
from guardian_tui.protocol.errors import InvalidRequest
from guardian_tui.protocol.imports import Found, ImportPreview, ImportRequest, SourceFormat, SourceList
from guardian_tui.source_files import RUN, is_script, read_source
from guardian_tui.text import counted, json_safe, safe

MOST_SHOWN = 100
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
        behind = (
            f" ({counted(len(gone.behind), 'host is', 'hosts are')} reached through it)"
            if gone.behind
            else ""
        )
        lines.append(f"  - {safe(gone.name, 80)} is gone from the source{behind}")
    if same:
        lines.append(f"  {same} unchanged")
    lines += [f"  ! {safe(problem, 400)}" for problem in answer.problems]
    if acted:
        lines.append(
            f"  {answer.added} added, {answer.changed} changed, {answer.removed} removed, {counted(answer.pins, 'key')} pinned."
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


@click.command("bulk")
@click.option(
    "--filter", "filter_", default="", help="Which hosts: the grammar of every list (group=web !role=db)."
)
@click.option("--host", "hosts", multiple=True, metavar="NAME", help="Or by name; may be given again.")
@click.option("--set", "set_", multiple=True, metavar="KEY=VALUE", help=f"{SYNTAX}; or maintenance=2h.")
@click.option("--remove", multiple=True, metavar="KEY", help="label.KEY, group=NAME or maintenance.")
@click.option("--reason", default="", help="Of planned work.")
@click.option(
    "--count",
    type=int,
    help="How many hosts you mean: nothing is asked, and nothing done if it is another number.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def bulk_command(
    filter_: str,
    hosts: tuple[str, ...],
    set_: tuple[str, ...],
    remove: tuple[str, ...],
    reason: str,
    count: int | None,
    as_json: bool,
) -> None:
    """Change many hosts at once, after showing which."""
    route, order = _bulk_order(set_, remove, reason)
    order = msgspec.structs.replace(order, hosts=hosts, filter=filter_, count=count)

    async def work(client: Client) -> BulkReport:
        report = await client.call(route, BulkReport, order)
        if report.done:
            return report
        names = safe(", ".join(report.hosts[:MOST_SHOWN]), 4000)
        more = " …" if len(report.hosts) > MOST_SHOWN else ""
        ask_for_count(len(report.hosts), f"{counted(len(report.hosts), 'host')}: {names}{more}")
        return await client.call(route, BulkReport, msgspec.structs.replace(order, count=len(report.hosts)))

    report = with_client(work)
    words = (
        f"{report.changed} changed, {report.unchanged} were so already."
        if report.unchanged
        else f"{report.changed} changed."
    )
    click.echo(json_safe(msgspec.json.encode(report)) if as_json else words)


def _bulk_order(
    set_: tuple[str, ...], remove: tuple[str, ...], reason: str
) -> tuple[str, BulkEdit | BulkMaintenance]:
    work = [word for word in (*set_, *remove) if word.partition("=")[0] == "maintenance"]
    try:
        if not work:
            if not (set_ or remove):
                raise InvalidRequest(f"Say what to change: {SYNTAX}, or maintenance=2h.")
            return "hosts.bulk", edit_of(set_, remove)
        if len(set_) + len(remove) > 1:
            raise InvalidRequest("Planned work is an order of its own: give nothing else to set or remove.")
        if remove:
            return "hosts.bulk_maintenance", BulkMaintenance(until=None, reason=reason)
        seconds = parse_duration(work[0].partition("=")[2])
        if seconds is None:
            raise InvalidRequest(f"{work[0][:60]!r} says no time; write maintenance=30m, 2h or 1d.")
    except InvalidRequest as error:
        raise click.UsageError(error.detail) from error
    return "hosts.bulk_maintenance", BulkMaintenance(until=time.time() + seconds, reason=reason)
