"""`guardian-tui approvals approve|refuse`: what would be done is read first, and the answer is bound to what was read."""

from __future__ import annotations

import click
import msgspec

from guardian_tui.cli_session import with_client
from guardian_tui.client import Client
from guardian_tui.protocol.approvals import Approval, ApprovalList, GiveApproval
from guardian_tui.protocol.errors import InvalidRequest, NotFound
from guardian_tui.text import json_safe, safe

_digest = click.option("--digest", default="", help="Of what you have read already: then nothing is asked.")
_note = click.option("--note", default="", help="Stands in the audit log.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def told(one: Approval) -> list[str]:
    """All that is known of an order that waits, as a person reads it."""
    given = [f"{said.by} ({said.void})" if said.void else said.by for said in one.given if said.ok]
    return [
        f"{one.by} asks: {one.words}", *(f"  {line}" for line in one.lines),
        f"{one.state}; approved by {', '.join(given) or 'nobody'}, {one.quorum} wanted", f"digest {one.digest}",
    ]  # fmt: skip


def _answer(verb: str, approval: str, digest: str, note: str, as_json: bool) -> None:
    async def work(client: Client) -> Approval:
        seen = digest
        if not seen:
            found = (await client.call("approvals.list", ApprovalList)).approvals
            one = next((one for one in found if one.id == approval), None)
            if one is None:
                raise NotFound(f"There is no order {safe(approval, 64)} that waits for an approval.")
            click.echo("\n".join(safe(line, 500) for line in told(one)), err=True)
            if not click.confirm(f"{verb.capitalize()} exactly this?", err=True):
                raise InvalidRequest("Nothing was said.")
            seen = one.digest
        order = GiveApproval(approval=approval, digest=seen, note=note)
        return await client.call(f"approvals.{verb}", Approval, order)

    done = with_client(work)
    click.echo(json_safe(msgspec.json.encode(done)) if as_json else f"{safe(done.words, 300)} {done.state}.")


@click.command("approve")
@click.argument("approval")
@_digest
@_note
@_json
def approve_command(approval: str, digest: str, note: str, as_json: bool) -> None:
    """Approve what another person is about to do; it is shown first."""
    _answer("approve", approval, digest, note, as_json)


@click.command("refuse")
@click.argument("approval")
@_digest
@_note
@_json
def refuse_command(approval: str, digest: str, note: str, as_json: bool) -> None:
    """Refuse what another person asked for; it is shown first."""
    _answer("refuse", approval, digest, note, as_json)
