"""`guardian-tui questions accept`: the keys of many new hosts, seen as a list and accepted with their number typed in."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from guardian_tui.cli.session import ask_for_count, with_client
from guardian_tui.client import Client
from guardian_tui.protocol.errors import InvalidRequest
from guardian_tui.protocol.fleet import Question
from guardian_tui.protocol.trust import AcceptKeys, AcceptReport, QuestionList, QuestionsQuery, SeenKey
from guardian_tui.text import counted, json_safe, safe


@click.command("accept")
@click.option("--filter", "filter_", default="", help="Words of the host's name or labels.")
@click.option(
    "--list", "listed", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Accept only keys of this file, got another way: a line HOST FINGERPRINT for each.",
)  # fmt: skip
@click.option(
    "--count",
    type=int,
    help="How many keys you mean: nothing is asked, and none accepted if it is another number.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def accept_command(filter_: str, listed: Path | None, count: int | None, as_json: bool) -> None:
    """Accept the keys of new hosts, many at once, after showing their fingerprints.

    A key that changed is never among them: it wants an answer of its own (questions answer).
    """
    expected = _expected(listed) if listed else None

    async def work(client: Client) -> AcceptReport:
        query = QuestionsQuery(filter=filter_)
        asked = (await client.call("questions.list", QuestionList, query)).questions
        keys = [question for question in asked if question.kind == "host_key"]
        if expected is not None:
            _say_others(keys, expected)
            keys = [question for question in keys if expected.get(question.host) == question.fingerprint]
        if not keys:
            raise InvalidRequest("No new host waits for its key to be accepted.")
        if count is None:
            lines = [f"{safe(q.host, 60):<30}  {q.algorithm}  {q.fingerprint}" for q in keys]
            ask_for_count(len(keys), "\n".join([*lines, f"{counted(len(keys), 'key')} to accept."]))
        order = AcceptKeys(
            keys=tuple(SeenKey(question=q.id, fingerprint=q.fingerprint) for q in keys), count=len(keys) if count is None else count
        )  # fmt: skip
        return await client.call("questions.accept", AcceptReport, order)

    report = with_client(work)
    if as_json:
        click.echo(json_safe(msgspec.json.encode(report)))
        return
    for one in report.refused:
        click.echo(f"{safe(one.host, 100)}: {safe(one.why, 200)}", err=True)
    click.echo(f"{counted(len(report.accepted), 'key')} pinned.")


def _expected(path: Path) -> dict[str, str]:
    """Host → fingerprint, from a person's list."""
    found: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) < 2 or not words[1].startswith("SHA256:"):
            raise click.UsageError(f"{path}:{number}: write HOST SHA256:… on each line.")
        found[words[0]] = words[1].rstrip("=")
    return found


def _say_others(keys: list[Question], expected: dict[str, str]) -> None:
    """Name hosts that show another key than the list has: that is what a list is for."""
    for question in keys:
        known = expected.get(question.host)
        if known is not None and known != question.fingerprint:
            click.echo(
                f"{safe(question.host, 100)} shows {question.fingerprint}, but the list has {safe(known, 100)}: not accepted.",
                err=True,
            )
