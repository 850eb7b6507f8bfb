"""What came of an operation on a folder of dumps, from exit codes and what the programs complained of."""

from __future__ import annotations

import re
from collections.abc import Sequence

from guardian_tui.engine.backups.engines.base import Event, Judgement, Signs, StageEnd, Summary, Warned
from guardian_tui.engine.backups.engines.broken import NO_SPACE
from guardian_tui.protocol.backups import JobSpec, Operation, Verdict
from guardian_tui.text import counted

_AUTH = re.compile(
    r"password authentication failed|no password supplied|Access denied|Permission denied|a password is required"
    r"|authentication failed|no pg_hba\.conf entry|permission denied|must be superuser|is not allowed to execute",
)
_GONE = re.compile(
    r"server closed the connection unexpectedly|terminating connection|Lost connection to|connection to server was lost|gone away"
)
_NETWORK = re.compile(
    r"could not translate host name|Connection refused|Can't connect to|Unknown MySQL server host|timed? ?out|No route to host"
    r"|Network is unreachable|Is the server running|Unknown server host"
)
_ADVICE: dict[Verdict, str] = {
    "no_space": "Make room on the disk of the folder (SQLite is copied in its scratch folder first), or keep fewer dumps.",
    "auth": "Let the dump's Unix user or role read the database: ~/.pgpass, ~/.my.cnf or peer authentication of that user.",
    "network": "See whether the database server runs, and whether the dump's host, port or socket are its own.",
    "missing": "Mount the folder, or make it by initialising the repository.",
    "locked": "Another run is at work in the folder: it is tried again later.",
}
LOCKED = Signs((75,))
CUT = Signs(words=_NETWORK.pattern)
LASTING = Signs(words=f"{NO_SPACE.pattern}|{_GONE.pattern}|{_AUTH.pattern}")
_CANCELLED = (129, 130, 143)
_DAMAGED, _MISSING, _IN_USE = 65, 66, 75


def judged(
    operation: Operation, job: JobSpec | None, ends: Sequence[StageEnd], events: Sequence[Event]
) -> Judgement:
    """The verdict: without evidence (a dump that was kept, files that were copied) nothing is ok."""
    summaries = [event for event in events if isinstance(event, Summary)]
    failed = [end for end in ends if end.exit_code != 0]
    if operation == "backup":
        return _backup(job, ends, failed, summaries)
    if not ends:
        return Judgement("failed", "Nothing was run.")
    total = next((one for one in summaries if one.words == "total"), None)
    if operation == "check" and total is not None:
        return _checked(total, [event.words for event in events if isinstance(event, Warned)])
    if failed:
        return _failure(failed[0])
    if operation in ("restore", "copy"):
        if total is None or not total.files:
            return Judgement("failed", "No dump was copied.")
        done = "restored" if operation == "restore" else "copied"
        return Judgement("ok", f"{counted(total.files, 'dump')} {done}, hashes verified.")
    if operation == "retain" and total is not None:
        return Judgement("ok", f"{counted(total.files or 0, 'dump')} forgotten.")
    if operation == "check":
        return Judgement("failed", "The check did not come to its end.")
    return Judgement("ok", "done")


def _backup(
    job: JobSpec | None, ends: Sequence[StageEnd], failed: Sequence[StageEnd], summaries: Sequence[Summary]
) -> Judgement:
    wanted = len(job.dumps) if job else 0
    kept = {one.words for one in summaries if one.words not in ("run", "total")}
    whole = any(one.words == "run" for one in summaries)
    # the verification of a dump that failed says nothing of its own
    first = next((end for end in failed if end.name.startswith("dump: ")), failed[0] if failed else None)
    if first is None and whole and wanted and len(kept) >= wanted:
        return Judgement("ok", f"{counted(len(kept), 'dump')} kept and verified.")
    if first is None:
        return Judgement("failed", f"{len(kept)} of {counted(wanted, 'dump')} kept.")
    why = _failure(first)
    if why.verdict == "cancelled" or not kept:
        return why
    if len(kept) >= wanted:
        return Judgement("partial", f"All dumps were kept, but {why.words}", why.advice)
    return Judgement("partial", f"{len(kept)} of {counted(wanted, 'dump')} kept; {why.words}", why.advice)


def _checked(total: Summary, bad: Sequence[str]) -> Judgement:
    if total.errors:
        return Judgement(
            "failed",
            f"{total.errors} of {counted(total.files or 0, 'dump')} damaged: {'; '.join(bad[:3])}",
            "Back up again now, and look at the disk: what is damaged can't be restored.",
        )
    return Judgement(
        "ok", f"{counted(total.files or 0, 'dump')} in order." if total.files else "No dump is there yet."
    )


def _failure(end: StageEnd) -> Judgement:
    said = [line.strip() for line in end.tail.splitlines() if line.strip()]
    what = end.name.partition(": ")[2] or end.name
    words = f"{what}: {said[-1] if said else f'exit code {end.exit_code}'}"
    verdict = _verdict(end)
    if verdict == "cancelled":
        return Judgement(verdict, f"{what} was told to stop.")
    if verdict == "failed" and _GONE.search(end.tail):
        return Judgement(verdict, f"{what}: the database server went away in the middle of the dump ({said[-1]})",
                         "See why the server ended (its log, the kernel's out-of-memory messages), then run the job again.")  # fmt: skip
    if verdict == "failed" and end.exit_code == 127:
        return Judgement(verdict, words, "Install the database's client programs on the host.")
    return Judgement(verdict, words, _ADVICE.get(verdict, ""))


def _verdict(end: StageEnd) -> Verdict:
    if end.exit_code in _CANCELLED:
        return "cancelled"
    if NO_SPACE.search(end.tail):
        return "no_space"
    if end.exit_code == _MISSING and re.search("there is no (folder|run) ", end.tail):
        return "missing"
    if end.exit_code == _IN_USE and "another run writes" in end.tail:
        return "locked"
    if _GONE.search(end.tail):
        return "failed"
    if _AUTH.search(end.tail):
        return "auth"
    return "network" if _NETWORK.search(end.tail) else "failed"
