"""Commands of strangers' scripts, cron lines and units, read as words: which tool is called, with which options and variables.  Nothing is run."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

TOOLS = ("borgmatic", "resticprofile", "pgbackrest", "restic", "borg")
MOST_LINES = 5000
LONGEST_LINE = 4000
MOST_CALLS = 50
MOST_VARIABLES = 200
_ASSIGNED = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]{0,99})=(.*)\Z", re.DOTALL)
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
_STOPS = frozenset(("&&", "||", ";", "|", "&", "then", "do", "else", "{", "(", ")", "fi", "done", "!"))
_SOURCED = re.compile(r"^\s*(?:\.|source)\s+([\"']?)(/[^\s\"';&|]{1,300})\1", re.MULTILINE)
_SCRIPT = re.compile(r"/[A-Za-z0-9._@+/-]{1,300}")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool.

    Attributes:
        tool: which.
        words: its arguments.
        env: variables that it gets, as far as the text says.
    """

    tool: str
    words: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)

    def option(self, *names: str) -> str:
        """The value of an option, as ``--name value``, ``--name=value`` or ``-nvalue``; empty: it is not given."""
        for place, word in enumerate(self.words):
            for name in names:
                if word == name and place + 1 < len(self.words):
                    return self.words[place + 1]
                if name.startswith("--") and word.startswith(f"{name}="):
                    return word[len(name) + 1 :]
                if not name.startswith("--") and word.startswith(name) and len(word) > len(name):
                    return word[len(name) :]
        return ""


def assignments(text: str, before: Mapping[str, str] | None = None) -> dict[str, str]:
    """Variables that lines of their own give values to: an environment file, the head of a script."""
    found = dict(before or {})
    for line in _lines(text):
        for word in _split(line):
            if word in ("export", "declare", "set", "-a", "-x"):
                continue
            assigned = _ASSIGNED.match(word)
            if not assigned:
                break
            if len(found) < MOST_VARIABLES:
                found[assigned[1]] = expand(assigned[2], found)
    return found


def expand(text: str, env: Mapping[str, str]) -> str:
    """Variables replaced by their values where those are known."""
    return _VARIABLE.sub(lambda found: env.get(found[1] or found[2], found[0]), text)[:LONGEST_LINE]


def calls(text: str, env: Mapping[str, str] | None = None) -> list[Call]:
    """Calls of the tools in a text of commands; at most :data:`MOST_CALLS`."""
    known = dict(env or {})
    found: list[Call] = []
    for line in _lines(text):
        for part in _parts(_split(line)):
            own = dict(known)
            for place, word in enumerate(part):
                assigned = _ASSIGNED.match(word)
                if assigned:
                    if len(own) < MOST_VARIABLES:
                        own[assigned[1]] = expand(assigned[2], own)
                    continue
                name = posixpath.basename(expand(word, own)).lstrip("@-!+:")
                if name in TOOLS:
                    words = tuple(expand(one, own) for one in part[place + 1 :])
                    found.append(Call(name, words, own))
                    if len(found) >= MOST_CALLS:
                        return found
                    break
            if part and all(_ASSIGNED.match(word) or word == "export" for word in part):
                known = own
    return found


def sourced(text: str) -> list[str]:
    """Files that a script takes in."""
    return [found[2] for found in _SOURCED.finditer(text)][:20]


def scripts(command: str) -> list[str]:
    """Whole paths in a command, which may be scripts."""
    return [word for word in _SCRIPT.findall(command) if "/bin/" not in word or "/local/" in word][:10]


def _lines(text: str) -> Iterator[str]:
    joined = text.replace("\\\n", " ")
    for line in joined.split("\n")[:MOST_LINES]:
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield stripped[:LONGEST_LINE]


def _split(line: str) -> list[str]:
    reader = shlex.shlex(line, posix=True, punctuation_chars=";&|()")
    reader.whitespace_split = True
    reader.commenters = "#"
    try:
        return list(reader)
    except ValueError:
        # an apostrophe that is not closed here
        return line.split()


def _parts(words: list[str]) -> Iterator[list[str]]:
    part: list[str] = []
    for word in words:
        if word in _STOPS or set(word) <= set(";&|()"):
            if part:
                yield part
            part = []
        else:
            part.append(word)
    if part:
        yield part
