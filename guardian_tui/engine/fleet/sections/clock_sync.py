"""Who keeps the host's clock, and how well: chrony, ntpd, openntpd, timesyncd, or whatever systemd's timedated knows."""

from __future__ import annotations

import re
from typing import ClassVar

from guardian_tui.engine.fleet.sections.base import Findings, Section, cell, figure
from guardian_tui.engine.fleet.sections.lines import now, texts, uptime
from guardian_tui.engine.fleet.sections.raw import Raw
from guardian_tui.protocol.section_kinds import Cell

SETTLE_SECONDS = 1200.0
"""Of uptime, in which a clock may still be on its way."""
TIMESYNC_PATIENCE_SECONDS = 3 * 2048.0
"""timesyncd asks at least every 2048 s, and touches its file each time that it got an answer."""
_OFFSET = re.compile(r"^([0-9.e+-]+) seconds (slow|fast)")
_CHRONY_SERVER = re.compile(r"\(([^)]*)\)")
_OPENNTPD = re.compile(r"clock (synced|unsynced)(?:, stratum (\d+))?(?:.*?clock offset is ([0-9.+-]+)ms)?")


class ClockSync(Section):
    """``C`` lines of `chronyc tracking`, ``Q`` of `ntpq -pn`, ``O`` of `ntpctl`, ``T`` of timesyncd's file, ``M`` of `timedatectl`; ``B`` uptime."""

    name: ClassVar[str] = "clock_sync"
    forks: ClassVar[bool] = True

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each server that is followed, or one; no verdict before the host has run for a while."""
        rows = _chrony(raw) or _ntpq(raw) or _openntpd(raw) or _timesyncd(raw) or _timedated(raw)
        booted = uptime(raw)
        if not rows or booted is None:
            return Findings(tuple(rows))
        values = {}
        kept = [row for row in rows if row[1] == "yes"]
        if kept or booted > SETTLE_SECONDS:
            values["clock_synchronised"] = 1.0 if kept else 0.0
        for row in kept[:1]:
            if isinstance(row[4], float):
                values["clock_sync_offset_seconds"] = row[4]
            if isinstance(row[3], float):
                values["clock_stratum"] = row[3]
        return Findings(tuple(rows), values)


def _row(
    by: str, kept: bool, server: str = "", stratum: str = "", offset: float | None = None
) -> tuple[Cell, ...]:
    return (by, "yes" if kept else "no", cell(server, 60), figure(stratum), offset)


def _chrony(raw: Raw) -> list[tuple[Cell, ...]]:
    told = {}
    for line in texts(raw, "C"):
        key, _, value = line.partition(":")
        told[key.strip()] = value.strip()
    if "Leap status" not in told:
        return []
    server = _CHRONY_SERVER.search(told.get("Reference ID", ""))
    match = _OFFSET.match(told.get("System time", ""))
    offset = figure(match[1]) if match else None
    if match and offset is not None and match[2] == "slow":
        offset = -offset
    # `local` makes a server of itself, with its own reference
    kept = told["Leap status"] != "Not synchronised" and not told.get("Reference ID", "").startswith(
        "7F7F0101"
    )
    return [_row("chrony", kept, server[1] if server else "", told.get("Stratum", ""), offset)]


def _ntpq(raw: Raw) -> list[tuple[Cell, ...]]:
    rows = []
    for line in texts(raw, "Q"):
        words = line[1:].split()
        if len(words) == 10 and words[0] != "remote":
            offset = figure(words[8])
            rows.append(
                _row("ntpd", line[0] in "*o", words[0], words[2], None if offset is None else offset / 1000)
            )
    return sorted(rows, key=lambda row: row[1] == "no")


def _openntpd(raw: Raw) -> list[tuple[Cell, ...]]:
    text = " ".join(texts(raw, "O"))
    match = _OPENNTPD.search(text)
    if match is None:
        return []
    offset = figure(match[3] or "")
    return [
        _row("openntpd", match[1] == "synced", "", match[2] or "", None if offset is None else offset / 1000)
    ]


def _timesyncd(raw: Raw) -> list[tuple[Cell, ...]]:
    at = now(raw)
    for line in texts(raw, "T"):
        words = line.split()
        touched = figure(words[5]) if len(words) > 5 else None
        if at is not None and touched is not None:
            return [_row("timesyncd", at - touched < TIMESYNC_PATIENCE_SECONDS)]
        raw.problem(f"not understood: {cell(line, 60)}")
    return []


def _timedated(raw: Raw) -> list[tuple[Cell, ...]]:
    told = dict(line.split("=", 1) for line in texts(raw, "M") if "=" in line)
    if "NTPSynchronized" not in told:
        return []
    return [_row("systemd" if told.get("NTP") == "yes" else "none", told["NTPSynchronized"] == "yes")]
