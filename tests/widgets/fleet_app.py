"""A small app of the real widgets: header, hosts, alerts, audit, footer, with a fleet that never changes and a clock that stands still."""

from __future__ import annotations

import random
from collections.abc import Sequence

from textual.app import App, ComposeResult
from textual.containers import Horizontal, Vertical

from guardian_tui.protocol.alerts import Alert
from guardian_tui.protocol.audit import AuditEvent
from guardian_tui.protocol.fleet import HostRow
from themes import load_themes
from widgets.alerts_list import AlertsList
from widgets.audit_list import AuditList
from widgets.counts_line import Count, CountsLine
from widgets.footer import Footer, FooterKey
from widgets.header import Header, HeaderLine
from widgets.hosts_table import HostsTable

NOW = 1_800_000_000.0


def row(
    name: str, state: str = "up", *, id: str = "", why: str = "", since: float = NOW - 60, **more: object
) -> HostRow:
    """A host's row."""
    values: dict[str, object] = {
        "measured_at": NOW - 1, "cpu": 0.2, "memory": 0.4, "disk": 0.3, "cpu_points": (20,) * 12,
        "receive_bytes_per_second": 2_200_000.0, "transmit_bytes_per_second": 431_000.0, "environment": "prod",
        "load_per_core": 0.31, "uptime_seconds": 41 * 86400.0, "disk_mount": "/var",
    }  # fmt: skip
    return HostRow(id=id or name, name=name, state=state, since=since, why=why, **(values | more))  # type: ignore[arg-type]  # a test names fields freely


def fleet(count: int = 40, seed: int = 7) -> list[HostRow]:
    """Hosts with some trouble among them, the same each time."""
    chance = random.Random(seed)
    rows = [
        row("db-eu-3", "down", why="no route to host", since=NOW - 130, measured_at=NOW - 130, severity="critical"),
        *(row(f"store-{i:02d}", "unreachable", behind="jump-ap", why="jump-ap does not answer", since=NOW - 250) for i in range(34)),
        row("web-eu-12", "degraded", why="cpu 96 %", since=NOW - 730, cpu=0.96, memory=0.71, disk=0.93, cpu_points=(88, 90, 97, 96, 100, 95, 96, 99), severity="warning"),
        row("files-2", "degraded", why="disk /srv 91 %", since=NOW - 27 * 3600, cpu=0.22, memory=0.48, disk=0.91, cpu_points=(20, 24, 12, 30, 22, 18, 26, 22)),
        row("queue-eu-1", "degraded", why="pressure 14 %", since=NOW - 360, cpu=0.41, memory=0.88, disk=0.6, cpu_points=(30, 44, 41, 52, 40, 38, 55, 41)),
        row("lab-7", "unknown", why="vault locked", since=NOW - 3700, measured_at=None),
        row("old-1", measured_at=NOW - 40, cpu=0.5),
        row("build-3", "maintenance", why="kernel update", since=NOW - 1900),
    ]  # fmt: skip
    for place in [place for place in range(1, count) if place != 12]:
        cpu = chance.uniform(0.04, 0.46)
        rows.append(row(
            f"{'web' if place < count / 3 else 'app'}-eu-{place:02d}", cpu=cpu, memory=chance.uniform(0.28, 0.72), disk=chance.uniform(0.18, 0.76),
            cpu_points=tuple(max(1, min(99, round(cpu * 100 + chance.gauss(0, 9)))) for _ in range(12)),
            receive_bytes_per_second=chance.uniform(1e5, 3e6), transmit_bytes_per_second=chance.uniform(4e4, 9e5),
        ))  # fmt: skip
    return rows


def alert(title: str, host: str, age: float, severity: str = "warning", **more: object) -> Alert:
    """A firing alert."""
    values: dict[str, object] = {
        "state": "firing",
        "tier": "page",
        "rule": "r",
        "host_id": host,
        "why": "96 % is over 95 %",
    } | more
    return Alert(id=title + host, title=title, severity=severity, since=NOW - age, host=host, **values)  # type: ignore[arg-type]  # a test names fields freely


def alerts() -> list[Alert]:
    """What the sketch of the fleet screen shows."""
    return [
        alert("host down", "db-eu-3", 130, "critical"), alert("jump host down", "jump-ap", 250, "critical", acknowledged_by="ops-1", folded=34),
        alert("cpu busy", "web-eu-12", 730), alert("unit failed", "web-eu-12", 545, acknowledged_by="sup-2", note="restarting it"),
        alert("disk fills", "files-2", 11000), alert("memory pressure", "queue-eu-1", 365), alert("disk forecast", "logs-1", 2500, silenced_until=NOW + 60),
        alert("reboot required", "4 hosts", 90000, "info"), alert("load high", "web-eu-01", 8000, state="resolved"),
    ]  # fmt: skip


def events() -> list[AuditEvent]:
    """A day's work."""
    told = [
        ("ops-1", "alert.acknowledge", "unit failed web-eu-12", "ok"), ("sup-2", "host.edit", "web-3", "ok"),
        ("sup-2", "vault.unlock", "", "denied"), ("ops-2", "silence.create", "/lab 2h", "ok"), ("ci", "token.use", "", "ok"),
        ("adm-1", "account.change", "ops-2", "intent"), ("ops-1", "session.begin", "", "failed"),
    ]  # fmt: skip
    return [
        AuditEvent(seq=90 - place, time_ms=int((NOW - 240 * place) * 1000), actor=actor, action=action, target=target, outcome=outcome)  # type: ignore[arg-type]  # outcomes as above
        for place, (actor, action, target, outcome) in enumerate(told)
    ]  # fmt: skip


class FleetApp(App[None]):
    """The fleet screen's widgets without anything behind them."""

    CSS = """
    Screen { background: $g-background; }
    #hosts { width: 1fr; } #side { width: 31%; max-width: 60; min-width: 37; } #alerts, #audit { height: 1fr; }
    .narrow #side { display: none; }
    """
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, rows: Sequence[HostRow] = (), theme: str = "guardian-dark") -> None:
        super().__init__()
        for one in load_themes().textual_themes():
            self.register_theme(one)
        self.theme = theme
        self._fleet = list(rows)

    def compose(self) -> ComposeResult:
        yield Header()
        with Horizontal():
            yield HostsTable(id="hosts")
            with Vertical(id="side"):
                yield AlertsList(id="alerts")
                yield AuditList(id="audit")
        yield CountsLine()
        yield Footer()

    @property
    def hosts(self) -> HostsTable:
        return self.query_one(HostsTable)

    def on_mount(self) -> None:
        narrow = self.size.width < 110
        self.screen.set_class(narrow, "narrow")
        self.hosts.apply(self._fleet, (), NOW)
        self.hosts.focus()
        self.hosts.move_to("web-eu-12")
        self.query_one(AlertsList).show(alerts(), NOW)
        self.query_one(AuditList).show(events(), "chain verified 08:00")
        self.query_one(CountsLine).display = narrow
        self.query_one(CountsLine).show(
            [Count("2", "alerts 8 · 2 critical", "critical"), Count("4", "audit ✓ 08:00", "ok")]
        )
        keys = ("⏎ open", "/ filter", ": command", "a ack", "t test", "! problems", "z zoom", "? help")
        self.query_one(Footer).show(
            tuple(FooterKey(*key.split()) for key in keys), "engine 3 ms · 80 hosts / 5 s"
        )
        states = {"up": 39, "degraded": 3, "down": 1, "unreachable": 34, "unknown": 1, "maintenance": 1}
        self.query_one(Header).show(
            HeaderLine("prod", ("fleet",), states, 8, 2, "ops-1", "operator", False, "08:00:00")  # type: ignore[arg-type]  # states as above
        )
