"""An Ansible inventory in YAML: groups with ``hosts``, ``children`` and ``vars``, from the group ``all`` down.

The text is read event by event and only as text: no tag makes an object, an alias is the node that it names and is never copied, and size, depth
and the number of nodes and aliases are bounded.
"""

from __future__ import annotations

from collections.abc import Iterator

from guardian_tui.engine.fleet.sources.ansible_vars import DEPTH, MOST_GROUPS, Tree, expand, take
from guardian_tui.engine.fleet.sources.entry import MOST_HOSTS, Reading
from guardian_tui.engine.yaml_nodes import Limits, Node, Unreadable, read_nodes

MOST_CHARACTERS = 1_000_000
MOST_ALIASES = 1_000
LIMITS = Limits(nodes=200_000, aliases=MOST_ALIASES, levels=2 * DEPTH + 8)
MOST_GROUP_VISITS = 4 * MOST_GROUPS


def parse_yaml(text: str, file: str = "inventory.yml") -> Reading:
    """Hosts of an inventory, and what could not be read."""
    reading, tree = Reading(file), Tree()
    if len(text) > MOST_CHARACTERS:
        reading.problem(
            0, f"it is larger than {MOST_CHARACTERS // 1_000_000} MB; import what `ansible-inventory --list` prints instead"
        )  # fmt: skip
        return reading
    try:
        root = read_nodes(text, LIMITS)
    except Unreadable as error:
        reading.problem(error.line, f"{error}; correct it and import again")
        return reading
    if root is None:
        return reading
    if root.pairs is None:
        reading.problem(root.line, "it is no mapping of groups; begin with `all:`")
        return reading
    walk = _Walk(tree, reading)
    for name, body in walk.pairs(root):
        walk.group(name.text or "", name.line, body, 0)
    return take(tree, reading)


class _Walk:
    """Goes through the groups."""

    def __init__(self, tree: Tree, reading: Reading) -> None:
        self._tree = tree
        self._reading = reading
        self._visits = 0

    def pairs(self, node: Node) -> Iterator[tuple[Node, Node]]:
        """A mapping's pairs, those that ``<<`` brings in first; what is written twice is a problem."""
        seen: set[str] = set()
        for key, value in node.pairs or ():
            if key.text == "<<":
                yield from value.pairs or ()
        for key, value in node.pairs or ():
            if key.text is None:
                self._reading.problem(key.line, "a key is no plain text; its value is left out")
            elif key.text in seen:
                self._reading.problem(
                    key.line, f"{key.text[:60]!r} stands here twice; take one out. The first counts"
                )
            elif key.text != "<<":
                seen.add(key.text)
                yield key, value

    def group(self, name: str, line: int, body: Node, depth: int) -> None:
        """One group and those within."""
        self._visits += 1
        if depth > DEPTH or self._visits > MOST_GROUP_VISITS or len(self._tree.groups) >= MOST_GROUPS:
            self._reading.problem(line, f"too many groups, or too deep, at {name[:60]}; left out")
            return
        group = self._tree.group(name, line)
        if body.empty:
            return
        if body.pairs is None:
            self._reading.problem(
                body.line, f"the group {name[:60]} is no mapping; give it hosts:, children: or vars:"
            )
            return
        for key, value in self.pairs(body):
            if value.empty:
                continue
            if key.text not in ("hosts", "children", "vars"):
                self._reading.problem(
                    key.line, f"{(key.text or '')[:60]!r} is none of hosts, children and vars; move it under one of them"
                )  # fmt: skip
            elif value.pairs is None:
                self._reading.problem(
                    value.line, f"{key.text} of {name[:60]} is no mapping; write each name with a colon"
                )
            elif key.text == "vars":
                group.values |= self._values(value)
            elif key.text == "children":
                for child, inner in self.pairs(value):
                    group.children.setdefault(child.text or "", child.line)
                    self.group(child.text or "", child.line, inner, depth + 1)
            else:
                for host, own in self.pairs(value):
                    self._host(host, own, group.hosts)

    def _host(self, host: Node, own: Node, into: dict[str, None]) -> None:
        try:
            names = expand(host.text or "")
        except ValueError as error:
            self._reading.problem(
                host.line, f"{(host.text or '')[:60]}: {error}; correct it and import again"
            )
            return
        if not own.empty and own.pairs is None:
            self._reading.problem(
                own.line, f"what is said of {(host.text or '')[:60]} is no mapping; left out"
            )
        values = self._values(own)
        if len(self._tree.hosts) + len(names) > 2 * MOST_HOSTS:
            self._reading.problem(
                host.line, f"more than {MOST_HOSTS} hosts; split the inventory, the rest is left out"
            )
            return
        for name in names:
            into[name] = None
            self._tree.host(name, host.line).update(values)

    def _values(self, node: Node) -> dict[str, str | None]:
        return {
            key.text or "": None if value.sealed else value.text
            for key, value in self.pairs(node)
            if not (value.empty and not value.sealed)
        }
