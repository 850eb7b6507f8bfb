"""An Ansible inventory, whatever its notation: groups within groups, variables that the nearer one overrides, and what they mean to us.

Variables and their precedence: https://docs.ansible.com/ansible/latest/inventory_guide/intro_inventory.html.  Taken are the way to a host
(``ansible_host``, ``_port``, ``_user``, ``_ssh_private_key_file``, a jump host in ``_ssh_common_args``) and ``guardian_*``; nothing is executed, no
template is filled in and no password is taken.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from guardian_tui.engine.fleet.sources.entry import MOST_HOSTS, Reading
from guardian_tui.engine.fleet.sources.ssh_config import jump_name

MOST_GROUPS = 1_000
MOST_CHILDREN = 5_000
DEPTH = 12
IMPLIED = frozenset({"all", "ungrouped"})
"""Groups that every inventory has and that say nothing."""

_TAKEN = {
    "ansible_host": "address", "ansible_ssh_host": "address", "ansible_port": "port", "ansible_ssh_port": "port",
    "ansible_user": "user", "ansible_ssh_user": "user", "ansible_ssh_private_key_file": "key",
    "ansible_private_key_file": "key", "ansible_ssh_common_args": "arguments", "ansible_ssh_extra_args": "arguments",
    "guardian_environment": "environment", "guardian_credential": "credential", "guardian_interval_seconds": "interval_seconds",
}  # fmt: skip
_LABEL = "guardian_label_"
_PASSWORDS = re.compile(r"^ansible_(ssh_)?(pass|password|become_pass|become_password|sudo_pass)\Z")
_SSH = frozenset({"ssh", "smart", "paramiko", "paramiko_ssh", "libssh"})
"""Values of ``ansible_connection`` that mean SSH."""
_RANGE = re.compile(r"\[(?:(\d+):(\d+)(?::(\d+))?|([A-Za-z]):([A-Za-z])(?::(\d+))?)\]")

_OPTION = re.compile(r"\s*(\w*)\s*=?\s*(.*)", re.DOTALL)

Values = Mapping[str, str | None]
"""Variables as text; None is a value that can't be followed (a list, a sealed one)."""


@dataclass(slots=True)
class Group:
    """A group of hosts and groups."""

    line: int = 0
    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, int] = field(default_factory=dict)
    """Child → the line that names it."""
    values: dict[str, str | None] = field(default_factory=dict)


@dataclass(slots=True)
class Tree:
    """An inventory as it was written."""

    groups: dict[str, Group] = field(default_factory=dict)
    hosts: dict[str, dict[str, str | None]] = field(default_factory=dict)
    """Host → its own variables."""
    lines: dict[str, int] = field(default_factory=dict)
    """Host → the line that named it first."""

    def group(self, name: str, line: int) -> Group:
        """The group of this name, made if there is none."""
        return self.groups.setdefault(name, Group(line))

    def host(self, name: str, line: int) -> dict[str, str | None]:
        """A host's own variables, made if there are none."""
        self.lines.setdefault(name, line)
        return self.hosts.setdefault(name, {})


def expand(pattern: str) -> list[str]:
    """The names of ``web[01:50].example``: numbers keep their leading zeros, letters run too, a third figure is the step.

    Raises:
        ValueError: the range is empty, or runs to more names than there may be hosts.
    """
    found = _RANGE.search(pattern)
    if found is None:
        if "[" in pattern or "]" in pattern:
            raise ValueError("a range is written [01:50] or [a:f]")
        return [pattern]
    first, last, step, from_, to, letters = found.groups()
    every = int(step or letters or 1)
    if first is not None:
        if len(first) > 9 or len(last) > 9:
            raise ValueError("its range has numbers that are too long")
        start, end = int(first), int(last)
    else:
        start, end = ord(from_), ord(to)
    if every < 1 or end < start:
        raise ValueError(f"the range {found[0]} holds nothing")
    if (end - start) // every >= MOST_HOSTS:
        raise ValueError(f"the range {found[0]} holds more than {MOST_HOSTS} hosts")
    width = len(first) if first is not None and first.startswith("0") else 0
    head, tails = pattern[: found.start()], expand(pattern[found.end() :])
    numbers = range(start, end + 1, every)
    if len(numbers) * len(tails) > MOST_HOSTS:
        raise ValueError(f"its ranges hold more than {MOST_HOSTS} hosts")
    parts = [str(n).zfill(width) if first is not None else chr(n) for n in numbers]
    return [head + part + tail for part in parts for tail in tails]


def take(tree: Tree, reading: Reading) -> Reading:
    """Turn an inventory into hosts."""
    above = _parents(tree, reading)
    levels_of = {name: _levels(name, above) for name in tree.groups}
    groups_of: dict[str, list[str]] = {}
    for group_name, group in tree.groups.items():
        for host in group.hosts:
            groups_of.setdefault(host, []).append(group_name)
    everybody = tree.groups["all"].values if "all" in tree.groups else {}
    for name, own in tree.hosts.items():
        line = tree.lines.get(name, 0)
        levels: dict[str, int] = {}
        for group_name in groups_of.get(name, ()):
            for above_it, distance in levels_of[group_name].items():
                levels[above_it] = max(distance, levels.get(above_it, 0))
        values = dict(everybody)
        # the farthest first, so that what is nearer overrides it; at one distance by name, as Ansible does
        for group_name, _ in sorted(levels.items(), key=lambda pair: (-pair[1], pair[0])):
            values |= tree.groups[group_name].values
        values |= own
        stated, unsupported = _meaning(values)
        connection = values.get("ansible_connection") or "ssh"
        if connection not in _SSH:
            reading.problem(
                line,
                f"host {name[:60]} is reached by {connection[:40]}, not by SSH; left out, add it by hand if it has SSH",
            )
            continue
        stated["groups"] = sorted(set(levels) - IMPLIED)
        reading.host(line, name, stated, tuple(unsupported))
    return reading


def _parents(tree: Tree, reading: Reading) -> dict[str, list[str]]:
    """Group → the groups that name it as a child, without circles."""
    above: dict[str, list[str]] = {name: [] for name in tree.groups}
    edges = 0
    done: set[str] = set()
    for start in tree.groups:
        # depth first, by hand: an inventory may be deeper than Python's stack
        path, waiting = [start], [iter(tree.groups[start].children.items())]
        on_path = {start}
        while path and start not in done:
            child, line = next(waiting[-1], ("", 0))
            if not line:
                done.add(path[-1])
                on_path.discard(path.pop())
                waiting.pop()
                continue
            edges += 1
            if edges > MOST_CHILDREN:
                reading.problem(line, f"more than {MOST_CHILDREN} children of groups; the rest is left out")
                return above
            if child not in tree.groups:
                reading.problem(line, f"the group {child[:60]} is nowhere defined; define it or take it out")
            elif child in on_path:
                words = f"the groups {path[-1][:60]} and {child[:60]} go in a circle; take one out"
                reading.problem(line, words)
            else:
                above[child].append(path[-1])
                if child not in done:
                    path.append(child)
                    on_path.add(child)
                    waiting.append(iter(tree.groups[child].children.items()))
    return above


def _levels(group: str, above: Mapping[str, list[str]]) -> dict[str, int]:
    """A group and all above it → how far they are from a host in it."""
    levels: dict[str, int] = {}
    nearest = [group]
    for distance in range(DEPTH):
        levels |= dict.fromkeys(nearest, distance)
        nearest = list(dict.fromkeys(p for name in nearest for p in above[name] if p != "all"))
        if not nearest:
            break
    return levels


def _meaning(values: Values) -> tuple[dict[str, object], list[str]]:
    """Fields of a host from its variables, and the variables that we can't follow."""
    stated: dict[str, object] = {}
    labels: dict[str, str] = {}
    unsupported: list[str] = []
    for name, value in values.items():
        field_ = _TAKEN.get(name)
        if _PASSWORDS.match(name):
            unsupported.append(f"{name} (passwords are not taken from an inventory; use secret:NAME)")
        elif field_ is None and not name.startswith(_LABEL):
            continue
        elif value is None or "{{" in value:
            unsupported.append(f"{name} (a template, a list or a sealed value)")
        elif field_ is None:
            labels[name.removeprefix(_LABEL)] = value
        elif field_ == "key":
            stated["credential"] = f"key:{value}"
        elif field_ == "arguments":
            hops = jumps_of(value)
            if hops is None:
                unsupported.append(f"{name} ({value[:80]})")
            elif hops:
                stated["jump"] = hops
        else:
            stated[field_] = value
    if labels:
        stated["labels"] = labels
    return stated, unsupported


def jumps_of(arguments: str) -> list[str] | None:
    """The jump hosts in arguments of ssh: ``-J``, ``-o ProxyJump=``, or the ``ProxyCommand="ssh -W %h:%p HOST"`` of old.

    None when they ask for a way that we can't follow; an empty list when they say nothing of the way.
    """
    try:
        words = shlex.split(arguments)
    except ValueError:
        return None
    hops: list[str] = []
    while words:
        word = words.pop(0)
        value = ""
        if word in ("-J", "-o"):
            value = words.pop(0) if words else ""
        elif word.startswith(("-J", "-o")):
            value = word[2:]
        if word.startswith("-J"):
            hops = [jump_name(hop) for hop in value.split(",")]
        elif word.startswith("-o"):
            key, value = _OPTION.match(value).groups()  # type: ignore[union-attr]  # it matches any text
            if key.lower() == "proxyjump":
                hops = [] if value.strip().lower() == "none" else [jump_name(hop) for hop in value.split(",")]
            elif key.lower() == "proxycommand":
                hop = _forwarder(value)
                if not hop:
                    return None
                hops = [hop]
    return hops


def _forwarder(command: str) -> str:
    """The host of ``ssh … -W %h:%p … HOST``; empty for any other command."""
    try:
        words = shlex.split(command)
    except ValueError:
        return ""
    if not words or words.pop(0) != "ssh" or "%h:%p" not in command:
        return ""
    rest: list[str] = []
    while words:
        word = words.pop(0)
        if word in ("-W", "-o", "-p", "-i", "-l", "-F"):
            if not words:
                return ""
            words.pop(0)
        elif not word.startswith("-"):
            rest.append(word)
    return jump_name(rest[0]) if len(rest) == 1 else ""
