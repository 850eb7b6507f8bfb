"""What ends a run, and what is said of its end.  Pure."""

from __future__ import annotations

from msgspec.structs import replace

from guardian_tui.engine.backups.engines import adapter
from guardian_tui.engine.backups.engines.base import Judgement
from guardian_tui.engine.backups.outcome import outcome
from guardian_tui.engine.backups.records import Limit
from guardian_tui.engine.backups.runs import PERSON, RESTARTED, SCHEDULE, Run
from guardian_tui.engine.backups.schedule import own_zone, window_left
from guardian_tui.engine.backups.work import Backup, Drill, Restore
from guardian_tui.engine.calls import Entry
from guardian_tui.engine.remote.detached_looks import Look
from guardian_tui.protocol.backups import JobSpec, RunRow

MISMATCHES_KEPT = 100


def most_seconds(run: Run, job: JobSpec, now: float) -> tuple[float, Limit]:
    """How long it may last, and whether that is what its window leaves it; 0: its window is over."""
    left = window_left(job.window, now, own_zone(now)) if isinstance(run.work, Backup) else None
    if left == 0.0 and run.row.by != SCHEDULE:
        # what a person begins outside of it has no end
        left = None
    if left is None or left >= job.most_seconds:
        return job.most_seconds, ""
    return left, "window"


def judged(run: Run, look: Look, job: JobSpec | None) -> Judgement:
    """What came of a run that was read to its end, for the job as its engine was told it; its outcome is noted in the run."""
    assert run.reader is not None  # noqa: S101  # whoever set `ended` has read to the end
    run.reader.close()
    run.outcome = outcome(
        run.work, run.row.operation, adapter(run.repository.spec.engine), job, run.reader, run.row.id
    )
    # what ended by itself before it was told to is what it is
    if look.cancelled:
        return Judgement("cancelled", run.ending or PERSON)
    if look.timed_out and run.limit == "window" and job is not None:
        return Judgement(
            "failed", f"Its window ({job.window}) was over before it had ended: it was ended.", "Give it a longer window, or less to do.",
        )  # fmt: skip
    if look.timed_out:
        return Judgement(
            "failed", "Its time was over before it had ended.", "Give it more time, or less to do."
        )
    return run.outcome.judgement


def ended_row(run: Run, judgement: Judgement, now: float) -> RunRow:
    """The line of a run that is over."""
    reader = run.reader
    summary = reader.made if reader else None
    row = replace(
        run.row, state="lost" if judgement is RESTARTED else "ended", verdict=judgement.verdict, words=judgement.words,
        advice=judgement.advice, ended_at=_ended_at(run, now), progress=None, snapshot=summary.snapshot if summary else "",
        files=summary.files if summary else None, bytes=summary.bytes if summary else None,
        added_bytes=summary.added_bytes if summary else None, warnings=reader.warned if reader else 0,
    )  # fmt: skip
    if run.outcome is None or not isinstance(run.work, Restore | Drill):
        return row
    result = run.outcome
    return replace(
        row, compared=result.compared, mismatches=result.mismatches[:MISMATCHES_KEPT], snapshot=run.work.snapshot,
        files=row.files if result.files is None else result.files, bytes=row.bytes if result.bytes is None else result.bytes,
        proof=result.proof, whole=row.whole and result.proof != "read",
    )  # fmt: skip


def _ended_at(run: Run, now: float) -> float:
    """When it ended: of what a timer began in the night its host knows."""
    told = run.look.ended_at if run.by_timer and run.look else None
    return now if told is None else min(now, max(told, run.row.started_at or told))


def event(row: RunRow) -> Entry:
    """What the audit log says of its end."""
    body = {
        "run": row.id,
        "host": row.host,
        "repository": row.repository,
        "words": row.words,
        "verdict": row.verdict or "",
    }
    outcome = "ok" if row.verdict == "ok" else "failed"
    return Entry(row.by, f"backups.{row.operation}.ended", row.job or row.repository, outcome, body=body)
