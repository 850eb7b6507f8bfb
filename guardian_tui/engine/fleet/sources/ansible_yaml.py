"""An Ansible inventory in YAML: groups with ``hosts``, ``children`` and ``vars``, from the group ``all`` down.

The text is read event by event and only as text: no tag makes an object, an alias is the node that it names and is never copied, and size, depth
and the number of nodes and aliases are bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from guardian_tui.engine.fleet.sources.ansible_vars import DEPTH, MOST_GROUPS, Tree, expand, take
from guardian_tui.engine.fleet.sources.entry import MOST_HOSTS, Reading

MOST_CHARACTERS = 1_000_000
MOST_NODES = 200_000
MOST_ALIASES = 1_000
MOST_LEVELS = 2 * DEPTH + 8
MOST_GROUP_VISITS = 4 * MOST_GROUPS


@dataclass(slots=True)
class Node:
    """A piece of the document; exactly one of text, pairs and items says what it is, or none for what is empty or can't be followed."""

    line: int
    text: str | None = None
    pairs: list[tuple[Node, Node]] | None = None
    items: list[Node] | None = None
    sealed: bool = False
    """It has a tag of its own (``!vault``)."""

    @property
    def empty(self) -> bool:
        """Whether nothing was written."""
        return self.text is None and self.pairs is None and self.items is None


class _Refused(Exception):
    """The document can't be read; with its line and words."""

    def __init__(self, line: int, words: str) -> None:
        super().__init__(words)
        self.line = line


def parse_yaml(text: str, file: str = "inventory.yml") -> Reading:
    """Hosts of an inventory, and what could not be read."""
    reading, tree = Reading(file), Tree()
    if len(text) > MOST_CHARACTERS:
        reading.problem(
            0, f"it is larger than {MOST_CHARACTERS // 1_000_000} MB; import what `ansible-inventory --list` prints instead"
        )  # fmt: skip
        return reading
    try:
        root = read_nodes(text)
    except _Refused as error:
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


def read_nodes(text: str) -> Node | None:
    """The document as nodes; None when it is empty.

    Raises:
        _Refused: it is no YAML, or larger or deeper than it may be.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    builder = _Builder()
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            builder.take(event)
            if builder.done:
                break
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise _Refused(line, f"it is no YAML ({(error.problem or 'unreadable')[:100]})") from error
    except (
        YAMLError,
        ValueError,
        RecursionError,
        AssertionError,
        IndexError,
        TypeError,
        AttributeError,
    ) as error:
        # its scanner stumbles over some texts that are no YAML in ways of its own
        raise _Refused(0, f"it is no YAML ({str(error)[:100] or type(error).__name__})") from error
    return builder.root


@dataclass(slots=True)
class _Builder:
    """Makes nodes of events, and counts them."""

    root: Node | None = None
    done: bool = False
    _open: list[Node] = field(default_factory=list)
    _keys: list[Node | None] = field(default_factory=list)
    _anchors: dict[str, Node] = field(default_factory=dict)
    _nodes: int = 0
    _aliases: int = 0

    def take(self, event: object) -> None:
        """The next event."""
        kind = type(event).__name__
        mark = getattr(event, "start_mark", None)
        line = mark.line + 1 if mark else 0
        if kind == "DocumentEndEvent":
            self.done = True
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            self._open.pop()
            self._keys.pop()
        elif kind == "AliasEvent":
            self._aliases += 1
            named = self._anchors.get(getattr(event, "anchor", ""))
            if named is None:
                raise _Refused(line, "it uses an alias before its anchor")
            if self._aliases > MOST_ALIASES:
                raise _Refused(line, f"it has more than {MOST_ALIASES} aliases")
            if any(named is one for one in self._open):
                raise _Refused(line, "an alias stands within what it names")
            self._put(named)
        elif kind in ("MappingStartEvent", "SequenceStartEvent", "ScalarEvent"):
            self._begin(kind, event, line)

    def _begin(self, kind: str, event: object, line: int) -> None:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise _Refused(line, f"it has more than {MOST_NODES} values")
        if len(self._open) >= MOST_LEVELS:
            raise _Refused(line, f"it is nested deeper than {MOST_LEVELS} levels")
        node = Node(line)
        tag = getattr(event, "tag", None)
        node.sealed = bool(tag) and not str(tag).startswith("tag:yaml.org")
        if kind == "ScalarEvent":
            value = str(getattr(event, "value", ""))
            plain = not getattr(event, "style", None)
            node.text = None if plain and value in ("", "~", "null", "Null", "NULL") else value
        elif kind == "MappingStartEvent":
            node.pairs = []
        else:
            node.items = []
        anchor = getattr(event, "anchor", None)
        self._put(node)
        if anchor:
            self._anchors[str(anchor)] = node
        if kind != "ScalarEvent":
            self._open.append(node)
            self._keys.append(None)

    def _put(self, node: Node) -> None:
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        if parent.items is not None:
            parent.items.append(node)
        elif parent.pairs is not None:
            key = self._keys[-1]
            if key is None:
                self._keys[-1] = node
            else:
                parent.pairs.append((key, node))
                self._keys[-1] = None


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
