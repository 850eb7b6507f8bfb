"""Options and arguments of the headless commands, made from a request's fields: each says what it is for and takes what people write."""

from __future__ import annotations

import typing
from typing import Any, TypeVar

import click
import msgspec

from guardian_tui.cli.complete import known_names
from guardian_tui.cli.help import words_for
from guardian_tui.cli.session import ask_secret
from guardian_tui.cli.values import Duration, Moment, Pair, Size, pairs, record, refusal
from guardian_tui.protocol.base import Request
from guardian_tui.protocol.routes import Route

T = TypeVar("T", bound=msgspec.Struct)

_MOMENTS = frozenset({"at", "before", "end", "since", "start", "until"})
_SECRET_FIELDS = frozenset({"password", "old", "new", "value", "secret", "code"})
_GRANTS = "grants"
_NAMED_AGAIN = {"values": "set", "seconds": "for", "most_seconds": "longest"}
"""Options that people know by another word than their field."""


class RouteOption(click.Option):
    """An option whose other spellings are taken too, and not shown."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Its line of the help: the first spelling alone."""
        shown, self.opts = self.opts, self.opts[:1]
        hidden = self.secondary_opts
        if self.metavar == "":
            self.secondary_opts = []
        try:
            return super().get_help_record(ctx)
        finally:
            self.opts, self.secondary_opts = shown, hidden

    def prompt_for_value(self, ctx: click.Context) -> Any:  # Any: as click has it
        """Ask for it: on standard error, and of a script as a line of standard input."""
        return ask_secret(str(self.prompt))


def plain_type(hint: Any) -> Any:  # Any: a type
    """The type itself of one that may also be None."""
    parts = [part for part in typing.get_args(hint) if part is not type(None)]
    return parts[0] if type(None) in typing.get_args(hint) and len(parts) == 1 else hint


def is_struct(hint: Any) -> bool:  # Any: a type
    """Whether a type is one of the protocol's records."""
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)


def _of_many(hint: Any) -> Any:  # Any: a type
    """The record that a tuple holds; None of another type."""
    inner = (typing.get_args(hint) or (None,))[0]
    return inner if typing.get_origin(hint) is tuple and is_struct(inner) else None


def required(field: msgspec.structs.FieldInfo) -> bool:
    """Whether a field has no default."""
    return field.default is msgspec.NODEFAULT and field.default_factory is msgspec.NODEFAULT


def singular(name: str) -> str:
    """``copies`` → ``copy``, ``sources`` → ``source``: an option that may be given again has the name of one."""
    if name.endswith("ies"):
        return name[:-3] + "y"
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name


def params_of(route: Route) -> list[click.Parameter]:
    """The parameters of a route: what stands in its path and the name of what is made are arguments, the rest are options."""
    hints = typing.get_type_hints(route.request)
    found: list[click.Parameter] = []
    for field in msgspec.structs.fields(route.request):
        name = field.name
        if "{" + name + "}" in route.path:
            found.append(
                click.Argument(
                    [name], shell_complete=known_names(name), type=_scalar(name, hints[name], field)
                )
            )
        elif name == "name" and required(field):
            found.append(click.Argument(["named"], required=False, metavar="NAME"))
            found.append(RouteOption(["--name", "name"], hidden=True))
        else:
            found.append(option_of(route.name, name, hints[name], field))
    return found


def option_of(
    route: str, name: str, hint: Any, field: msgspec.structs.FieldInfo
) -> click.Option:  # Any: a type
    """The option of a field."""
    must = required(field)
    flag = "--" + name.replace("_", "-")
    optional = type(None) in typing.get_args(hint)
    hint = plain_type(hint)
    words = words_for(route, name)
    if hint is bool:
        both = must or optional
        return RouteOption(
            [f"{flag}/--no-{flag[2:]}" if both or not field.default else f"--no-{flag[2:]}/{flag}", name]
            if both or not field.default
            else [f"{flag}/--no-{flag[2:]}", name],
            default=None, required=must, help=words, metavar=None if both or field.default else "",
        )  # fmt: skip
    if name in _SECRET_FIELDS and (must or name == "secret"):
        # what may be left out is asked for only where the option stands there without a value
        return RouteOption(
            [flag, name], prompt=name.capitalize(), prompt_required=must, hide_input=True, help=words
        )
    if typing.get_origin(hint) in (dict, tuple):
        one = "--" + singular(_NAMED_AGAIN.get(name, name)).replace("_", "-")
        spelled = list(dict.fromkeys([one, flag, "--" + singular(name).replace("_", "-")]))
        return RouteOption(
            [*spelled, name], multiple=True, required=must, help=f"{words} May be given again.".lstrip(),
            type=Pair() if typing.get_origin(hint) is dict else str, metavar=_metavar_of_many(name, hint),
            shell_complete=known_names(singular(name)),
        )  # fmt: skip
    if is_struct(hint):
        told = f"{words.removesuffix('.')}: {_names_of(hint)}; parted by commas, or JSON."
        return RouteOption([flag, name], required=must, metavar="NAME=VALUE,…", help=told)
    kind = _scalar(name, hint, field, optional=optional)
    default = _default(field.default, kind)
    return RouteOption(
        [*dict.fromkeys([shown_flag(name), flag]), name], required=must, type=kind, shell_complete=known_names(name),
        help=f"{words} [{default}]" if default else words, metavar="NUMBER" if kind in (click.INT, click.FLOAT) else None,
    )  # fmt: skip


def shown_flag(name: str) -> str:
    """How the option of a single value is called: ``rpo_seconds`` is ``--rpo``, for it takes ``26h``."""
    short = _NAMED_AGAIN.get(name, name.removesuffix("_seconds").removesuffix("_bytes"))
    return "--" + short.replace("_", "-")


def _metavar_of_many(name: str, hint: Any) -> str:  # Any: a type
    if name == _GRANTS:
        return "PROFILE[@SCOPE]"
    if typing.get_origin(hint) is dict:
        return "KEY=VALUE"
    return "NAME=VALUE,…" if _of_many(hint) else "TEXT"


def _names_of(kind: type[msgspec.Struct]) -> str:
    """The names of a record's fields, those that must be given first."""
    fields = msgspec.structs.fields(kind)
    return ", ".join(field.name for field in sorted(fields, key=lambda field: not required(field)))


def _scalar(
    name: str, hint: Any, field: msgspec.structs.FieldInfo, *, optional: bool = False
) -> Any:  # Any: types, and click's
    hint = plain_type(hint)
    if typing.get_origin(hint) is typing.Literal:
        return click.Choice([word for word in typing.get_args(hint) if word])
    if hint is float and name.endswith("seconds"):
        return Duration()
    if hint is float and name in _MOMENTS:
        return Moment(ahead=name == "until", ends=name == "until" and optional)
    if hint is int and name.endswith("_bytes"):
        return Size()
    return {int: click.INT, float: click.FLOAT}.get(hint, click.STRING)


def _default(value: object, kind: object) -> str:
    """A default as it would be written; empty where it says nothing."""
    if isinstance(value, bool) or not isinstance(value, str | int | float) or not value:
        return ""
    if isinstance(kind, Duration) and not isinstance(value, str):
        for unit, seconds in (("d", 86400), ("h", 3600), ("m", 60)):
            if value >= 2 * seconds and not value % seconds:
                return f"{value / seconds:.0f}{unit}"
        return f"{value:g}s"
    return f"{value:g}" if isinstance(value, float) else str(value)


def shape(route: Route, given: dict[str, Any]) -> Request:  # Any: click's values
    """The request that was written.

    Raises:
        click.UsageError: a value does not fit; says at which option.
    """
    kind = route.request
    hints = typing.get_type_hints(kind)
    given = dict(given)
    if _name_wanted(kind) and "{name}" not in route.path:
        names = [given.pop(way) for way in ("named", "name") if given.get(way) is not None]
        if len(names) != 1:
            raise click.UsageError("Give its NAME, once.")
        given["name"] = names[0]
    fields: dict[str, Any] = {}  # Any: JSON values
    for name, value in given.items():
        fields[name] = field_of(name, hints[name], value)
    return fitted(fields, kind, {name: called(route, name) for name in hints})


def _name_wanted(kind: type[msgspec.Struct]) -> bool:
    return any(field.name == "name" and required(field) for field in msgspec.structs.fields(kind))


def field_of(name: str, hint: Any, value: Any) -> Any:  # Any: types, click's values, JSON values
    """What was written for a field, as the protocol has it."""
    flag = "--" + name.replace("_", "-")
    hint = plain_type(hint)
    if typing.get_origin(hint) is dict:
        return pairs(value)
    if name == _GRANTS:
        return [dict(zip(("profile", "scope"), word.split("@", 1), strict=False)) for word in value]
    if is_struct(hint):
        return record(flag, hint, value)
    if inner := _of_many(hint):
        return [record("--" + singular(flag[2:]), inner, one) for one in value]
    return value


def fitted(fields: dict[str, Any], kind: type[T], names: dict[str, str]) -> T:  # Any: JSON values
    """A record of fields that were written.

    Raises:
        click.UsageError: a value does not fit; says at which option.
    """
    try:
        return msgspec.convert(fields, kind, strict=False)
    except msgspec.ValidationError as error:
        raise refusal(error, names) from error


def called(route: Route, name: str) -> str:
    """What a field is called on the command line."""
    if "{" + name + "}" in route.path:
        return name.upper()
    if name == "name" and _name_wanted(route.request):
        return "NAME"
    hint = plain_type(typing.get_type_hints(route.request)[name])
    if typing.get_origin(hint) in (dict, tuple):
        return "--" + singular(_NAMED_AGAIN.get(name, name)).replace("_", "-")
    return shown_flag(name)
