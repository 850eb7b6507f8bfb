"""CPU and bytes of one tick of the hosts table, against Textual's DataTable with the same content in the same run.

1,000 hosts, 120×40, painted for real into a recorder.  Two kinds of tick: every host has new figures, or five in a hundred have; in both a second
passes, so that the ages that are shown tick.  DataTable's cells are made before the clock starts, and only those that differ are given to it.

    python bench/ui_tick.py [--quick]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
os.environ.pop("NO_COLOR", None)
sys.path.insert(0, str(Path(__file__).parents[1]))

import msgspec
from rich.text import Text
from textual.app import App, ComposeResult
from textual.drivers.headless_driver import HeadlessDriver
from textual.widgets import DataTable

from guardian_tui.protocol.fleet import HostRow
from themes import load_themes
from widgets.hosts_columns import columns_for
from widgets.hosts_table import HostsTable
from widgets.painting import Piece, clip

HOSTS = 1000
SIZE = (120, 40)
NOW = 1_800_000_000.0
TITLES = ("host", "state", "cpu", "cpu spark", "mem", "disk", "why / net", "more")
QUIET_SECONDS = 0.02
Measured = tuple[list[float], list[int]]
"""CPU milliseconds and bytes of each tick."""


class Recorder(HeadlessDriver):
    """A terminal that counts what is written to it; as it is not headless, the app paints."""

    written = 0

    @property
    def is_headless(self) -> bool:
        return False

    def write(self, data: str) -> None:
        self.written += len(data.encode())


class OneWidget(App[None]):
    """An app with one widget, in our theme."""

    CSS = "DataTable { height: 1fr; background: $g-background; }"

    def __init__(self, widget: HostsTable | DataTable[Text]) -> None:
        super().__init__(driver_class=Recorder)
        for theme in load_themes().textual_themes():
            self.register_theme(theme)
        self.theme = "guardian-dark"
        self.widget = widget

    def compose(self) -> ComposeResult:
        yield self.widget

    @property
    def written(self) -> int:
        assert isinstance(self._driver, Recorder)
        return self._driver.written


def make_fleet(chance: random.Random) -> list[HostRow]:
    """A thousand hosts, one in fifty in trouble since less than two hours."""
    rows = []
    for number in range(HOSTS):
        bad = number % 50 == 0
        state: Any = ("down" if number % 200 == 0 else "degraded") if bad else "up"
        row = HostRow(
            id=f"h{number:04d}", name=f"web-eu-{number:04d}", state=state, since=NOW - chance.uniform(1, 7200), why="cpu 96 %" if bad else "",
            interval_seconds=60.0, labels={"role": "web"}, environment="prod", uptime_seconds=8e6, load_per_core=0.3,
        )  # fmt: skip
        rows.append(new_figures(row, chance, NOW))
    return rows


def new_figures(row: HostRow, chance: random.Random, now: float) -> HostRow:
    """The host a tick later."""
    cpu = chance.uniform(0.02, 0.9)
    return msgspec.structs.replace(
        row, measured_at=now, cpu=cpu, cpu_points=(*row.cpu_points, round(cpu * 100))[-12:], memory=chance.uniform(0.2, 0.8),
        disk=chance.uniform(0.2, 0.85), receive_bytes_per_second=chance.uniform(1e4, 3e6), transmit_bytes_per_second=chance.uniform(1e4, 1e6),
    )  # fmt: skip


def make_ticks(
    rows: list[HostRow], count: int, share: float, chance: random.Random
) -> list[tuple[float, list[HostRow]]]:
    """What each tick brings: the time and the changed rows."""
    current = {row.id: row for row in rows}
    ticks = []
    for number in range(1, count + 1):
        now = NOW + number
        picked = chance.sample(sorted(current), round(HOSTS * share))
        changed = [new_figures(current[id], chance, now) for id in picked]
        current |= {row.id: row for row in changed}
        ticks.append((now, changed))
    return ticks


def cells_of(pieces: Sequence[Piece], styles: Callable[[str], Any]) -> list[Text]:
    """A line of the hosts table as eight cells of Rich text with the same styles."""
    bounds = [19, 12, 4, 9, 11, 12, 12, 30]
    cells: list[Text] = []
    flat = [(char, paint) for text, paint in clip(pieces, sum(bounds)) for char in text]
    start = 0
    for width in bounds:
        cell = Text(no_wrap=True)
        for char, paint in flat[start : start + width]:
            cell.append(char, styles(paint))
        cells.append(cell)
        start += width
    return cells


async def settled(app: OneWidget) -> None:
    """Until what was asked for is painted: Textual paints in its next frame."""
    for _ in range(3):
        await asyncio.sleep(QUIET_SECONDS)


async def run_ticks(app: OneWidget, ticks: Sequence[Callable[[], None]]) -> Measured:
    """CPU milliseconds and bytes of each tick."""
    cpu, bytes_written = [], []
    gc.collect()
    gc.freeze()
    for tick in ticks:
        await settled(app)
        before, written = time.process_time(), app.written
        tick()
        await settled(app)
        cpu.append((time.process_time() - before) * 1000)
        bytes_written.append(app.written - written)
    gc.unfreeze()
    return cpu, bytes_written


async def with_app(app: OneWidget, work: Callable[[], Awaitable[Measured]]) -> Measured:
    """The answer of ``work`` while the app runs."""
    running = asyncio.create_task(app.run_async(size=SIZE, mouse=False))
    while not app.widget.is_mounted or not app.widget.size.height:
        await asyncio.sleep(QUIET_SECONDS)
    try:
        return await work()
    finally:
        app.exit()
        await running


async def measure_table(rows: list[HostRow], ticks: list[tuple[float, list[HostRow]]]) -> Measured:
    """Our table, from the rows as the engine sends them."""
    table = HostsTable()
    app = OneWidget(table)

    def applying(now: float, changed: list[HostRow]) -> Callable[[], None]:
        def tick() -> None:
            table.apply(changed, (), now)
            table.tick(now)

        return tick

    async def work() -> Measured:
        table.apply(rows, (), NOW)
        return await run_ticks(app, [applying(now, changed) for now, changed in ticks])

    return await with_app(app, work)


async def measure_data_table(rows: list[HostRow], ticks: list[tuple[float, list[HostRow]]]) -> Measured:
    """Textual's table with the same lines in the same order; the lines are asked of a table of ours that is not shown."""
    source, data = HostsTable(), DataTable[Text](cursor_type="row")
    app = OneWidget(data)

    async def work() -> Measured:
        await app.mount(source)
        source.display = False
        width = SIZE[0] - 3
        assert columns_for(width)
        source.apply(rows, (), NOW)
        shown = {id: cells_of(source.line(id, width), source.paint) for id in source.ids}
        for title in TITLES:
            data.add_column(title, key=title, width=None)
        for id, cells in shown.items():
            data.add_row(*cells, key=id)
        await settled(app)
        steps = []
        for now, changed in ticks:
            source.apply(changed, (), now)
            updates = []
            for id in source.ids:
                cells = cells_of(source.line(id, width), source.paint)
                updates += [
                    (id, title, new)
                    for title, old, new in zip(TITLES, shown[id], cells, strict=True)
                    if old != new
                ]
                shown[id] = cells
            steps.append(updating(updates))
        return await run_ticks(app, steps)

    def updating(updates: list[tuple[str, str, Text]]) -> Callable[[], None]:
        def tick() -> None:
            for id, title, cell in updates:
                data.update_cell(id, title, cell)

        return tick

    return await with_app(app, work)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer ticks: under half a minute")
    count = 8 if parser.parse_args().quick else 40
    values: dict[str, float] = {}
    for name, share in (("all_rows", 1.0), ("five_percent", 0.05)):
        chance = random.Random(11)
        rows = make_fleet(chance)
        ticks = make_ticks(rows, count, share, chance)
        theirs, their_bytes = asyncio.run(measure_data_table(rows, ticks))
        ours, our_bytes = asyncio.run(measure_table(rows, ticks))
        mine, other = statistics.median(ours), statistics.median(theirs)
        print(
            f"{name}: {mine:.1f} ms against {other:.1f} ms, {statistics.mean(our_bytes):.0f} bytes against {statistics.mean(their_bytes):.0f}"
        )
        values[name] = round(mine / other, 3)
        if name == "five_percent":
            values["five_percent_bytes"] = round(statistics.mean(our_bytes))
    print(json.dumps({"bench": "ui_tick", "values": values}))


if __name__ == "__main__":
    main()
