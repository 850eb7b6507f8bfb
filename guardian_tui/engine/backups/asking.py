"""What another person approves of a restore or a retention: the order, and of its preview all that would make it another one."""

from __future__ import annotations

import time

from guardian_tui.engine.approvals.book import Wanted
from guardian_tui.engine.backups.records import Job, Repository
from guardian_tui.engine.remote.ways import Way
from guardian_tui.protocol import backups as wire
from guardian_tui.text import safe

LINES = 40
"""Of files or snapshots that are named to whoever approves; the digest is of all that is known."""


def restore(
    job: Job, way: Way, snapshot: wire.Snapshot, request: wire.Restore, plan: wire.RestorePlan
) -> Wanted:
    """A restore of files; the room that is free there may change meanwhile, what would be written and replaced may not."""
    lines = [
        f"snapshot of {_at(snapshot.at)} ({snapshot.id[:12]})", f"{plan.files} files, {plan.bytes} bytes, below {safe(plan.target, 300)}",
        f"{plan.overwritten_files} files that are there would be overwritten",
        *_some([f"  {path}" for path in plan.overwritten]), *plan.notes, *(f"$ {command}" for command in plan.commands),
    ]  # fmt: skip
    what = f"{plan.files} files of {job.spec.name} to {safe(plan.target, 200)} on {way.name}"
    return Wanted(
        "backups.restore", request, job.spec.name, way.host_id, way.name, f"Restore {what}.", tuple(lines),
        (snapshot.id, plan.files, plan.bytes, plan.overwritten_files, plan.overwritten, plan.commands),
    )  # fmt: skip


def moment(job: Job, repository: Repository, way: Way, request: wire.Restore) -> Wanted:
    """A database that is brought to a moment."""
    when = _at(request.at)
    lines = (f"to {when}, into {safe(request.target, 300)}", f"from the repository {repository.spec.name}")
    return Wanted(
        "backups.restore", request, job.spec.name, way.host_id, way.name, f"Bring {job.spec.name} on {way.name} to {when}.", lines,
        (repository.id,),
    )  # fmt: skip


def retain(
    job: Job, repository: Repository, way: Way, request: wire.JobRef, plan: wire.RetentionPlan
) -> Wanted:
    """Snapshots that the policy does not keep."""
    count = len(plan.forgotten)
    lines = [
        f"{plan.kept} snapshots are kept",
        *_some([f"- {_at(one.at)}  {one.id[:12]}" for one in plan.forgotten]),
    ]
    return Wanted(
        "backups.retain", request, job.spec.name, way.host_id, way.name,
        f"Forget {count} snapshots of {job.spec.name} in {repository.spec.name}, for good.", tuple(lines),
        (repository.id, sorted(one.id for one in plan.forgotten)),
    )  # fmt: skip


def _at(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(moment))


def _some(lines: list[str]) -> list[str]:
    return lines if len(lines) <= LINES else [*lines[:LINES], f"and {len(lines) - LINES} more"]
