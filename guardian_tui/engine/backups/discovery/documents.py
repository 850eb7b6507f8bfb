"""Configurations of strangers as plain values: texts, lists and mappings, bounded in size and depth, whatever the file is written in."""

from __future__ import annotations

import json
import posixpath
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from guardian_tui.engine.backups.discovery.hcl import BadHcl, read_hcl
from guardian_tui.engine.yaml_nodes import Limits, Node, Unreadable, read_nodes

Plain = str | list["Plain"] | dict[str, "Plain"]
MOST_VALUES = 20_000
MOST_LEVELS = 32
LIMITS = Limits(nodes=MOST_VALUES, aliases=1000, levels=MOST_LEVELS)


class NotRead(Exception):
    """A file can't be understood; says why."""


@dataclass(slots=True)
class Taking:
    """Files that a YAML file takes in by ``!include``.

    Attributes:
        look: the text of a file; None: it could not be read.
        home: what ``~`` stands for.
        missing: those that could not be read.
    """

    look: Callable[[str], str | None]
    home: str
    missing: list[str] = field(default_factory=list)


def read_document(path: str, text: str, taking: Taking | None = None) -> dict[str, Plain]:
    """The mapping that a YAML, TOML, HCL or JSON file holds, by its name's ending; numbers and booleans are texts, empty values are left out.

    Raises:
        NotRead: it is none, or larger or deeper than is read.
    """
    ending = path.rpartition(".")[2].lower()
    try:
        match ending:
            case "toml" | "conf":
                found = _Plainly().value(tomllib.loads(text), 0)
            case "hcl":
                found = _Plainly().value(read_hcl(text), 0)
            case "json":
                found = _Plainly().value(json.loads(text), 0)
            case _:
                found = _Plainly(taking, path).node(read_nodes(text, LIMITS), 0)
    except Unreadable as error:
        raise NotRead(f"line {error.line}: {error}" if error.line else str(error)) from error
    except tomllib.TOMLDecodeError as error:
        raise NotRead(f"it is no TOML: {str(error)[:200]}") from error
    except BadHcl as error:
        raise NotRead(f"it is no HCL: {str(error)[:200]}") from error
    except (ValueError, RecursionError) as error:
        raise NotRead(f"it can't be read: {str(error)[:200]}") from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise NotRead("it holds no mapping")
    return found


class _Plainly:
    """Makes plain values, and counts them: an alias is followed each time that it stands there."""

    def __init__(self, taking: Taking | None = None, path: str = "") -> None:
        self._left = MOST_VALUES
        self._taking = taking
        self._open = [path]
        """Files that are being read, each taken in by the one before it."""

    def _count(self, depth: int) -> None:
        self._left -= 1
        if self._left < 0:
            raise NotRead(f"it has more than {MOST_VALUES} values")
        if depth > MOST_LEVELS:
            raise NotRead(f"it is nested deeper than {MOST_LEVELS} levels")

    def node(self, node: Node | None, depth: int) -> Plain | None:
        """A node of YAML; one with a tag of its own is left out, unless it takes in a file or only says how it is put together."""
        self._count(depth)
        if node is None or (node.sealed and node.tag != "!retain"):
            return self._included(node, depth) if node is not None and node.tag == "!include" else None
        if node.items is not None:
            return [one for item in node.items if (one := self.node(item, depth + 1)) is not None]
        if node.pairs is None:
            return node.text
        merged: dict[str, Plain] = {}
        own: dict[str, Plain] = {}
        deep = False
        for key, value in node.pairs:
            plain = self.node(value, depth + 1)
            if key.text == "<<" and isinstance(plain, dict):
                # borgmatic puts together what is taken in, down to the last list
                merged = (
                    put_together(merged, plain, lists=True) if value.tag == "!include" else merged | plain
                )
                deep = deep or value.tag == "!include"
            elif key.text is not None and plain is not None:
                own[key.text] = plain
        return put_together(merged, own, lists=True) if deep else merged | own

    def _included(self, node: Node, depth: int) -> Plain | None:
        """What the files hold that a node names, put together."""
        if self._taking is None:
            return None
        found: Plain | None = None
        for name in [node.text] if node.items is None else [item.text for item in node.items]:
            path = path_of(name or "", self._open[-1], self._taking.home)
            text = self._taking.look(path)
            if text is None:
                self._taking.missing.append(path)
                continue
            if path in self._open or len(self._open) > MOST_LEVELS:
                raise NotRead(f"{path} takes in itself")
            self._open.append(path)
            one = self.node(read_nodes(text, LIMITS), depth + 1)
            self._open.pop()
            both = isinstance(found, dict) and isinstance(one, dict)
            found = put_together(mapping(found), mapping(one), lists=True) if both else one
        return found

    def value(self, value: object, depth: int) -> Plain | None:
        """A value of TOML or JSON."""
        self._count(depth)
        if isinstance(value, dict):
            pairs = ((str(key), self.value(one, depth + 1)) for key, one in value.items())
            return {key: one for key, one in pairs if one is not None}
        if isinstance(value, list):
            return [one for item in value if (one := self.value(item, depth + 1)) is not None]
        return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)


_INCLUDE = re.compile(r"!include\s+(\[[^\]]*\]|[^\s,\]]+)")


def path_of(name: str, by: str, home: str) -> str:
    """The whole path of a file that another one takes in."""
    name = f"{home}{name[1:]}" if name.startswith("~/") else name
    return posixpath.normpath(posixpath.join(posixpath.dirname(by), name))


def includes(path: str, text: str, home: str) -> list[str]:
    """Whole paths of the files that a YAML file takes in."""
    found = [name for one in _INCLUDE.findall(text) for name in one.strip("[]").split(",")]
    return [path_of(name.strip().strip("\"'"), path, home) for name in found if name.strip()]


def put_together(base: dict[str, Plain], own: dict[str, Plain], *, lists: bool = False) -> dict[str, Plain]:
    """A mapping over another one, also within; with ``lists``, those of both one after the other."""
    merged = dict(base)
    for key, value in own.items():
        before = merged.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            merged[key] = put_together(before, value, lists=lists)
        elif lists and isinstance(before, list) and isinstance(value, list):
            merged[key] = [*before, *value]
        else:
            merged[key] = value
    return merged


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
