"""Configurations of strangers as plain values: texts, lists and mappings, bounded in size and depth, whatever the file is written in."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator

from guardian_tui.engine.yaml_nodes import Limits, Node, Unreadable, read_nodes

Plain = str | list["Plain"] | dict[str, "Plain"]
MOST_VALUES = 20_000
MOST_LEVELS = 32
LIMITS = Limits(nodes=MOST_VALUES, aliases=1000, levels=MOST_LEVELS)


class NotRead(Exception):
    """A file can't be understood; says why."""


def read_document(path: str, text: str) -> dict[str, Plain]:
    """The mapping that a YAML, TOML or JSON file holds, by its name's ending; numbers and booleans are texts, empty values are left out.

    Raises:
        NotRead: it is none, or larger or deeper than is read.
    """
    ending = path.rpartition(".")[2].lower()
    if ending == "hcl":
        raise NotRead("HCL is not read here; write it as TOML or YAML, or add the repository by hand")
    try:
        match ending:
            case "toml" | "conf":
                found = _Plainly().value(tomllib.loads(text), 0)
            case "json":
                found = _Plainly().value(json.loads(text), 0)
            case _:
                found = _Plainly().node(read_nodes(text, LIMITS), 0)
    except Unreadable as error:
        raise NotRead(f"line {error.line}: {error}" if error.line else str(error)) from error
    except tomllib.TOMLDecodeError as error:
        raise NotRead(f"it is no TOML: {str(error)[:200]}") from error
    except (ValueError, RecursionError) as error:
        raise NotRead(f"it can't be read: {str(error)[:200]}") from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise NotRead("it holds no mapping")
    return found


class _Plainly:
    """Makes plain values, and counts them: an alias is followed each time that it stands there."""

    def __init__(self) -> None:
        self._left = MOST_VALUES

    def _count(self, depth: int) -> None:
        self._left -= 1
        if self._left < 0:
            raise NotRead(f"it has more than {MOST_VALUES} values")
        if depth > MOST_LEVELS:
            raise NotRead(f"it is nested deeper than {MOST_LEVELS} levels")

    def node(self, node: Node | None, depth: int) -> Plain | None:
        """A node of YAML; one with a tag of its own (``!include``) is left out."""
        self._count(depth)
        if node is None or node.sealed:
            return None
        if node.items is not None:
            return [one for item in node.items if (one := self.node(item, depth + 1)) is not None]
        if node.pairs is None:
            return node.text
        merged: dict[str, Plain] = {}
        own: dict[str, Plain] = {}
        for key, value in node.pairs:
            plain = self.node(value, depth + 1)
            if key.text == "<<" and isinstance(plain, dict):
                merged |= plain
            elif key.text is not None and plain is not None:
                own[key.text] = plain
        return merged | own

    def value(self, value: object, depth: int) -> Plain | None:
        """A value of TOML or JSON."""
        self._count(depth)
        if isinstance(value, dict):
            pairs = ((str(key), self.value(one, depth + 1)) for key, one in value.items())
            return {key: one for key, one in pairs if one is not None}
        if isinstance(value, list):
            return [one for item in value if (one := self.value(item, depth + 1)) is not None]
        return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def includes(text: str) -> bool:
    """Whether a YAML file takes in another one."""
    return "!include" in text


def mapping(value: Plain | None) -> dict[str, Plain]:
    """The mapping; an empty one for what is none."""
    return value if isinstance(value, dict) else {}


def texts(value: Plain | None) -> list[str]:
    """The texts of a list, or the one that stands alone."""
    if isinstance(value, str):
        return [value]
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def text_of(value: Plain | None) -> str:
    """The text; empty for what is none."""
    return value if isinstance(value, str) else ""


def read_ini(text: str) -> dict[str, dict[str, str]]:
    """Sections of an INI file as pgBackRest reads it: no quotes, ``#`` begins a comment's line; of what stands twice the first counts.

    Raises:
        NotRead: a line is none of section, option and comment.
    """
    sections: dict[str, dict[str, str]] = {}
    section: dict[str, str] | None = None
    for number, line in _lines(text):
        if line.startswith("[") and line.endswith("]"):
            section = sections.setdefault(line[1:-1].strip()[:200], {})
            continue
        name, equals, value = line.partition("=")
        if not equals or section is None:
            raise NotRead(f"line {number}: it is neither a section nor an option")
        section.setdefault(name.strip()[:200], value.strip()[:4096])
    return sections


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield number, stripped
