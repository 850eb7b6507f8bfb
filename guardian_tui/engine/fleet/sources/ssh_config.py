"""Hosts from an OpenSSH client configuration (ssh_config(5)), through an allow-list of keywords.

`HostName`, `Port`, `User`, `IdentityFile` and `ProxyJump` are taken; everything else that a host uses is named, so that nobody wonders why it
behaves otherwise than `ssh` does.  Nothing is ever executed: no `ProxyCommand`, no `Match exec`.
"""

from __future__ import annotations

import fnmatch
import re
import shlex
from dataclasses import dataclass, field

from guardian_tui.engine.fleet.sources.entry import MOST_HOSTS, Reading

TAKEN = frozenset({"hostname", "port", "user", "identityfile", "proxyjump"})
# they change nothing of how a host is reached by us
IGNORED = frozenset(
    {"addkeystoagent", "compression", "controlmaster", "controlpath", "controlpersist", "forwardagent", "forwardx11",
     "hashknownhosts", "identitiesonly", "loglevel", "sendenv", "serveralivecountmax", "serveraliveinterval",
     "setenv", "tcpkeepalive", "visualhostkey", "requesttty", "escapechar", "updatehostkeys"}
)  # fmt: skip

_MOVED = re.compile(r"#@ (\d{1,7}) (.+)")
"""What the client writes before the text of an included file, and after it: line and file."""


@dataclass(slots=True)
class _Block:
    patterns: list[str]
    line: int = 0
    settings: dict[str, str] = field(default_factory=dict)
    unsupported: list[str] = field(default_factory=list)


def parse_ssh_config(text: str, file: str = "ssh_config") -> Reading:
    """Hosts that the file names (not those that only a pattern would match), and what could not be read."""
    reading = Reading(file)
    blocks = _blocks(text, reading)
    names: dict[str, int] = {}
    for block in blocks:
        for name in block.patterns:
            if not any(c in name for c in "*?!"):
                names.setdefault(name, block.line)
    # each name against each pattern is too much for thousands of hosts: most patterns are plain names
    named: dict[str, list[int]] = {}
    patterned = []
    for place, block in enumerate(blocks):
        if any(c in pattern for pattern in block.patterns for c in "*?[!"):
            patterned.append(place)
            continue
        for pattern in dict.fromkeys(block.patterns):
            named.setdefault(pattern, []).append(place)
    for name, line in list(names.items())[:MOST_HOSTS]:
        places = sorted([*named[name], *patterned] if name in named else patterned)
        settings, unsupported = _of_host(name, [blocks[place] for place in places])
        reading.host(line, name, _stated(name, settings), tuple(unsupported))
    return reading


def _blocks(text: str, reading: Reading) -> list[_Block]:
    current = _Block(["*"])
    blocks = [current]
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if moved := _MOVED.match(line):
            reading.pieces.append((number + 1, moved[2], int(moved[1])))
        if not line or line.startswith("#"):
            continue
        keyword, _, rest = line.replace("=", " ", 1).replace("\t", " ").partition(" ")
        keyword, rest = keyword.lower(), rest.strip()
        try:
            words = shlex.split(rest, comments=True)
        except ValueError as error:
            reading.problem(number, f"{error}; close the quotation")
            continue
        if not words:
            reading.problem(number, f"{keyword[:40]} has no value; give it one, or take the line out")
        elif keyword == "host":
            current = _Block(words, number)
            blocks.append(current)
        elif keyword == "match":
            # what follows holds only for some; we can't say for whom
            current = _Block([], number)
            blocks.append(current)
            reading.problem(number, "Match is not supported; its settings are left out")
        elif keyword == "include":
            # the client puts in those that hold for every host
            why = "Include is not followed below Host or Match, nor where it can't be read"
            reading.problem(number, f"{why}; import {words[0][:100]} by itself")
        elif keyword in TAKEN:
            current.settings.setdefault(keyword, words[0])
        elif keyword not in IGNORED:
            place = reading.at(number) if reading.pieces else f"line {number}"
            current.unsupported.append(f"{keyword} ({place})")
    return blocks


def _of_host(name: str, blocks: list[_Block]) -> tuple[dict[str, str], list[str]]:
    """Settings of one host: the first value of each keyword counts, as in ssh."""
    settings: dict[str, str] = {}
    unsupported: list[str] = []
    for block in blocks:
        if _matches(name, block.patterns):
            for keyword, value in block.settings.items():
                settings.setdefault(keyword, value)
            unsupported += block.unsupported
    return settings, unsupported


def _matches(name: str, patterns: list[str]) -> bool:
    positive = False
    for pattern in patterns:
        if pattern.startswith("!"):
            if fnmatch.fnmatchcase(name, pattern[1:]):
                return False
        elif fnmatch.fnmatchcase(name, pattern):
            positive = True
    return positive


def _stated(name: str, settings: dict[str, str]) -> dict[str, object]:
    stated: dict[str, object] = {
        "address": settings.get("hostname", name).replace("%h", name).replace("%%", "%")
    }
    if "port" in settings:
        stated["port"] = settings["port"]
    if "user" in settings:
        stated["user"] = settings["user"]
    if "proxyjump" in settings:
        jump = settings["proxyjump"]
        stated["jump"] = [] if jump.lower() == "none" else [jump_name(hop) for hop in jump.split(",")]
    if "identityfile" in settings:
        identity = settings["identityfile"]
        stated["credential"] = "" if identity.lower() == "none" else f"key:{identity}"
    return stated


def jump_name(hop: str) -> str:
    """The host's name in ``[user@]host[:port]``; its user and port are those of its own entry."""
    hop = hop.strip().removeprefix("ssh://").rpartition("@")[2]
    name, colon, port = hop.rpartition(":")
    return name if colon and port.isdecimal() else hop
