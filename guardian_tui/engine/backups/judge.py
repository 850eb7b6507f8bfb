"""Could it be restored tonight?  Pure judgements from what is known: ages, runs, checks, drills, copies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import nan
from statistics import median

from guardian_tui.engine.backups import rooms
from guardian_tui.engine.backups.records import Job, Repository, RepositoryMemory
from guardian_tui.engine.remote.ways import Way
from guardian_tui.protocol.backups import (
    CRITICAL,
    LATE,
    JobRow,
    JobState,
    ReadinessRow,
    Ready,
    RepositoryRow,
    RunRow,
    TimerRow,
    Verdict,
)
from guardian_tui.text import counted

DAY = 86400.0
WORST_SECONDS = 30 * DAY
AHEAD_SECONDS = 900.0
"""A snapshot that is dated so much later than now was made by a clock that is wrong."""
NOT_READ_SECONDS = 3 * 3600.0
"""A repository that was not read for so long is not believed."""
_PASSING: tuple[Verdict, ...] = ("network", "locked")
"""Why a repository could not be read that passes by itself, and says nothing of whether it could be restored from."""
FULL_DAYS = (30, 7)
"""A repository that is full within so many days is a trouble, and a grave one."""
FEWEST_SIZES = 3
"""A forecast needs a size on so many days."""
RUNS_COMPARED = 14
FEWEST_COMPARED = 4


def good_at(job: Job) -> float | None:
    """Up to when nothing would be lost: when the backup of its newest good snapshot began, or the last commit in a database's archive."""
    newest = job.good_ats[-1] if job.good_ats else None
    if newest is None or job.archived_at is None:
        return newest
    return max(newest, job.archived_at)


def worst_age(good_ats: Sequence[float], now: float) -> float | None:
    """The greatest age that the newest good snapshot had within 30 days: the longest gap between two, the one until now among them."""
    if not good_ats:
        return None
    since = now - WORST_SECONDS
    ages = [
        later - earlier
        for earlier, later in zip(good_ats, [*good_ats[1:], now], strict=True)
        if later >= since
    ]
    return max(ages, default=None)


def tell_archive(job: Job, memory: RepositoryMemory | None) -> None:
    """Take up how far the archive of a job's database reaches."""
    job.archived_at = memory.archived_at if memory else None
    told = memory.archive_worst if memory and memory.archived_at is not None else ()
    job.archive_worst = max((age for _, age in told), default=0.0)


def worst_of(job: Job, now: float) -> float | None:
    """The same of a job; of a database whose log is archived its last archived commit counts, as it was seen."""
    if job.archived_at is None or not job.good_ats:
        return worst_age(job.good_ats, now)
    return max(job.archive_worst, now - (good_at(job) or now))


def job_state(
    job: Job, repository: Repository | None, active: RunRow | None, now: float
) -> tuple[JobState, str]:
    """A job's state, and why in words."""
    if not job.spec.enabled:
        return "off", "switched off"
    if active is not None and active.state == "running":
        return "running", ""
    memory = repository.memory if repository else None
    if memory is None:
        return "unknown", f"its repository {job.spec.repository} is not there"
    if why := unreadable(repository):
        return "failed", why
    if memory.verdict not in (None, "ok") and (
        memory.listed_at is None or now - memory.listed_at > NOT_READ_SECONDS
    ):
        return "unknown", f"its repository can't be read: {memory.words}"
    newest = good_at(job)
    if job.ahead_at is not None and (newest is None or (now - newest) / job.spec.rpo_seconds > LATE):
        days = (job.ahead_at - now) / DAY
        return "unknown", f"a snapshot is dated {days:.1f} days ahead: the clock of its host is wrong"
    if newest is None:
        if job.last is not None and job.last.verdict not in (None, "ok"):
            return "failed", job.last.words
        return (
            ("unknown", "its repository was not read yet")
            if memory.listed_at is None
            else ("never", _none_good(job))
        )
    ratio = (now - newest) / job.spec.rpo_seconds
    why = f": {memory.archive_words}" if memory.archive_words else ""
    if ratio > CRITICAL:
        return "critical", f"older than twice its RPO{why}"
    if ratio > LATE:
        return "late", f"older than its RPO{why}"
    if job.last is not None and job.last.verdict not in (None, "ok", "cancelled"):
        return "failed", job.last.words
    return "ok", ""


def _none_good(job: Job) -> str:
    """Why there is no snapshot that counts."""
    if not job.snapshots:
        return "no good snapshot yet"
    drilled = "" if job.memory.drill in (None, "ok") else ": its last drill failed"
    which = "its only snapshot is not" if job.snapshots == 1 else f"none of its {job.snapshots} snapshots is"
    return f"{which} whole{drilled}"


def unreadable(repository: Repository | None) -> str:
    """Why nothing can be restored from a repository now, by its own answer; empty: it can be read, or whether is not known."""
    memory = repository.memory if repository else None
    if memory is None or memory.verdict in (None, "ok", *_PASSING) or memory.ours:
        return ""
    return f"its repository can't be read: {memory.words}"


def unread(repository: Repository, now: float) -> bool:
    """Whether somebody is to be told that a repository can't be read: what passes by itself is given its time."""
    memory = repository.memory
    if memory.verdict in (None, "ok"):
        return False
    read_at = repository.created_at if memory.listed_at is None else memory.listed_at
    return bool(unreadable(repository)) or now - read_at > NOT_READ_SECONDS


_Sizes = tuple[int | None, int | None, int | None]


def anomaly(newest: _Sizes, before: Sequence[_Sizes]) -> str:
    """What is odd about the newest run against the median of the last 14; bytes, files and added bytes of each; empty: nothing."""
    compared = list(before)[-RUNS_COMPARED:]
    odd = []
    for place, name, low, high in (
        (0, "size", 0.70, 0.0),
        (1, "files", 0.80, 0.0),
        (2, "added data", 0.0, 5.0),
    ):
        known = [float(value) for run in compared if (value := run[place]) is not None]
        value = newest[place]
        if value is None or len(known) < FEWEST_COMPARED:
            continue
        usual = median(known)
        if usual <= 0:
            continue
        ratio = value / usual
        if low and ratio < low:
            odd.append(f"{name} fell to {ratio * 100:.0f} % of the usual")
        elif high and ratio > high and value > 1 << 20:
            odd.append(f"{name} is {ratio:.1f} times the usual")
    return "; ".join(odd)


def job_row(
    job: Job, repository: Repository | None, way: Way | None, active: RunRow | None, now: float, since: float, state: JobState, words: str,
    timer: TimerRow | None = None,
) -> JobRow:  # fmt: skip
    """The line of the list."""
    spec, memory = job.spec, job.memory
    return JobRow(
        id=job.id, name=spec.name, host_id=job.host_id, host=way.name if way else spec.host, repository=spec.repository,
        engine=repository.spec.engine if repository else "", state=state, since=since, words=words, rpo_seconds=spec.rpo_seconds,
        rto_seconds=spec.rto_seconds, good_at=good_at(job), worst_age_seconds=worst_of(job, now), archived=_by_archive(job), next_at=memory.next_at,
        schedule=spec.schedule, timer=timer, run=active or job.last, verified_at=_verified_at(job, repository), drilled_at=memory.drilled_at,
        drill=memory.drill, measured_rto_seconds=job.measured_rto, estimated_rto_seconds=None if job.measured_rto else job.estimated_rto,
        copies=copies_of(job, now), snapshots=job.snapshots, bytes=job.newest.bytes if job.newest else None,
        anomaly=memory.anomaly, listed_at=repository.memory.listed_at if repository else None, enabled=spec.enabled,
        observed=job.observed, labels=spec.labels, source=job.source, unreadable=unreadable(repository),
    )  # fmt: skip


def _by_archive(job: Job) -> bool:
    return job.archived_at is not None and good_at(job) == job.archived_at


def _verified_at(job: Job, repository: Repository | None) -> float | None:
    times = [
        at
        for at in (job.memory.verified_at, repository.memory.verified_at if repository else None)
        if at is not None
    ]
    return max(times, default=None)


def copies_of(job: Job, now: float) -> int:
    """Repositories with a good snapshot that is not older than twice the RPO."""
    limit = now - CRITICAL * job.spec.rpo_seconds
    newest = good_at(job)
    own = newest is not None and newest >= limit
    return int(own) + sum(at >= limit for at in job.memory.copied.values())


def repository_row(repository: Repository, jobs: int) -> RepositoryRow:
    """The line of the list."""
    spec, memory = repository.spec, repository.memory
    # what a person says that it may hold counts, unless all that is known is how full its disk is
    rooms_known = [room for room in (0 if memory.whole_disk else spec.capacity_bytes, memory.room) if room]
    capacity = min(rooms_known, default=0)
    slope = growth(memory.sizes)
    full = full_at(memory.sizes, capacity)
    return RepositoryRow(
        id=repository.id, name=spec.name, engine=spec.engine, location=spec.location, host=spec.host, verdict=memory.verdict,
        words=memory.words, advice=memory.advice, listed_at=memory.listed_at, tried_at=memory.tried_at, snapshots=memory.snapshots,
        oldest_at=memory.oldest_at, newest_at=memory.newest_at, bytes=memory.bytes, capacity_bytes=capacity,
        taken_bytes=memory.sizes[-1][1] if memory.sizes else None, whole_disk=memory.whole_disk, growth_bytes_per_day=None if slope is None else slope * DAY,
        doubles_at=full_at(memory.sizes, 2 * memory.sizes[-1][1]) if memory.sizes else None,
        full_at=full, forecast="" if full is not None else unforeseen(repository, capacity), verified_at=memory.verified_at, check_level=memory.check_level,
        version=memory.version, site=spec.site, keeper=spec.keeper, append_only=spec.append_only, jobs=jobs, source=repository.source,
    )  # fmt: skip


def unforeseen(repository: Repository, capacity: int) -> str:
    """Why it is not known when a repository is full, and what to do about it."""
    memory = repository.memory
    if memory.unweighed:
        return memory.unweighed
    if not memory.sizes:
        return "it was not weighed yet"
    if not capacity:
        why = rooms.asking(repository.spec)[1] or "it is not known what it may hold"
        return f"{why}: say it yourself (capacity_bytes)"
    if len(memory.sizes) < FEWEST_SIZES:
        return f"it wants sizes of {FEWEST_SIZES} days, and has {len(memory.sizes)} so far"
    return "it does not grow"


def full_at(sizes: Sequence[tuple[float, int]], capacity: int) -> float | None:
    """When it is full if it grows on as it did."""
    slope = growth(sizes)
    if not capacity or slope is None:
        return None
    at, taken = sizes[-1]
    return at + max(0.0, capacity - taken) / slope if slope > 0 else None


def growth(sizes: Sequence[tuple[float, int]]) -> float | None:
    """By how many bytes a second it grows: the slope of a straight line through its sizes by Theil and Sen (the median of all slopes)."""
    if len(sizes) < FEWEST_SIZES:
        return None
    slopes = [
        (b[1] - a[1]) / (b[0] - a[0])
        for place, a in enumerate(sizes)
        for b in sizes[place + 1 :]
        if b[0] > a[0]
    ]
    return median(slopes) if slopes else 0.0


def readiness(way: Way, rows: Iterable[JobRow], now: float) -> ReadinessRow:
    """Whether a host could be restored tonight."""
    jobs = [row for row in rows if row.enabled]
    if not jobs:
        return ReadinessRow(
            host_id=way.host_id, host=way.name, ready="none", why=("nothing of it is backed up",)
        )
    why: list[str] = []
    doubt: list[str] = []
    for row in jobs:
        (doubt if row.state == "unknown" else why).extend(
            f"{row.name}: {words}" for words in troubles(row, now)
        )
    ready: Ready = "no" if why else "unknown" if doubt else "yes"
    measured = [row.measured_rto_seconds for row in jobs if row.measured_rto_seconds is not None]
    estimated = [row.estimated_rto_seconds for row in jobs if row.estimated_rto_seconds is not None]
    return ReadinessRow(
        host_id=way.host_id, host=way.name, ready=ready, why=tuple([*why, *doubt]),
        good_at=_oldest(row.good_at for row in jobs), verified_at=_oldest(row.verified_at for row in jobs),
        drilled_at=_oldest(row.drilled_at for row in jobs), rto_seconds=max(measured or estimated, default=None),
        rto_measured=bool(measured) and len(measured) == len(jobs), copies=min(row.copies for row in jobs), jobs=len(jobs),
    )  # fmt: skip


def _oldest(times: Iterable[float | None]) -> float | None:
    """The oldest, None as soon as one is not known."""
    known = list(times)
    return None if any(at is None for at in known) else min(at for at in known if at is not None)


def troubles(row: JobRow, now: float) -> list[str]:
    """Why a restore of this job tonight could fail, the gravest first."""
    found = [row.unreadable] if row.unreadable else []
    if row.state == "unknown":
        return [row.words or "nothing is known of its repository"]
    if row.good_at is None:
        found.append("no good snapshot")
    elif row.state in ("late", "critical"):
        found.append(row.words)
    if row.drill not in (None, "ok"):
        found.append("its last restore drill failed")
    rto = row.measured_rto_seconds or row.estimated_rto_seconds
    if rto is not None and rto > row.rto_seconds:
        found.append("a restore takes longer than its RTO")
    if row.timer is not None and row.timer.place == "host" and row.timer.words:
        found.append(f"its timer: {row.timer.words}")
    return found


def failed_copies(job: Job) -> dict[str, str]:
    """Its other repositories to which the last copy was not all good, and why."""
    return {name: job.memory.copy_failed[name] for name in job.spec.copies if name in job.memory.copy_failed}


def copy_lag(job: Job) -> float:
    """By how many seconds the newest good snapshot is newer than what its other repositories have, the worst of them; what is stale itself is told elsewhere."""
    newest = job.good_ats[-1] if job.good_ats else None
    if newest is None:
        return 0.0
    return max(
        (newest - job.memory.copied.get(name, job.created_at) for name in job.spec.copies), default=0.0
    )


def space_series(repository: str) -> str:
    """Of a repository whose end of room is foreseen: 1 within a month, 2 within a week."""
    return f"backup_space_trouble{{{repository}}}"


def space_trouble(full: float, now: float) -> float:
    """How near the end of a repository's room is."""
    days = (full - now) / DAY
    return 2.0 if days < FULL_DAYS[1] else 1.0 if days < FULL_DAYS[0] else 0.0


def unread_series(repository: str) -> str:
    """Of a repository that can't be read: nothing is known of what is saved there, or nothing could be restored from it."""
    return f"backup_unreadable{{{repository}}}"


def repository_troubles(
    repository: Repository, full: float | None, now: float
) -> tuple[dict[str, float], dict[str, str]]:
    """What the rules look at of a repository, and what is said of it, by series.

    Args:
        repository: which.
        full: when it is full, if that is foreseen.
        now: Unix seconds.
    """
    name, memory = repository.spec.name, repository.memory
    values: dict[str, float] = {}
    words: dict[str, str] = {}
    if memory.verdict is not None:
        series = unread_series(name)
        values[series] = float(unread(repository, now))
        if values[series]:
            words[series] = memory.words
    if full is not None:
        series = space_series(name)
        values[series] = space_trouble(full, now)
        words[series] = (
            f"if it grows on like this it is full in {counted(round(max(0.0, full - now) / DAY), 'day')}"
        )
    return values, words


def timer_series(job: str) -> str:
    """Of a job whose timer is to be on its host: whether something is wrong with it."""
    return f"backup_timer_trouble{{{job}}}"


def series_of(job: Job, row: JobRow, now: float) -> Mapping[str, float]:
    """What the rules look at."""
    name = job.spec.name
    if not job.spec.enabled:
        return {}
    newest = row.good_at if row.good_at is not None else job.created_at
    failed = job.last is not None and job.last.verdict not in (None, "ok", "cancelled")
    drill_days = job.spec.drill.every_days
    drilled = row.drilled_at if row.drilled_at is not None else job.created_at
    overdue = drill_days > 0 and now - drilled > (drill_days + 1) * DAY
    drill = 2.0 if row.drill not in (None, "ok") else 1.0 if overdue else 0.0
    more = {}
    if row.timer is not None and row.timer.wanted == "host":
        more[timer_series(name)] = float(bool(row.timer.words) and not row.timer.unable)
    if job.spec.copies:
        more |= {
            f"backup_copy_failed{{{name}}}": float(bool(failed_copies(job))),
            f"backup_copy_lag_ratio{{{name}}}": copy_lag(job) / job.spec.rpo_seconds,
        }
    found = {
        **more,
        f"backup_age_ratio{{{name}}}": max(0.0, now - newest) / job.spec.rpo_seconds,
        f"backup_failed{{{name}}}": float(failed),
        f"backup_anomaly{{{name}}}": float(bool(row.anomaly)),
        f"backup_drill_trouble{{{name}}}": drill,
    }
    # what can't be told ends no alert and begins none
    return dict.fromkeys(found, nan) if row.state == "unknown" else found
