"""Packages that wait, by apt, dnf, zypper, apk or pacman, and whether the host is to be rebooted for what it has already.

Rows: ``D`` the host's clock, ``S time path`` of what package managers write, ``N`` number of packages, ``Q``: a package manager
answered.  ``A`` lines of `apt-get -s upgrade`, ``F`` of `dnf check-update`, ``G`` of `dnf updateinfo`, ``Z`` and ``Y`` of `zypper -x`, ``K`` of
`apk version`, ``P`` of `pacman -Qu`.  ``R``: a flag says reboot, ``V`` lines of `needs-restarting`, ``O`` the running kernel, ``M`` installed ones.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import ClassVar

from guardian_tui.engine.fleet.sections.base import Findings, Section, cell, figure
from guardian_tui.engine.fleet.sections.lines import now, texts
from guardian_tui.engine.fleet.sections.raw import Raw
from guardian_tui.protocol.section_kinds import Cell

_APT = re.compile(r"^Inst (\S+)(?: \[([^]]*)\])? \((\S+) ?([^)]*?)(?: \[[^]]*\])?\)")
_DNF = re.compile(r"^(\S+)\.(\w+)\s+(\S+)\s+(\S+)\s*$")
_NEVRA = re.compile(
    r"\b([A-Za-z0-9_.+-]+?)-(?:\d+:)?[^-\s]+-[^-\s]+\.(?:noarch|x86_64|aarch64|i686|ppc64le|s390x|src)\b"
)
_ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')
_APK = re.compile(r"^(\S+)-(\d\S*-r\d+)\s+<\s+(\S+)")
_PACMAN = re.compile(r"^(\S+) (\S+) -> (\S+)")
_LISTS = ("/var/lib/apt/lists", "/var/cache/dnf", "/var/cache/yum", "/var/cache/apk", "/var/lib/pacman/sync")
_INSTALLED = (
    "/var/lib/dpkg/status",
    "/usr/lib/sysimage/rpm",
    "/var/lib/rpm",
    "/lib/apk/db/installed",
    "/var/lib/pacman/local",
)


class Updates(Section):
    """What waits, and what is marked as security's."""

    name: ClassVar[str] = "updates"
    forks: ClassVar[bool] = True
    timeout_seconds: ClassVar[float] = 90.0

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each package; counts for the rules; number of packages and times as facts."""
        rows = _apt(raw) + _dnf(raw) + _zypper(raw) + _apk(raw) + _pacman(raw)
        values: dict[str, float] = {}
        facts: dict[str, str] = {}
        counted = [count for text in texts(raw, "N") if (count := figure(text)) is not None]
        if any(row[0] == "Q" for row in raw.rows):
            values["updates_pending"] = float(len(rows))
            values["updates_security"] = float(sum(row[3] == "yes" for row in rows))
        if counted:
            facts["packages"] = f"{counted[0]:.0f}"
        written = _written(raw)
        for fact, paths in (("upgraded", _INSTALLED), ("package_lists", _LISTS)):
            times = [written[path] for path in paths if path in written]
            if times:
                facts[fact] = _day(max(times))
        at, lists = now(raw), [written[path] for path in _LISTS if path in written]
        if at is not None and lists:
            values["package_lists_age_seconds"] = max(0.0, at - max(lists))
        reason = _reboot(raw)
        if reason is not None:
            values["reboot_required"] = 1.0 if reason else 0.0
            facts["reboot"] = cell(reason, 100) or "not needed"
        return Findings(tuple(rows), values, facts)


def _day(at: float) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
    except (OverflowError, ValueError, OSError):
        return "?"


def _written(raw: Raw) -> dict[str, float]:
    found = {}
    for text in texts(raw, "S"):
        at, _, path = text.partition(" ")
        when = figure(at)
        if when is not None:
            found[path] = when
    return found


def _row(
    package: str, installed: str, available: str, *, security: bool, origin: str = ""
) -> tuple[Cell, ...]:
    return (
        cell(package, 120),
        cell(installed, 60),
        cell(available, 60),
        "yes" if security else "",
        cell(origin, 120),
    )


def _apt(raw: Raw) -> list[tuple[Cell, ...]]:
    rows = []
    for text in texts(raw, "A"):
        match = _APT.match(text)
        if match is None:
            raw.problem(f"not understood: {cell(text, 60)}")
            continue
        # Debian-Security:12/stable-security, Ubuntu:22.04/jammy-security, UbuntuESM
        security = "security" in match[4].lower() or "UbuntuESM" in match[4]
        rows.append(_row(match[1], match[2] or "", match[3], security=security, origin=match[4]))
    return rows


def _dnf(raw: Raw) -> list[tuple[Cell, ...]]:
    secure = {match[1] for text in texts(raw, "G") for match in _NEVRA.finditer(text)}
    rows = []
    for text in texts(raw, "F"):
        if text.startswith("Obsoleting"):
            break
        match = _DNF.match(text)
        if match is not None:
            rows.append(_row(match[1], "", match[3], security=match[1] in secure, origin=match[4]))
    return rows


def _zypper(raw: Raw) -> list[tuple[Cell, ...]]:
    found = [dict(_ATTRIBUTE.findall(text)) for text in texts(raw, "Z")]
    patches = [dict(_ATTRIBUTE.findall(text)) for text in texts(raw, "Y")]
    # a patch of security names no packages here: it is a row of its own
    return [
        _row(one.get("name", "?"), one.get("edition-old", ""), one.get("edition", ""), security=False)
        for one in found
    ] + [
        _row(one.get("name", "?"), "", one.get("edition", ""), security=True, origin=one.get("severity", ""))
        for one in patches
        if one.get("status", "needed") == "needed"
    ]


def _apk(raw: Raw) -> list[tuple[Cell, ...]]:
    return [
        _row(match[1], match[2], match[3], security=False)
        for text in texts(raw, "K")
        if (match := _APK.match(text))
    ]


def _pacman(raw: Raw) -> list[tuple[Cell, ...]]:
    return [
        _row(match[1], match[2], match[3], security=False)
        for text in texts(raw, "P")
        if (match := _PACMAN.match(text))
    ]


def _reboot(raw: Raw) -> str | None:
    """Why the host is to be rebooted; empty: it is not; None: it can't be told."""
    for text in texts(raw, "R"):
        return text
    told = " ".join(texts(raw, "V"))
    if "Reboot is required" in told:
        return "libraries or services were updated"
    running = next(texts(raw, "O"), "")
    newest = newer_kernel(running, list(texts(raw, "M")))
    if newest:
        return f"kernel {newest}"
    return "" if running else None


def newer_kernel(running: str, installed: list[str]) -> str:
    """The newest of the installed kernels of the running one's flavour, where it is newer; else empty."""

    def flavour(release: str) -> str:
        return re.sub(r"\d+", "", re.sub(r"^[0-9][0-9.-]*", "", release))

    def order(release: str) -> list[int]:
        return [int(part[:9]) for part in re.findall(r"[0-9]+", release)]

    # one without modules of its own is another machine's kernel: a container's
    if running not in installed:
        return ""
    same = [release for release in installed if flavour(release) == flavour(running)]
    newest = max(same, key=order)
    return newest if order(newest) > order(running) else ""
