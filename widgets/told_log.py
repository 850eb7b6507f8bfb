"""What backup programs write into a run's log, as a person reads it: their JSON in words, all else as it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from guardian_tui.text import counted
from widgets import figures

Told = Mapping[str, Any]  # Any: JSON values


def log_lines(text: str) -> list[str]:
    """The lines of a log; progress that is over is left out."""
    return [words for line in _documents(text.splitlines()) if (words := _words(line))]


def _documents(lines: list[str]) -> Iterator[str]:
    """Lines, and a document that stands on several of them (Borg's own account of an archive) as one."""
    place = 0
    while place < len(lines):
        end = (
            next((at for at in range(place, len(lines)) if lines[at] == "}"), None)
            if lines[place] == "{"
            else None
        )
        if end is None:
            yield lines[place]
            place += 1
        else:
            yield "".join(lines[place : end + 1])
            place = end + 1


def _words(line: str) -> str:
    if not line.startswith("{"):
        return line
    try:
        told = msgspec.json.decode(line, type=dict[str, Any])
    except (ValueError, RecursionError):
        return line
    if told.get("type") == "progress_message" and told.get("finished"):
        return ""
    if isinstance(told.get("archive"), dict):
        return _archive(told["archive"]) or line
    if told.get("message_type") == "summary":
        return _summary(told)
    if told.get("message_type") == "error":
        return _error(told)
    return _message(told) or line


def _message(told: Told) -> str:
    words = told.get("message")
    if not isinstance(words, str):
        return ""
    level = str(told.get("levelname", "")).lower()
    return f"{level}: {words}" if level in ("warning", "error", "critical") else words


def _error(told: Told) -> str:
    error = told.get("error")
    why = error.get("message", "") if isinstance(error, dict) else ""
    during = f" in the {told['during']}" if told.get("during") else ""
    return f"error{during}: {told.get('item', '')}{f': {why}' if why else ''}"


def _summary(told: Told) -> str:
    """Restic's account of a backup."""
    counts = [(key, told.get(key)) for key in ("files_new", "files_changed", "files_unmodified")]
    known = [f"{value} {key.removeprefix('files_')}" for key, value in counts if isinstance(value, int)]
    sizes = [
        (words, told.get(key)) for key, words in (("total_bytes_processed", "read"), ("data_added", "added"))
    ]
    known += [f"{figures.size(value)} {words}" for words, value in sizes if isinstance(value, int)]
    return f"files: {', '.join(known)}" if known else "summary"


def _archive(archive: Told) -> str:
    """Borg's account of an archive."""
    stats = archive.get("stats")
    if not isinstance(stats, dict) or not isinstance(stats.get("nfiles"), int):
        return ""
    known = [counted(stats["nfiles"], "file")]
    sizes = (("original_size", "read"), ("deduplicated_size", "added"))
    known += [
        f"{figures.size(stats[key])} {words}" for key, words in sizes if isinstance(stats.get(key), int)
    ]
    return f"archive {archive.get('name', '')}: {', '.join(known)}"
