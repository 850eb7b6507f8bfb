"""A mapping of YAML read key by key: what is unknown, double or of the wrong shape is noted with its place, and all of it at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from guardian_tui.engine.runbooks.documents.findings import Notes, Severity, did_you_mean
from guardian_tui.engine.runbooks.documents.units import read_seconds
from guardian_tui.engine.yaml_nodes import Limits, Node, Unreadable, read_nodes

LIMITS = Limits(nodes=2_000, aliases=0, levels=6)
HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e01ef]"
)
"""Characters that can't be seen: controls but for line breaks and tabs, and what changes direction or has no width."""
MOST_TEXT = 16_384
MOST_WORDS = 500


class Fields:
    """The keys of one mapping.

    Args:
        node: the mapping.
        lines: lines of the text that it was read from.
        base: lines of the file before that text.
        notes: takes what is wrong.
    """

    def __init__(self, node: Node, lines: list[str], base: int, notes: Notes) -> None:
        self._node = node
        self._lines = lines
        self._base = base
        self.notes = notes
        self._pairs: dict[str, tuple[Node, Node]] = {}
        for key, value in node.pairs or ():
            if key.text is None:
                self._at(key, None, "odd-key", "A key is no plain text.", "Write it as a word.")
            elif key.text in self._pairs:
                self._at(key, None, "double-key", f"{key.text[:60]} stands here twice.", "Take one out.")
            else:
                self._pairs[key.text] = (key, value)

    def __contains__(self, key: str) -> bool:
        return key in self._pairs

    def __iter__(self) -> Iterator[str]:
        return iter(self._pairs)

    def note(
        self, key: str, code: str, words: str, hint: str = "", *, offset: int | None = None, of_key: bool = False, severity: Severity = "error"
    ) -> None:  # fmt: skip
        """Note something at a key's value, or at the key itself."""
        pair = self._pairs.get(key)
        node = self._node if pair is None else pair[0] if of_key else pair[1]
        self._at(node, offset, code, words, hint, severity)

    def only(self, known: Collection[str], what: str) -> None:
        """Note keys that are none of these."""
        for name in self._pairs:
            if name not in known:
                self.note(
                    name,
                    "unknown-key",
                    f"{what} has no {name[:60]!r}.",
                    did_you_mean(name, known),
                    of_key=True,
                )

    def text(self, key: str, default: str = "", *, most: int = MOST_TEXT) -> str:
        """A text."""
        if key not in self._pairs:
            return default
        return self._text(self._pairs[key][1], key, default, most)

    def line(self, key: str) -> int:
        """The line of a key in the file."""
        pair = self._pairs.get(key)
        return self._base + (self._node if pair is None else pair[0]).line

    def words(self, key: str) -> tuple[str, ...]:
        """A list of texts; one text is a list of one."""
        if key not in self._pairs:
            return ()
        node = self._pairs[key][1]
        if node.items is None:
            return tuple(filter(None, (self.text(key),)))
        if len(node.items) > MOST_WORDS:
            self.note(key, "too-many", f"{key} has more than {MOST_WORDS} entries.", "Leave some out.")
        return tuple(filter(None, (self._text(one, key, "", 500) for one in node.items[:MOST_WORDS])))

    def seconds(self, key: str, default: float = 0.0) -> float:
        """A duration."""
        if key not in self._pairs:
            return default
        seconds = read_seconds(self.text(key))
        if seconds is None:
            self.note(key, "no-duration", f"{key} is no duration.", "Write it as 90s, 30m, 2h or 1d.")
            return default
        return seconds

    def integer(self, key: str, default: int, low: int, high: int) -> int:
        """A whole number within bounds."""
        if key not in self._pairs:
            return default
        text = self.text(key)
        if not (text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= high):
            self.note(
                key,
                "no-number",
                f"{key} is no whole number from {low} to {high}.",
                f"Write it as {default or low}.",
            )
            return default
        return int(text)

    def flag(self, key: str, default: bool = False) -> bool:
        """``true`` or ``false``."""
        if key not in self._pairs:
            return default
        text = self.text(key)
        if text not in ("true", "false"):
            self.note(key, "no-flag", f"{key} is neither true nor false.", "Write true or false.")
        return text == "true"

    def one_of(self, key: str, known: Collection[str], default: str) -> str:
        """One of these words."""
        text = self.text(key, default)
        if text in known:
            return text
        self.note(key, f"unknown-{key}", f"{key} can't be {text[:60]!r}.", did_you_mean(text, known))
        return default

    def mapping(self, key: str) -> Fields | None:
        """The mapping under a key; None when there is none."""
        if key not in self._pairs:
            return None
        node = self._pairs[key][1]
        if node.pairs is None:
            if not node.empty:
                self.note(
                    key, "no-mapping", f"{key} is no mapping.", "Write it as name: value, one on a line."
                )
            return None
        return Fields(node, self._lines, self._base, self.notes)

    def is_mapping(self, key: str) -> bool:
        """Whether a mapping stands under a key."""
        return key in self._pairs and self._pairs[key][1].pairs is not None

    def texts(self) -> dict[str, str]:
        """All of it, where every value is a text."""
        return {name: self.text(name) for name in self}

    def _text(self, node: Node, key: str, default: str, most: int) -> str:
        if node.text is None:
            words = f"{key} is empty." if node.empty else f"{key} is no text."
            self._at(
                node,
                None,
                "no-text",
                words,
                "Put it in quotes if it begins with { or [." if not node.empty else "Give it a value.",
            )
            return default
        if hidden := HIDDEN.search(node.text):
            words = f"{key} has a character that can't be seen (U+{ord(hidden[0]):04X})."
            self._at(node, None, "hidden-character", words, "Take the escape out.")
            return default
        if len(node.text) > most:
            self._at(node, None, "too-long", f"{key} is longer than {most} characters.", "Shorten it.")
            return default
        return node.text.rstrip("\n") if node.style in ("|", ">") else node.text

    def _at(
        self, node: Node, offset: int | None, code: str, words: str, hint: str, severity: Severity = "error"
    ) -> None:
        line, column = node.line, node.column
        if offset is not None and node.style == "|" and node.text is not None:
            number = node.text.count("\n", 0, offset)
            line += 1 + number
            raw = self._lines[line - 1] if line <= len(self._lines) else ""
            # what YAML takes off is the block's own indentation, not the line's
            column = len(raw) - len(node.text.split("\n")[number]) + offset - node.text.rfind("\n", 0, offset)
        elif offset is not None and "\n" not in (node.text or ""):
            column += offset + (node.style in ("'", '"'))
        elif node.style == "|":
            line += 1
        self.notes.add(code, words, hint, line=self._base + line, column=column, severity=severity)


def read_fields(text: str, base: int, notes: Notes, what: str) -> Fields | None:
    """The mapping that a text is; None, and a note, when it is none."""
    if not text.strip():
        notes.add("empty", f"{what} is empty.", "Write one key: value on a line.", line=base)
        return None
    try:
        root = read_nodes(text, LIMITS)
    except Unreadable as error:
        notes.add(
            "no-yaml",
            f"{what}: {error}.",
            "Indent with spaces, and put texts with : or # in quotes.",
            line=base + max(error.line, 1),
            column=error.column,
        )
        return None
    if root is None or root.pairs is None:
        notes.add("no-mapping", f"{what} is no mapping.", "Write one key: value on a line.", line=base + 1)
        return None
    return Fields(root, text.split("\n"), base, notes)
