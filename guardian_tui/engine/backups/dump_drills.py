"""A dump that is proven: restored into a database of its own, checked, probed, stopped and deleted; where there are no server programs it is read to its end.

The throw-away server listens on a socket in a new folder of mode 0700 and nowhere else, archives nothing, and runs in the run's own process group as the
dump's Unix user (root becomes ``postgres`` or ``mysql``: servers refuse root).  What a stage proved stands in its output, in words that :func:`proof_of` reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from guardian_tui.engine.backups import dump_drill_scripts as scripts
from guardian_tui.engine.backups.becoming import as_server
from guardian_tui.engine.backups.dumping import ALL, dump_name
from guardian_tui.protocol.backups import DrillPolicy, Dump
from guardian_tui.text import safe

PROBE_SECONDS = 300
_USUAL = {"postgresql": "postgres", "mysql": "mysql", "sqlite": ""}
_ENDS = {"mysql": "^-- Dump completed", "postgresql": "^-- PostgreSQL database cluster dump complete$"}

Form = Literal["restored", "read"]


@dataclass(frozen=True, slots=True)
class Proof:
    """What a stage proved of one dump.

    Attributes:
        form: whether it was restored into a database, or only read to its end.
        words: how it was checked, or why it was only read.
        bytes: of the dump.
    """

    form: Form
    words: str
    bytes: int = 0


def probe_of(policy: DrillPolicy) -> tuple[str, str]:
    """The probe's SQL, and the first row that it must answer; both empty where there is none.

    Raises:
        ValueError: it holds what a client would take for a command of its own.
    """
    sql = policy.probe_sql
    if "\\" in sql or "\0" in sql or any(line.lstrip().startswith(".") for line in sql.splitlines()):
        raise ValueError("A probe is SQL alone: a backslash, or a line that begins with a dot, would be a command of the client.")  # fmt: skip
    return sql, policy.probe_answer if sql else ""


def source_of(dump: Dump, below: str) -> tuple[str, ...]:
    """Command that tells the size of the restored file in a line, then the file; one whose end is missing fails before anything is restored."""
    end = (
        ""
        if dump.kind == "sqlite" or (dump.kind == "postgresql" and dump.database != ALL)
        else _ENDS[dump.kind]
    )
    return ("/bin/sh", "-c", scripts.SOURCE, "guardian-drill", below, dump_name(dump), end)


def restoring(dump: Dump, folder: str, policy: DrillPolicy) -> tuple[str, ...]:
    """Command that restores what :func:`source_of` tells into a database below a folder that is not there yet.

    Raises:
        ValueError: the probe can't be asked.
    """
    sql, answer = probe_of(policy)
    script = {"postgresql": scripts.POSTGRESQL, "mysql": scripts.MYSQL, "sqlite": scripts.SQLITE}[dump.kind]
    whole = "all" if dump.database == ALL else "one"
    argv = ("sh", "-c", script, "guardian-drill", folder, whole, sql, answer, str(PROBE_SECONDS))
    return as_server(dump.user, _USUAL[dump.kind], argv)


def proof_of(output: bytes) -> Proof | None:
    """What a stage's output says; None: it proved nothing."""
    lines = (line.decode("utf-8", "replace").partition(" ") for line in output.split(b"\n"))
    said = {word: rest for word, blank, rest in lines if blank}
    if "restored" not in said:
        return Proof("read", safe(said["read"], 300)) if "read" in said else None
    size, _, tables = said["restored"].partition(" ")
    told = [
        f"{tables} table{'' if tables == '1' else 's'}",
        said.get("checked", ""),
        "the probe answered" if "rows" in said else "",
        said.get("unchecked", ""),
    ]
    count = int(size) if size.isascii() and size.isdigit() and len(size) < 19 else 0
    return Proof("restored", safe(", ".join(words for words in told if words), 300), count)
