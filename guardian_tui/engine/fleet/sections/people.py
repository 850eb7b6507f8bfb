"""People on a host: open sessions, accounts that can log in, and logins of the last minutes."""

from __future__ import annotations

import re
from typing import ClassVar

from guardian_tui.engine.fleet.sections.base import Findings, Section, cell, figure, instance, number
from guardian_tui.engine.fleet.sections.lines import fixed, moment, now, texts
from guardian_tui.engine.fleet.sections.raw import Raw
from guardian_tui.protocol.section_kinds import Cell

_LAST = re.compile(
    r"^(\S+)\s+(\S.{0,12}?)\s+(?:(\S+)\s+)?((?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) \w{3} [ \d]\d [\d:]{8} \d{4})"
)
_WHO = re.compile(r"^(\S+)\s+(\S+)\s+(\w{3} [ \d]\d \d\d:\d\d)(?:.*\(([^)]*)\))?")
_WHO_BUSYBOX = re.compile(r"^(\S+)\s+(\S+)\s+\S+\s+(\w{3} [ \d]\d \d\d:\d\d)\S*\s*(\S*)")
DAY_SECONDS = 86400.0
WORTH_A_SERIES = 10
"""Failures of a source in five minutes: the many that try twice and go would fill the store."""
MOST_SERIES = 20


class Sessions(Section):
    """``L`` properties of a session of logind; ``W`` lines of `who`; ``D`` the host's clock."""

    name: ClassVar[str] = "sessions"
    forks: ClassVar[bool] = True

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each."""
        at = now(raw)
        rows: list[tuple[Cell, ...]] = []
        for _, leader, user, tty, remote, service, state, since in fixed(raw, "L", 8):
            rows.append(
                (
                    cell(user, 60), cell(tty, 32), cell(remote, 60), moment(since, "%a %Y-%m-%d %H:%M:%S"), cell(state, 32), cell(service, 32),
                    figure(leader),
                )
            )  # fmt: skip
        for line in texts(raw, "W"):
            match = _WHO.match(line) or _WHO_BUSYBOX.match(line)
            if match is not None:
                rows.append(
                    (
                        cell(match[1], 60),
                        cell(match[2], 32),
                        cell(match[4] or "", 60),
                        _this_year(match[3], at),
                        "",
                        "",
                        None,
                    )
                )
            elif not line.startswith("USER"):
                raw.problem(f"not understood: {cell(line, 60)}")
        return Findings(tuple(rows))


def _this_year(words: str, at: float | None) -> float | None:
    """Unix seconds of a time without its year: the last such one."""
    if at is None:
        return None
    year = int(at // (365.2425 * DAY_SECONDS)) + 1970
    found = [moment(f"{words} {one}", "%b %d %H:%M %Y") for one in (year, year - 1)]
    return next((one for one in found if one is not None and one < at + DAY_SECONDS), None)


class Accounts(Section):
    """``P user uid home shell``, ``G group users``, ``L`` lines of `last`."""

    name: ClassVar[str] = "accounts"
    forks: ClassVar[bool] = True

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each; what it may do is held against the baseline, when it came last is not."""
        groups: dict[str, list[str]] = {}
        for group, users in fixed(raw, "G", 2):
            for user in users.split(","):
                groups.setdefault(user, []).append(group)
        last: dict[str, tuple[float | None, str]] = {}
        for line in texts(raw, "L"):
            match = _LAST.match(line)
            if match is not None and match[1] not in last:
                last[match[1]] = (moment(match[4], "%a %b %d %H:%M:%S %Y"), match[3] or "")
        rows: list[tuple[Cell, ...]] = []
        items = {}
        for user, uid, home, shell in fixed(raw, "P", 4):
            rights = " ".join(sorted(groups.get(user, ())))
            at, where = last.get(user, (None, ""))
            rows.append(
                (
                    cell(user, 60),
                    figure(uid),
                    cell(shell, 60),
                    cell(rights),
                    at,
                    cell(where, 60),
                    cell(home, 120),
                )
            )
            items[cell(user, 60)] = cell(f"uid {uid} {shell} {rights}".strip())
        # a host whose passwd can't be read has no accounts to compare
        return Findings(tuple(rows), items=items or None)


class Logins(Section):
    """``N``: the log was read; ``F source failed closed accepted user`` for each source of the last five minutes."""

    name: ClassVar[str] = "logins"
    forks: ClassVar[bool] = True

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each source; series for those that fail often."""
        sources = _sources(raw)
        rows = [
            (cell(source, 60), failed, accepted, cell(user, 60))
            for source, (failed, accepted, user) in sources.items()
        ]
        values: dict[str, float] = {}
        if any(row[0] == "N" for row in raw.rows):
            values["logins_failed_total"] = sum((failed for failed, _, _ in sources.values()), 0.0)
        often = sorted(
            ((one[0], source) for source, one in sources.items() if one[0] >= WORTH_A_SERIES), reverse=True
        )
        for failed, source in often[:MOST_SERIES]:
            values[f"logins_failed{{{instance(source)}}}"] = failed
            values[f"logins_accepted{{{instance(source)}}}"] = sources[source][1]
        return Findings(tuple(rows), values)


def _sources(raw: Raw) -> dict[str, tuple[float, float, str]]:
    found = {}
    for source, failed, closed, accepted, user in fixed(raw, "F", 5):
        try:
            # a server that tells of a try twice tells of the failure and then of the end
            found[source or "?"] = (max(number(failed), number(closed)), number(accepted), user)
        except ValueError:
            raw.problem(f"not understood: {cell(source, 60)}")
    return found
