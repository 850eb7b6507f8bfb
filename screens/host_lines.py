"""The lines of the boxes on a host's page: gauges, devices, facts."""

from __future__ import annotations

from guardian_tui.protocol.backups import ReadinessRow
from guardian_tui.protocol.fleet import HostDetail
from guardian_tui.text import safe
from widgets import figures
from widgets.backups_list import READY_GLYPHS, ago
from widgets.box import WIDE, Line, gauge
from widgets.painting import fit

GAUGED = (
    "cpu_busy_ratio", "cpu_iowait_ratio", "cpu_steal_ratio", "memory_total_bytes", "memory_available_bytes", "memory_used_ratio", "swap_total_bytes",
    "swap_used_ratio", "load1_per_core", "pressure_cpu_some_ratio", "pressure_memory_full_ratio", "pressure_io_full_ratio",
    "file_descriptors_used_ratio", "pids_used_ratio", "tasks_blocked", "clock_offset_seconds",
)  # fmt: skip
"""Series that the box of gauges shows."""
WORDS_ROOM = 12
"""Cells that the box has behind a bar of the usual length."""


def gauge_lines(detail: HostDetail, *, narrow: bool = False) -> list[Line]:
    """Shares of what can run out, as bars with their figures."""
    values = detail.values
    total, available = values.get("memory_total_bytes"), values.get("memory_available_bytes")
    used = figures.share_of(total - available, total) if total and available else ""
    # figures are never cut: bars give way
    bar = (6 if narrow else 10) - max(0, len(used) - WORDS_ROOM)

    def ratio(name: str) -> float | None:
        return values.get(name)

    def share(label: str, name: str, warning: float = 0.85, critical: float = 0.95) -> Line:
        value = ratio(name)
        return gauge(
            label,
            value,
            "" if value is None else f"{value * 100:.0f} %",
            warning=warning,
            critical=critical,
            bar=bar,
        )

    memory = ratio("memory_used_ratio")
    load = values.get("load1_per_core")
    lines = [
        share("cpu", "cpu_busy_ratio"),
        share("iowait", "cpu_iowait_ratio", 0.2, 0.4),
        share("steal", "cpu_steal_ratio", 0.05, 0.1),
        gauge("memory", memory, used, bar=bar),
    ]
    if values.get("swap_total_bytes"):
        lines.append(share("swap", "swap_used_ratio", 0.9, 0.98))
    lines += [
        gauge(
            "load / core",
            None if load is None else load / 2,
            "" if load is None else f"{load:.2f}",
            warning=0.75,
            critical=1.0,
            bar=bar,
        ),
        share("cpu pressure", "pressure_cpu_some_ratio", 0.5, 0.8),
        share("mem pressure", "pressure_memory_full_ratio", 0.05, 0.1),
        share("io pressure", "pressure_io_full_ratio", 0.2, 0.4),
        share("files", "file_descriptors_used_ratio", 0.7, 0.9),
        share("pids", "pids_used_ratio", 0.85, 0.95),
    ]
    blocked, offset = values.get("tasks_blocked"), values.get("clock_offset_seconds")
    lines.append(
        [
            ("tasks in D   " + " " * (bar + 2), "muted"),
            (figures.quantity(blocked, "count"), "warning" if (blocked or 0) > 5 else "text"),
        ]
    )
    lines.append(
        [
            ("clock offset " + " " * (bar + 2), "muted"),
            (figures.quantity(offset, "seconds"), "warning" if abs(offset or 0) > 0.05 else "text"),
        ]
    )
    return lines


def device_lines(detail: HostDetail, width: int = WIDE) -> list[Line]:
    """The busiest block devices: read, written, and how busy."""
    busiest = sorted(detail.devices, key=lambda d: -(d.busy_ratio or 0))[:3]
    label, gap = (14, "  ") if width >= WIDE else (10, " ")
    lines: list[Line] = []
    for device in busiest:
        read, written = (
            figures.amount(value) or "–"
            for value in (device.read_bytes_per_second, device.write_bytes_per_second)
        )
        lines.append(
            [
                (f"{fit(safe(device.name, 40), label)} ", "text"),
                (f"r {read:>5}{gap}w {written:>5}", "muted"),
                (f"{gap}busy {figures.percent(device.busy_ratio) or '–'} %", "muted"),
            ]
        )
    return lines


def fact_lines(detail: HostDetail) -> list[Line]:
    """What the host is and how it is reached, then what could not be read."""
    facts, spec = detail.facts, detail.spec
    words = [
        ("system", facts.get("os", "")), ("kernel", f"{facts.get('kernel', '')} {facts.get('architecture', '')}"), ("cpus", facts.get("cpu_count", "")),
        ("up", figures.age(detail.row.uptime_seconds) if detail.row.uptime_seconds else ""),
        ("address", f"{spec.address or spec.name}:{spec.port}"), ("user", spec.user), ("through", " → ".join(spec.jump)),
        ("credential", spec.credential), ("key", detail.key_fingerprint), ("probe", facts.get("probe", "")),
        ("labels", " ".join(f"{k}={v}" for k, v in spec.labels.items())),
    ]  # fmt: skip
    lines: list[Line] = [
        [(f"{label:<11}", "muted"), (safe(value, 200), "text")] for label, value in words if value.strip()
    ]
    lines += [[("! ", "warning"), (safe(problem, 200), "warning")] for problem in detail.problems[:6]]
    if detail.unsupported_keywords:
        lines.append(
            [
                ("! ", "warning"),
                (safe("ssh_config not supported: " + ", ".join(detail.unsupported_keywords), 300), "warning"),
            ]
        )
    return lines


def readiness_line(row: ReadinessRow, now: float) -> tuple[Line, Line]:
    """Whether the host could be restored tonight, and why not; at the right, what that rests on."""
    glyph, paint = READY_GLYPHS[row.ready]
    left: Line = [("restore tonight? ", "muted"), (f"{glyph} {row.ready}", paint)]
    if row.why:
        left.append((f"  {safe('; '.join(row.why), 200)}", paint if row.ready == "no" else "muted"))
    if row.ready == "none":
        return left, []
    rto = (
        ""
        if row.rto_seconds is None
        else f" · back in {'' if row.rto_measured else '~'}{figures.age(row.rto_seconds)}"
    )
    words = f"good {ago(row.good_at, now)} · checked {ago(row.verified_at, now)} · drilled {ago(row.drilled_at, now)}{rto} · copies {row.copies}"
    return left, [(words, "muted")]
