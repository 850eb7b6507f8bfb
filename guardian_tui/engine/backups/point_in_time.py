"""A restore of PostgreSQL to a moment: into a new data folder, started where nobody else reaches it, proven, stopped.

Pure: the window, the stages in their order, and what came of them.  The middle, how files and log come back, is the backup engine's; scripts are in
:mod:`.point_in_time_scripts`.  The restored server listens on a socket in a 0700 folder alone, archives nothing, and takes its sizes from its own control
file, so that it starts where the configuration lies elsewhere (Debian) or is gone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from guardian_tui.engine.backups import point_in_time_scripts as scripts
from guardian_tui.engine.backups.becoming import as_user
from guardian_tui.engine.backups.engines.base import (
    Event,
    Judgement,
    Stage,
    StageEnd,
    Stream,
    Summary,
    Warned,
)
from guardian_tui.protocol.backups import Progress, Verdict
from guardian_tui.text import counted

STAGES = frozenset(("push the log on", "prepare", "start", "recover", "amcheck", "probe", "stop", "delete"))
"""Names of the stages here; those of the backup engine stand between ``prepare`` and ``start``."""
RECOVER_SECONDS = 6 * 3600
PUSH_SECONDS = 60
PROBE_SECONDS = 300
_FOLDER = re.compile(r"/[A-Za-z0-9._/@+-]{1,78}\Z")
"""A socket's path has 107 bytes."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
_ROLE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.$-]{0,62}\Z")
_ARCHIVER = re.compile(rb"archiver\t(.{1,1000})\Z")
_FATAL = re.compile(r"(?:FATAL|PANIC|ERROR): +(.+)")
ENDED_EARLY = 70
_OWN: dict[int, tuple[Verdict, str]] = {
    64: ("no_space", "Give the restore a folder on a disk with more room."),
    65: ("failed", "Data of this backup is damaged: restore from an older one, and look at the server's disk."),
    71: ("failed", "Read the restored server's log: what is missing is named there."),
    72: ("failed", "Restore to an earlier moment, or allow it more time."),
    73: ("failed", "Name a new folder: a restore never touches one that holds something."),
    74: ("failed", "The probe must answer at least one row: see whether the data is there."),
    75: ("failed", "The server does not archive its log: see its archive_command and pg_stat_archiver."),
    127: ("missing", "Install the server programs of the cluster's PostgreSQL version on this host."),
}  # fmt: skip
_CANCELLED = (129, 130, 143)


@dataclass(frozen=True, slots=True)
class Server:
    """How psql reaches a running server; ``user`` is the Unix user who may."""

    user: str = ""
    host: str = ""
    """Or the folder of its socket."""
    port: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class Window:
    """The span in which every moment can be restored.

    Attributes:
        earliest: when the oldest whole full backup ended; None: there is none.
        latest: of the last commit that is archived for certain, before ``earliest`` where none came since; None: nothing was ever archived.
        pending: whether something was committed since; None: the server does not keep commit times (``track_commit_timestamp``).
        words: what speaks against it: gaps, an archiver that fails, a server that does not answer.
        server_at: the server's own time when it told that; None: it does not answer.
        archiving: whether it archives, as far as it knows.
    """

    earliest: float | None
    latest: float | None
    pending: bool | None = None
    words: str = ""
    server_at: float | None = None
    archiving: bool = False

    def saved_until(self, now: float) -> float | None:
        """Up to when nothing would be lost if the server burnt down now, for the RPO: the last archived commit, or now where nothing came after it.

        None: the archive brings nothing back that a backup would not.
        """
        if self.earliest is None:
            return None
        if self.pending is False:
            return now
        return min(self.latest, now) if self.latest is not None and self.latest >= self.earliest else None


@dataclass(frozen=True, slots=True)
class Target:
    """The moment that is restored.

    Attributes:
        at: Unix seconds.
        action: what the server does there: it opens for writing, or stands still to be looked at.
    """

    at: float
    action: Literal["promote", "pause"] = "promote"

    @property
    def words(self) -> str:
        """As PostgreSQL and pgBackRest read it, in UTC."""
        return datetime.fromtimestamp(self.at, UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00")


@dataclass(frozen=True, slots=True)
class Order:
    """A restore to a moment.

    Attributes:
        run: its id; only what bears it is ever stopped or deleted.
        folder: new folder for data, socket and log; made here.
        user: Unix user who runs the restored server (never root); empty: whoever runs the stages.
        target: the moment.
        role: a superuser of the cluster; empty: ``postgres``, or one that is named as the Unix user.
        need_bytes: room that it takes; 0: not known.
        drill: whether all of it is deleted in the end.
        probe_sql: SQL that must answer a row, read-only; empty: none is asked.
        database: where it is asked.
        probe_answer: the first row that it must answer; empty: any row will do.
        source: the running server whose log is pushed on first; None: it is gone, or may not be touched.
        to_end: not to the moment, but to the end of what is archived.
    """

    run: str
    folder: str
    user: str
    target: Target
    role: str = ""
    need_bytes: int = 0
    drill: bool = True
    probe_sql: str = ""
    database: str = "postgres"
    source: Server | None = None
    probe_answer: str = ""
    to_end: bool = False

    @property
    def data(self) -> str:
        """The data folder."""
        return f"{self.folder}/data"

    @property
    def tablespaces(self) -> str:
        """Where its tablespaces go: where they were, the running cluster has its own."""
        return f"{self.folder}/tablespaces"


def refusal(window: Window, target: Target) -> str:
    """Why the target can't be restored; empty: it lies in the window."""
    if window.earliest is None:
        return "No moment can be restored yet: there is no full backup with its log."
    if target.at < window.earliest:
        return f"{_told(target.at)} is before the window, which begins {_told(window.earliest)}, when its oldest full backup ended."
    if window.latest is None and window.server_at is None:
        return "No moment can be named: the server does not answer, and how far its archive reaches was never seen. Restore the backup itself."
    if window.latest is None:
        return "No moment can be restored: the server has archived nothing yet."
    if window.latest < window.earliest:
        return f"Nothing was committed since {_told(window.earliest)}, when the full backup ended: push the log on, or restore the backup itself."
    if target.at > window.latest:
        return f"{_told(target.at)} is after the window, which ends {_told(window.latest)}: nothing later is archived. Push the log on, and look again."
    return ""


def archiver(server: Server) -> Stage:
    """Ask the server how far its archive reaches."""
    return Stage("archiver", as_user(server.user, (*_psql(server), "-c", scripts.ARCHIVER_SQL)))


def archiver_of(out: bytes, earliest: float | None, words: str = "") -> Window:
    """The window, its end from what :func:`archiver` told somewhere in ``out``.

    Raises:
        ValueError: it told nothing that can be read.
    """
    line = next((found[1] for line in out.split(b"\n") if (found := _ARCHIVER.match(line))), None)
    fields = line.decode("utf-8", "replace").split("\t") if line is not None else []
    if len(fields) != 7:
        raise ValueError("the server told nothing of its archive")
    mode, *numbers = fields
    if not all(re.fullmatch(r"-?\d{1,12}(\.\d{1,9})?", number, re.ASCII) for number in numbers):
        raise ValueError("the server told no times of its archive")
    archived, sealed, failed, committed, fails, server_at = map(float, numbers)
    told = [words] if words else []
    if mode == "off":
        told.append("archive_mode is off: nothing is archived")
    elif failed > archived:
        told.append(f"archiving fails since {_told(failed)} ({counted(round(fails), 'time')} in all)")
    archiving = mode != "off" and failed <= archived
    if archived < 0:
        return Window(earliest, None, None, "; ".join(told), server_at, archiving)
    # a segment is sealed before it is archived, and what is committed in between is in the next one; its file's time has whole seconds
    sealed_by = min(sealed + 1, archived) if sealed >= 0 else archived
    pending = committed > sealed_by if committed >= 0 else None
    latest = committed if pending is False else min(sealed, archived) if sealed >= 0 else archived
    return Window(earliest, latest, pending, "; ".join(told), server_at, archiving)


def push_on(server: Server) -> Stage:
    """Get the last commits into the archive: a commit of our own, a new segment, and a wait until the old one is archived.

    On an idle server a switch alone does nothing, and a target after the last archived commit is never reached.
    """
    argv = ("sh", "-c", scripts.PUSH, "guardian-push", str(PUSH_SECONDS), *_psql(server))
    return Stage("push the log on", as_user(server.user, argv))


def stages(order: Order, restore: Sequence[Stage]) -> tuple[Stage, ...]:
    """The stages of a restore, with the backup engine's own in their place.

    Raises:
        ValueError: it can't be ordered so; says why.
    """
    if not _FOLDER.match(order.folder) or "/../" in f"{order.folder}/" or "//" in order.folder:
        raise ValueError("A restore goes into a new folder, named by its whole path in at most 80 plain characters.")  # fmt: skip
    if not _ID.match(order.run):
        raise ValueError(f"A run can't be called {order.run!r}.")
    if order.role and not _ROLE.match(order.role):
        raise ValueError(f"No role can be called {order.role!r} here.")
    folder, moment = order.folder, order.target.action
    found = [push_on(order.source)] if order.source else []
    found += [
        _script(order, "prepare", scripts.PREPARE, folder, str(order.need_bytes), order.run, order.role),
        *restore,
        _script(order, "start", scripts.START, folder),
        _script(order, "recover", scripts.RECOVER, folder, str(RECOVER_SECONDS), moment),
    ]
    if moment == "promote":
        found.append(_script(order, "amcheck", scripts.AMCHECK, folder))
    if order.probe_sql:
        found.append(_probe(order))
    found.append(_script(order, "stop", scripts.STOP, folder, order.run, always=True))
    if order.drill:
        found.append(_script(order, "delete", scripts.DELETE, folder, order.run, always=True))
    return tuple(found)


def parse(stage: str, line: bytes, stream: Stream) -> Event | None:
    """What a line of a stage says."""
    if stream != "out":
        return None
    match line.decode("utf-8", "replace").split(" ", 1):
        case ["pushing", segment]:
            return Progress(stage="push the log on", current=f"segment {segment[:60]}")
        case ["checking", what]:
            return Progress(stage=f"check by {what[:60]}")
        case ["recovering", at]:
            return Progress(stage="recover", current=f"log of {at[:60]}")
        case ["recovered", at]:
            return Summary(words=f"recovered {at[:60]}")
        case ["checked", what]:
            return Summary(words=f"checked {what[:60]}")
        case ["unchecked", why]:
            return Warned(f"the data was not checked: {why[:300]}")
        case ["rows", count] if count.isascii() and count.isdigit():
            return Summary(files=int(count[:9]), words="rows")
        case ["pushed", what]:
            return Summary(words=f"pushed {what[:60]}")
    return None


def judged(ends: Sequence[StageEnd], events: Sequence[Event]) -> Judgement:
    """What came of a restore, from its stages here; what the backup engine's own stages failed with is for its adapter to say."""
    failed = next((end for end in ends if end.name in STAGES and (end.exit_code or end.source_code)), None)
    summaries = [event.words for event in events if isinstance(event, Summary)]
    reached = next(
        (words.removeprefix("recovered ") for words in summaries if words.startswith("recovered ")), ""
    )
    if failed is not None:
        return _failure(failed, events)
    if ends and all(end.name == "push the log on" for end in ends):
        pushed = any(words.startswith("pushed ") for words in summaries)
        return Judgement("ok", "The log is archived up to now.") if pushed else Judgement("failed", "Nothing was pushed on.")  # fmt: skip
    if not reached:
        return Judgement("failed", "The restored server was never seen out of recovery.")
    proofs = ["data checked by pg_amcheck"] if "checked amcheck" in summaries else []
    proofs += ["the probe answered"] if "rows" in summaries else []
    pushed = any(words.startswith("pushed ") for words in summaries)
    if any(end.name == "delete" for end in ends):
        proofs.append(
            "what was written last is in it: the log was pushed on first" if pushed
            else "what the server wrote last was not archived yet and is not proven"
        )  # fmt: skip
    last = (
        f"its last transaction is of {reached} UTC"
        if reached != "-"
        else "no transaction came after the backup"
    )
    said = "; ".join(["Restored and started", last, *proofs])
    doubts = [event.words for event in events if isinstance(event, Warned) and event.words.startswith("the data was not")]  # fmt: skip
    if doubts:
        return Judgement("partial", f"{said}; {doubts[0]}", "Install postgresql-contrib, or give the drill a probe of its own.")  # fmt: skip
    return Judgement("ok", f"{said}.")


def _failure(end: StageEnd, events: Sequence[Event]) -> Judgement:
    lines = [line.strip() for line in end.tail.splitlines() if line.strip()]
    fatal = _FATAL.findall(end.tail)
    words = fatal[-1] if fatal else lines[-1] if lines else f"exit code {end.exit_code}"
    if end.exit_code in _CANCELLED:
        return Judgement("cancelled", f"{end.name} was told to stop.")
    if end.name == "recover" and end.exit_code == ENDED_EARLY:
        last = next((line.removeprefix("last ") for line in lines if line.startswith("last ")), "")
        until = f" The last transaction that is there is of {last}: it can be restored." if last else ""
        return Judgement(
            "failed", f"Recovery ended before the moment was reached: no later commit is in the archive.{until}",
            "Push the log on while the server still runs (pg_current_xact_id, then pg_switch_wal) and restore again;"
            " else choose an earlier moment, and check the repository for gaps.",
        )  # fmt: skip
    verdict, advice = _OWN.get(end.exit_code, ("failed", ""))
    return Judgement(verdict, f"{end.name}: {words}", advice)


def _probe(order: Order) -> Stage:
    if "\\" in order.probe_sql:
        raise ValueError("A probe is SQL alone: psql would take a backslash for a command of its own.")
    if "\0" in order.probe_sql or order.database.startswith("-") or "\0" in order.database:
        raise ValueError("The probe can't be asked so.")
    quoted = order.database.replace("\\", "\\\\").replace("'", "\\'")
    argv = ("sh", "-c", scripts.PROBE, "guardian-restore", order.folder, f"dbname='{quoted}'", str(PROBE_SECONDS * 1000), order.probe_answer)  # fmt: skip
    return Stage("probe", as_user(order.user, argv), source=("printf", "%s\n", order.probe_sql))


def _script(order: Order, name: str, script: str, *values: str, always: bool = False) -> Stage:
    argv = as_user(order.user, ("sh", "-c", script, "guardian-restore", *values))
    return Stage(name, argv, env={"LC_ALL": "C", "TZ": "UTC"}, always=always)


def _psql(server: Server) -> tuple[str, ...]:
    for value in (server.host, server.port, server.role):
        if value.startswith("-") or any(c in value for c in "\0\r\n"):
            raise ValueError(f"PostgreSQL can't be reached by {value!r}.")
    where = [f"--host={server.host}"] if server.host else []
    where += [f"--port={server.port}"] if server.port else []
    where += [f"--username={server.role}"] if server.role else []
    return ("psql", "--no-psqlrc", "--no-password", "--quiet", "--no-align", "--tuples-only", "--field-separator=\t",
            "--set=ON_ERROR_STOP=1", *where, "--dbname=postgres")  # fmt: skip


def _told(at: float) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + " UTC"
    except (OverflowError, ValueError, OSError):
        return "a time that no calendar has"
