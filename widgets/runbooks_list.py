"""Runbooks: the library, its runs, what came of a step host by host, and places where words were found."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from textual.message import Message

from guardian_tui.protocol.runbooks import (
    HostState,
    RunbookMatch,
    RunbookResult,
    RunbookRow,
    RunbookRun,
    StepState,
)
from guardian_tui.text import counted, safe
from widgets import figures
from widgets.live_list import LiveList
from widgets.painting import Piece, fit

STEP_GLYPHS: Mapping[StepState, tuple[str, str]] = {
    "todo": ("○", "faint"),
    "asking": ("▶", "accent"),
    "running": ("◷", "accent"),
    "paused": ("◼", "mark"),
    "done": ("✓", "ok"),
    "failed": ("✖", "critical"),
    "skipped": ("»", "muted"),
    "unknown": ("◌", "warning"),
    "undone": ("↶", "mark"),
}
"""Glyph and paint of a step's state; a word stands beside it."""
RESULT_GLYPHS: Mapping[HostState, tuple[str, str]] = {
    "waiting": ("○", "muted"),
    "running": ("◷", "accent"),
    "ok": ("●", "ok"),
    "failed": ("✖", "critical"),
    "unknown": ("◌", "warning"),
}
_STATES: Mapping[str, tuple[str, str, str]] = {
    "running": ("◷", "accent", "running"),
    "asking": ("▶", "accent", "asks"),
    "paused": ("◼", "mark", "paused"),
    "deciding": ("✖", "critical", "decide"),
    "done": ("●", "ok", "done"),
    "failed": ("✖", "critical", "failed"),
    "stopped": ("◼", "muted", "stopped"),
    "rolled_back": ("↶", "mark", "rolled back"),
    "": ("◌", "muted", "ended"),
}
_NARROW = 100
_WIDE = 150


def run_state(run: RunbookRun) -> tuple[str, str, str]:
    """Glyph, paint and word of a run."""
    if run.asked == "approve":
        return ("?", "warning", "approval")
    return _STATES[run.verdict if run.state == "ended" else run.state]


def proof_piece(run: RunbookRun) -> Piece:
    """What the alert's rule says at the end of a run, in a word."""
    return {
        "waiting": ("◷ measuring", "accent"),
        "fixed": ("✓ proven fixed", "ok"),
        "not_fixed": ("✖ not fixed", "critical"),
        "unknown": ("◌ not proven", "warning"),
        "": ("", "muted"),
    }[run.proof]  # fmt: skip


def hosts_words(hosts: Sequence[str], count: int) -> str:
    """Hosts by name, or how many they are."""
    if count == 1 and hosts:
        return safe(hosts[0], 253)
    return counted(count, "host") if count else "no host"


class _Rows(LiveList):
    """Rows as they are given, with ages that tick."""

    head = 1

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._now = 0.0

    def _age(self, at: float | None) -> str:
        return "–" if at is None else figures.age(self._now - at)


class RunbooksList(_Rows):
    """The library."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: dict[str, RunbookRow] = {}

    def show(self, rows: Sequence[RunbookRow], problem: str, now: float) -> None:
        """Show these; ``problem``: why the library could not be read."""
        self._now = now
        self._rows = {row.id: row for row in rows}
        self.set_order(list(self._rows))
        broken = sum(bool(row.problems) for row in rows)
        note = safe(problem, 150) or (f"{broken} broken" if broken else "")
        self.set_caption("runbooks", f"{len(rows)}", note, "critical")
        self.redraw_changed()

    def look(self, id: str, width: int) -> object:
        """The row, and how long ago its last run was."""
        row = self._rows[id]
        return (row, self._age(row.last_at))

    @staticmethod
    def _widths(width: int) -> tuple[int, int, int]:
        """Cells of title, rules and commit."""
        commit = 10 if width >= _WIDE else 0
        left = width - 1 - 2 - 20 - commit - 17
        if width < _NARROW:
            # names are what a runbook is chosen by; what it answers stands on its page
            return (left, 0, commit)
        title = min(48, left * 3 // 5)
        return (title, left - title, commit)

    def titles(self, width: int) -> list[Piece]:
        """Column titles."""
        title, rules, commit = self._widths(width)
        last = f"{'last run':<17}"
        words = f"  {fit('runbook', title)}{fit(' answers', rules)}{'steps':>7}{'dangerous':>11}  {'commit    ' if commit else ''}{last}"
        return [(fit(words, width - 1), "muted")]

    def line(self, id: str, width: int) -> list[Piece]:
        """One runbook."""
        row = self._rows[id]
        title, rules, commit = self._widths(width)
        if row.problems:
            room = width - 1 - 2 - title - 1
            return [
                ("✖ ", "critical"), (fit(safe(row.title or row.file, 200), title), "strong"), (" ", "text"),
                (fit(f"broken: {safe(row.problems[0], 400)}", room), "critical"),
            ]  # fmt: skip
        answers = ", ".join(safe(rule, 60) for rule in row.rules)
        pieces: list[Piece] = [
            ("● ", "ok"), (fit(safe(row.title, 200), title), "strong"), (fit(f" {answers}", rules), "muted"), (f"{row.steps:>7}", "text"),
            (f"{row.dangerous or '–':>11}  ", "warning" if row.dangerous else "faint"),
        ]  # fmt: skip
        if commit:
            pieces.append((fit(safe(row.commit, 40)[:8] or "–", commit), "muted"))
        if row.last_at is None:
            pieces.append(("never", "faint"))
        else:
            glyph, paint, word = (
                _STATES[row.last_verdict] if row.last_verdict else ("◷", "accent", "under way")
            )
            pieces += [(f"{glyph} {word}", paint), (f" {self._age(row.last_at)}", "muted")]
        return pieces


class RunbookRunsList(_Rows):
    """Runs, those that have not ended first."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._runs: dict[str, RunbookRun] = {}

    def show(self, runs: Sequence[RunbookRun], now: float) -> None:
        """Show these."""
        self._now = now
        self._runs = {run.id: run for run in runs}
        self.set_order(list(self._runs))
        active = sum(run.state != "ended" for run in runs)
        self.set_caption(
            "runs",
            f"{len(runs)}",
            f"{active} active" if active else "none is active",
            "accent" if active else "muted",
        )
        self.redraw_changed()

    def look(self, id: str, width: int) -> object:
        """What is shown of it."""
        run = self._runs[id]
        return (
            run.version,
            run.state,
            run.verdict,
            run.proof,
            run.asked,
            run.step,
            run.leader,
            run.words,
            self._since(run),
        )

    def _since(self, run: RunbookRun) -> str:
        return self._age(run.ended_at if run.ended_at is not None else run.started_at)

    @staticmethod
    def _widths(width: int) -> tuple[int, int, int]:
        """Cells of title, hosts and who leads."""
        return (18, 11, 7) if width < _NARROW else (32, 20, 14)

    def titles(self, width: int) -> list[Piece]:
        """Column titles."""
        title, hosts, who = self._widths(width)
        words = f"  {'state':<12}{'runbook':<{title}} {'hosts':<{hosts}} {'leads':<{who}}{'age':>5}  step"
        return [(fit(words, width - 1), "muted")]

    def line(self, id: str, width: int) -> list[Piece]:
        """One run."""
        run = self._runs[id]
        glyph, paint, word = run_state(run)
        title, hosts, who = self._widths(width)
        room = max(1, width - 1 - 2 - 12 - title - 1 - hosts - 1 - who - 7)
        last, last_paint = proof_piece(run) if run.state == "ended" else ("", "muted")
        if run.state != "ended":
            last = f"{run.number}/{len(run.marks)} {safe(run.step, 60)}"
        words = safe(run.words, 300)
        return [
            (f"{glyph} ", paint), (fit(word, 12), paint), (fit(safe(run.title, 200), title) + " ", "strong"),
            (fit(hosts_words(run.hosts, run.hosts_count), hosts) + " ", "text"), (fit(safe(run.leader, 60), who), "muted"),
            (f"{self._since(run):>5}  ", "muted"), (fit(last, min(room, len(last))), "text" if run.state != "ended" else last_paint),
            (fit(f"  {words}" if last else words, max(0, room - len(last))), "muted"),
        ]  # fmt: skip


class ResultsList(_Rows):
    """What came of a step on each host, the failed ones first."""

    class InSight(Message):
        """It has come into sight."""

    def on_show(self) -> None:
        """Tell it: only now would it take the keys."""
        self.post_message(self.InSight())

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._results: dict[str, RunbookResult] = {}

    def show(self, results: Sequence[RunbookResult], total: int, note: str, now: float) -> None:
        """Show these, of ``total`` hosts."""
        self._now = now
        self._results = {one.id: one for one in results}
        self.set_order(list(self._results))
        failed = sum(one.state == "failed" for one in results)
        shown = f"{len(results)} of {total}" if len(results) < total else f"{total}"
        self.set_caption("hosts", shown, note, "critical" if failed else "muted")
        self.redraw_changed()

    @property
    def _host_cells(self) -> int:
        """Cells of a host's name: for the longest, and not more than is good."""
        return max(8, min(24, max((len(one.host) for one in self._results.values()), default=0) + 1))

    def result(self, id: str) -> RunbookResult | None:
        """The result of an id."""
        return self._results.get(id)

    def _took(self, one: RunbookResult) -> str:
        if one.started_at is None:
            return ""
        return figures.span((one.ended_at if one.ended_at is not None else self._now) - one.started_at)

    def look(self, id: str, width: int) -> object:
        """The result, and for how long it has been running."""
        one = self._results[id]
        return (one.state, one.attempt, one.batch, one.exit_code, one.words, one.last_line, self._took(one))

    def titles(self, width: int) -> list[Piece]:
        """Column titles."""
        name = self._host_cells
        return [
            (
                fit(
                    f"  {'state':<9}{'host':<{name}}{'batch':>6}{'exit':>5}{'took':>7}  last line", width - 1
                ),
                "muted",
            )
        ]

    def line(self, id: str, width: int) -> list[Piece]:
        """One host."""
        one = self._results[id]
        glyph, paint = RESULT_GLYPHS[one.state]
        name = self._host_cells
        room = max(0, width - 1 - 2 - 9 - name - 6 - 5 - 7 - 2)
        words = one.words if one.state in ("failed", "unknown") and one.words else one.last_line
        return [
            (f"{glyph} ", paint), (fit(one.state, 9), paint), (fit(safe(one.host, 253), name), "strong"), (f"{one.batch or '':>6}", "muted"),
            (f"{'' if one.exit_code is None else one.exit_code:>5}", "text"), (f"{self._took(one):>7}  ", "muted"),
            (fit(safe(words, 400), room), "critical" if one.state == "failed" else "muted"),
        ]  # fmt: skip


class MatchesList(_Rows):
    """Places where words were found in what runs wrote."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._matches: dict[str, RunbookMatch] = {}

    def show(self, matches: Sequence[RunbookMatch], words: str, note: str) -> None:
        """Show these, for the ``words`` that were looked for; ``note``: whether there may be more."""
        self._matches = {str(place): one for place, one in enumerate(matches)}
        self.set_order(list(self._matches))
        self.set_caption(f"found “{safe(words, 60)}”" if words else "found", f"{len(matches)}", note)
        self.redraw_changed()

    def match(self, id: str) -> RunbookMatch | None:
        """The place of an id."""
        return self._matches.get(id)

    def look(self, id: str, width: int) -> object:
        """Places never change."""
        return self._matches[id]

    def titles(self, width: int) -> list[Piece]:
        """Column titles."""
        return [(fit(f"  {'when':<13}{'runbook':<20} {'step':<14} {'host':<14} line", width - 1), "muted")]

    def line(self, id: str, width: int) -> list[Piece]:
        """One place."""
        one = self._matches[id]
        when = time.strftime("%d %b %H:%M", time.localtime(one.at))
        return [
            (f"  {when:<13}", "muted"), (fit(safe(one.runbook, 100), 20) + " ", "strong"), (fit(safe(one.step, 100), 14) + " ", "text"),
            (fit(safe(one.host, 253), 14) + " ", "muted"), (fit(safe(one.line, 400), max(0, width - 1 - 66)), "text"),
        ]  # fmt: skip
