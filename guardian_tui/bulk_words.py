"""A change of many hosts in words, the same on screen and in the CLI: ``environment=prod``, ``label.team=shop``, ``group=web``, ``interval=30``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from guardian_tui.protocol.bulk import BulkEdit
from guardian_tui.protocol.errors import InvalidRequest
from guardian_tui.protocol.refusals import told

A_FEW = 5
"""Hosts for which a yes is enough; for more the count is typed in."""
_FIELDS = {
    "environment": "environment", "env": "environment", "credential": "credential", "user": "user", "jump": "jump", "through": "jump",
    "interval": "interval_seconds", "command_user": "command_user", "command_credential": "command_credential",
}  # fmt: skip
SYNTAX = "environment=…, user=…, credential=…, jump=A,B, interval=SECONDS, label.KEY=VALUE or group=NAME"


def edit_of(set_: Sequence[str], remove: Sequence[str]) -> BulkEdit:
    """The change that words ask for, without the hosts.

    Raises:
        InvalidRequest: a word says nothing that can be set or removed.
    """
    fields: dict[str, Any] = {}  # Any: values of the request's fields
    for word in set_:
        key, equals, value = word.partition("=")
        if not equals:
            raise InvalidRequest(f"{word[:60]!r} sets nothing; write {SYNTAX}.", field="set")
        if key.startswith("label.") and key != "label.":
            fields.setdefault("set_labels", {})[key.removeprefix("label.")] = value
        elif key == "group" and value:
            fields.setdefault("add_groups", []).append(value)
        elif key in _FIELDS:
            name = _FIELDS[key]
            fields[name] = [hop for hop in value.split(",") if hop] if name == "jump" else value
        else:
            raise InvalidRequest(f"{key[:60]!r} can't be set; write {SYNTAX}.", field="set")
    for word in remove:
        key, _, value = word.partition("=")
        if key.startswith("label.") and key != "label.":
            fields.setdefault("remove_labels", []).append(key.removeprefix("label."))
        elif key == "group" and value:
            fields.setdefault("remove_groups", []).append(value)
        else:
            raise InvalidRequest(
                f"{word[:60]!r} can't be removed; write label.KEY or group=NAME. A field is emptied by setting it to nothing.",
                field="remove",
            )
    try:
        return msgspec.convert(fields, BulkEdit, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidRequest(told(error), field="set") from error
