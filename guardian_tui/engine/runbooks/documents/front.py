"""The front matter of a document: what it is, what it answers, and which values it wants."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import get_args

from guardian_tui.engine.runbooks.documents.fields import Fields
from guardian_tui.engine.runbooks.documents.findings import did_you_mean
from guardian_tui.engine.runbooks.documents.model import Document, Variable, VariableType
from guardian_tui.engine.runbooks.documents.patterns import compiled
from guardian_tui.engine.runbooks.documents.places import read_hosts
from guardian_tui.engine.runbooks.documents.units import read_seconds
from guardian_tui.engine.runbooks.documents.variables import check_value, moment
from guardian_tui.protocol.errors import InvalidRequest
from guardian_tui.protocol.metrics import METRICS

KEYS = ("id", "title", "version", "summary", "for", "roles", "hosts", "tags", "vars")
VARIABLE_KEYS = ("type", "from", "prompt", "default", "min", "max", "pattern", "options")
TYPES: tuple[VariableType, ...] = get_args(VariableType)
INSTANCES = frozenset(metric.instance for metric in METRICS.values() if metric.instance)
"""What a series is of: mount, unit, nic and so on; in ``from: alert.mount`` it names the alert's instance."""
ALERT_FIELDS = frozenset({"host", "rule", "instance", "severity", "value", "why", "since"}) | INSTANCES
INVENTORY_FIELDS = frozenset({"name", "address", "port", "user", "environment"})
LABELS = "labels."
ORIGINS = ("person", "alert.FIELD", "inventory.FIELD", "capture")
MOST_VARIABLES = 100

ID = re.compile(r"[a-z][a-z0-9-]{0,59}")
VARIABLE = re.compile(r"[a-z][a-z0-9_]{0,39}")


def read_front(fields: Fields, rules: Collection[str] | None) -> Document:
    """The document without its steps; what is wrong is noted.

    Args:
        fields: the front matter.
        rules: alert rules that there are; None: not known here.
    """
    fields.only(KEYS, "The front matter")
    for key in ("id", "title", "version"):
        if key not in fields:
            fields.note(key, "missing-key", f"The front matter has no {key}.", f"Add {key}: …")
    id_ = fields.text("id", most=60)
    if id_ and not ID.fullmatch(id_):
        fields.note(
            "id", "bad-id", f"{id_!r} is no id.", "Use small letters, digits and -, and begin with a letter."
        )
    answers = fields.words("for")
    for rule in answers:
        if rules is not None and rule not in rules:
            fields.note(
                "for", "unknown-rule", f"There is no alert rule {rule[:60]!r}.", did_you_mean(rule, rules)
            )
    return Document(
        id=id_, title=fields.text("title", most=120), version=fields.text("version", most=40), hash="", name=fields.notes.file,
        summary=fields.text("summary", most=500), rules=answers, roles=fields.words("roles"), hosts=read_hosts(fields),
        tags=fields.words("tags"), variables=_variables(fields),
    )  # fmt: skip


def _variables(fields: Fields) -> tuple[Variable, ...]:
    inner = fields.mapping("vars")
    if inner is None:
        return ()
    if len(list(inner)) > MOST_VARIABLES:
        fields.note(
            "vars", "too-many", f"There are more than {MOST_VARIABLES} variables.", "Split the document."
        )
        return ()
    found = []
    for name in inner:
        check_name(inner, name)
        if (body := inner.mapping(name)) is not None:
            body.only(VARIABLE_KEYS, f"The variable {name}")
            origin, field = _origin(body)
            found.append(read_variable(body, name, inner.line(name), origin=origin, field=field))
    return tuple(found)


def check_name(fields: Fields, name: str) -> None:
    """Note a key that is no name of a variable."""
    if not VARIABLE.fullmatch(name):
        words = f"{name[:60]!r} is no name of a variable."
        fields.note(name, "bad-name", words, "Use small letters, digits and _.", of_key=True)


def _origin(fields: Fields) -> tuple[str, str]:
    text = fields.text("from", "person")
    origin, _, field = text.partition(".")
    known = {"alert": ALERT_FIELDS, "inventory": INVENTORY_FIELDS}.get(origin)
    if origin in ("person", "capture") and not field:
        return origin, ""
    if known is None:
        fields.note(
            "from",
            "unknown-origin",
            f"A value can't come from {text[:60]!r}.",
            f"It is one of {', '.join(ORIGINS)}.",
        )
        return "person", ""
    if field not in known and not (origin == "inventory" and field.startswith(LABELS) and field != LABELS):
        fields.note(
            "from", "unknown-field", f"{origin} has no field {field[:60]!r}.", did_you_mean(field, known)
        )
    return origin, field


def read_variable(
    fields: Fields, name: str, line: int, *, origin: str = "person", field: str = "", prompt: str = ""
) -> Variable:
    """A variable from its keys; its bounds and its default are held against its type."""
    type_ = fields.one_of("type", TYPES, "text")
    if type_ == "enum" and "options" not in fields:
        fields.note(
            "type", "no-options", f"{name} is an enum without options.", "Add options: [one, another]."
        )
    if type_ != "enum" and "options" in fields:
        fields.note(
            "options",
            "options-unused",
            f"{name} has options, but is no enum.",
            "Write type: enum.",
            of_key=True,
        )
    variable = Variable(
        name=name, type=type_, origin=origin, field=field, prompt=fields.text("prompt", prompt, most=500),  # type: ignore[arg-type]  # checked above
        default=fields.text("default", most=500) if "default" in fields else None,
        minimum=_bound(fields, "min", type_), maximum=_bound(fields, "max", type_), pattern=_pattern(fields), options=fields.words("options"),
        line=line,
    )  # fmt: skip
    if variable.secret and variable.default is not None:
        fields.note(
            "default",
            "secret-default",
            f"The secret {name} stands in the document.",
            "Take the default out; a person is asked.",
        )
    elif variable.default:
        try:
            check_value(variable, variable.default)
        except InvalidRequest as error:
            fields.note("default", "bad-default", error.detail)
    return variable


def _bound(fields: Fields, key: str, type_: str) -> str:
    text = fields.text(key, most=60)
    if not text:
        return ""
    readable = {
        "int": lambda: text.lstrip("-").isdigit(), "number": lambda: re.fullmatch(r"-?\d+(\.\d+)?", text) is not None,
        "duration": lambda: read_seconds(text) is not None, "datetime": lambda: moment(text) is not None,
    }.get(type_)  # fmt: skip
    if readable is None:
        fields.note(
            key, "bound-unused", f"{type_} has no {key}.", "Take it out, or use pattern.", of_key=True
        )
    elif not readable():
        fields.note(key, "bad-bound", f"{key} is no {type_}.", "Write it as a value of that type.")
    else:
        return text
    return ""


def _pattern(fields: Fields) -> str:
    text = fields.text("pattern", most=500)
    try:
        compiled(text)
    except InvalidRequest as error:
        fields.note("pattern", "bad-regex", error.detail, "See the syntax of RE2.")
        return ""
    return text
