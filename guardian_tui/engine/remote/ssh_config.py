"""Hosts from an OpenSSH client configuration (ssh_config(5)), through an allow-list of keywords.

`HostName`, `Port`, `User`, `IdentityFile` and `ProxyJump` are taken; everything else that a host uses is named, so that nobody wonders why it
behaves otherwise than `ssh` does.  Nothing is ever executed: no `ProxyCommand`, no `Match exec`.
"""

from __future__ import annotations

import fnmatch
import shlex
from dataclasses import dataclass, field

import msgspec

from guardian_tui.protocol.fleet import HostSpec

TAKEN = frozenset({"hostname", "port", "user", "identityfile", "proxyjump"})
# they change nothing of how a host is reached by us
IGNORED = frozenset(
    {"addkeystoagent", "compression", "controlmaster", "controlpath", "controlpersist", "forwardagent", "forwardx11",
     "hashknownhosts", "identitiesonly", "loglevel", "sendenv", "serveralivecountmax", "serveraliveinterval",
     "setenv", "tcpkeepalive", "visualhostkey", "requesttty", "escapechar", "updatehostkeys"}
)  # fmt: skip
MOST_HOSTS = 10_000


@dataclass(slots=True)
class _Block:
    patterns: list[str]
    settings: dict[str, str] = field(default_factory=dict)
    unsupported: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ConfigHost:
    """A host that the file names."""

    spec: HostSpec
    unsupported: tuple[str, ...]


def parse_ssh_config(text: str) -> tuple[list[ConfigHost], list[str]]:
    """Hosts that the file names (not those that only a pattern would match), and what could not be read."""
    blocks, problems = _blocks(text)
    names: dict[str, None] = {}
    for block in blocks:
        names |= dict.fromkeys(p for p in block.patterns if not any(c in p for c in "*?!"))
    hosts: list[ConfigHost] = []
    # each name against each pattern is too much for thousands of hosts: most patterns are plain names
    named: dict[str, list[int]] = {}
    patterned = []
    for place, block in enumerate(blocks):
        if any(c in pattern for pattern in block.patterns for c in "*?[!"):
            patterned.append(place)
            continue
        for pattern in dict.fromkeys(block.patterns):
            named.setdefault(pattern, []).append(place)
    for name in list(names)[:MOST_HOSTS]:
        places = sorted([*named[name], *patterned] if name in named else patterned)
        settings, unsupported = _of_host(name, [blocks[place] for place in places])
        try:
            hosts.append(ConfigHost(_spec(name, settings), tuple(unsupported)))
        except (msgspec.ValidationError, ValueError) as error:
            problems.append(f"host {name[:60]}: {error}")
    return hosts, problems


def _blocks(text: str) -> tuple[list[_Block], list[str]]:
    current = _Block(["*"])
    blocks, problems = [current], []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        keyword, _, rest = line.replace("=", " ", 1).replace("\t", " ").partition(" ")
        keyword, rest = keyword.lower(), rest.strip()
        try:
            words = shlex.split(rest, comments=True)
        except ValueError as error:
            problems.append(f"ssh_config line {number}: {error}")
            continue
        if not words:
            problems.append(f"ssh_config line {number}: {keyword[:40]} has no value")
        elif keyword == "host":
            current = _Block(words)
            blocks.append(current)
        elif keyword == "match":
            # what follows holds only for some; we can't say for whom
            current = _Block([])
            blocks.append(current)
            problems.append(f"ssh_config line {number}: Match is not supported; its settings are left out")
        elif keyword == "include":
            problems.append(
                f"ssh_config line {number}: Include is not followed; import {words[0][:100]} by itself"
            )
        elif keyword in TAKEN:
            current.settings.setdefault(keyword, words[0])
        elif keyword not in IGNORED:
            current.unsupported.append(f"{keyword} (line {number})")
    return blocks, problems


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


def _spec(name: str, settings: dict[str, str]) -> HostSpec:
    jump = settings.get("proxyjump", "")
    jumps = [] if jump.lower() in ("", "none") else [_jump_name(hop) for hop in jump.split(",")]
    address = settings.get("hostname", name).replace("%h", name).replace("%%", "%")
    identity = settings.get("identityfile", "")
    fields = {
        "name": name,
        "address": address,
        "port": int(settings.get("port", "22")),
        "user": settings.get("user", ""),
        "jump": jumps,
        "credential": f"key:{identity}" if identity and identity.lower() != "none" else "",
    }
    return msgspec.convert(fields, HostSpec)


def _jump_name(hop: str) -> str:
    """The host's name in ``[user@]host[:port]``; its user and port are those of its own entry."""
    hop = hop.strip().removeprefix("ssh://").rpartition("@")[2]
    name, colon, port = hop.rpartition(":")
    return name if colon and port.isdecimal() else hop
