"""A PostgreSQL cluster whose log goes into a repository of pgBackRest, for a test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.support.postgres import Cluster, cluster

CONFIG = """
[global]
repo1-path={folder}/repository
log-path={folder}/logs
lock-path={folder}/locks
spool-path={folder}/spool
log-level-file=off
repo1-retention-full=9
start-fast=y
compress-type=lz4

[main]
pg1-path={folder}/data
pg1-socket-path={folder}
pg1-user=tester
"""


class Archived:
    """A running cluster and its stanza ``main``."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.folder = cluster.folder
        self.user = "postgres" if os.geteuid() == 0 else ""
        self.config = self.folder / "pgbackrest.conf"
        self.repository = self.folder / "repository"
        self.config.write_text(CONFIG.format(folder=self.folder))
        self.options = {
            "config": str(self.config), "socket": str(self.folder), "role": "tester",
            **({"user": self.user} if self.user else {}),
        }  # fmt: skip
        for name in ("repository", "logs", "locks", "spool", "restores"):
            self.own(self.folder / name)

    def own(self, folder: Path) -> Path:
        """A new folder of the user who runs the server."""
        folder.mkdir()
        if self.user:
            shutil.chown(folder, self.user, self.user)
        return folder

    def sql(self, *lines: str) -> object:
        """Run each line in a transaction of its own; answers the last one's first value."""
        with psycopg.connect(
            host=str(self.folder), user="tester", dbname="postgres", autocommit=True
        ) as conn:
            for line in lines:
                cursor = conn.execute(line)
            row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


@contextmanager
def archived() -> Iterator[Archived]:
    """A cluster for as long as the block lasts; its stanza is not made yet."""
    if shutil.which("pgbackrest") is None:
        raise RuntimeError("pgbackrest is not installed (Debian: apt-get install pgbackrest)")
    push = "pgbackrest --config={folder}/pgbackrest.conf --stanza=main archive-push %p"
    # nobody but the test commits anything
    settings = (
        "archive_mode = on",
        f"archive_command = '{push}'",
        "track_commit_timestamp = on",
        "autovacuum = off",
    )
    with cluster(*settings) as running:
        yield Archived(running)
