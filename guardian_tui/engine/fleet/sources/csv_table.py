"""Hosts in a CSV table with a line of headings: commas, semicolons or tabs, quoted as spreadsheets do (RFC 4180)."""

from __future__ import annotations

import csv
import io

from guardian_tui.engine.fleet.sources.entry import Reading

HEADINGS = {
    "name": "name", "host": "name", "hostname": "name", "address": "address", "ip": "address", "port": "port", "user": "user", "username": "user",
    "jump": "jump", "through": "jump", "credential": "credential", "environment": "environment", "env": "environment",
    "groups": "groups", "group": "groups", "labels": "labels", "interval": "interval_seconds", "interval_seconds": "interval_seconds",
}  # fmt: skip
"""Heading → field; in small letters, blanks and hyphens as underscores."""


def parse_csv(text: str, file: str = "hosts.csv") -> Reading:
    """Hosts of a table, and what could not be read."""
    reading = Reading(file)
    # some spreadsheets end lines with a carriage return alone
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    columns: list[tuple[str, str]] | None = None
    while True:
        line = rows.line_num + 1
        try:
            row = next(rows)
        except StopIteration:
            return reading
        except csv.Error as error:
            reading.problem(line, f"{error}; correct the quotation marks, what follows may be left out")
            continue
        cells = [cell.strip() for cell in row]
        if not any(cells) or cells[0].startswith("#"):
            continue
        if columns is None:
            columns = _columns(cells, line, reading)
            if not any(field == "name" for field, _ in columns):
                reading.problem(
                    line, "no column is called name; the first line must hold headings, name among them"
                )
                return reading
        elif len(cells) > len(columns):
            reading.problem(
                line, f"{len(cells)} values under {len(columns)} headings; put values with a separator in quotation marks"
            )  # fmt: skip
        else:
            _host(dict(zip(columns, cells, strict=False)), line, reading)


def _delimiter(text: str) -> str:
    head = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    return max(",;\t", key=head.count)


def _columns(cells: list[str], line: int, reading: Reading) -> list[tuple[str, str]]:
    """Field and, for labels, key of each column; a column that is not known has neither."""
    columns: list[tuple[str, str]] = []
    for cell in cells:
        heading = cell.lower().replace(" ", "_").replace("-", "_")
        marked = cell.lower().startswith(("label.", "label:"))
        column = ("label", cell[6:].strip()) if marked else (HEADINGS.get(heading, ""), "")
        if not column[0] or column == ("label", ""):
            reading.problem(
                line,
                f"the column {cell[:60]!r} is not known; call it label.{cell[:60]} to keep it as a label",
            )
            column = ("", "")
        elif column in columns:
            reading.problem(line, f"the column {cell[:60]!r} stands here twice; the first counts")
            column = ("", "")
        columns.append(column)
    return columns


def _host(cells: dict[tuple[str, str], str], line: int, reading: Reading) -> None:
    stated: dict[str, object] = {}
    labels: dict[str, str] = {}
    name = cells.get(("name", ""), "")
    if not name:
        reading.problem(line, "the host has no name; give it one")
        return
    for (field, key), cell in cells.items():
        if field == "label" and cell:
            labels[key] = cell
        elif field == "labels":
            for word in cell.replace(";", " ").replace(",", " ").split():
                label, equals, value = word.partition("=")
                if not equals or not label:
                    reading.problem(line, f"{word[:60]!r} is no label; write key=value")
                    return
                labels[label] = value
        elif field in ("jump", "groups") and cell:
            stated[field] = cell.replace(";", " ").replace(",", " ").split()
        elif field not in ("", "name", "label") and cell:
            stated[field] = cell
    if labels:
        stated["labels"] = labels
    reading.host(line, name, stated)
