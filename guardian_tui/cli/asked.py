"""What waits for another person, as the command line tells it: orders, and runs of runbooks at a step that asks for an approval."""

from __future__ import annotations

from collections.abc import Sequence

from guardian_tui.cli.columns import time_words
from guardian_tui.cli.runs import show_step
from guardian_tui.client import Client
from guardian_tui.protocol.approvals import GIVEN_AGAIN, Approval, ApprovalList, ApprovalRef, GivenApproval
from guardian_tui.protocol.base import Response
from guardian_tui.protocol.errors import NotFound, PermissionDenied
from guardian_tui.protocol.runbooks import (
    RunbookRun,
    RunbookRunDetail,
    RunbookRunList,
    RunbookRunRef,
    RunbookRunsQuery,
)

MOST_RUNS = 1000


class AskedRow(Response, frozen=True):
    """One of them as a line of a table."""

    id: str
    order: str
    target: str
    host: str
    state: str
    by: str
    asked_at: float
    expires_at: float | None
    given: str
    """How many approvals hold, of how many that are wanted."""
    words: str
    why: str = ""


class AskedRows(Response, frozen=True):
    """Their table."""

    approvals: tuple[AskedRow, ...]


class Asked(Response, frozen=True):
    """All of them: the orders, and the runs that have not ended and ask for an approval or were given one."""

    approvals: tuple[Approval, ...]
    runs: tuple[RunbookRun, ...]

    @property
    def rows(self) -> AskedRows:
        """As a table, what came last first."""
        rows = [*map(of_order, self.approvals), *map(of_run, self.runs)]
        return AskedRows(approvals=tuple(sorted(rows, key=lambda row: -row.asked_at)))


async def all_asked(client: Client) -> Asked:
    """What this person may see of them.

    Raises:
        PermissionDenied: neither orders nor runs.
    """
    denied: list[PermissionDenied] = []
    orders: tuple[Approval, ...] = ()
    runs: tuple[RunbookRun, ...] = ()
    try:
        orders = (await client.call("approvals.list", ApprovalList)).approvals
    except PermissionDenied as error:
        denied.append(error)
    try:
        query = RunbookRunsQuery(active=True, limit=MOST_RUNS)
        runs = (await client.call("runbooks.runs", RunbookRunList, query)).runs
    except PermissionDenied as error:
        denied.append(error)
    if len(denied) > 1:
        raise denied[0]
    return Asked(approvals=orders, runs=tuple(run for run in runs if _asks(run) or run.approvals))


async def find_asked(client: Client, ident: str) -> Approval | RunbookRunDetail:
    """An order or a run by its id.

    Raises:
        NotFound: it is neither, or not this person's to see.
    """
    try:
        return await client.call("approvals.show", Approval, ApprovalRef(approval=ident))
    except (NotFound, PermissionDenied) as error:
        try:
            return await client.call("runbooks.follow", RunbookRunDetail, RunbookRunRef(run=ident))
        except (NotFound, PermissionDenied):
            raise error from None


def told_order(one: Approval) -> list[str]:
    """All that is known of an order that waits, as a person reads it."""
    ends = f"asked at {time_words(one.asked_at)}, void at {time_words(one.expires_at)}"
    lines = (line for preview in one.lines for line in preview.split("\n"))
    return [
        f"{one.by} asks: {one.words}", *(f"  {line}" for line in lines), *_said(one.given),
        f"{one.state}{f': {one.why}' if one.why else ''}; {_counted(one.given, one.quorum)} approvals, {ends}",
        f"digest {one.digest}", *_next(one),
    ]  # fmt: skip


def told_run(detail: RunbookRunDetail) -> list[str]:
    """What an approval of a run would let happen, and what was said of it."""
    run = detail.run
    lines = [f"{run.leader} leads {run.title}, begun by {run.by}{_where(run)}."]
    if not _asks(run):
        return [*lines, *_said(run.approvals), f"It asks for no approval now: {run.words or run.state}"]
    if run.current is not None:
        lines += show_step(run.current)
    lines += [line for planned in detail.ahead for line in show_step(planned)]
    return [
        *lines, "", *_said(run.approvals), f"waiting; {_counted(run.approvals, run.quorum)} approvals, asked at {time_words(_asked_at(run))}",
        f"digest {run.digest}", f"Another person: guardian-tui approvals approve {run.id}, or refuse {run.id}",
    ]  # fmt: skip


def of_order(one: Approval) -> AskedRow:
    """An order as a line."""
    return AskedRow(
        one.id, one.order, one.target, one.host, one.state, one.by, one.asked_at, one.expires_at, _counted(one.given, one.quorum),
        one.words, one.why,
    )  # fmt: skip


def of_run(run: RunbookRun) -> AskedRow:
    """A run as a line."""
    where = run.hosts[0] if run.hosts_count == 1 and run.hosts else f"{run.hosts_count} hosts"
    asks = _asks(run)
    state = "waiting" if asks else "approved" if run.approvals[-1].ok else "refused"
    words = run.current.words if asks and run.current is not None else run.words
    until = min((one.until for one in run.approvals if _holds(one)), default=None)
    return AskedRow(
        run.id, "runbooks.run", run.runbook, where, state, run.leader, _asked_at(run), until,
        _counted(run.approvals, run.quorum) if asks else "", f"{run.title}: {words or run.step}",
    )  # fmt: skip


def _asks(run: RunbookRun) -> bool:
    return run.asked == "approve"


def _asked_at(run: RunbookRun) -> float:
    """When it came to the step at which it stands."""
    return next((mark.at for mark in run.marks if mark.step == run.step and mark.at), run.started_at)


def _where(run: RunbookRun) -> str:
    more = f" and {run.hosts_count - len(run.hosts)} more" if run.hosts_count > len(run.hosts) else ""
    return f", on {', '.join(run.hosts)}{more}" if run.hosts else ""


def _holds(one: GivenApproval) -> bool:
    return one.ok and not one.void


def _counted(given: Sequence[GivenApproval], quorum: int) -> str:
    return f"{sum(map(_holds, given))} of {quorum}"


def _said(all_given: Sequence[GivenApproval]) -> list[str]:
    """What people said of it so far."""
    return [
        f"{'approved' if given.ok else 'refused'} by {given.by} at {time_words(given.at)}{f': {given.note}' if given.note else ''}"
        f"{f'; counts no more: {given.void}' if given.void else ''}"
        for given in all_given
    ]  # fmt: skip


def _next(one: Approval) -> list[str]:
    """What can be done about an order, and by whom."""
    if one.state == "waiting":
        return [f"Another person: guardian-tui approvals approve {one.id}, or refuse {one.id}"]
    if one.state == "approved":
        again = f"secrets set {one.target}" if one.order in GIVEN_AGAIN else f"approvals go {one.id}"
        return [f"{one.by}: guardian-tui {again}"]
    return [f"It became the run {one.run}."] if one.run else []
