"""What psql says when it gets no answer, as a person would: why, and what to see to."""

from __future__ import annotations

import re

from guardian_tui.text import safe

_WORDS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.I), words)
    for pattern, words in (
        (r'connection to server on socket "(?P<of>[^"]+)" failed: (?:No such file|Connection refused)', "it does not run, or its socket is not {of}"),
        (r'connection to server at "(?P<of>[^"]+)".* failed: Connection refused', "nothing listens at {of}: it does not run, or on another port"),
        (r'connection to server at "(?P<of>[^"]+)".* failed: (?:Connection timed out|timeout expired|No route)', "{of} can't be reached"),
        (r'could not translate host name "(?P<of>[^"]+)"', "the name {of} is not known there"),
        (r"the database system is (?P<of>starting up|shutting down|in recovery mode|not yet accepting connections)", "it is {of}"),
        (r'role "(?P<of>[^"]+)" does not exist', "it has no role {of}: name one in the repository's option role"),
        (r'(?:Peer|Ident|password|GSSAPI|LDAP|PAM) authentication failed for user "(?P<of>[^"]+)"|role "(?P<of2>[^"]+)" is not permitted to log in',
         "it refuses the role {of}: the repository's option user says whose Unix account asks"),
        (r"no password supplied|fe_sendauth", "it wants a password: put it into the .pgpass of the repository's user"),
        (r"no pg_hba\.conf entry", "its pg_hba.conf lets nobody in from there"),
        (r"sorry, too many clients|remaining connection slots", "all of its connections are taken"),
        (r"permission denied for (?:function|view|table|relation) (?P<of>\S+)", "the role may not read {of}: grant it pg_monitor"),
        (r"Permission denied", "the repository's user may not reach it: see its option user"),
        (r"psql: (?:command )?not found|psql.*No such file|can't execute.*psql", "psql is not installed there"),
        (r"canceling statement due to statement timeout", "it took too long to answer"),
    )
)  # fmt: skip
_SAID = re.compile(r"(?:FATAL|PANIC|ERROR): +(?P<words>\S.*)")


def plainly(said: str) -> str:
    """Why a server was not heard, in one clause without a full stop."""
    for pattern, words in _WORDS:
        if found := pattern.search(said):
            of = next((value for value in found.groupdict().values() if value), "")
            return words.format(of=safe(of, 100))
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if not lines:
        return "it said nothing"
    told = next((found["words"] for line in lines if (found := _SAID.search(line))), lines[0])
    return f"it says: {safe(told, 200).rstrip('.')}"
