"""`guardian-tui runbooks lint|read|schema`: documents seen and checked without an engine, by an author or in a pipeline."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from guardian_tui.cli.session import with_client
from guardian_tui.client import Client
from guardian_tui.protocol.alerts import ChannelList
from guardian_tui.protocol.backups import BackupsQuery, JobList
from guardian_tui.protocol.base import Nothing
from guardian_tui.protocol.errors import GuardianError
from guardian_tui.protocol.fleet import HostList, HostsQuery
from guardian_tui.text import json_safe, safe

if TYPE_CHECKING:
    from guardian_tui.engine.runbooks.documents import Document, Finding, Findings, Step
    from guardian_tui.engine.runbooks.documents.known import Known

_PATH = click.Path(exists=True, path_type=Path)
LOCAL = "local"
"""Id of the engine's own machine."""
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_ROOT = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("lint")
@click.argument("paths", nargs=-1, required=True, type=_PATH)
@click.option("--root", type=_ROOT, help="Folder that a file may include from; else its own.")
@click.option("--strict", is_flag=True, help="End with 1 for warnings too.")
@click.option("--config", type=_FILE, help="Hold channels against those of this config.toml.")
@click.option("--ask", is_flag=True, help="Ask the engine which channels, hosts and backup jobs there are.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def lint_command(
    paths: tuple[Path, ...], root: Path | None, strict: bool, config: Path | None, ask: bool, as_json: bool
) -> None:
    """Say what is wrong with runbooks: files, or folders with all that is below them.

    Each finding has its file, line and column, and what to do.  Ends with 1 if any is an error.
    What a runbook names (channels, hosts, backup jobs) is held against what there is with --ask or --config.
    """
    known = _known(config, ask)
    found: list[Finding] = []
    count = 0
    for path in paths:
        for name, findings in _lint(path, root, known):
            count += 1
            found += (msgspec.structs.replace(one, file=str(name / one.file)) for one in findings)
    if as_json:
        click.echo(json_safe(msgspec.json.format(msgspec.json.encode(found))))
    else:
        for one in found:
            click.echo(safe(str(one), 2000))
        totals = {
            severity: sum(one.severity == severity for one in found)
            for severity in ("error", "warning", "hint")
        }
        click.echo(
            f"{_many(count, 'runbook')}: {', '.join(_many(number, word) for word, number in totals.items())}.",
            err=True,
        )
    worst = {"error", "warning"} if strict else {"error"}
    sys.exit(int(any(one.severity in worst for one in found)))


def _known(config: Path | None, ask: bool) -> Known:
    """What there is, as far as anybody was asked."""
    from guardian_tui.engine.runbooks.documents.known import Known

    if ask:
        return with_client(_ask)
    if config is None:
        return Known()
    from guardian_tui.config import parse_settings

    try:
        settings = parse_settings(config.read_text(encoding="utf-8"), str(config))
    except (GuardianError, OSError, UnicodeDecodeError) as error:
        words = error.detail if isinstance(error, GuardianError) else f"{config} can't be read: {error}"
        raise click.ClickException(safe(words, 2000)) from error
    return Known(channels=frozenset(settings.alerts.channels))


async def _ask(client: Client) -> Known:
    from guardian_tui.engine.runbooks.documents.known import Known

    channels = await client.call("channels.list", ChannelList, Nothing())
    hosts = await client.call("hosts.list", HostList, HostsQuery())
    jobs = await client.call("backups.list", JobList, BackupsQuery())
    return Known(
        channels=frozenset(one.name for one in channels.channels),
        # the engine's own machine is also found as what it is
        hosts=frozenset(
            (*(one.name for one in hosts.hosts), *(one.id for one in hosts.hosts if one.id == LOCAL))
        ),
        jobs=frozenset(one.name for one in jobs.jobs),
    )


def _lint(path: Path, root: Path | None, known: Known) -> list[tuple[Path, tuple[Finding, ...]]]:
    """The findings of a file, or of each of a folder, with the folder that their names begin from."""
    from guardian_tui.engine.runbooks.documents import Document, Finding
    from guardian_tui.engine.runbooks.documents.library import Library

    if path.is_dir():
        library = Library(path, shipped=False, rules=_rules(), known=known)
        library.refresh()
        results = [(path, entry.findings) for entry in library.entries]
        if library.problem:
            results.append(
                (path, (Finding(file=".", line=1, code="unreadable-folder", words=library.problem),))
            )
        return results
    read, base = _parse(path, root, known)
    return [(base, read.findings if isinstance(read, Document) else read.found)]


def _parse(path: Path, root: Path | None, known: Known | None = None) -> tuple[Document | Findings, Path]:
    from guardian_tui.engine.runbooks.documents import parse
    from guardian_tui.engine.runbooks.documents.folders import read_file

    base = root if root is not None and path.resolve().is_relative_to(root.resolve()) else path.parent
    name = path.resolve().relative_to(base.resolve()).as_posix()
    read = parse(
        path.read_bytes(), name, load=lambda part: read_file(base, part), rules=_rules(), known=known
    )
    return read, base


def _rules() -> tuple[str, ...]:
    from guardian_tui.engine.alerts.catalogue import SHIPPED_NAMES

    return SHIPPED_NAMES


def _many(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


@click.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of front matter and of a step, for editors."""
    from guardian_tui.engine.runbooks.documents.schema import make_schema

    click.echo(msgspec.json.format(msgspec.json.encode(make_schema()), indent=2))


@click.command("read")
@click.argument("file", type=_FILE)
@click.option("--root", type=_ROOT, help="Folder that the file may include from; else its own.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def read_command(file: Path, root: Path | None, as_json: bool) -> None:
    """Say how Guardian reads FILE: its values, and each step with its ways on.  What is wrong is said by lint."""
    from guardian_tui.engine.runbooks.documents import Document

    read, _ = _parse(file, root)
    if as_json:
        click.echo(json_safe(msgspec.json.format(msgspec.json.encode(read))))
    elif isinstance(read, Document):
        click.echo(_document_words(read))
    else:
        for one in read.errors:
            click.echo(safe(str(one), 2000), err=True)
    sys.exit(int(not isinstance(read, Document)))


def _document_words(document: Document) -> str:
    lines = [f"{document.title} ({document.id}, version {document.version})", f"sha256 {document.hash}"]
    if document.summary:
        lines.append(document.summary)
    if document.rules:
        lines.append(f"answers {', '.join(document.rules)}")
    for variable in document.variables:
        source = f"{variable.origin}.{variable.field}" if variable.field else variable.origin
        default = f", {variable.default} if nothing is said" if variable.default is not None else ""
        lines.append(f"value {variable.name}: {variable.type}, from {source}{default}")
    for number, step in enumerate(document.steps, 1):
        lines += ["", *_step_words(number, step, document)]
    return "\n".join(safe(line, 4000) for line in lines)


def _step_words(number: int, step: Step, document: Document) -> list[str]:
    marks = [f"as {step.user}"] if step.user else []
    marks += [f"dangerous: {step.dangerous}"] if step.dangerous else []
    title = f" · {step.title}" if step.title else ""
    lines = [f"{number}. {step.name} ({', '.join((step.kind, *marks))}){title}"]
    lines += [f"     {line}" for line in step.text.split("\n") if line]
    lines += [f"     back: {line}" for line in step.rollback.split("\n") if line]
    answers = ", ".join(f"{option.answer} → {option.target}" for option in step.options)
    ways = answers or f"then {document.following(step)}"
    return [*lines, f"     {ways}; on failure {step.on_fail}"]
