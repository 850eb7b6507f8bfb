"""Temperatures and fans: Documentation/hwmon/sysfs-interface.rst and driver-api/thermal/sysfs-api.rst of Linux."""

from __future__ import annotations

import contextlib
import re
from typing import ClassVar

from guardian_tui.engine.fleet.sections.base import Findings, Section, cell, few, instance, number
from guardian_tui.engine.fleet.sections.raw import Raw
from guardian_tui.engine.fleet.sections.values import values_of
from guardian_tui.protocol.section_kinds import Cell

_FILES = re.compile(r"name|type|temp|(temp|fan)\d+_[a-z]+|trip_point_\d+_(type|temp)")
_SENSOR = re.compile(r"(temp|fan)(\d+)_([a-z]+)")
COLDEST, HOTTEST = -60.0, 250.0
"""°C; a sensor that says else is not connected."""
CRITICAL = (40.0, 200.0)
"""°C; what is called critical beyond these is a driver's filler (0, 255, 65261)."""


class Sensors(Section):
    """``R V hwmon/hwmon0/temp1_input:45000`` and the like."""

    name: ClassVar[str] = "sensors"
    forks: ClassVar[bool] = True

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each sensor, named by its chip and label."""
        folders: dict[str, dict[str, str]] = {}
        for folder, name, value in values_of(raw, _FILES):
            folders.setdefault(folder.removesuffix("/device"), {})[name] = value
        rows: list[tuple[Cell, ...]] = []
        values: dict[str, float] = {}
        names: set[str] = set()
        chips = set()
        for folder, files in folders.items():
            if folder.startswith("hwmon/"):
                chips.add(files.get("name", ""))
                for sensor, figures in _by_sensor(files).items():
                    title = f"{files.get('name', 'chip')} {figures.get('label', sensor)}"
                    _note(_unique(title, names), figures, sensor[:3], rows, values)
        for folder, files in folders.items():
            # many zones are a chip's too
            if folder.startswith("thermal/") and files.get("type", "zone") not in chips:
                figures = {"input": files.get("temp", "")}
                for name, kind in files.items():
                    if name.startswith("trip_point_") and kind == "critical":
                        figures["crit"] = files.get(name.removesuffix("type") + "temp", "")
                _note(_unique(files.get("type", "zone"), names), figures, "tem", rows, values)
        return Findings(tuple(rows), few(values))


def _by_sensor(files: dict[str, str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for name, value in files.items():
        match = _SENSOR.fullmatch(name)
        if match:
            found.setdefault(match[1] + match[2], {})[match[3]] = value
    return {sensor: figures for sensor, figures in found.items() if "input" in figures}


def _unique(title: str, names: set[str]) -> str:
    title = instance(title)
    number_, name = 1, title
    while name in names:
        number_ += 1
        name = f"{title} #{number_}"
    names.add(name)
    return name


def _degrees(word: str | None, lowest: float, highest: float) -> float | None:
    with contextlib.suppress(ValueError):
        if word is not None and lowest <= number(word) / 1000 <= highest:
            return number(word) / 1000
    return None


def _note(
    name: str, figures: dict[str, str], kind: str, rows: list[tuple[Cell, ...]], values: dict[str, float]
) -> None:
    if kind == "fan":
        try:
            rpm = number(figures["input"])
        except ValueError:
            return
        rows.append(
            (cell(name), "fan", None, None, None, rpm, "alarm" if figures.get("alarm") == "1" else "")
        )
        values[f"fan_rpm{{{name}}}"] = rpm
        return
    degrees = _degrees(figures["input"], COLDEST, HOTTEST)
    if degrees is None:
        return
    high, critical = _degrees(figures.get("max"), *CRITICAL), _degrees(figures.get("crit"), *CRITICAL)
    rows.append(
        (
            cell(name),
            "temperature",
            degrees,
            high,
            critical,
            None,
            "critical" if critical and degrees >= critical else "",
        )
    )
    values[f"temperature_celsius{{{name}}}"] = degrees
    if critical:
        values[f"temperature_ratio{{{name}}}"] = max(0.0, degrees) / critical
