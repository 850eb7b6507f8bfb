"""Answers as a person reads them in a terminal: tables that fit it, and fields, each value with its unit.

Scripts take ``--json``, which leaves nothing out.  Where the output is no terminal nothing is cut.
"""

from __future__ import annotations

import shutil
import sys
import time
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from guardian_tui.cli.columns import COLUMNS, PROOF, cell, is_number, time_words, title
from guardian_tui.cli.documents import document_words, dry_run_words, plan_words
from guardian_tui.protocol.acts import LogLines
from guardian_tui.protocol.audit import AuditPage
from guardian_tui.protocol.backups import JobDetail, RetentionPlan
from guardian_tui.protocol.base import Response
from guardian_tui.protocol.discovery import FoundBackups
from guardian_tui.protocol.fleet import History
from guardian_tui.protocol.runbooks import RunbookDetail, RunbookDryRun, RunbookPlan
from guardian_tui.protocol.sections import SECTIONS, SectionTable
from guardian_tui.text import safe

NARROWEST_CELLS = 12
"""A column of words is not made narrower than this to fit a terminal."""
_PICTURES: Mapping[type[msgspec.Struct], frozenset[str]] = {JobDetail: frozenset({"days", "growth"})}
"""What is drawn on screen, and says nothing as words."""


def terminal_cells() -> int:
    """Columns of the terminal that standard output is; 0 where it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0


def words_of(answer: Response, *, width: int | None = None, now: float | None = None) -> str:
    """An answer for a person: a table where it holds rows, else its fields.

    Args:
        answer: the engine's.
        width: columns to fit tables into, 0 for as wide as they are; None: those of the terminal.
        now: Unix seconds; None: the clock's.
    """
    width = terminal_cells() if width is None else width
    now = time.time() if now is None else now
    if page := _PAGES.get(type(answer)):
        return page(answer)
    if isinstance(answer, SectionTable):
        return _section(answer, width, now)
    if isinstance(answer, RetentionPlan):
        return _retention(answer, width, now)
    fields = _fields(answer)
    rows = next(filter(None, map(_rows, fields.values())), None)
    if rows is not None and len(fields) <= 3:
        more = (
            f"\nMore: --before {answer.events[-1].seq}"
            if isinstance(answer, AuditPage) and answer.more
            else ""
        )
        return _table(rows, width, now) + more
    if fields == {"ok": True}:
        return "Done."
    name = _list_of(type(answer)) if len(fields) <= 3 else ""
    if name and fields[name]:
        # words alone: a line each
        return "\n".join(safe(str(one), 500) for one in getattr(answer, name))
    if name:
        told = [safe(value, 2000) for value in fields.values() if isinstance(value, str) and value]
        what = "" if name == "rows" else f" {name.replace('_', ' ')}"
        return "\n".join([f"No{what}." if what else "Nothing.", *told])
    return "\n".join(_lines(fields, width, now)) or "Nothing."


def _list_of(kind: type[msgspec.Struct]) -> str:
    """The field that holds an answer's rows; empty where it has none."""
    for name, hint in typing.get_type_hints(kind).items():
        inner = (typing.get_args(hint) or (None,))[0]
        if typing.get_origin(hint) is tuple and (
            inner is str or (isinstance(inner, type) and issubclass(inner, msgspec.Struct))
        ):
            return name
    return ""


def _history(answer: History) -> str:
    """A metric's columns as lines, those that are gaps left out."""
    lines = [
        [
            time_words(answer.start + place * answer.step_seconds, zone=False),
            *(cell(answer.metric, one) for one in values),
        ]
        for place, values in enumerate(zip(answer.mean, answer.low, answer.high, strict=False))
        if any(one is not None for one in values)
    ]
    if not lines:
        return "\n".join(
            [
                f"Nothing was measured of {safe(answer.metric, 300)} then: `hosts show` lists what is.",
                *answer.problems,
            ]
        )
    return _grid(["time", "mean", "low", "high"], lines, [False, True, True, True], 0)


def _section(answer: SectionTable, width: int, now: float) -> str:
    """A section's rows, as its screen has them."""
    from widgets.section_list import cell_words  # draws, so it is not cheap

    known = (
        {column.name: column for column in SECTIONS[answer.section].columns}
        if answer.section in SECTIONS
        else {}
    )
    units = [known[name].unit if name in known else "text" for name in answer.columns]
    lines = [
        [safe(cell_words(one, unit, now), 2000) for one, unit in zip(row, units, strict=True)]
        for row in answer.rows
    ]
    head = [known[name].title if name in known else name for name in answer.columns]
    told = [f"{answer.left_out} more are left out: --most, --filter"] if answer.left_out else []
    told += [safe(words, 500) for words in answer.problems]
    told += [safe(f"{one.what}: {one.why} {one.rule}", 1000).rstrip() for one in answer.withheld]
    table = (
        _grid(head, lines, [unit != "text" for unit in units], width) if lines else f"No {answer.section}."
    )
    return "\n".join([table, *told])


def _log(answer: LogLines) -> str:
    """Lines of a log, oldest first."""
    lines = [
        f"{time_words(one.at, zone=False)}  {one.text}" if one.at is not None else one.text
        for one in answer.lines
    ]
    if answer.cut:
        lines.insert(0, "… older lines are left out")
    return "\n".join(safe(line, len(line) + 1) for line in lines) or "No lines."


def _retention(answer: RetentionPlan, width: int, now: float) -> str:
    """What would be forgotten, and how many stay."""
    lines = [f"{answer.kept} snapshot{' stays' if answer.kept == 1 else 's stay'}."]
    if answer.frozen:
        lines.append(f"Nothing is forgotten now: {safe(answer.frozen, 1000)}")
    if answer.forgotten:
        lines += [f"{len(answer.forgotten)} would be forgotten:", _table(answer.forgotten, width, now)]
    else:
        lines.append("None would be forgotten.")
    return "\n".join(lines)


def _found(answer: FoundBackups) -> str:
    """Set-ups of a host, each with its repositories below it; the ids are what `repositories observe` wants."""
    lines = [f"{answer.host}, read as {answer.user}: {', '.join(answer.programs) or 'no program of backups'}"]
    for setup in answer.setups:
        name = f"{setup.file}{f' [{setup.profile}]' if setup.profile else ''}"
        lines += ["", f"{setup.tool}  {name}"]
        told = [
            ("but", setup.words),
            ("last run", f"{time_words(setup.ran_at)}, {setup.ran_words}" if setup.ran_at else ""),
        ]
        told += [(plan.kind, f"{plan.when}  {plan.what}  ({plan.where})") for plan in setup.schedules]
        lines += [f"  {what}: {words}" for what, words in told if words]
        for one in setup.repositories:
            here = (
                f"observed as {one.observed}" if one.observed else f"not observed, id {one.id}, as {one.name}"
            )
            lines.append(f"  repository: {one.location}  ({here})")
            lines += [f"    but: {one.problem}"] if one.problem else []
    lines += ["", *(f"unread: {words}" for words in answer.unread)] if answer.unread else []
    return safe(
        "\n".join(lines if answer.setups else [*lines, "Nothing that makes backups was found."]),
        200_000,
        newlines=True,
    )


_PAGES: Mapping[type[Response], Callable[[Any], str]] = {
    FoundBackups: _found, History: _history, LogLines: _log, RunbookDetail: document_words, RunbookPlan: plan_words, RunbookDryRun: dry_run_words,
}  # fmt: skip
"""Answers that are no table and no list of fields."""  # Any: of the type that it stands for


def _fields(struct: msgspec.Struct) -> dict[str, object]:
    left_out = _PICTURES.get(type(struct), frozenset())
    return {name: getattr(struct, name) for name in struct.__struct_fields__ if name not in left_out}


def _rows(value: object) -> tuple[msgspec.Struct, ...]:
    """The rows that a field holds; none if it holds something else."""
    return value if isinstance(value, tuple) and value and isinstance(value[0], msgspec.Struct) else ()


def _lines(fields: Mapping[str, object], width: int, now: float, kind: type | None = None) -> list[str]:
    lines: list[str] = []
    inside = max(0, width - 2)
    for name, value in fields.items():
        if value in ("", None, ()) or value == {}:
            continue
        if isinstance(value, msgspec.Struct | dict):
            inner = _fields(value) if isinstance(value, msgspec.Struct) else value
            named = {safe(str(key), 200): one for key, one in inner.items()}
            below = _lines(named, inside, now, type(value))
            lines += [f"{name}:", *(f"  {line}" for line in below)]
        elif rows := _rows(value):
            lines += [f"{name}:", *(f"  {line}" for line in _table(rows, inside, now).splitlines())]
        elif isinstance(value, str) and "\n" in value:
            # a log, a command of several lines
            lines += [
                f"{name}:",
                *(f"  {line}" for line in safe(value, len(value) + 1, newlines=True).splitlines()),
            ]
        else:
            lines.append(f"{name}: {cell(name, value, kind=kind)}")
    return lines


def _table(rows: Sequence[msgspec.Struct], width: int, now: float) -> str:
    kind = type(rows[0])
    names = [
        name
        for name in COLUMNS.get(kind, rows[0].__struct_fields__)
        if name not in PROOF and any(_told(kind, getattr(row, name)) for row in rows)
    ]
    lines = [[cell(name, getattr(row, name), now=now, kind=kind) for name in names] for row in rows]
    numbers = [any(is_number(name, getattr(row, name)) for row in rows) for name in names]
    return _grid([title(name) for name in names], lines, numbers, width)


def _grid(head: list[str], lines: list[list[str]], numbers: list[bool], width: int) -> str:
    """Lines in columns, numbers to the right; words are cut where the terminal ends, and say so."""
    everything = [head, *lines]
    widths = [max(len(line[place]) for line in everything) for place in range(len(head))]
    # an id is there to be copied
    spare = [place for place, number in enumerate(numbers) if not number and head[place] != "id"]
    while width and sum(widths) + 2 * (len(widths) - 1) > width:
        widest = max(spare, key=lambda place: widths[place], default=None)
        if widest is None or widths[widest] <= NARROWEST_CELLS:
            break
        widths[widest] -= 1
    return "\n".join(
        "  ".join(
            _fit(cell, cells, right=number) for cell, cells, number in zip(line, widths, numbers, strict=True)
        ).rstrip()
        for line in everything
    )


def _fit(words: str, cells: int, *, right: bool) -> str:
    if len(words) > cells:
        return words[: cells - 1] + "…"
    return words.rjust(cells) if right else words.ljust(cells)


def _told(kind: type[msgspec.Struct], value: object) -> bool:
    """Whether a column has something to tell: lists and records too, where the column was chosen."""
    if isinstance(value, str | int | float | bool):
        return value != ""
    return kind in COLUMNS and isinstance(value, tuple) and bool(value)
