"""What a silent server's psql says, in words: as PostgreSQL 15 and the shell print it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_tui.engine.backups.engines.psql_words import plainly


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            'psql: error: connection to server on socket "/run/pg/.s.PGSQL.5432" failed: No such file or directory\n'
            "\tIs the server running locally and accepting connections on that socket?\n",
            "it does not run, or its socket is not /run/pg/.s.PGSQL.5432",
        ),
        (
            'psql: error: connection to server at "10.0.0.7", port 5432 failed: Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?',
            "nothing listens at 10.0.0.7: it does not run, or on another port",
        ),
        ('psql: error: connection to server at "db" (10.0.0.7), port 5432 failed: timeout expired', "db can't be reached"),
        ('psql: error: could not translate host name "db" to address: Name or service not known', "the name db is not known there"),
        ('psql: error: connection to server on socket "/s" failed: FATAL:  the database system is starting up', "it is starting up"),
        ('psql: error: connection to server on socket "/s" failed: FATAL:  role "root" does not exist', "it has no role root: name one in the repository's option role"),
        (
            'psql: error: connection to server on socket "/s" failed: FATAL:  Peer authentication failed for user "postgres"',
            "it refuses the role postgres: the repository's option user says whose Unix account asks",
        ),
        ("psql: error: fe_sendauth: no password supplied", "it wants a password: put it into the .pgpass of the repository's user"),
        ('FATAL:  no pg_hba.conf entry for host "1.2.3.4", user "x"', "its pg_hba.conf lets nobody in from there"),
        ("FATAL:  sorry, too many clients already", "all of its connections are taken"),
        ("ERROR:  permission denied for function pg_stat_get_archiver", "the role may not read pg_stat_get_archiver: grant it pg_monitor"),
        ('psql: error: connection to server on socket "/s" failed: Permission denied', "the repository's user may not reach it: see its option user"),
        ("sh: 1: psql: not found", "psql is not installed there"),
        ("ERROR:  canceling statement due to statement timeout", "it took too long to answer"),
        ("psql: error: x\nERROR:  out of memory.", "it says: out of memory"),
        ("something odd\x1b[2J\nand more", "it says: something odd␛[2J"),
        (" \n", "it said nothing"),
    ],
)  # fmt: skip
def test_why_a_server_was_not_heard_is_a_clause(said: str, words: str) -> None:
    assert plainly(said) == words


@given(st.text(max_size=300))
def test_whatever_it_says_is_inert(said: str) -> None:
    assert all(letter.isprintable() for letter in plainly(said))
