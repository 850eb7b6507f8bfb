"""An Ansible inventory in its INI notation: ``[group]``, ``[group:children]``, ``[group:vars]``, and ranges of hosts."""

from __future__ import annotations

import ast
import shlex

from guardian_tui.engine.fleet.sources.ansible_vars import MOST_GROUPS, Tree, expand, take
from guardian_tui.engine.fleet.sources.entry import MOST_HOSTS, Reading


def parse_ini(text: str, file: str = "inventory") -> Reading:
    """Hosts of an inventory, and what could not be read."""
    reading, tree = Reading(file), Tree()
    section, kind = "ungrouped", "hosts"
    tree.group(section, 0)
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line[0] in "#;":
            continue
        if line.startswith("["):
            section, kind = _section(line, number, tree, reading)
        elif not section:
            # what stands under a heading that can't be read would land in the wrong group
            continue
        elif kind == "children":
            tree.group(section, number).children.setdefault(line.split("#")[0].strip(), number)
        elif kind == "vars":
            _variable(line, number, tree.group(section, number).values, reading)
        else:
            _host(line, number, section, tree, reading)
    return take(tree, reading)


def _section(line: str, number: int, tree: Tree, reading: Reading) -> tuple[str, str]:
    head, closing, rest = line[1:].partition("]")
    name, _, kind = head.strip().partition(":")
    rest = rest.strip()
    if not closing or not name or kind not in ("", "children", "vars") or (rest and rest[0] not in "#;"):
        reading.problem(
            number, f"{line[:60]} is no heading; write [group], [group:children] or [group:vars]. Its lines are left out"
        )  # fmt: skip
        return "", ""
    if name not in tree.groups and len(tree.groups) >= MOST_GROUPS:
        reading.problem(number, f"more than {MOST_GROUPS} groups; the lines of {name[:60]} are left out")
        return "", ""
    tree.group(name, number)
    return name, kind or "hosts"


def _variable(line: str, number: int, values: dict[str, str | None], reading: Reading) -> None:
    name, equals, value = line.partition("=")
    if not equals or not name.strip():
        reading.problem(number, f"{line[:60]!r} is no variable; write name=value")
        return
    values[name.strip()] = _text(value.strip())


def _text(value: str) -> str:
    """A value as text: under ``:vars`` Ansible reads a quoted one as a Python literal."""
    if value[:1] in ("'", '"'):
        try:
            read = ast.literal_eval(value)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return value
        return read if isinstance(read, str) else value
    return value.partition(" #")[0].strip()


def _host(line: str, number: int, section: str, tree: Tree, reading: Reading) -> None:
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        reading.problem(number, f"{error}; close the quotation")
        return
    if not words:
        return
    pattern, port = _port(words[0])
    values: dict[str, str | None] = {"ansible_port": port} if port else {}
    for word in words[1:]:
        name, equals, value = word.partition("=")
        if not equals or not name:
            reading.problem(number, f"{word[:60]!r} is no variable; write name=value, without blanks")
            return
        values[name] = value
    try:
        names = expand(pattern)
    except ValueError as error:
        reading.problem(number, f"{pattern[:60]}: {error}; correct it and import again")
        return
    if len(tree.hosts) + len(names) > 2 * MOST_HOSTS:
        reading.problem(number, f"more than {MOST_HOSTS} hosts; split the inventory, the rest is left out")
        return
    for name in names:
        tree.group(section, number).hosts[name] = None
        tree.host(name, number).update(values)


def _port(word: str) -> tuple[str, str]:
    """``name:22`` in two; a colon inside a range or an IPv6 address is none."""
    name, colon, port = word.rpartition(":")
    if (
        colon
        and port.isascii()
        and port.isdecimal()
        and name.count("[") == name.count("]")
        and ":" not in _bare(name)
    ):
        return name, port
    return word, ""


def _bare(name: str) -> str:
    """A name without its ranges."""
    head, opening, rest = name.partition("[")
    return head + _bare(rest.partition("]")[2]) if opening else head
