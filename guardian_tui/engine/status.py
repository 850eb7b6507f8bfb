"""The engine's own health: for heartbeats, health checks and Prometheus."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import psutil

from guardian_tui import __version__
from guardian_tui.engine.fleet.costs import section_costs
from guardian_tui.engine.own_errors import OwnErrors
from guardian_tui.engine.server import Raw
from guardian_tui.protocol.engine_figures import EngineFigures, WaveFigures
from guardian_tui.protocol.system import EngineStatus

if TYPE_CHECKING:
    from guardian_tui.engine.main import Engine

CPU_WINDOW_SECONDS = 2.0


class Health:
    """Measures the engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._process = psutil.Process()
        self._started = time.monotonic()
        self._cpu_at = self._cpu_used = 0.0
        self._cpu = self._received = self._written = 0.0
        self._bytes = (0, 0)
        """Received and written up to ``_cpu_at``."""
        self.errors = OwnErrors()
        self.ready = False
        """Hosts are watched."""

    def routes(self) -> dict[str, Raw]:
        """Plain-text routes."""
        return {"livez": self.livez, "readyz": self.readyz, "metrics": self.metrics}

    async def livez(self) -> tuple[int, str, bytes]:
        """`/livez`: the loop turns."""
        return 200, "text/plain", b"ok\n"

    async def readyz(self) -> tuple[int, str, bytes]:
        """`/readyz`: the store can be written and hosts are watched; further lines tell what was mended at the start."""
        problem, mended = self._engine.store.problem, self._engine.store.problems
        if not self.ready:
            return 503, "text/plain", b"starting\n"
        text = "\n".join([problem or "ok", *mended, ""])
        return 503 if problem else 200, "text/plain", text.encode()

    @property
    def store_problem(self) -> str:
        """Why state or samples can't be written, in words; empty when they can."""
        return self._engine.store.problem or self._engine.store.metrics.problem

    def status(self) -> EngineStatus:
        """All of it."""
        engine, now = self._engine, time.monotonic()
        fleet = engine.fleet if self.ready else None
        watch = fleet.watch if fleet else None
        if now - self._cpu_at >= CPU_WINDOW_SECONDS:
            self._measure(now, watch.answered_bytes if watch else 0)
        store = engine.store
        return EngineStatus(
            time=engine.clock.now(), uptime_seconds=now - self._started, hosts=len(engine.live.hosts),
            interval_seconds=engine.settings.fleet.interval_seconds, late_polls=watch.late_polls if watch else 0,
            cpu_ratio=self._cpu, memory_bytes=self._process.memory_info().rss, queued_writes=store.waiting + store.metrics.waiting,
            outbox_waiting=engine.outbox_waiting, cut_off_since=fleet.cut_off_since if fleet else None,
            audit_verified_at=engine.audit.verified_at, audit_ok=engine.audit.ok, vault_locked=engine.vault.locked,
            store_problem=self.store_problem, store_mended=tuple(store.problems), clients=len(engine.streams),
            connections=len(watch.remote) if watch else 0, connecting=watch.remote.connecting if watch else 0,
            waiting_answers=watch.waiting_answers if watch else 0, slowed_hosts=watch.slowed if watch else 0,
            dropped_samples=store.metrics.dropped, received_bytes_per_second=self._received, written_bytes_per_second=self._written,
        )  # fmt: skip

    async def figures(self) -> EngineFigures:
        """The engine in full, for whoever looks."""
        engine, process, status = self._engine, self._process, self.status()
        fleet = engine.fleet if self.ready else None
        hosts = list(fleet.inventory.hosts.values()) if fleet else []
        trips = sorted(
            host.round_trip for host in hosts if host.measured_at and not math.isnan(host.round_trip)
        )
        times, runner = process.cpu_times(), engine.runbooks.runner if self.ready else None
        return EngineFigures(
            status=status, version=__version__, mode=engine.settings.mode,
            waves=fleet.watch.lateness.figures() if fleet else WaveFigures(),
            round_trip_median_seconds=trips[len(trips) // 2] if trips else None, round_trip_worst_seconds=trips[-1] if trips else None,
            answered_bytes=fleet.watch.answered_bytes if fleet else 0, asked_polls=fleet.watch.lateness.asked_polls if fleet else 0,
            asked_bytes=fleet.watch.asked_bytes if fleet else 0,
            cpu_seconds=times.user + times.system, threads=process.num_threads(),
            open_files=process.num_fds(), queued_samples=engine.store.metrics.waiting, queued_transactions=engine.store.waiting,
            damaged_chunks=engine.store.metrics.damaged_chunks, store=engine.store.dialect, store_bytes=await engine.store.size_bytes(),
            output_held_bytes=runner.count_held() if runner else 0, output_most_held_bytes=runner.most_held_bytes if runner else 0,
            sections=section_costs(hosts), errors=self.errors.rows(),
        )  # fmt: skip

    def _measure(self, now: float, answered_bytes: int) -> None:
        written = self._process.io_counters().write_bytes if hasattr(self._process, "io_counters") else 0
        used, passed = time.process_time(), now - self._cpu_at
        if self._cpu_at:
            self._received = (answered_bytes - self._bytes[0]) / passed
            self._written = (written - self._bytes[1]) / passed
            self._cpu = (used - self._cpu_used) / passed
        self._cpu_at, self._cpu_used, self._bytes = now, used, (answered_bytes, written)

    async def metrics(self) -> tuple[int, str, bytes]:
        """`/metrics`: the engine's own figures in Prometheus' text format."""
        from prometheus_client import CollectorRegistry, Gauge, generate_latest

        status, registry = self.status(), CollectorRegistry()
        figures = {
            "uptime_seconds": ("Seconds since the engine's start", status.uptime_seconds),
            "hosts": ("Hosts watched", status.hosts),
            "late_polls": ("Polls late by more than an interval in two minutes", status.late_polls),
            "cpu_ratio": ("CPU of the engine, share of one core", status.cpu_ratio),
            "memory_bytes": ("Resident memory", status.memory_bytes),
            "queued_writes": ("Samples and transactions that wait for the disk", status.queued_writes),
            "dropped_samples": ("Samples dropped because the disk did not keep up", status.dropped_samples),
            "connections": ("Open SSH connections", status.connections),
            "connecting": ("Connections under way or waiting for their turn", status.connecting),
            "waiting_answers": ("Answers of hosts not worked off yet", status.waiting_answers),
            "slowed_hosts": ("Hosts asked more seldom because they answer slowly", status.slowed_hosts),
            "received_bytes_per_second": ("Answers of hosts", status.received_bytes_per_second),
            "written_bytes_per_second": (
                "Written to the disk by the engine itself",
                status.written_bytes_per_second,
            ),
            "outbox_waiting": ("Messages that wait to be sent", status.outbox_waiting),
            "clients": ("Open event streams", status.clients),
            "audit_ok": ("1 while the audit chain verifies", int(status.audit_ok)),
            "cut_off": ("1 while most hosts fail at once", int(status.cut_off_since is not None)),
        }
        for name, (words, value) in figures.items():
            Gauge(f"guardian_{name}", words, registry=registry).set(value)
        return 200, "text/plain; version=0.0.4", generate_latest(registry)
