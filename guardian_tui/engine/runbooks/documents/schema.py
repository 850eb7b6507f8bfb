"""JSON Schema of front matter and of a step, for editors; made from the tables that the reader itself goes by."""

from __future__ import annotations

from typing import Any

from guardian_tui.engine.runbooks.documents.front import (
    ALERT_FIELDS,
    ID,
    INVENTORY_FIELDS,
    KEYS,
    LABELS,
    TYPES,
    VARIABLE,
    VARIABLE_KEYS,
)
from guardian_tui.engine.runbooks.documents.places import MOST_HOSTS, ORIGINS
from guardian_tui.engine.runbooks.documents.steps import (
    ENVIRONMENT,
    MOST_ANSWERS,
    MOST_QUORUM,
    OPERATIONS,
    USER,
)
from guardian_tui.engine.runbooks.documents.steps import KEYS as STEP_KEYS

Schema = dict[str, Any]  # Any: JSON

_TEXT: Schema = {"type": "string"}
_NUMBER_OR_TEXT: Schema = {"type": ["string", "number"]}
_WORDS: Schema = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
_DURATION: Schema = {
    "type": "string",
    "pattern": r"^(\d+(\.\d+)?(ms|s|min|m|h|d|w))+$",
    "description": "90s, 30m, 2h, 1h30m, 1d",
}
_SHARE: Schema = {
    "type": ["string", "integer"],
    "pattern": r"^\d+(\.\d+)?\s*%?$",
    "description": "a number of hosts, or a part: 25%",
}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _object(properties: Schema, *required: str, description: str = "") -> Schema:
    made: Schema = {"type": "object", "additionalProperties": False, "properties": properties}
    if required:
        made["required"] = list(required)
    return {**made, **({"description": description} if description else {})}


def _texts(pattern: str, description: str) -> Schema:
    return {
        "type": "object",
        "propertyNames": {"pattern": pattern},
        "additionalProperties": _TEXT,
        "description": description,
    }


_VALUES: dict[str, Schema] = {
    "type": {"enum": list(TYPES)},
    "from": {
        "anyOf": [
            {"enum": ["person", "capture", *(f"alert.{one}" for one in sorted(ALERT_FIELDS)), *(f"inventory.{one}" for one in sorted(INVENTORY_FIELDS))]},
            {"type": "string", "pattern": rf"^inventory\.{LABELS.replace('.', chr(92) + '.')}.+$"},
        ],
    },
    "prompt": {**_TEXT, "description": "what a person is asked"},
    "default": {"type": ["string", "number", "boolean"]},
    "min": _NUMBER_OR_TEXT,
    "max": _NUMBER_OR_TEXT,
    "pattern": {**_TEXT, "description": "RE2 that the whole value has to match"},
    "options": {"type": "array", "items": _TEXT, "description": "the values of an enum"},
}  # fmt: skip

_HOSTS: Schema = {
    "description": "where it acts",
    "anyOf": [
        {"enum": list(ORIGINS)},
        {"type": "string", "pattern": r"^\{\{\s*[a-z][a-z0-9_]*\s*\}\}$", "description": "a variable of type host"},
        {"type": "array", "items": _TEXT, "description": "names of hosts"},
        _object({"from": {"enum": list(ORIGINS)}, "filter": _TEXT, "names": _WORDS, "most": {"type": "integer", "minimum": 1, "maximum": MOST_HOSTS}}),
    ],
}  # fmt: skip

_STEP: dict[str, Schema] = {
    "instruct": {**_TEXT, "description": "what a person does"},
    "run": {**_TEXT, "description": "a command that changes something"},
    "check": {**_TEXT, "description": "a command that only looks"},
    "input": {**_TEXT, "description": "what a person is asked; the answer is the variable of the step's name"},
    "choose": {**_TEXT, "description": "a question whose answers lead to different steps"},
    "approve": {**_TEXT, "description": "what another person agrees to"},
    "wait": {**_TEXT, "description": "a duration, or a condition on metrics, with `for 2m` after it if it has to hold so long"},
    "backup": {**_TEXT, "description": "the name of a backup job"},
    "silence": {**_TEXT, "description": "why alerts are silenced"},
    "notify": {**_TEXT, "description": "what is told"},
    "title": {**_TEXT, "description": "in place of the heading above it"},
    "next": {**_TEXT, "description": "a step, end or stop; else the step that follows"},
    "on_fail": {**_TEXT, "description": "a step, ask (as when it is left out), stop, rollback or end"},
    "roles": {**_WORDS, "description": "who may do it; of an approval, who may approve"},
    "timeout": _DURATION,
    "as": {**_TEXT, "pattern": f"^{USER.pattern}$", "description": "Unix user on the host"},
    "hosts": _ref("hosts"),
    "env": _texts(f"^{ENVIRONMENT.pattern}$", "variables of the command's environment, sent over standard input"),
    "stdin": {**_TEXT, "description": "what the command is fed"},
    "expect": {**_TEXT, "description": "a condition, e.g. exit == 0 and used < 80%"},
    "capture": _texts(f"^{VARIABLE.pattern}$", "variable: RE2, whose first group is taken from the output"),
    "retry": {"anyOf": [{"type": "integer", "minimum": 2, "maximum": 100}, _object({"times": {"type": "integer", "minimum": 2, "maximum": 100}, "wait": _DURATION})]},
    "detach": {"type": "boolean", "description": "it survives the link, the engine and the terminal"},
    "fanout": _object({"serial": {"anyOf": [_SHARE, {"type": "array", "items": _SHARE}]}, "max_failures": _SHARE, "gate": {"type": "boolean"}, "settle": _DURATION}),
    "rollback": {**_TEXT, "description": "the command that takes it back"},
    "dangerous": {"type": ["boolean", "string"], "description": "why it is"},
    "confirm": {**_TEXT, "description": "what a person has to type first"},
    "options": {"type": "object", "additionalProperties": _TEXT, "maxProperties": MOST_ANSWERS, "description": "answer: step"},
    "quorum": {"type": "integer", "minimum": 1, "maximum": MOST_QUORUM},
    "expires": {**_DURATION, "description": "how long an approval counts"},
    "operation": {"enum": list(OPERATIONS)},
    "rules": _WORDS,
    "duration": _DURATION,
    "maintenance": {"type": "boolean", "description": "a maintenance window in place of a silence"},
    "channels": _WORDS,
}  # fmt: skip

_FRONT: dict[str, Schema] = {
    "id": {**_TEXT, "pattern": f"^{ID.pattern}$"},
    "title": _TEXT,
    "version": _NUMBER_OR_TEXT,
    "summary": _TEXT,
    "for": {**_WORDS, "description": "alert rules that it answers; they are judged again at the end"},
    "roles": {**_WORDS, "description": "who may run it"},
    "hosts": _ref("hosts"),
    "tags": _WORDS,
    "vars": {
        "type": "object",
        "propertyNames": {"pattern": f"^{VARIABLE.pattern}$"},
        "additionalProperties": _ref("variable"),
    },
}


def make_schema() -> Schema:
    """The schema: of front matter (``$defs/front_matter``), of a step (``$defs/step``), and of either."""
    definitions: Schema = {
        "front_matter": _object({key: _FRONT[key] for key in KEYS}, "id", "title", "version", description="between --- and --- at the top"),
        "variable": _object({key: _VALUES[key] for key in VARIABLE_KEYS}),
        "hosts": _HOSTS,
        "step": {"oneOf": [_ref(f"step_{kind}") for kind in STEP_KEYS]},
    }  # fmt: skip
    for kind, keys in STEP_KEYS.items():
        own = {**_STEP, **({key: _VALUES[key] for key in VARIABLE_KEYS} if kind == "input" else {})}
        definitions[f"step_{kind}"] = _object({key: own[key] for key in (kind, *keys)}, kind)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A runbook of Guardian: its front matter, or one of its steps",
        "anyOf": [_ref("front_matter"), _ref("step")], "$defs": definitions,
    }  # fmt: skip
