"""An Ansible inventory as a script or ``ansible-inventory --list`` prints it: JSON, with the hosts' variables under ``_meta``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from guardian_tui.engine.fleet.sources.ansible_vars import MOST_GROUPS, Tree, take
from guardian_tui.engine.fleet.sources.entry import MOST_HOSTS, Reading

_REDO = "have the script print what `ansible-inventory --list` does"


def parse_json(text: str, file: str = "inventory --list") -> Reading:
    """Hosts of an inventory, and what could not be read."""
    reading, tree = Reading(file), Tree()
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        reading.problem(0, f"it is no JSON ({str(error)[:100]}); {_REDO}")
        return reading
    if not isinstance(document, dict):
        reading.problem(0, f"it is no JSON object of groups; {_REDO}")
        return reading
    meta = document.pop("_meta", None)
    for name, body in list(document.items())[:MOST_GROUPS]:
        _group(name, body, text, tree, reading)
    if len(document) > MOST_GROUPS:
        reading.problem(0, f"more than {MOST_GROUPS} groups; the rest is left out")
    variables = meta.get("hostvars") if isinstance(meta, dict) else None
    if isinstance(variables, dict):
        for name, values in list(variables.items())[: 2 * MOST_HOSTS]:
            if isinstance(values, dict):
                tree.host(name, _line(text, name)).update(texts(values))
    elif tree.hosts:
        reading.problem(0, f"it has no _meta.hostvars, so addresses and users are not known; {_REDO}")
    return take(tree, reading)


def _group(name: str, body: Any, text: str, tree: Tree, reading: Reading) -> None:  # Any: JSON of the outside
    line = _line(text, name)
    if isinstance(body, list):
        # the short form of old: a list of hosts
        body = {"hosts": body}
    if not isinstance(body, dict):
        reading.problem(line, f"the group {name[:60]} is neither an object nor a list; {_REDO}")
        return
    group = tree.group(name, line)
    for host in _names(body.get("hosts"), f"hosts of the group {name[:60]}", line, reading):
        if len(tree.hosts) < 2 * MOST_HOSTS:
            group.hosts[host] = None
            tree.host(host, _line(text, host))
    for child in _names(body.get("children"), f"children of the group {name[:60]}", line, reading):
        group.children.setdefault(child, line)
        tree.group(child, line)
    if isinstance(values := body.get("vars"), dict):
        group.values |= texts(values)


def _names(value: Any, what: str, line: int, reading: Reading) -> list[str]:  # Any: JSON of the outside
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        reading.problem(line, f"the {what} are no list of names; {_REDO}")
        return []
    return value


def texts(values: Mapping[str, Any]) -> dict[str, str | None]:  # Any: JSON or YAML of the outside
    """Variables as text; what is no plain value is None."""
    return {
        str(name): str(value).lower()
        if isinstance(value, bool)
        else str(value)
        if isinstance(value, str | int | float)
        else None
        for name, value in values.items()
    }


def _line(text: str, name: str) -> int:
    """Where a name stands first: JSON's own reader does not say."""
    place = text.find(f'"{name}"')
    return text.count("\n", 0, place) + 1 if place >= 0 else 0
