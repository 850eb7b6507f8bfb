"""The 3-2-1-1-0 report: copies, places, sites, keepers, errors.  Pure."""

from __future__ import annotations

from collections.abc import Mapping

from guardian_tui.engine.backups.judge import DAY, copies_of, failed_copies, good_at
from guardian_tui.engine.backups.records import Job, Repository
from guardian_tui.protocol.backups import CRITICAL, CopiesRow, HeldCopy, RepositorySpec

CHECKED_DAYS = 45.0


def copies_row(
    job: Job, repositories: Mapping[str, Repository], host: str, site: str, now: float
) -> CopiesRow:
    """One job in the report.

    Args:
        job: the job.
        repositories: all of them, by name.
        host: of the job's data.
        site: where that host stands, as its label ``site`` says; empty: not known.
        now: Unix seconds.
    """
    limit = now - CRITICAL * job.spec.rpo_seconds
    newest = good_at(job)
    dates = {job.spec.repository: newest, **{name: job.memory.copied.get(name) for name in job.spec.copies}}
    dates |= job.memory.copied
    in_time = {name: at for name, at in dates.items() if at is not None and at >= limit}
    held = [repositories[name] for name in in_time if name in repositories]
    elsewhere = [one for one in held if one.spec.site and one.spec.site != site]
    untouchable = [one for one in held if one.spec.append_only or one.spec.offline]
    bad = [one for one in held if _unproven(one, now)]
    flags = []
    if len(held) < 2:
        flags.append(f"{1 + len(held)} of 3 copies")
    places = {host, *(_stands_on(one.spec) for one in held)}
    if len(places) < 2:
        flags.append("all copies are on one host")
    if not elsewhere:
        flags.append(
            "none at another site" if any(one.spec.site for one in held) else "no site is known of any copy"
        )
    if not untouchable:
        flags.append("every copy can be deleted by a key that is in use")
    keepers: dict[str, list[str]] = {}
    for one in held:
        keepers.setdefault(one.spec.keeper or f"the key on {one.spec.host}", []).append(one.spec.name)
    flags += [
        f"{keeper} can destroy {' and '.join(names)}"
        for keeper, names in keepers.items()
        if len(names) > 1 and len(names) == len(held)
    ]
    flags += [f"{one.spec.name}: {_unproven(one, now)}" for one in bad]
    flags += [f"the last copy to {name} failed: {words}" for name, words in failed_copies(job).items()]
    if job.memory.drill not in (None, "ok"):
        flags.append("its last restore drill failed")
    errors = len(bad) + (job.memory.drill not in (None, "ok"))
    return CopiesRow(
        job=job.spec.name, host=host, copies=1 + copies_of(job, now), places=len(places), elsewhere=len(elsewhere),
        untouchable=len(untouchable), errors=errors, flags=tuple(flags),
        held=tuple(
            _held(repositories[name], at, name in in_time, site, now) for name, at in dates.items() if name in repositories
        ),
    )  # fmt: skip


def _held(repository: Repository, at: float | None, in_time: bool, site: str, now: float) -> HeldCopy:
    spec = repository.spec
    return HeldCopy(
        repository=spec.name, place=_stands_on(spec), site=spec.site, keeper=spec.keeper or f"the key on {spec.host}", at=at, in_time=in_time,
        elsewhere=bool(spec.site) and spec.site != site, untouchable=spec.append_only or spec.offline, fault=_unproven(repository, now),
    )  # fmt: skip


def _stands_on(spec: RepositorySpec) -> str:
    """What the data is lost with: another machine where the location names one, else the host that reads it."""
    for begin in ("sftp:", "rest:", "s3:", "b2:", "azure:", "gs:", "swift:", "ssh:"):
        if spec.location.startswith(begin):
            return spec.location.split("/")[2] if "//" in spec.location else spec.location.split(":")[1]
    return spec.host


def _unproven(repository: Repository, now: float) -> str:
    memory = repository.memory
    if memory.verdict not in (None, "ok"):
        return f"can't be read: {memory.words}"
    if memory.verified_at is None:
        return "was never checked"
    if now - memory.verified_at > CHECKED_DAYS * DAY:
        return f"was last checked {(now - memory.verified_at) / DAY:.0f} days ago"
    return ""


def rank(row: CopiesRow) -> tuple[int, str]:
    """The worst first."""
    return (-len(row.flags), row.job)
