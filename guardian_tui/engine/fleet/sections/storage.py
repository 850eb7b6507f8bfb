"""Disks by themselves (SMART and NVMe), and what is built of them: LVM, ZFS, paths."""

from __future__ import annotations

import re
from typing import ClassVar

from guardian_tui.engine.fleet.sections.base import Findings, Section, cell, figure, instance
from guardian_tui.engine.fleet.sections.lines import of_kind, texts
from guardian_tui.engine.fleet.sections.raw import Raw
from guardian_tui.protocol.section_kinds import Cell

_ATTRIBUTE = re.compile(r"^\s*(\d+) (\S+)\s+0x[0-9a-f]+\s+\d+\s+\d+\s+\S+\s+\S+\s+\S+\s+(\S+)\s+(\d+)")
_LEADING = re.compile(r"^(\d[\d,]*)")
_HEX = re.compile(r"^0x([0-9a-fA-F]{1,8})")
_MAP = re.compile(r"^(\S+)(?: \(([^)]*)\))? (dm-\d+) ")
_PATH = re.compile(r"\b(\d+:\d+:\d+:\d+)\s+(\S+)\s+\d+:\d+\s+(\S+)\s+(\S+)")


def _leading(words: str) -> float | None:
    """The number that a value begins with: ``12,345``, ``35 Celsius``, ``3%``."""
    match = _LEADING.match(words)
    return figure(match[1].replace(",", "")) if match else None


class Smart(Section):
    """``D disk line`` of each line of `smartctl -i -H -A` or `nvme smart-log`."""

    name: ClassVar[str] = "smart"
    forks: ClassVar[bool] = True
    timeout_seconds: ClassVar[float] = 60.0

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each disk that says something; a virtual one has no health to tell."""
        disks: dict[str, list[str]] = {}
        for disk, *words in of_kind(raw, "D", 2):
            disks.setdefault(disk, []).append(" ".join(words))
        rows: list[tuple[Cell, ...]] = []
        values: dict[str, float] = {}
        for disk, lines in disks.items():
            told, health, warning = _told(lines)
            model = told.get("model", "")
            if health is None and warning is None:
                rows.append((cell(disk, 60), cell(model, 80), "", *(None,) * 6))
                continue
            failing = (health or "passed").lower() not in ("passed", "ok") or bool(warning)
            verdict = f"critical warning {int(warning):#04x}" if warning else (health or "PASSED")
            numbers = tuple(
                _leading(told.get(key, ""))
                for key in ("wear", "hours", "reallocated", "pending", "media", "temperature")
            )
            wear = None if numbers[0] is None else numbers[0] / 100
            rows.append((cell(disk, 60), cell(model, 80), cell(verdict, 60), wear, *numbers[1:]))
            values[f"smart_failing{{{instance(disk)}}}"] = 1.0 if failing else 0.0
            for series, value in (
                ("disk_wear_ratio", wear), ("disk_reallocated_sectors", numbers[2]), ("disk_pending_sectors", numbers[3]),
                ("disk_media_errors", numbers[4]), ("disk_temperature_celsius", numbers[5]),
            ):  # fmt: skip
                if value is not None:
                    values[f"{series}{{{instance(disk)}}}"] = value
        return Findings(tuple(rows), values)


_ATTRIBUTES = {
    "5": "reallocated",
    "9": "hours",
    "187": "media",
    "194": "temperature",
    "190": "temperature",
    "197": "pending",
    "198": "media",
}
_KEYS = {
    "device model": "model", "model number": "model", "product": "model", "percentage used": "wear", "power on hours": "hours",
    "media and data integrity errors": "media", "media errors": "media", "num err log entries": "", "temperature": "temperature",
    "current drive temperature": "temperature", "elements in grown defect list": "reallocated",
    "percentage used endurance indicator": "wear",
}  # fmt: skip


def _told(lines: list[str]) -> tuple[dict[str, str], str | None, float | None]:
    """What a disk tells by our names, its own verdict, and the bits of its critical warning."""
    told: dict[str, str] = {}
    health: str | None = None
    warning: float | None = None
    for line in lines:
        match = _ATTRIBUTE.match(line)
        if match is not None:
            name = _ATTRIBUTES.get(match[1])
            if name and name not in told:
                told[name] = match[4]
            if match[3].upper() in ("FAILING_NOW", "NOW"):
                health = f"{match[2]} is failing"
            continue
        key, _, value = line.partition(":")
        key, value = key.strip().lower().replace("_", " "), value.strip()
        if key in ("smart overall-health self-assessment test result", "smart health status"):
            # a failing attribute is worse news than a verdict that says passed
            health = health or value
        elif key == "critical warning":
            hexadecimal = _HEX.match(value)
            warning = float(int(hexadecimal[1], 16)) if hexadecimal else _leading(value)
        elif _KEYS.get(key) and value:
            told.setdefault(_KEYS[key], value)
    return told, health, warning


class Lvm(Section):
    """``L`` lines of `lvs`, ``V`` of `vgs`, their default columns with ``@`` between them, sizes in bytes."""

    name: ClassVar[str] = "lvm"
    forks: ClassVar[bool] = True
    timeout_seconds: ClassVar[float] = 40.0

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each volume and group; series for what fills up: thin pools and snapshots."""
        rows: list[tuple[Cell, ...]] = []
        values: dict[str, float] = {}
        for text in texts(raw, "L"):
            words = [word.strip() for word in text.split("@")]
            if len(words) < 8:
                raw.problem(f"not understood: {cell(text, 60)}")
                continue
            name, group, attributes, size, pool, _, data, metadata = words[:8]
            kind = _KINDS.get(attributes[:1], "volume")
            used, meta = _share(data), _share(metadata)
            whole = f"{group}/{name}"
            rows.append(
                (cell(whole, 120), kind, figure(size), None, used, meta, cell(pool, 60), _health(attributes))
            )
            if kind in ("thin pool", "snapshot") and used is not None:
                values[f"lvm_pool_used_ratio{{{instance(whole)}}}"] = max(used, meta or 0.0)
        for text in texts(raw, "V"):
            words = [word.strip() for word in text.split("@")]
            if len(words) < 7:
                raw.problem(f"not understood: {cell(text, 60)}")
                continue
            group, _, _, _, attributes, size, free = words[:7]
            ill = "a physical volume is missing" if attributes[3:4] == "p" else ""
            rows.append((cell(group, 120), "group", figure(size), figure(free), None, None, "", ill))
        return Findings(tuple(rows), values)


_KINDS = {
    "t": "thin pool",
    "V": "thin volume",
    "s": "snapshot",
    "S": "snapshot",
    "m": "mirror",
    "r": "raid",
    "R": "raid",
    "C": "cache",
    "v": "virtual",
}
_ILL = {
    "p": "a physical volume is missing",
    "r": "refresh needed",
    "m": "mismatches",
    "F": "failed",
    "D": "out of data space",
    "M": "metadata read-only",
}


def _health(attributes: str) -> str:
    return _ILL.get(attributes[8:9], "")


def _share(words: str) -> float | None:
    value = figure(words)
    return None if value is None else value / 100


class Zfs(Section):
    """``Z`` lines of `zpool list`, ``@`` between their columns; ``S`` of `zpool status -x` where a pool is ill."""

    name: ClassVar[str] = "zfs"
    forks: ClassVar[bool] = True
    timeout_seconds: ClassVar[float] = 20.0

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each pool, with what its status says."""
        said = _status(list(texts(raw, "S")))
        rows: list[tuple[Cell, ...]] = []
        values: dict[str, float] = {}
        for text in texts(raw, "Z"):
            words = text.split("@")
            if len(words) < 6:
                raw.problem(f"not understood: {cell(text, 60)}")
                continue
            pool, size, used, free, fragmented, health = words[:6]
            whole, taken = figure(size), figure(used)
            share = taken / whole if whole and taken is not None else None
            rows.append(
                (
                    cell(pool, 60),
                    cell(health, 32),
                    whole,
                    figure(free),
                    share,
                    _share(fragmented.rstrip("%")),
                    cell(said.get(pool, "")),
                )
            )
            values[f"zfs_pool_trouble{{{instance(pool)}}}"] = {"ONLINE": 0.0, "DEGRADED": 1.0}.get(
                health, 2.0
            )
            if share is not None:
                values[f"zfs_pool_used_ratio{{{instance(pool)}}}"] = share
        return Findings(tuple(rows), values)


def _status(lines: list[str]) -> dict[str, str]:
    """Pool → what `zpool status` says of it in words, and its members that are not on line."""
    said: dict[str, str] = {}
    pool = ""
    for line in lines:
        key, _, value = line.strip().partition(":")
        words = line.split()
        if key == "pool":
            pool = value.strip()
        elif key == "status" and pool:
            said[pool] = value.strip()
        elif len(words) >= 5 and words[1] in ("FAULTED", "UNAVAIL", "REMOVED", "OFFLINE") and pool:
            said[pool] = f"{said.get(pool, '')} {words[0]} {words[1]}".strip()
    return said


class Multipath(Section):
    """``M`` lines of `multipath -ll`."""

    name: ClassVar[str] = "multipath"
    forks: ClassVar[bool] = True
    timeout_seconds: ClassVar[float] = 20.0

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each path; how many of a map have failed."""
        rows: list[tuple[Cell, ...]] = []
        failed: dict[str, float] = {}
        name = ""
        for text in texts(raw, "M"):
            found = _MAP.match(text)
            if found is not None:
                name = found[1]
                failed[name] = 0.0
                continue
            path = _PATH.search(text)
            if path is not None and name:
                ill = "failed" in path[3] or "faulty" in path[4]
                failed[name] += ill
                rows.append(
                    (cell(path[2], 60), cell(name, 60), cell(path[1], 32), cell(f"{path[3]} {path[4]}", 60))
                )
        return Findings(
            tuple(rows),
            {f"multipath_failed_paths{{{instance(one)}}}": count for one, count in failed.items()},
        )
