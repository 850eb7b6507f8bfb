"""Backups: jobs against their RPO, hosts that could be restored or not, repositories, and runs."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence

from guardian_tui.protocol.backups import (
    JobRow,
    JobState,
    ReadinessRow,
    Ready,
    RepositoryRow,
    RunRow,
    shown_job_state,
)
from guardian_tui.text import counted, safe
from widgets import figures
from widgets.live_list import LiveList
from widgets.painting import Piece, fit, width_of
from widgets.room_words import soon_words

JOB_GLYPHS: Mapping[JobState, tuple[str, str]] = {
    "ok": ("●", "ok"),
    "running": ("◷", "accent"),
    "late": ("▲", "warning"),
    "critical": ("✖", "critical"),
    "failed": ("✖", "critical"),
    "never": ("✖", "critical"),
    "unknown": ("◌", "muted"),
    "off": ("◼", "faint"),
}
"""Glyph and paint of a job's state; the word always stands beside it."""
READY_GLYPHS: Mapping[Ready, tuple[str, str]] = {
    "yes": ("●", "ok"),
    "no": ("✖", "critical"),
    "unknown": ("◌", "muted"),
    "none": ("○", "warning"),
}
VERDICT_PAINTS: Mapping[str, str] = {
    "ok": "ok",
    "partial": "warning",
    "locked": "warning",
    "cancelled": "muted",
}
"""All other verdicts are critical."""
_NARROW = 100
_WIDE = 160
"""Cells from which there is room for what a snapshot holds and how soon it would be back."""
_MORE = 31
"""Cells of those columns."""


def verdict_paint(verdict: str | None) -> str:
    """The paint of a verdict; muted while there is none."""
    return "muted" if verdict is None else VERDICT_PAINTS.get(verdict, "critical")


def ago(at: float | None, now: float) -> str:
    """How long ago; a dash where it never was."""
    return "–" if at is None else figures.age(now - at)


def tonight_words(hosts: Collection[ReadinessRow]) -> str:
    """How many could be restored tonight: ``47 yes 2 no``; what is none of them is not told."""
    ready = [row.ready for row in hosts]
    told = [f"{ready.count(word)} {word}" for word in READY_GLYPHS if word in ready]
    return " ".join(told)


def rto_words(row: JobRow) -> str:
    """How soon it would be back; ``~`` before what was never measured."""
    if row.measured_rto_seconds is not None:
        return figures.age(row.measured_rto_seconds)
    return "–" if row.estimated_rto_seconds is None else "~" + figures.age(row.estimated_rto_seconds)


def progress_within(run: RunRow, width: int) -> list[Piece]:
    """How far a run is, in so many cells: where there is little room bytes go first, then the bar; share, rate and what is left stay."""
    for bar, told in ((10, True), (6, False), (0, False)):
        pieces = progress_pieces(run, bar, told=told)
        if width_of(pieces) <= width:
            break
    return pieces


def progress_pieces(run: RunRow, bar: int, *, told: bool = True) -> list[Piece]:
    """How far a run is: a bar, bytes (if they are to be told), rate, and what is left."""
    progress = run.progress
    if run.state == "queued":
        return [(safe(run.words or "waits for its turn", 300), "muted")]
    if progress is None:
        return [("it has begun", "muted")]
    pieces: list[Piece] = []
    total = progress.bytes_total
    if total:
        filled, rest = figures.meter(progress.bytes_done / total, bar) if bar else ("", "")
        pieces += [
            (filled, "accent"),
            (rest, "rest"),
            (f" {min(100, progress.bytes_done * 100 // total):>3} %", "text"),
        ]
    if (told or not total) and (total or progress.bytes_done):
        pieces.append((f" {figures.amount(progress.bytes_done)}", "muted"))
    if progress.bytes_per_second is not None:
        pieces.append((f" {figures.amount(progress.bytes_per_second)}/s", "muted"))
    if progress.left_seconds is not None:
        pieces.append((f" {figures.age(progress.left_seconds)} left", "muted"))
    elif not total and progress.stage:
        pieces.append((f" {safe(progress.stage, 60)}", "muted"))
    return pieces


def is_going(run: RunRow | None) -> bool:
    """Whether a run waits or is under way."""
    return run is not None and run.state in ("queued", "running")


def progress_facts(run: RunRow) -> list[tuple[str, str]]:
    """What of a run's progress takes words: bytes and files of how many, and the file that it is at."""
    progress = run.progress
    if progress is None or run.state != "running":
        return []
    done = (
        figures.share_of(progress.bytes_done, progress.bytes_total)
        if progress.bytes_total
        else figures.size(progress.bytes_done)
    )
    files = (
        f"{progress.files_done} of {counted(progress.files_total, 'file')}"
        if progress.files_total
        else counted(progress.files_done, "file")
    )
    told = [("done", f"{done}, {files}")] if progress.bytes_done or progress.files_done else []
    return [*told, *([("at", safe(progress.current, 1000))] if progress.current else [])]


class _Rows(LiveList):
    """Rows that are shown as they are given, with ages that tick."""

    head = 1
    what = ""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._now = 0.0

    def tick(self, now: float) -> None:
        """Ages tick."""
        self._now = now
        self.redraw_changed()


class JobsList(_Rows):
    """Jobs in the order in which they are given."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._jobs: dict[str, JobRow] = {}

    def show(self, jobs: Sequence[JobRow], hosts: Collection[ReadinessRow], now: float) -> None:
        """Show these jobs; of the hosts the border tells which could be restored tonight."""
        self._now = now
        self._jobs = {row.id: row for row in jobs}
        self.set_order([row.id for row in jobs])
        judged = [shown_job_state(row, now) for row in jobs if row.enabled]
        well = sum(state in ("ok", "running") for state in judged)
        bad = sum(state in ("critical", "failed", "never") for state in judged)
        self.set_caption(
            "backups",
            f"{well}/{len(judged)} in RPO · restore tonight {tonight_words(hosts)}"
            if hosts
            else f"{well}/{len(judged)} in RPO",
            f"{bad} in trouble" if bad else "",
            "critical",
        )
        self.redraw_changed()

    def look(self, id: str, width: int) -> object:
        """The row, its state and its ages as they are shown."""
        row, now = self._jobs[id], self._now
        ages = [ago(at, now) for at in (row.good_at, row.verified_at, row.drilled_at)]
        known = (
            row.name,
            row.host,
            row.engine,
            row.repository,
            row.words,
            row.anomaly,
            row.run,
            row.drill,
            row.rpo_seconds,
            row.bytes,
            row.snapshots,
            row.copies,
            rto_words(row),
        )
        return (*known, shown_job_state(row, now), *ages, _until(row.next_at, now))

    def titles(self, width: int) -> list[Piece]:
        """Column titles."""
        name, host, where, ages = _widths(width)
        words = width - 1 - 11 - name - host - where - 15 - ages - (_MORE if width >= _WIDE else 0)
        line = f"{'state':<11}{fit('job', name)}{fit('host', host)}{fit('repository', where)}{'good':>5} {'of RPO':<8} {fit('', words)}"
        more = f"{'size':>11}{'kept':>6}{'RTO':>6}{'copies':>8}" if width >= _WIDE else ""
        return [(line + more + (f"{'check':>6}{'drill':>6}{'next':>6}" if ages else ""), "muted")]

    def line(self, id: str, width: int) -> list[Piece]:
        """One job."""
        row, now = self._jobs[id], self._now
        state = shown_job_state(row, now)
        glyph, paint = JOB_GLYPHS[state]
        name, host, where, ages = _widths(width)
        words = width - 1 - 11 - name - host - where - 15 - ages - (_MORE if width >= _WIDE else 0)
        quiet = state in ("ok", "off")
        pieces: list[Piece] = [
            (f"{glyph} {state:<9}", paint), (fit(safe(row.name, 60), name), "text" if quiet else "strong"),
            (fit(safe(row.host, 253), host), "muted"), (fit(f"{row.engine} {safe(row.repository, 60)}", where), "muted"),
            (f"{ago(row.good_at, now):>5} ", "text" if quiet else paint), *_of_rpo(row, now), (" ", "text"),
        ]  # fmt: skip
        pieces += _words(row, state, words, paint)
        if width >= _WIDE:
            size = "–" if row.bytes is None else figures.size(row.bytes)
            pieces.append((f"{size:>11}{row.snapshots:>6}{rto_words(row):>6}{row.copies or '–':>8}", "muted"))
        if ages:
            pieces.append((f"{ago(row.verified_at, now):>6}", "muted"))
            pieces.append(
                (f"{ago(row.drilled_at, now):>6}", "critical" if row.drill not in (None, "ok") else "muted")
            )
            pieces.append((f"{_until(row.next_at, now):>6}", "muted"))
        return pieces


def _until(at: float | None, now: float) -> str:
    return "" if at is None else figures.age(at - now)


def _widths(width: int) -> tuple[int, int, int, int]:
    """Cells of name, host, repository and ages."""
    return (16, 12, 0, 0) if width < _NARROW else (16, 14, 15, 18)


def _of_rpo(row: JobRow, now: float) -> list[Piece]:
    """How much of the RPO the newest good snapshot has used up."""
    if row.good_at is None or row.rpo_seconds <= 0:
        return [("─" * 8, "rest")]
    ratio = (now - row.good_at) / row.rpo_seconds
    filled, rest = figures.meter(ratio, 8)
    return [(filled, "critical" if ratio > 2 else "warning" if ratio > 1 else "meter"), (rest, "rest")]


def _words(row: JobRow, state: JobState, width: int, paint: str) -> list[Piece]:
    if row.run is not None and row.run.state in ("queued", "running"):
        return _filled(progress_within(row.run, width), width)
    words = row.anomaly or row.words
    if state == "ok" and row.run is not None and not row.anomaly:
        words = row.run.words
    return [(fit(safe(words, 300), width), "muted" if state in ("ok", "off") else paint)]


def _filled(pieces: list[Piece], width: int) -> list[Piece]:
    """Pieces cut or padded to a width."""
    kept: list[Piece] = []
    left = width
    for text, paint in pieces:
        kept.append((fit(text, min(left, len(text))), paint))
        left -= min(left, len(text))
        if left <= 0:
            break
    return [*kept, (" " * max(0, left), "text")]


class ReadinessList(_Rows):
    """Hosts, and whether each could be restored tonight."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._hosts: dict[str, ReadinessRow] = {}

    def show(self, hosts: Sequence[ReadinessRow], now: float) -> None:
        """Show these hosts."""
        self._now = now
        self._hosts = {row.host_id: row for row in hosts}
        self.set_order([row.host_id for row in hosts])
        states = [row.ready for row in hosts]
        note = f"{states.count('no')} no" + (f" · {states.count('none')} without" if "none" in states else "")
        self.set_caption(
            "restore tonight?",
            f"{states.count('yes')} yes",
            note,
            "critical" if "no" in states else "warning",
        )
        self.redraw_changed()

    def look(self, id: str, width: int) -> object:
        """The row, and its ages as they are shown."""
        row = self._hosts[id]
        return (row, *(ago(at, self._now) for at in (row.good_at, row.verified_at, row.drilled_at)))

    def titles(self, width: int) -> list[Piece]:
        """Column titles."""
        host = 18 if width < _NARROW else 28
        words = width - 1 - 11 - host - 34
        return [
            (
                f"{'tonight':<11}{fit('host', host)}{'good':>5}{'check':>7}{'drill':>7}{'RTO':>7}{'copies':>8}{fit(' why', words)}",
                "muted",
            )
        ]

    def line(self, id: str, width: int) -> list[Piece]:
        """One host."""
        row, now = self._hosts[id], self._now
        glyph, paint = READY_GLYPHS[row.ready]
        host = 18 if width < _NARROW else 28
        words = width - 1 - 11 - host - 34
        rto = (
            "–"
            if row.rto_seconds is None
            else ("" if row.rto_measured else "~") + figures.age(row.rto_seconds)
        )
        quiet = row.ready == "yes"
        return [
            (f"{glyph} {row.ready:<9}", paint), (fit(safe(row.host, 253), host), "text" if quiet else "strong"),
            (f"{ago(row.good_at, now):>5}{ago(row.verified_at, now):>7}{ago(row.drilled_at, now):>7}{rto:>7}", "muted"),
            (f"{row.copies or '–':>8}", "muted"), (fit(" " + safe("; ".join(row.why), 300), words), "muted" if quiet else paint),
        ]  # fmt: skip


class RepositoriesList(_Rows):
    """Repositories, as they were when they were last read."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._repositories: dict[str, RepositoryRow] = {}

    def show(self, repositories: Sequence[RepositoryRow], now: float) -> None:
        """Show these repositories."""
        self._now = now
        self._repositories = {row.id: row for row in repositories}
        self.set_order([row.id for row in repositories])
        bad = sum(row.verdict not in (None, "ok") for row in repositories)
        self.set_caption(
            "repositories", f"{len(repositories)}", f"{bad} can't be read" if bad else "", "critical"
        )
        self.redraw_changed()

    def look(self, id: str, width: int) -> object:
        """The row, and its ages as they are shown."""
        row = self._repositories[id]
        ages = [ago(at, self._now) for at in (row.listed_at, row.newest_at, row.verified_at)]
        return (row, *ages, soon_words(row, self._now))

    def titles(self, width: int) -> list[Piece]:
        """Column titles."""
        name, engine = _repository_widths(width)
        words = width - 1 - 11 - name - engine - 31
        return [
            (
                f"{'read':<11}{fit('repository', name)}{fit('engine', engine)}{'snapshots':>9}{'newest':>8}{'read':>7}{'check':>7}{fit(' where', words)}",
                "muted",
            )
        ]

    def line(self, id: str, width: int) -> list[Piece]:
        """One repository."""
        row, now = self._repositories[id], self._now
        name, engine = _repository_widths(width)
        words = width - 1 - 11 - name - engine - 31
        glyph, paint = repository_glyph(row)
        well = row.verdict in (None, "ok")
        text = (
            f"{soon_words(row, now)}{safe(row.location, 300)} by {safe(row.host, 253)}"
            if well
            else f"{safe(row.words, 300)} {safe(row.advice, 300)}"
        )
        return [
            (f"{glyph} {row.verdict or 'not yet':<9}", paint), (fit(safe(row.name, 60), name), "text" if well else "strong"),
            (fit(row.engine, engine), "muted"), (f"{row.snapshots:>9}{ago(row.newest_at, now):>8}{ago(row.listed_at, now):>7}", "muted"),
            (f"{ago(row.verified_at, now):>7}", "muted"), (fit(" " + text, words), "muted" if well else paint),
        ]  # fmt: skip


def _repository_widths(width: int) -> tuple[int, int]:
    """Cells of name and engine; where there is little room words are of more use than the engine, which its page tells."""
    return (16, 0) if width < _NARROW else (24, 11)


def repository_glyph(row: RepositoryRow) -> tuple[str, str]:
    """Glyph and paint of whether it could be read."""
    return "○" if row.verdict is None else "●" if row.verdict == "ok" else "✖", verdict_paint(row.verdict)


class RunsList(_Rows):
    """Runs, those under way first."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._runs: dict[str, RunRow] = {}

    def show(self, runs: Sequence[RunRow], now: float) -> None:
        """Show these runs."""
        self._now = now
        self._runs = {row.id: row for row in runs}
        self.set_order([row.id for row in runs])
        running = sum(row.state == "running" for row in runs)
        queued = sum(row.state == "queued" for row in runs)
        self.set_caption("runs", f"{running} running", f"{queued} queued" if queued else "", "muted")
        self.redraw_changed()

    def look(self, id: str, width: int) -> object:
        """The row, and its age as it is shown."""
        row = self._runs[id]
        return (row, ago(row.started_at or row.queued_at, self._now))

    def titles(self, width: int) -> list[Piece]:
        """Column titles."""
        name, when = (14, 6) if width < _NARROW else (22, 17)
        words = width - 1 - 12 - 9 - name - when - 7
        return [
            (
                f"{'verdict':<12}{'what':<9}{fit('job', name)}{fit('began', when)}{'took':>6} {fit('', words)}",
                "muted",
            )
        ]

    def line(self, id: str, width: int) -> list[Piece]:
        """One run."""
        row = self._runs[id]
        name, when = (14, 6) if width < _NARROW else (22, 17)
        words = width - 1 - 12 - 9 - name - when - 7
        over = row.state in ("ended", "lost")
        paint = verdict_paint(row.verdict) if over else "accent"
        glyph = (
            "◷"
            if not over
            else "●"
            if row.verdict == "ok"
            else "▲"
            if paint == "warning"
            else "○"
            if paint == "muted"
            else "✖"
        )
        began = time.localtime(row.started_at or row.queued_at)
        at = time.strftime("%H:%M" if width < _NARROW else "%Y-%m-%d %H:%M", began)
        took = "" if row.started_at is None else figures.age((row.ended_at or self._now) - row.started_at)
        text: list[Piece] = [
            (
                fit(safe(f"{row.words} {row.advice}".strip(), 400), words),
                "muted" if row.verdict == "ok" else paint,
            )
        ]
        return [
            (f"{glyph} {(row.verdict or row.state) if over else row.state:<10}", paint), (f"{row.operation:<9}", "text"),
            (fit(safe(row.job or row.repository, 60), name), "text"), (fit(at, when), "muted"), (f"{took:>6} ", "muted"),
            *(text if over else _filled(progress_within(row, words), words)),
        ]  # fmt: skip
