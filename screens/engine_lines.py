"""The engine's figures as lines of boxes: what each is, its value, and whether it is as it should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from guardian_tui.protocol.engine_figures import EngineFigures
from guardian_tui.text import counted, safe
from widgets import figures
from widgets.box import Line
from widgets.painting import fit

LATE_SECONDS = 1.0
"""A wave later than that is seen in charts."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure; ``bad`` where it needs somebody's eye."""

    label: str
    value: str
    bad: bool = False


def groups(of: EngineFigures) -> dict[str, list[Figure]]:
    """All figures by box: the same on screen and headless."""
    status, waves = of.status, of.waves
    verified = (
        f"verified {figures.age(status.time - status.audit_verified_at)} ago"
        if status.audit_verified_at
        else "not verified yet"
    )
    store = [
        Figure("kind", of.store),
        Figure("size", figures.size(of.store_bytes) if of.store_bytes is not None else "not known"),
        Figure("written", f"{figures.size(status.written_bytes_per_second)}/s"),
        Figure("damaged chunks", str(of.damaged_chunks), of.damaged_chunks > 0),
        Figure("audit chain", verified if status.audit_ok else "BROKEN", not status.audit_ok),
    ]
    if status.store_problem:
        store.insert(0, Figure("problem", safe(status.store_problem, 200), bad=True))
    store += [Figure("mended", safe(words, 200), bad=True) for words in status.store_mended]
    return {
        "engine": [
            Figure("version", f"{of.version}, {of.mode}"),
            Figure("up", figures.age(status.uptime_seconds)),
            Figure("cpu", f"{status.cpu_ratio * 100:.1f} % of a core, {of.cpu_seconds:.0f} s in all", status.cpu_ratio > 0.9),
            Figure("memory", figures.size(status.memory_bytes)),
            Figure("threads, files", f"{of.threads}, {of.open_files}"),
            Figure("clients", str(status.clients)),
        ],
        "watching": [
            Figure("hosts", f"{status.hosts}, every {status.interval_seconds:g} s"),
            Figure("connections", f"{status.connections} open, {status.connecting} under way"),
            Figure("slowed down", f"{counted(status.slowed_hosts, 'host that answers', 'hosts that answer')} slowly", status.slowed_hosts > 0),
            Figure("late polls", f"{status.late_polls} in 2 min", status.late_polls > 0),
            Figure("waves", f"{waves.waves} with {counted(waves.polls, 'poll')} in 2 min"),
            Figure(
                "sent late by",
                f"median {_seconds(waves.late_median_seconds)}, p99 {_seconds(waves.late_p99_seconds)}, worst {_seconds(waves.late_worst_seconds)}",
                (waves.late_p99_seconds or 0) > LATE_SECONDS,
            ),
            Figure("answers after", f"median {_seconds(of.round_trip_median_seconds)}, worst {_seconds(of.round_trip_worst_seconds)}"),
            Figure("received", f"{figures.size(status.received_bytes_per_second)}/s, {figures.size(of.answered_bytes)} in all"),
            Figure("asked", f"{counted(of.asked_polls, 'poll')}, {figures.size(of.asked_bytes)} in all"),
        ],
        "what waits": [
            Figure("answers", str(status.waiting_answers)),
            Figure("samples to write", str(of.queued_samples), of.queued_samples > 10_000),
            Figure("transactions", str(of.queued_transactions), of.queued_transactions > 10),
            Figure("messages to send", str(status.outbox_waiting), status.outbox_waiting > 20),
            Figure("samples dropped", str(status.dropped_samples), status.dropped_samples > 0),
        ],
        "store": store,
    }  # fmt: skip


def _seconds(value: float | None) -> str:
    return figures.quantity(value, "seconds")


def box_lines(of: Sequence[Figure]) -> list[Line]:
    """Figures in a box."""
    return [
        [(fit(figure.label, 17), "muted"), (("! " if figure.bad else "") + figure.value, "warning" if figure.bad else "text")]
        for figure in of
    ]  # fmt: skip


def section_lines(of: EngineFigures) -> list[Line]:
    """Sections of the probe, the slowest first."""
    lines: list[Line] = [
        [(f"{fit('section', 20)} {'hosts':>6} {'median':>8} {'worst':>8} {'kept':>9}  on", "muted")]
    ]
    for cost in of.sections:
        lines.append(
            [
                (fit(safe(cost.section, 40), 20), "text"),
                (f" {cost.hosts:>6} {_seconds(cost.took_median_seconds):>8} {_seconds(cost.took_worst_seconds):>8} {figures.size(cost.kept_bytes):>9}", "text"),
                (f"  {safe(cost.worst_host, 60)}", "muted"),
            ]
        )  # fmt: skip
    return lines if of.sections else [[("no section was read yet", "muted")]]


def error_lines(of: EngineFigures) -> list[Line]:
    """Errors of our own, the newest first."""
    lines: list[Line] = []
    for error in of.errors:
        last = f"{figures.age(of.status.time - error.last_at):>4} ago"
        lines.append(
            [(f"{last} ", "muted"), (f"{error.count:>4}× ", "critical"), (safe(error.words, 300), "text")]
        )
        lines.append([(f"{'':15}{safe(error.where, 80)}", "muted")])
    return lines or [[("none since the start", "muted")]]
