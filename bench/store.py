"""What keeping metrics costs: size, bytes written, CPU and the reading of a day, on both databases, against the least that each can cost.

The trace is of a real machine, recorded once a second by the probe and kept beside this program; it is replayed as if each answer had come at a
host's own interval, every host beginning elsewhere in it.

    python bench/store.py [--quick]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import lzma
import os
import sqlite3
import statistics
import tempfile
import time
from array import array
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import support  # noqa: F401  # finds our packages
import uvloop

from guardian_tui.config import StoreSettings
from guardian_tui.engine.clock import SystemClock
from guardian_tui.engine.facts import Layout, Sample
from guardian_tui.engine.fleet.series import sample_values
from guardian_tui.engine.fleet.shape import read
from guardian_tui.engine.store import codec
from guardian_tui.engine.store.chunk_rows import HOUR
from guardian_tui.engine.store.codec import Columns
from guardian_tui.engine.store.database import Store
from guardian_tui.engine.store.packing import MINUTE, QUARTER
from tests.support.postgres import cluster

TRACE = Path(__file__).parent / "traces" / "machine.txt.xz"
HOUR_ROWS = 720
START = 1_800_000_000.0 // HOUR * HOUR
DAY_HOURS = 24
DAY_ROWS = 120
"""Of an hour of that day: its rollup is read, for which more make no difference."""
METRIC = "cpu_busy_ratio"


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        hosts: with a row for each sample.
        days: hosts with a day that may be read.
        warm_up, ticks: of those rows, before and while they are counted.
        kept: whose hour the engine keeps and closes, :data:`TOGETHER` samples in a transaction.
        encoded: hours given to the bare encoder.
    """

    hosts: int
    warm_up: int
    ticks: int
    days: int
    kept: int
    encoded: int


TOGETHER = 200
"""What comes in a second of 1,000 hosts at 5 s, and is written together."""
FULL = Size(hosts=1000, warm_up=60, ticks=60, days=1000, kept=200, encoded=50)
QUICK = Size(hosts=1000, warm_up=30, ticks=4, days=200, kept=50, encoded=15)
"""After 30 of its rows a host has a page of its own, and half of a second."""


@dataclass(frozen=True)
class Trace:
    """A machine's samples."""

    layout: Layout
    rows: list[list[float]]

    def hour(self, host: int, start: float, count: int) -> list[tuple[float, list[float]]]:
        """One host's samples of an hour: times with a little jitter, as polls have."""
        step = HOUR / count
        return [
            (
                start + (n + 0.5) * step + 0.013 * ((n * 7919 + host) % 11),
                self.rows[(host * 37 + n) % len(self.rows)],
            )
            for n in range(count)
        ]

    def columns(self, host: int, start: float, count: int) -> Columns:
        """The same in columns."""
        rows = self.hour(host, start, count)
        names, turned = self.layout.names, zip(*[array("f", values) for _, values in rows], strict=True)
        return Columns(
            [at for at, _ in rows], {name: (list(kind),) for name, kind in zip(names, turned, strict=True)}
        )


def load_trace() -> Trace:
    """The recorded answers, as the engine would have had their figures."""
    answers = [b"u " + part for part in (b"\n" + lzma.decompress(TRACE.read_bytes())).split(b"\nu ")[1:]]
    shape, before = None, None
    by_layout: dict[Layout, list[list[float]]] = {}
    for number, answer in enumerate(answers):
        reading, shape = read(answer.rstrip(b"\n"), shape)
        passed = reading.uptime - before.uptime if before and before.uptime and reading.uptime else 0.0
        # what the channel measures: not in the recording
        trip, offset = 0.012 + 0.004 * (number * 31 % 17) / 17, 0.0004 + 1e-6 * (number % 29)
        layout, values = sample_values(reading, before, passed, round_trip=trip, clock_offset=offset)
        if before is not None:
            by_layout.setdefault(layout, []).append(values)
        before = reading
    # a device that was there for a moment makes a layout of its own
    return Trace(*max(by_layout.items(), key=lambda item: len(item[1])))


def encoded(columns: Columns) -> list[bytes]:
    """The three chunks of an hour: the bare encoder."""
    minute = codec.roll_up(columns, MINUTE)
    return [codec.encode(part) for part in (columns, minute, codec.roll_up(minute, QUARTER))]


def cpu_of_encoder(trace: Trace, hosts: int) -> float:
    """CPU seconds of the bare encoder for one sample; the median host."""
    hours = [trace.columns(host, START, HOUR_ROWS) for host in range(hosts)]
    times = []
    for columns in hours:
        before = time.process_time()
        encoded(columns)
        times.append(time.process_time() - before)
    return statistics.median(times) / HOUR_ROWS


# --- bytes written -----------------------------------------------------------------------------------


def written_by(processes: Callable[[], list[psutil.Process]]) -> int:
    """Bytes that these processes have written so far."""
    return sum(process.io_counters().write_chars for process in processes())


def ourselves() -> list[psutil.Process]:
    """SQLite writes in our own process."""
    return [psutil.Process()]


@contextmanager
def row_table(url: str, folder: Path) -> Iterator[Callable[[list[tuple[str, float, bytes]]], None]]:
    """A table with a row for each sample, clustered by host and time; writes waves."""
    if url:
        with psycopg.connect(url) as conn:
            conn.execute("CREATE TABLE rows (host text, at float8, vals bytea, PRIMARY KEY (host, at))")
            conn.commit()

            def to_postgresql(wave: list[tuple[str, float, bytes]]) -> None:
                with conn.cursor() as cursor:
                    cursor.executemany("INSERT INTO rows VALUES (%s, %s, %s)", wave)
                conn.commit()

            yield to_postgresql
        return
    with closing(sqlite3.connect(folder / "rows.db")) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        db.execute("CREATE TABLE rows (host TEXT, at REAL, vals BLOB, PRIMARY KEY (host, at)) WITHOUT ROWID")

        def to_sqlite(wave: list[tuple[str, float, bytes]]) -> None:
            db.executemany("INSERT INTO rows VALUES (?, ?, ?)", wave)
            db.commit()

        yield to_sqlite


def waves(trace: Trace, hosts: int, count: int) -> Iterator[list[tuple[str, float, list[float]]]]:
    """Samples of all hosts at the shortest interval, in the order of time: the first ``count`` of an hour."""
    each = [trace.hour(host, START, HOUR_ROWS)[:count] for host in range(hosts)]
    for number in range(count):
        yield [(f"host-{host:04}", *each[host][number]) for host in range(hosts)]


@asynccontextmanager
async def opened(url: str, folder: Path) -> AsyncIterator[Store]:
    """The engine's store."""
    store = await Store.open(StoreSettings(url=url), folder / "state", SystemClock())
    try:
        yield store
    finally:
        await store.close()


async def keep_hour(store: Store, trace: Trace, hosts: int) -> float:
    """An hour of these hosts, written in waves and closed; CPU seconds for one sample."""
    hour = [
        Sample(host, at, trace.layout, values)
        for wave in waves(trace, hosts, HOUR_ROWS)
        for host, at, values in wave
    ]
    before = time.process_time()
    for first in range(0, len(hour), TOGETHER):
        store.metrics.add(hour[first : first + TOGETHER], "fast")
        await store.metrics.flush()
    while await store.metrics.close_due_hours(START + 2 * HOUR - 1):
        pass
    return (time.process_time() - before) / hosts / HOUR_ROWS


# --- the reading of a day ----------------------------------------------------------------------------


async def fill_days(store: Store, trace: Trace, hosts: int) -> None:
    """A day of each host in closed hours; the hosts' chunks are alike, their rows are not."""
    day = [
        (START - (DAY_HOURS - n) * HOUR, trace.columns(n, START - (DAY_HOURS - n) * HOUR, DAY_ROWS))
        for n in range(DAY_HOURS)
    ]
    packed = [(start, codec.encode(codec.roll_up(columns, MINUTE))) for start, columns in day]
    rows = [(f"host-{host:04}", 60, 0, start, data) for start, data in packed for host in range(hosts)]
    mark = "?" if store.metrics._engine.dialect.name == "sqlite" else "%s"
    async with store.metrics._engine.begin() as conn:
        await conn.exec_driver_sql(
            f"INSERT INTO chunks (host_id, resolution, period, start, data) VALUES ({', '.join([mark] * 5)})",
            rows,
        )


def bare_read(url: str, folder: Path, hosts: list[str]) -> float:
    """CPU seconds of a day's chunks by the driver alone, the one column unpacked."""
    query = "SELECT data FROM chunks WHERE host_id = {0} AND resolution = 60 AND period = 0 AND start >= {0} AND start < {0} ORDER BY start"
    span = (START - DAY_HOURS * HOUR, START)
    times = []
    with closing(psycopg.connect(url) if url else sqlite3.connect(folder / "state" / "metrics.db")) as conn:
        for host in hosts:
            before = time.process_time()
            for (data,) in conn.execute(query.format("%s" if url else "?"), (host, *span)).fetchall():
                codec.decode(data, (METRIC,))
            times.append(time.process_time() - before)
    return statistics.median(times)


async def our_read(store: Store, hosts: list[str]) -> float:
    """CPU seconds of a day's chart of one host."""
    times = []
    for host in hosts:
        before = time.process_time()
        history = await store.metrics.history(host, METRIC, START - DAY_HOURS * HOUR, START, 120)
        times.append(time.process_time() - before)
        assert sum(value is not None for value in history.mean) > 100
    return statistics.median(times)


@dataclass(frozen=True)
class Costs:
    """Of one database."""

    written: float
    written_rows: float
    cpu_seconds: float
    day_seconds: float
    bare_day_seconds: float


async def measure(
    trace: Trace,
    url: str,
    folder: Path,
    size: Size,
    processes: Callable[[], list[psutil.Process]],
) -> Costs:
    """Write an hour, read a day, beside the least that it can cost."""
    plain = url.replace("postgresql+psycopg", "postgresql")
    with row_table(plain, folder) as write:
        before = 0
        for number, wave in enumerate(waves(trace, size.hosts, size.warm_up + size.ticks)):
            if number == size.warm_up:
                # each host has pages of its own now, as after the first minutes
                checkpoint(plain, folder / "rows.db")
                before = written_by(processes)
            write([(host, at, array("f", values).tobytes()) for host, at, values in wave])
        checkpoint(plain, folder / "rows.db")
        rows = (written_by(processes) - before) / size.hosts / size.ticks
    async with opened(url, folder) as store:
        checkpoint(plain, folder / "state" / "metrics.db")
        before = written_by(processes)
        cpu = await keep_hour(store, trace, size.kept)
        checkpoint(plain, folder / "state" / "metrics.db")
        ours = (written_by(processes) - before) / size.kept / HOUR_ROWS
        await fill_days(store, trace, size.days)
        asked = [f"host-{host:04}" for host in range(0, size.days, size.days // 25)]
        await our_read(store, asked[:3])
        day = await our_read(store, asked)
    bare_read(plain, folder, asked[:3])
    return Costs(ours, rows, cpu, day, bare_read(plain, folder, asked))


def _run(measured: Coroutine[Any, Any, Costs]) -> Costs:
    """On the loop that the engine has."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(measured)


def checkpoint(url: str, file: Path) -> None:
    """Have the database write what it holds back."""
    if url:
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute("CHECKPOINT")
        return
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA wal_checkpoint(PASSIVE)")


def main() -> None:
    """Measure, and print the ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="under half a minute")
    size = QUICK if parser.parse_args().quick else FULL
    trace = load_trace()
    hour = trace.columns(0, START, HOUR_ROWS)
    chunks = encoded(hour)
    series = len(trace.layout.names)
    a_value = len(chunks[0]) / HOUR_ROWS / series
    mb_a_day = 24 * sum(len(chunk) for chunk in chunks) / 1e6
    print(
        f"{len(trace.rows)} recorded samples of {series} series; {a_value:.2f} bytes a value, {mb_a_day:.2f} MB a host and day"
    )
    bare = cpu_of_encoder(trace, size.encoded)
    found: dict[str, Costs] = {}
    with tempfile.TemporaryDirectory(prefix="gst") as folder:
        found["SQLite"] = _run(measure(trace, "", Path(folder), size, ourselves))
    try:
        with cluster() as server, tempfile.TemporaryDirectory(prefix="gst") as folder:
            url = server.database()

            def postgres() -> list[psutil.Process]:
                own = [
                    p
                    for p in psutil.process_iter(["name", "username"])
                    if "postgres" in (p.info["name"] or "")
                ]
                return [process for process in own if _belongs(process, str(server.folder))]

            found["PostgreSQL"] = _run(measure(trace, url, Path(folder), size, postgres))
    except RuntimeError as error:
        print(error)
    for name, costs in found.items():
        print(
            f"{name}: {costs.written:.0f} bytes written a sample, a row each {costs.written_rows:.0f}; {costs.cpu_seconds * 1e6:.1f} us of CPU,"
            f" the bare encoder {bare * 1e6:.1f}; a day of a host {costs.day_seconds * 1e3:.2f} ms, bare {costs.bare_day_seconds * 1e3:.2f}"
        )
    values = {"bytes_per_value": a_value, "mb_per_host_day": mb_a_day}
    # the dearer of both databases
    values["written"] = max(costs.written / costs.written_rows for costs in found.values())
    values["cpu"] = max(costs.cpu_seconds / bare for costs in found.values())
    values["day"] = max(costs.day_seconds / costs.bare_day_seconds for costs in found.values())
    print(json.dumps({"bench": "store", "values": {name: round(value, 3) for name, value in values.items()}}))


def _belongs(process: psutil.Process, folder: str) -> bool:
    """Whether it is one of the cluster in a folder; others of this machine come and go."""
    try:
        return folder in " ".join(_root(process).cmdline())
    except psutil.Error:
        return False


def _root(process: psutil.Process) -> psutil.Process:
    parent = process.parent()
    return _root(parent) if parent is not None and parent.name().startswith("postgres") else process


if __name__ == "__main__":
    os.environ.setdefault("GUARDIAN_HOME", tempfile.gettempdir())
    main()
