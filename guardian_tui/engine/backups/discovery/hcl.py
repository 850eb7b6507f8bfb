"""HCL as resticprofile's configurations have it: attributes, blocks, lists and objects of plain values; expressions are left as they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator

Value = str | list["Value"] | dict[str, "Value"]
MOST_TOKENS = 40_000
MOST_LEVELS = 32
_TOKEN = re.compile(
    r"""(?P<skip>[\s,]+|\#[^\n]*|//[^\n]*|/\*.*?\*/)|<<-?(?P<tag>[A-Za-z_]\w*)\n(?P<here>.*?\n)?[ \t]*(?P=tag)\b
    |"(?P<text>(?:[^"\\\n]|\\.)*)"|(?P<mark>[={}\[\]:])|(?P<word>[^\s,={}\[\]:"#]+)""",
    re.DOTALL | re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}


class BadHcl(ValueError):
    """It is no HCL; says in which line."""


def read_hcl(text: str) -> dict[str, Value]:
    """The mapping that a text in HCL holds; blocks of one name are put together.

    Raises:
        BadHcl: it can't be read.
    """
    tokens = list(_tokens(text))
    found, place = _body(tokens, 0, 0, "")
    if place < len(tokens):
        raise BadHcl(f"line {tokens[place][2]}: a brace too many")
    return found


_Token = tuple[str, str, int]
"""Kind (``text``, ``word``, or the mark itself), what it says, and its line."""


def _tokens(text: str) -> Iterator[_Token]:
    place, line, count = 0, 1, 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        count += 1
        if found is None or count > MOST_TOKENS:
            why = "it can't be read from here on" if found is None else "it is longer than is read"
            raise BadHcl(f"line {line}: {why}")
        if found["text"] is not None:
            plain = _ESCAPE.sub(lambda one: _ESCAPED.get(one[1], one[1]), found["text"])
            yield "text", plain, line
        elif found["tag"] is not None:
            yield "text", found["here"] or "", line
        elif found["mark"] is not None:
            yield found["mark"], found["mark"], line
        elif found["word"] is not None:
            yield "word", found["word"], line
        line += text.count("\n", place, found.end())
        place = found.end()


def _body(tokens: list[_Token], place: int, depth: int, end: str) -> tuple[dict[str, Value], int]:
    """Attributes and blocks up to the end, or to a closing brace."""
    if depth > MOST_LEVELS:
        raise BadHcl(f"it is nested deeper than {MOST_LEVELS} levels")
    body: dict[str, Value] = {}
    while place < len(tokens) and tokens[place][0] != "}":
        kind, name, line = tokens[place]
        if kind not in ("word", "text"):
            raise BadHcl(f"line {line}: a name was expected, not {name!r}")
        place += 1
        names = [name]
        while place < len(tokens) and tokens[place][0] in ("word", "text"):
            # labels of a block
            names.append(tokens[place][1])
            place += 1
        mark = tokens[place][0] if place < len(tokens) else ""
        if mark in ("=", ":") and len(names) == 1:
            body[name], place = _value(tokens, place + 1, depth)
        elif mark == "{":
            inner, place = _closed(tokens, place, depth)
            _put(body, names, inner)
        else:
            raise BadHcl(f"line {line}: {name!r} is neither a block nor has it a value")
    if end and place >= len(tokens):
        raise BadHcl("it ends within a block")
    return body, place


def _closed(tokens: list[_Token], place: int, depth: int) -> tuple[dict[str, Value], int]:
    inner, place = _body(tokens, place + 1, depth + 1, "}")
    return inner, place + 1


def _put(body: dict[str, Value], names: list[str], inner: dict[str, Value]) -> None:
    for name in names[:-1]:
        into = body.setdefault(name, {})
        if not isinstance(into, dict):
            raise BadHcl(f"{name!r} is a value and a block")
        body = into
    known = body.get(names[-1])
    body[names[-1]] = known | inner if isinstance(known, dict) else inner


def _value(tokens: list[_Token], place: int, depth: int) -> tuple[Value, int]:
    if place >= len(tokens):
        raise BadHcl("it ends before a value")
    kind, text, line = tokens[place]
    if kind in ("text", "word"):
        return text, place + 1
    if kind == "{":
        return _closed(tokens, place, depth)
    if kind != "[" or depth > MOST_LEVELS:
        raise BadHcl(f"line {line}: a value was expected, not {text!r}")
    items: list[Value] = []
    place += 1
    while place < len(tokens) and tokens[place][0] != "]":
        item, place = _value(tokens, place, depth + 1)
        items.append(item)
    if place >= len(tokens):
        raise BadHcl("it ends within a list")
    return items, place + 1
