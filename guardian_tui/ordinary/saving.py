"""Saves what is on screen: the list as CSV or JSON lines, the picture as SVG."""

from __future__ import annotations

import contextlib
import csv
import io
import time
from pathlib import Path

import msgspec
import platformdirs

from guardian_tui.ordinary.part import CommandPart
from guardian_tui.text import json_safe, safe
from screens.base import GuardianScreen

_FORMULAS = ("=", "+", "-", "@")
"""A cell that begins with one of these is a formula to a spreadsheet."""


class SavingCommands(CommandPart):
    """A list or a picture becomes a file."""

    def command_save(self, arguments: tuple[str, ...]) -> None:
        """`^s`, `:save [csv|jsonl|svg]`."""
        app, screen = self._app, self._app.screen
        table = screen.table_shown if isinstance(screen, GuardianScreen) else None
        kind = arguments[0] if arguments else "csv" if table is not None else "svg"
        if kind not in ("csv", "jsonl", "svg"):
            app.say("What can be saved is csv, jsonl or svg.", severity="error")
            return
        if kind != "svg" and not (table and table[1]):
            why = "There is no list on this screen" if table is None else "The list is empty"
            app.say(f"{why}; :save svg saves the picture.", severity="warning")
            return
        names, rows = table or ([], [])
        path = _place(kind)
        if kind == "svg":
            # the line in which it was asked for is no part of the picture
            app.call_after_refresh(lambda: self._write(path, app.export_screenshot()))
            return
        self._write(path, _csv(names, rows) if kind == "csv" else _json_lines(names, rows))

    def save_text(self, text: str, kind: str) -> None:
        """Write a text beside the lists that are saved, under an ending of its own."""
        self._write(_place(kind), text)

    def _write(self, path: Path, text: str) -> None:
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            # half of it would pass for the whole
            with contextlib.suppress(OSError):
                path.unlink()
            self._app.say(f"{path} can't be written: {error.strerror}.", severity="error")
        else:
            self._app.say(f"Saved to {path}.")


def _place(kind: str) -> Path:
    folder = Path(platformdirs.user_documents_dir())
    folder = folder if folder.is_dir() else Path.home()
    return folder / time.strftime(f"guardian-%Y%m%d-%H%M%S.{kind}")


def _csv(names: list[str], rows: list[tuple[object, ...]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(names)
    for row in rows:
        cells = [safe(_cell(value), 1000) for value in row]
        writer.writerow(
            ["'" + cell if cell.startswith(_FORMULAS) and not _is_number(cell) else cell for cell in cells]
        )
    return out.getvalue()


def _cell(value: object) -> str:
    """A value in one cell: several of them as words."""
    if isinstance(value, dict):
        return "; ".join(f"{key}={one}" for key, one in value.items())
    if isinstance(value, tuple):
        return "; ".join(map(str, value))
    return "" if value is None else str(value)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _json_lines(names: list[str], rows: list[tuple[object, ...]]) -> str:
    lines = (msgspec.json.encode(dict(zip(names, row, strict=True))) for row in rows)
    return "".join(json_safe(line) + "\n" for line in lines)
