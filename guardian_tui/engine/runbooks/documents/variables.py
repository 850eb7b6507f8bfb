"""Values of variables: what each type takes, and in which form it goes into a command.

No type takes NUL or another control character, but for line breaks and tabs in a text, and none but a secret takes a leading ``-``: quoting does not stop a
value from being read as an option.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Callable

from guardian_tui.engine.runbooks.documents.model import Variable, VariableType
from guardian_tui.engine.runbooks.documents.patterns import compiled, matches_whole
from guardian_tui.engine.runbooks.documents.units import read_seconds
from guardian_tui.protocol.errors import InvalidRequest

MOST_CHARACTERS = 4096

_HOST = re.compile(
    r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})|\[?[0-9A-Fa-f:]{2,45}(?:%[A-Za-z0-9_.-]{1,15})?\]?"
)
_WORD = re.compile(r"[A-Za-z0-9_@+][A-Za-z0-9_@.:+\\=,%-]{0,254}")
_INT = re.compile(r"-?\d{1,18}")
_NUMBER = re.compile(r"-?\d{1,18}(?:\.\d{1,9})?")
_LINES = "\n\t"
_UNIX = re.compile(r"\d{9,11}")
_DATETIME = "%Y-%m-%d %H:%M:%S+00:00"


def check_value(variable: Variable, text: str) -> str:
    """The value in the form in which it is used.

    Raises:
        InvalidRequest: it does not fit; says what would.
    """
    name = variable.name
    if len(text) > MOST_CHARACTERS:
        raise _refused(name, f"it is longer than {MOST_CHARACTERS} characters", "Shorten it")
    kept = _LINES if variable.type in ("text", "secret") else ""
    if any(char not in kept and unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in text):
        raise _refused(
            name, "it holds a line break, a control character or bytes that are no UTF-8", "Take it out"
        )
    if not text:
        raise _refused(name, "it is empty", "Give it a value")
    value = _READERS[variable.type](variable, text)
    if value.startswith("-") and not variable.secret:
        raise _refused(
            name, "it begins with -, and a program would take it for an option", "Write a path as ./-name"
        )
    if variable.pattern and not matches_whole(value, variable.pattern):
        raise _refused(name, f"it does not match {variable.pattern[:100]}", "See what the runbook asks for")
    return value


def _refused(name: str, why: str, advice: str) -> InvalidRequest:
    return InvalidRequest(f"{name} can't have this value: {why}. {advice}.", field=name)


def _host(variable: Variable, text: str) -> str:
    if not _HOST.fullmatch(text) or ".." in text:
        raise _refused(
            variable.name, "it is no host's name or address", "Write it as in the inventory, e.g. web-1"
        )
    return text


def _path(variable: Variable, text: str) -> str:
    if not text.startswith("/"):
        raise _refused(variable.name, "it is no absolute path", "Begin with /")
    if ".." in text.split("/"):
        raise _refused(variable.name, "it has .. in it", "Write the path that is meant")
    return text


def _int(variable: Variable, text: str) -> str:
    if not _INT.fullmatch(text.strip()):
        raise _refused(variable.name, "it is no whole number", "Write digits, e.g. 7")
    return _within(variable, str(int(text)), float(text), float)


def _number(variable: Variable, text: str) -> str:
    if not _NUMBER.fullmatch(text.strip()):
        raise _refused(variable.name, "it is no number", "Write it as 7 or 0.5")
    return _within(variable, text.strip(), float(text), float)


def _enum(variable: Variable, text: str) -> str:
    if text not in variable.options:
        raise _refused(
            variable.name, "it is none of the answers", f"Choose one of {', '.join(variable.options)}"
        )
    return text


def _duration(variable: Variable, text: str) -> str:
    seconds = read_seconds(text)
    if seconds is None:
        raise _refused(variable.name, "it is no duration", "Write it as 90s, 30m, 2h or 1d")
    return _within(variable, text.strip(), seconds, lambda bound: read_seconds(bound) or 0.0)


def moment(text: str) -> dt.datetime | None:
    """A point in time, in UTC unless it says otherwise, or in Unix seconds; None when the text is none."""
    try:
        if _UNIX.fullmatch(text.strip()):
            return dt.datetime.fromtimestamp(int(text), dt.UTC)
        at = dt.datetime.fromisoformat(text.strip())
        return at.replace(tzinfo=dt.UTC) if at.tzinfo is None else at.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None


def _moment(variable: Variable, text: str) -> str:
    at = moment(text)
    if at is None:
        raise _refused(
            variable.name,
            "it is no date and time",
            "Write it as 2026-11-29 22:10:00, in UTC, or with +02:00 after it",
        )
    return _within(
        variable, at.strftime(_DATETIME), at.timestamp(), lambda bound: (moment(bound) or at).timestamp()
    )


def _regex(variable: Variable, text: str) -> str:
    try:
        compiled(text)
    except InvalidRequest as error:
        raise _refused(variable.name, error.detail.rstrip("."), "See the syntax of RE2") from error
    return text


def _word(variable: Variable, text: str) -> str:
    if not _WORD.fullmatch(text):
        raise _refused(
            variable.name, "it is no single word of letters, digits and _ @ . : + = , % \\ -", "Take the other characters out"
        )  # fmt: skip
    return text


def _text(_variable: Variable, text: str) -> str:
    return text


def _within(variable: Variable, text: str, value: float, read: Callable[[str], float]) -> str:
    if variable.minimum and value < read(variable.minimum):
        raise _refused(
            variable.name, f"it is less than {variable.minimum}", f"Take at least {variable.minimum}"
        )
    if variable.maximum and value > read(variable.maximum):
        raise _refused(
            variable.name, f"it is more than {variable.maximum}", f"Take at most {variable.maximum}"
        )
    return text


_READERS: dict[VariableType, Callable[[Variable, str], str]] = {
    "host": _host, "path": _path, "int": _int, "number": _number, "enum": _enum, "datetime": _moment, "duration": _duration,
    "secret": _text, "regex": _regex, "word": _word, "text": _text,
}  # fmt: skip
