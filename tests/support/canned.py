"""The real console over an engine that is a table of answers: every screen with the same world, and time that stands still."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from unittest.mock import patch

import msgspec
from textual.pilot import Pilot

from guardian_tui.app import GuardianApp
from guardian_tui.config import Paths, Settings
from guardian_tui.protocol import access, acts, changes, events, fleet, sections, system
from guardian_tui.protocol.alerts import Rule, RuleList
from guardian_tui.protocol.audit import AuditEvent, AuditPage
from guardian_tui.protocol.base import PROTOCOL_VERSION, Done, Response
from guardian_tui.protocol.engine_figures import EngineFigures, OwnError, SectionCost, WaveFigures
from guardian_tui.protocol.errors import NotFound
from guardian_tui.protocol.routes import ROUTES
from guardian_tui.world import World
from screens.fleet import FleetScreen
from screens.login import LoginScreen
from tests.support.console import until
from tests.support.painting import PaintingDriver
from tests.widgets import fleet_app
from tests.widgets.fleet_app import NOW

HELLO = system.Hello(
    version="1.0", protocol=PROTOCOL_VERSION, boot="b", mode="personal", environment="prod", set_up=True,
    vault_locked=False, time=NOW, lingering=True,
)  # fmt: skip
PERMISSIONS = tuple(sorted({route.permission for route in ROUTES.values()} - {"public", "self"}))
SESSION = access.Session(
    id="0123456789abcdef", account="ops-1", profiles=("admin",), permissions=PERMISSIONS, kind="tui", created_at=NOW - 600,
    expires_at=NOW + 36000, idle_seconds=900, fresh_until=NOW + 300, token="t", last_seen_at=NOW, peer_uid=1000,
)  # fmt: skip
STATUS = system.EngineStatus(
    time=NOW, uptime_seconds=86400.0, hosts=80, interval_seconds=5.0, late_polls=0, cpu_ratio=0.02, memory_bytes=90 << 20,
    queued_writes=0, outbox_waiting=0, audit_verified_at=NOW - 60,
)  # fmt: skip
HASH = "3f786850e387550fdab836ed7e6dc881de23001b3f786850e387550fdab836ed"


def delta() -> events.Delta:
    """All that the stream brings: a fleet in some trouble."""
    told = tuple(
        AuditEvent(
            seq=event.seq, time_ms=event.time_ms, actor=event.actor, action=event.action, target=event.target, outcome=event.outcome,
            session="9f86d081", peer_uid=1000, hash=HASH, prev_hash=HASH[::-1],
            body='{"note":"restarting it","order":{"alert":"a1","undo":false}}',
        )
        for event in fleet_app.events()
    )  # fmt: skip
    question = fleet.Question(
        id="q1", host_id="lab-7", host="lab-7", kind="host_key", words="lab-7 shows a key that nobody has accepted yet.", asked_at=NOW - 60,
        algorithm="ssh-ed25519", fingerprint="SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDFyYqVvVPqPhPmZRE",
    )  # fmt: skip
    busy = msgspec.structs.replace(
        fleet_app.alert("cpu busy", "web-eu-12", 730), id="a1", rule="cpu_busy", metric="cpu_busy_ratio", value=0.96, threshold=0.95,
        unit="ratio", why="cpu > 95 % for 12m",
    )  # fmt: skip
    alerts = (
        busy,
        *(alert for alert in fleet_app.alerts() if (alert.title, alert.host) != (busy.title, busy.host)),
    )
    return events.Delta(
        seq=1, complete=True, hosts=tuple(fleet_app.fleet()), alerts=alerts, audit=told, questions=(question,)
    )  # fmt: skip


def detail(row: fleet.HostRow) -> fleet.HostDetail:
    """A host's page with figures as long as they come."""
    values = {
        "cpu_busy_ratio": 0.96, "cpu_iowait_ratio": 0.083, "cpu_steal_ratio": 0.0, "memory_used_ratio": 0.71,
        "memory_total_bytes": 32 * 1024.0**3, "memory_available_bytes": 9.3 * 1024.0**3, "swap_total_bytes": 2 * 1024.0**3,
        "swap_used_ratio": 0.05, "load1_per_core": 1.8, "pressure_cpu_some_ratio": 0.61, "pressure_memory_full_ratio": 0.03,
        "pressure_io_full_ratio": 0.08, "file_descriptors_used_ratio": 0.22, "pids_used_ratio": 0.04, "tasks_blocked": 0.0,
        "clock_offset_seconds": -0.0034,
    }  # fmt: skip
    gib = 1024.0**3
    disks = tuple(
        fleet.FileSystem(mount=mount, kind="ext4", device="/dev/sda1", size_bytes=size * gib, available_bytes=free * gib, used_ratio=1 - free / size,
                         inodes_used_ratio=0.2, hours_to_full=hours)
        for mount, size, free, hours in (("/", 50.0, 19.0, None), ("/var", 44.0, 3.1, 7.0), ("/srv/customers/backups", 1800.0, 936.5, 94 * 24.0), ("/boot", 1.0, 0.6, None))
    )  # fmt: skip
    return fleet.HostDetail(
        row=row,
        spec=fleet.HostSpec(name=row.name, address="10.20.30.112", user="guardian", jump=("jump-eu",), credential="agent",
                            labels={"role": "web", "customer": "shop"}),
        facts={"os": "Debian GNU/Linux 12", "kernel": "6.1.0-37-amd64", "architecture": "x86_64", "cpu_count": "8", "probe": "1"},
        values=values, file_systems=disks,
        nics=(
            fleet.Nic(name="eno1", receive_bytes_per_second=12.7e6, transmit_bytes_per_second=3.4e6, error_ratio=0.0, drop_ratio=0.0),
            fleet.Nic(name="enp3s0f1np1", receive_bytes_per_second=1.2e5, transmit_bytes_per_second=9.9e4, error_ratio=0.0, drop_ratio=0.002)),
        devices=(fleet.BlockDevice(name="nvme0n1", read_bytes_per_second=1.3e6, write_bytes_per_second=14.7e6, busy_ratio=0.31),),
        key_fingerprint="SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDFyYqVvVPqPhPmZRE",
    )  # fmt: skip


def history(query: fleet.HistoryQuery) -> fleet.History:
    """A quiet hour that ends busy."""
    step = (query.end - query.start) / query.points
    rise = query.points * 0.75
    mean = tuple(
        min(0.97, 0.24 + 0.04 * math.sin(place * 1.7) + max(0.0, (place - rise) / query.points * 4))
        for place in range(query.points)
    )
    return fleet.History(
        metric=query.metric,
        start=query.start,
        step_seconds=step,
        mean=mean,
        low=tuple(v - 0.02 for v in mean),
        high=tuple(min(1.0, v + 0.03) for v in mean),
        typical_low=(0.16,) * query.points if query.band else (),
        typical_high=(0.38,) * query.points if query.band else (),
    )


FIGURES = EngineFigures(
    status=STATUS, version="1.0", mode="team",
    waves=WaveFigures(waves=24, polls=1920, late_median_seconds=0.0021, late_p99_seconds=0.0341, late_worst_seconds=0.0341),
    round_trip_median_seconds=0.012, round_trip_worst_seconds=1.9, answered_bytes=1 << 31, asked_polls=1_382_400, asked_bytes=9 << 20, cpu_seconds=1728.4,
    threads=9, open_files=140, queued_samples=0, queued_transactions=0, damaged_chunks=1, store="sqlite", store_bytes=312 << 20,
    sections=(SectionCost("updates", 80, 2.1, 9.4, "db-eu-1", 81_920), SectionCost("processes", 80, 0.05, 0.31, "web-eu-12", 1 << 20)),
    errors=(OwnError("engine.fleet.watch", "polling h42 failed; the others have their turn (ValueError)", 12, NOW - 900, NOW - 30),),
)  # fmt: skip
RULES = RuleList(
    rules=(
        Rule(rule="cpu_busy", title="CPU busy", severity="warning", tier="show", condition="mean(cpu_busy_ratio, 10m) > 85 %", for_seconds=0.0,
             metric="cpu_busy_ratio", threshold=0.85),
        Rule(rule="cpu_busy", title="CPU busy", severity="critical", tier="notify", condition="mean(cpu_busy_ratio, 10m) > 95 %",
             for_seconds=0.0, metric="cpu_busy_ratio", threshold=0.95),
    )
)  # fmt: skip
PEOPLE = access.AccountList(
    accounts=(
        access.Account(id="1", name="ada", grants=(access.Grant(profile="admin"),), state="active", created_at=NOW - 90 * 86400, last_login_at=NOW - 600),
        access.Account(id="2", name="ops-1", grants=(access.Grant(profile="operator"), access.Grant(profile="auditor")), state="active",
                       created_at=NOW - 60 * 86400, last_login_at=NOW - 7200),
        access.Account(id="3", name="sup-2", grants=(access.Grant(profile="support", scope="customer=shop role=web"),), state="active",
                       created_at=NOW - 30 * 86400, last_login_at=NOW - 5 * 86400),
        access.Account(id="4", name="grace", grants=(access.Grant(profile="viewer"),), state="invited", created_at=NOW - 3600),
        access.Account(id="5", name="old-hand", grants=(access.Grant(profile="operator"),), state="disabled", created_at=NOW - 400 * 86400,
                       last_login_at=NOW - 200 * 86400),
    )
)  # fmt: skip
OTHER_SESSION = access.Session(
    id="fedcba9876543210", account="ada", profiles=("admin",), permissions=PERMISSIONS, kind="cli", created_at=NOW - 600,
    expires_at=NOW + 3600, idle_seconds=900, fresh_until=NOW, last_seen_at=NOW - 240, peer_uid=1000,
)  # fmt: skip
PROFILES = access.ProfileList(
    profiles=(
        access.Profile(name="viewer", permissions=("hosts.see",), help="Sees hosts and alerts."),
        access.Profile(
            name="support", permissions=("hosts.see",), help="Sees, acknowledges and runs what is offered."
        ),
        access.Profile(name="operator", permissions=("hosts.see",), help="Adds hosts and answers for them."),
        access.Profile(name="auditor", permissions=("audit.see",), help="Reads and verifies the audit log."),
        access.Profile(name="admin", permissions=PERMISSIONS, help="Everything, people too."),
    )
)


CHANGES = changes.ChangeList(
    changes=(
        changes.Change("h", NOW - 200.0, "unit", "php8.2-fpm.service failed"),
        changes.Change("h", NOW - 900.0, "mark", "shop 4.18.0 → 4.19.0", "ci"),
    )
)
LOG = acts.LogLines(
    host="web-eu-12", cursor="s=0;i=1",
    lines=(
        acts.LogLine(NOW - 60.0, 3, "systemd", "php8.2-fpm.service: A process has been killed by the OOM killer."),
        acts.LogLine(NOW - 30.0, 6, "nginx", "upstream timed out (110) while reading"),
    ),
)  # fmt: skip
_ROWS: dict[str, tuple[tuple[str | float | None, ...], ...]] = {
    "processes": (
        (21211.0, 1.0, "www-data", "R", 0.98, 1.2 * 2**30, 1.0, 720.0, "php-fpm: pool www"),
        (812.0, 1.0, "www-data", "S", 0.31, 210 * 2.0**20, 1.0, 720.0, "nginx: worker process"),
    ),
    "units": (
        ("php8.2-fpm.service", "failed", "failed", 540.0, 3.0, "oom-kill", "The PHP FastCGI Process Manager"),
    ),
}


def section(request: sections.SectionQuery) -> sections.SectionTable:
    """A section's canned rows."""
    columns = tuple(column.name for column in sections.SECTIONS[request.section].columns)
    rows = _ROWS.get(request.section, ())
    return sections.SectionTable(
        "web-eu-12",
        request.section,
        columns,
        rows,
        NOW,
        0.01,
        left_out=410 if request.section == "processes" else 0,
    )


class CannedClient:
    """Answers from a table, and remembers what was ordered."""

    def __init__(self, socket: Path) -> None:
        self.token = ""
        self.last_event_id = ""
        self.round_trip_seconds = 0.003
        self.orders: list[tuple[str, object]] = []
        self.asked: list[object] = []
        """Every request, reads too."""
        self.held: dict[str, asyncio.Event] = {}
        """Routes that answer only once their event is set."""
        self.answers: dict[str, Response] = {
            "session.attach": SESSION,
            "session.touch": SESSION,
            "audit.list": AuditPage(events=()),
            "accounts.list": PEOPLE,
            "sessions.list": access.SessionList(sessions=(SESSION, OTHER_SESSION)),
            "profiles.list": PROFILES,
            "rules.list": RULES,
            "engine.figures": FIGURES,
        }

    async def call(self, name: str, kind: type[Response], request: object = None) -> Response:
        """The canned answer."""
        self.asked.append(request)
        if ROUTES[name].recording != "none":
            self.orders.append((name, request))
        if name in self.held:
            await self.held[name].wait()
        if isinstance(request, fleet.HistoryQuery):
            return history(request)
        if name == "hosts.show":
            assert isinstance(request, fleet.HostRef)
            return detail(next(row for row in fleet_app.fleet() if row.id == request.host))
        if isinstance(request, sections.SectionQuery):
            return section(request)
        if isinstance(request, changes.ChangesQuery):
            return CHANGES
        if isinstance(request, acts.LogQuery):
            return LOG
        if name in self.answers:
            return self.answers[name]
        if kind is Done:
            return Done()
        raise NotFound(f"No answer is canned for {name}.")

    async def hello(self) -> system.Hello:
        """Who it is: the console says that it is there still."""
        return HELLO

    async def events(self, after: str = "") -> AsyncIterator[events.StreamEvent]:
        """One snapshot, and silence."""
        yield events.Heartbeat(status=STATUS)
        yield delta()
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Nothing is open."""


@contextmanager
def standing_still() -> Iterator[None]:
    """Greenwich time, one moment of it, and an engine that answers by table."""

    async def meet(paths: Paths, process: object) -> tuple[system.Hello, object]:
        return HELLO, process

    with (
        patch.dict("os.environ", {"TZ": "UTC", "COLORTERM": "truecolor"}),
        patch("guardian_tui.app.Client", CannedClient),
        patch("guardian_tui.app.meet", meet),
        patch("guardian_tui.app.World", lambda: World(lambda: 0.0)),
    ):
        time.tzset()
        yield
    time.tzset()


@asynccontextmanager
async def canned(
    size: tuple[int, int],
    theme: str = "guardian-dark",
    *,
    login: bool = True,
    paints: bool = False,
    notices: bool = False,
) -> AsyncIterator[tuple[GuardianApp, Pilot[int], CannedClient]]:
    """The console at a size, logged in and its fleet shown; ``paints``: into the painting driver; ``notices``: they are drawn."""
    with standing_still():
        nowhere = Path("/nonexistent")
        app = GuardianApp(
            Paths(nowhere, nowhere, nowhere), Settings(environment="prod"), theme=theme, clock=lambda: NOW
        )
        if paints:
            PaintingDriver.painted.clear()
            app.driver_class = PaintingDriver
        async with app.run_test(size=size, headless=not paints, notifications=notices) as pilot:
            await until(lambda: app.hello is not None and isinstance(app.screen, LoginScreen))
            if login:
                app.begin(SESSION)
                await until(lambda: isinstance(app.screen, FleetScreen) and app.world.hosts)
                app.screen.refresh_frame()
            await pilot.pause()
            client = app.client
            assert isinstance(client, CannedClient)
            yield app, pilot, client
