"""`guardian-tui approvals list|show|approve|refuse`: what would be done is read first, and the answer is bound to what was read."""

from __future__ import annotations

from typing import Literal

import click
import msgspec

from guardian_tui.cli.asked import all_asked, find_asked, told_order, told_run
from guardian_tui.cli.complete import known_names
from guardian_tui.cli.session import with_client
from guardian_tui.cli.words import words_of
from guardian_tui.client import Client
from guardian_tui.protocol.approvals import Approval, GiveApproval
from guardian_tui.protocol.base import Response
from guardian_tui.protocol.errors import Conflict, InvalidRequest
from guardian_tui.protocol.runbooks import ApproveRunbook, RunbookRun, RunbookRunDetail
from guardian_tui.text import json_safe, safe

Verb = Literal["approve", "refuse"]
LINE = 2000

_approval = click.argument("approval", shell_complete=known_names("approval"))
_digest = click.option("--digest", default="", help="Of what you have read already: then nothing is asked.")
_note = click.option("--note", default="", help="Stands in the audit log.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _told(one: Approval | RunbookRunDetail) -> str:
    lines = told_order(one) if isinstance(one, Approval) else told_run(one)
    return "\n".join(safe(line, LINE) for line in lines)


def _print_json(answer: Response) -> None:
    click.echo(json_safe(msgspec.json.encode(answer)))


def _answer(verb: Verb, approval: str, digest: str, note: str, as_json: bool) -> None:
    async def work(client: Client) -> Approval | RunbookRun:
        one = await find_asked(client, approval)
        if isinstance(one, RunbookRunDetail) and one.run.asked != "approve":
            raise Conflict("The run asks for no approval now.")
        if not digest:
            click.echo(_told(one), err=True)
            _confirm(verb)
        if isinstance(one, Approval):
            order = GiveApproval(approval=approval, digest=digest or one.digest, note=note)
            return await client.call(f"approvals.{verb}", Approval, order)
        run = one.run
        judged = ApproveRunbook(
            run=run.id, version=run.version, digest=digest or run.digest, ok=verb == "approve", note=note
        )
        return await client.call("runbooks.approve", RunbookRun, judged)

    done = with_client(work)
    if as_json:
        _print_json(done)
    elif isinstance(done, Approval):
        click.echo(f"{safe(done.words, 300)} {done.state}.")
    else:
        stands = "still asks for approval" if done.asked == "approve" else f"is {done.state}"
        said = "Approved" if verb == "approve" else "Refused"
        click.echo(f"{said}. {safe(done.title, 200)} {stands}, at the step {safe(done.step, 60)}.")


def _confirm(verb: Verb) -> None:
    try:
        yes = click.confirm(f"{verb.capitalize()} exactly this?", err=True)
    except click.Abort:
        raise InvalidRequest(
            "Nobody was there to answer, and nothing was said. Where nobody is asked, give the digest that was read: --digest."
        ) from None
    if not yes:
        raise InvalidRequest("Nothing was said.")


@click.command("list")
@_json
def list_command(as_json: bool) -> None:
    """Orders and runs of runbooks that wait for another person, and those that lately did."""
    asked = with_client(all_asked)
    if as_json:
        _print_json(asked)
    else:
        click.echo(words_of(asked.rows))


@click.command("show")
@_approval
@_json
def show_command(approval: str, as_json: bool) -> None:
    """What would be done, what was said of it, and who can do what about it."""
    one = with_client(lambda client: find_asked(client, approval))
    if as_json:
        _print_json(one)
    else:
        click.echo(_told(one))


@click.command("approve")
@_approval
@_digest
@_note
@_json
def approve_command(approval: str, digest: str, note: str, as_json: bool) -> None:
    """Approve what another person is about to do, an order or a run; it is shown first."""
    _answer("approve", approval, digest, note, as_json)


@click.command("refuse")
@_approval
@_digest
@_note
@_json
def refuse_command(approval: str, digest: str, note: str, as_json: bool) -> None:
    """Refuse what another person asked for, an order or a run; it is shown first."""
    _answer("refuse", approval, digest, note, as_json)
