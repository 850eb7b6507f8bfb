"""YAML as plain nodes with their places: every value is text, no tag makes an object, an alias is never copied, and all of it is bounded."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Node:
    """A piece of the document; exactly one of text, pairs and items says what it is, or none for what is empty or can't be followed."""

    line: int
    text: str | None = None
    pairs: list[tuple[Node, Node]] | None = None
    items: list[Node] | None = None
    sealed: bool = False
    """It has a tag of its own (``!vault``)."""
    tag: str = ""
    """That tag."""
    column: int = 1
    style: str = ""
    """How a text is written: empty is plain, else a quote, ``|`` or ``>``."""

    @property
    def empty(self) -> bool:
        """Whether nothing was written."""
        return self.text is None and self.pairs is None and self.items is None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a document may hold at most."""

    nodes: int
    aliases: int
    levels: int


class Unreadable(Exception):
    """The document can't be read; with its place and words."""

    def __init__(self, line: int, words: str, column: int = 1) -> None:
        super().__init__(words)
        self.line = line
        self.column = column


def read_nodes(text: str, limits: Limits) -> Node | None:
    """The document as nodes; None when it is empty.

    Raises:
        Unreadable: it is no YAML, or larger or deeper than it may be.
    """
    # it is dear to import, and few processes read YAML
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    builder = _Builder(limits)
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            builder.take(event)
            if builder.done:
                break
    except MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 1)
        raise Unreadable(line, f"it is no YAML ({(error.problem or 'unreadable')[:100]})", column) from error
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
        raise Unreadable(0, f"it is no YAML ({str(error)[:100] or type(error).__name__})") from error
    return builder.root


@dataclass(slots=True)
class _Builder:
    """Makes nodes of events, and counts them."""

    limits: Limits
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
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 1)
        if kind == "DocumentEndEvent":
            self.done = True
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            self._open.pop()
            self._keys.pop()
        elif kind == "AliasEvent":
            self._aliases += 1
            named = self._anchors.get(getattr(event, "anchor", ""))
            if self._aliases > self.limits.aliases:
                raise Unreadable(line, f"it has more than {self.limits.aliases} aliases", column)
            if named is None:
                raise Unreadable(line, "it uses an alias before its anchor", column)
            if any(named is one for one in self._open):
                raise Unreadable(line, "an alias stands within what it names", column)
            self._put(named)
        elif kind in ("MappingStartEvent", "SequenceStartEvent", "ScalarEvent"):
            self._begin(kind, event, line, column)

    def _begin(self, kind: str, event: object, line: int, column: int) -> None:
        self._nodes += 1
        if self._nodes > self.limits.nodes:
            raise Unreadable(line, f"it has more than {self.limits.nodes} values", column)
        if len(self._open) >= self.limits.levels:
            raise Unreadable(line, f"it is nested deeper than {self.limits.levels} levels", column)
        node = Node(line, column=column)
        tag = getattr(event, "tag", None)
        node.sealed = bool(tag) and not str(tag).startswith("tag:yaml.org")
        node.tag = str(tag) if node.sealed else ""
        if kind == "ScalarEvent":
            value = str(getattr(event, "value", ""))
            node.style = str(getattr(event, "style", None) or "")
            node.text = None if not node.style and value in ("", "~", "null", "Null", "NULL") else value
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
