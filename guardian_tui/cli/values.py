"""Values of the headless commands as people write them: durations, moments, sizes, pairs, and flat records."""

from __future__ import annotations

import time
import typing
from typing import Any

import click
import msgspec

from guardian_tui.moments import FORMS, parse_duration, parse_moment, parse_size
from guardian_tui.protocol.refusals import why_refused

NOTHING = "null"
"""What stands for None in a field that may be it, for msgspec."""


class Duration(click.ParamType[float]):
    """Seconds, as ``90``, ``90s``, ``30m``, ``26h``, ``7d``, ``2w``."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:  # Any: as click has it
        """Its seconds."""
        found = _number(value)
        found = parse_duration(str(value)) if found is None else found
        if found is None:
            self.fail(f"{value!r} is no duration: write 90s, 30m, 26h, 7d or 2w.", param, ctx)
        return found


class Moment(click.ParamType[float | str]):
    """Unix seconds, of a moment as people write it.

    Args:
        ahead: a duration or an hour alone lies in the future.
        ends: ``none`` is an answer too.
    """

    name = "time"

    def __init__(self, *, ahead: bool = False, ends: bool = False) -> None:
        self._ahead = ahead
        self._ends = ends

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | str:  # Any: as click has it
        """Its Unix seconds."""
        text = str(value).strip()
        if self._ends and text.lower() in ("none", NOTHING):
            return NOTHING
        now = time.time()
        found = _number(value)
        span = parse_duration(text)
        if found is None and span is not None:
            found = now + span if self._ahead else now - span
        found = parse_moment(text, now, ahead=self._ahead) if found is None else found
        if found is None:
            self.fail(
                f"{value!r} is no time: write {FORMS} · {'2h' if self._ahead else 'now'} · Unix seconds.",
                param,
                ctx,
            )
        return found


class Size(click.ParamType[int]):
    """Bytes, as ``4096``, ``512M``, ``10G``."""

    name = "size"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:  # Any: as click has it
        """Its bytes."""
        found = parse_size(str(value))
        if found is None:
            self.fail(f"{value!r} is no size: write 4096, 512M or 10G.", param, ctx)
        return found


class Pair(click.ParamType[str]):
    """One ``KEY=VALUE``."""

    name = "key=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:  # Any: as click has it
        """As it stands, once it is one."""
        if "=" not in str(value).lstrip("="):
            self.fail(f"{value!r} is no KEY=VALUE.", param, ctx)
        return str(value)


def _number(value: object) -> float | None:
    try:
        found = float(str(value))
    except ValueError:
        return None
    return found if found == found and abs(found) != float("inf") else None


def pairs(words: typing.Iterable[str]) -> dict[str, str]:
    """Keys and values of ``KEY=VALUE``; the last of a key counts."""
    return dict(word.partition("=")[::2] for word in words)


def record(flag: str, kind: type[msgspec.Struct], text: str) -> Any:  # Any: JSON values
    """A struct's fields as they were written: ``daily=7,weekly=4``, or JSON.

    A name that comes again adds to a list.

    Raises:
        click.BadParameter: it is neither; says what can be written.
    """
    if text.lstrip().startswith(("{", "[")):
        try:
            return msgspec.json.decode(text)
        except msgspec.DecodeError as error:
            raise click.BadParameter(f"{error}.", param_hint=f"'{flag}'") from error
    hints = typing.get_type_hints(kind)
    found: dict[str, Any] = {}  # Any: a value, or several
    for word in text.split(","):
        name, equals, value = word.strip().partition("=")
        name = name.replace("-", "_")
        if not equals or name not in hints:
            raise click.BadParameter(
                f"{word.strip()!r} is none of {', '.join(f'{one}=…' for one in hints)}; parted by commas, or JSON.",
                param_hint=f"'{flag}'",
            )
        if name.endswith("_bytes"):
            size = parse_size(value)
            found[name] = value if size is None else size
        elif typing.get_origin(hints[name]) is tuple:
            found.setdefault(name, []).append(value)
        else:
            found[name] = value
    return found


def refusal(error: msgspec.ValidationError, names: typing.Mapping[str, str]) -> click.UsageError:
    """What is wrong with a value, and at which option or argument.

    Args:
        error: of msgspec; it names the field by its path.
        names: field → how it is called on the command line.
    """
    path, words = why_refused(error)
    field, _, rest = path.partition(".")
    if rest:
        words = f"{rest}: {words}"
    hint = names.get(field)
    return click.BadParameter(words, param_hint=f"'{hint}'") if hint else click.UsageError(words)
