"""`guardian-tui approvals show|approve|refuse`: what would be done is read first, and the answer is bound to what was read."""

from __future__ import annotations

import click
import msgspec

from guardian_tui.cli.columns import time_words
from guardian_tui.cli.session import with_client
from guardian_tui.client import Client
from guardian_tui.protocol.approvals import GIVEN_AGAIN, Approval, ApprovalRef, GiveApproval
from guardian_tui.protocol.errors import InvalidRequest
from guardian_tui.text import json_safe, safe

_digest = click.option("--digest", default="", help="Of what you have read already: then nothing is asked.")
_note = click.option("--note", default="", help="Stands in the audit log.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def told(one: Approval) -> list[str]:
    """All that is known of an order that waits, as a person reads it."""
    said = [
        f"{'approved' if given.ok else 'refused'} by {given.by} at {time_words(given.at)}{f': {given.note}' if given.note else ''}"
        f"{f'; counts no more: {given.void}' if given.void else ''}"
        for given in one.given
    ]  # fmt: skip
    held = sum(given.ok and not given.void for given in one.given)
    return [
        f"{one.by} asks: {one.words}", *(f"  {line}" for line in one.lines), *said,
        f"{one.state}{f': {one.why}' if one.why else ''}; {held} of {one.quorum} approvals, asked at {time_words(one.asked_at)}, void at"
        f" {time_words(one.expires_at)}",
        f"digest {one.digest}", *_next(one),
    ]  # fmt: skip


def _next(one: Approval) -> list[str]:
    """What can be done about it, and by whom."""
    if one.state == "waiting":
        return [f"Another person: guardian-tui approvals approve {one.id}, or refuse {one.id}"]
    if one.state == "approved":
        again = f"secrets set {one.target}" if one.order in GIVEN_AGAIN else f"approvals go {one.id}"
        return [f"{one.by}: guardian-tui {again}"]
    return [f"It became the run {one.run}."] if one.run else []


def _answer(verb: str, approval: str, digest: str, note: str, as_json: bool) -> None:
    async def work(client: Client) -> Approval:
        seen = digest
        if not seen:
            one = await client.call("approvals.show", Approval, ApprovalRef(approval=approval))
            click.echo("\n".join(safe(line, 500) for line in told(one)), err=True)
            _confirm(verb)
            seen = one.digest
        order = GiveApproval(approval=approval, digest=seen, note=note)
        return await client.call(f"approvals.{verb}", Approval, order)

    done = with_client(work)
    click.echo(json_safe(msgspec.json.encode(done)) if as_json else f"{safe(done.words, 300)} {done.state}.")


def _confirm(verb: str) -> None:
    try:
        yes = click.confirm(f"{verb.capitalize()} exactly this?", err=True)
    except click.Abort:
        raise InvalidRequest(
            "Nobody was there to answer, and nothing was said. Where nobody is asked, give the digest that was read: --digest."
        ) from None
    if not yes:
        raise InvalidRequest("Nothing was said.")


@click.command("show")
@click.argument("approval")
@_json
def show_command(approval: str, as_json: bool) -> None:
    """What would be done, what was said of it, and who can do what about it."""

    async def work(client: Client) -> Approval:
        return await client.call("approvals.show", Approval, ApprovalRef(approval=approval))

    one = with_client(work)
    click.echo(
        json_safe(msgspec.json.encode(one)) if as_json else "\n".join(safe(line, 500) for line in told(one))
    )


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
