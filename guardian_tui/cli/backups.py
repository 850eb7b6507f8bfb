"""Backups without a screen: a run waited for to its verdict, and orders that show what they mean before they are given."""

from __future__ import annotations

import asyncio
import sys
from typing import Any, TypeVar, cast

import click
import msgspec

from guardian_tui.cli.options import params_of, shape
from guardian_tui.cli.session import EXIT_REFUSED, with_client
from guardian_tui.cli.words import words_of
from guardian_tui.client import Client
from guardian_tui.protocol.backups import (
    JobRef,
    Restore,
    RestorePlan,
    RestoreQuery,
    RetentionPlan,
    RunDetail,
    RunRef,
    RunRow,
    SnapshotList,
    SnapshotsQuery,
)
from guardian_tui.protocol.errors import InvalidRequest, NotFound
from guardian_tui.protocol.routes import ROUTES
from guardian_tui.text import counted, json_safe, safe
from widgets import figures

LOOK_SECONDS = 1.0
LATEST = "latest"
MOST_NAMED = 15
"""Files that would be replaced; all that are known are in the JSON."""

Q = TypeVar("Q", bound=RestoreQuery)


def wait_option() -> click.Option:
    """Stay until the run is over."""
    return click.Option(
        ["--wait"], is_flag=True, help="Stay until it is over; ends with 1 unless its verdict is ok."
    )


async def waited(client: Client, run: RunRow) -> RunRow:
    """The run when it is over and all lists know of it; how far it is stands on a terminal meanwhile."""
    shown, settling = "", True
    while run.state in ("queued", "running") or settling:
        await asyncio.sleep(LOOK_SECONDS)
        detail = await client.call("backups.log", RunDetail, RunRef(run=run.id))
        run, settling = detail.row, detail.settling
        words = how_far(run)
        if sys.stderr.isatty() and words != shown:
            click.echo(f"\r\x1b[K{words}", nl=False, err=True)
            shown = words
    if shown:
        click.echo("\r\x1b[K", nl=False, err=True)
    return run


def how_far(run: RunRow) -> str:
    """How far a run is, in a line."""
    told = [f"{run.operation} of {safe(run.job or run.repository, 60)}: {run.state}"]
    if run.progress is not None:
        one = run.progress
        told.append(safe(one.stage, 40))
        if one.bytes_total:
            told.append(f"{figures.size(one.bytes_done)} of {figures.size(one.bytes_total)}")
        if one.left_seconds:
            told.append(f"{figures.age(one.left_seconds)} left")
    return ", ".join(word for word in told if word)


def conclude(run: RunRow, *, as_json: bool, wait: bool) -> None:
    """Print a run, and end with 1 where it was waited for and is not all well."""
    if as_json:
        click.echo(json_safe(msgspec.json.encode(run)))
    else:
        click.echo(told_run(run))
    if wait and run.verdict != "ok":
        raise SystemExit(EXIT_REFUSED)


def told_run(run: RunRow) -> str:
    """A run as a person reads it: what came of it, and what to do; while it is under way how to look at it."""
    what = f"{run.operation} of {safe(run.job or run.repository, 60)} on {safe(run.host, 253)}"
    if run.state in ("queued", "running"):
        return f"{what}: {run.state}. Follow it: guardian-tui backups log {run.id}"
    lines = [f"{what}: {run.verdict or run.state}", safe(run.words, 2000), safe(run.advice, 2000)]
    if run.snapshot:
        told = [f"snapshot {safe(run.snapshot, 200)}", counted(run.files, "file") if run.files else ""]
        told.append(figures.size(run.bytes) if run.bytes is not None else "")
        lines.append(", ".join(filter(None, told)))
    return "\n".join(line for line in lines if line)


async def newest_good(client: Client, job: str) -> str:
    """Id of the newest good snapshot of a job.

    Raises:
        NotFound: it has none.
    """
    found = await client.call("backups.snapshots", SnapshotList, SnapshotsQuery(job=job, limit=50))
    for one in found.snapshots:
        if one.good:
            return one.id
    raise NotFound(
        f"{safe(job, 100)} has no good snapshot. `guardian-tui backups snapshots {safe(job, 100)}` lists what there is."
    )


async def settled(client: Client, order: Q) -> Q:
    """The order with its snapshot by name: the newest good one where none is said."""
    if order.at or order.snapshot not in ("", LATEST):
        return order
    return msgspec.structs.replace(order, snapshot=await newest_good(client, order.job))


def plan_words(plan: RestorePlan) -> str:
    """What a restore would do, as a person reads it."""
    lines = [
        f"{counted(plan.files, 'file')}, {figures.size(plan.bytes)}, to {safe(plan.target, 500)} on {safe(plan.host, 253)}"
    ]
    if plan.free_bytes is not None:
        lines.append(
            f"{figures.size(plan.free_bytes)} free there" + ("" if plan.fits else ": IT DOES NOT FIT")
        )
    if plan.overwritten_files:
        lines.append(f"{counted(plan.overwritten_files, 'file')} there would be replaced:")
        lines += [f"  {safe(one, 500)}" for one in plan.overwritten[:MOST_NAMED]]
        left = plan.overwritten_files - min(MOST_NAMED, len(plan.overwritten))
        lines += [f"  and {left} more"] if left > 0 else []
    lines += [f"! {safe(words, 1000)}" for words in plan.notes]
    lines += [f"$ {safe(one, 2000)}" for one in plan.commands]
    return "\n".join(lines)


def agree(words: str, yes: bool) -> None:
    """Have a person say yes to what was shown; a script says --yes.

    Raises:
        InvalidRequest: nobody did.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise InvalidRequest(f"{words} Nobody is here to say so: add --yes.")
    if not click.confirm(words, err=True):
        raise InvalidRequest("Nothing was changed.")


_YES = "Don't ask: what it would do was seen before."


def _preview(as_json: bool, **given: Any) -> None:  # Any: click's values
    order = cast(RestoreQuery, shape(ROUTES["backups.preview"], _said(given)))

    async def work(client: Client) -> RestorePlan:
        return await client.call("backups.preview", RestorePlan, await settled(client, order))

    plan = with_client(work)
    click.echo(json_safe(msgspec.json.encode(plan)) if as_json else plan_words(plan))


def _restore(as_json: bool, wait: bool, yes: bool, **given: Any) -> None:  # Any: click's values
    order = cast(Restore, shape(ROUTES["backups.restore"], _said(given)))

    async def work(client: Client) -> RunRow:
        exact = await settled(client, order)
        if not yes:
            query = RestoreQuery(
                job=exact.job, snapshot=exact.snapshot, includes=exact.includes, host=exact.host, target=exact.target, at=exact.at,
                carried=exact.carried,
            )  # fmt: skip
            plan = await client.call("backups.preview", RestorePlan, query)
            click.echo(plan_words(plan), err=True)
            if plan.overwritten_files and not exact.overwrite:
                raise InvalidRequest(
                    "Files that are there would be replaced: add --overwrite, or give another --target."
                )
            agree("Restore exactly this?", yes)
        run = await client.call("backups.restore", RunRow, exact)
        return await waited(client, run) if wait else run

    conclude(with_client(work), as_json=as_json, wait=wait)


def _forget(job: str, as_json: bool, wait: bool, yes: bool) -> None:
    async def work(client: Client) -> RunRow:
        if not yes:
            plan = await client.call("backups.retention", RetentionPlan, JobRef(job=job))
            click.echo(words_of(plan), err=True)
            if plan.frozen or not plan.forgotten:
                raise InvalidRequest(f"Nothing is forgotten. {safe(plan.frozen, 500)}".strip())
            agree(f"Forget these {counted(len(plan.forgotten), 'snapshot')}, for good?", yes)
        run = await client.call("backups.retain", RunRow, JobRef(job=job))
        return await waited(client, run) if wait else run

    conclude(with_client(work), as_json=as_json, wait=wait)


def _said(given: dict[str, Any]) -> dict[str, Any]:  # Any: click's values
    return {key: value for key, value in given.items() if value is not None and value != ()}


def _json() -> click.Option:
    return click.Option(["--json", "as_json"], is_flag=True, help="Print JSON.")


def _yes() -> click.Option:
    return click.Option(["--yes"], is_flag=True, help=_YES)


preview_command = click.Command(
    "preview", callback=_preview, params=[*params_of(ROUTES["backups.preview"]), _json()],
    help="What a restore would write, and whether it fits: nothing is changed.",
)  # fmt: skip
restore_command = click.Command(
    "restore", callback=_restore, params=[*params_of(ROUTES["backups.restore"]), wait_option(), _yes(), _json()],
    help="Restore files, a tree, or a database to a point in time; what it would write is shown first.",
)  # fmt: skip
forget_command = click.Command(
    "forget", callback=_forget, params=[*params_of(ROUTES["backups.retain"]), wait_option(), _yes(), _json()],
    help="Forget what the policy does not keep, and free its room; which snapshots those are is shown first.",
)  # fmt: skip
