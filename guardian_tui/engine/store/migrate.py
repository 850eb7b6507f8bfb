"""Migrations: the version is compared first, and Alembic is imported only when it differs (its import costs 450 ms)."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

from guardian_tui.engine.store import tables
from guardian_tui.protocol.errors import StoreUnavailable

STATE = "state"
METRICS = "metrics"
HEADS = {STATE: "s0011", METRICS: "m0002"}
"""Newest revision of each set of tables; a test keeps them in step with the scripts."""
METADATA = {STATE: tables.state, METRICS: tables.metrics}
SCRIPTS = Path(__file__).parent / "migrations"


def version_table(kind: str) -> str:
    """Name of the table that holds the revision."""
    return f"revision_{kind}"


def stored_revision(connection: Connection, kind: str) -> str | None:
    """The revision that the database is at; None when it is empty."""
    if not inspect(connection).has_table(version_table(kind)):
        return None
    return connection.execute(text(f"SELECT version_num FROM {version_table(kind)}")).scalar()  # noqa: S608  # our own name


async def migrate(engine: AsyncEngine, kind: str, revision: str = "head") -> None:
    """Bring one set of tables to a revision.

    Raises:
        StoreUnavailable: the database is newer than this program.
    """
    async with engine.connect() as conn:
        current = await conn.run_sync(stored_revision, kind)
    if revision == "head" and current == HEADS[kind]:
        return
    async with engine.connect() as conn:
        conn = await conn.execution_options(immediate=True)
        async with conn.begin():
            await conn.run_sync(run_alembic, kind, revision, current)


def run_alembic(connection: Connection, kind: str, revision: str, current: str | None) -> None:
    """Run Alembic's scripts in the connection's transaction."""
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("version_locations", str(SCRIPTS / kind))
    config.set_main_option("path_separator", "newline")
    config.attributes["connection"] = connection
    config.attributes["kind"] = kind
    script = ScriptDirectory.from_config(config)
    known = {entry.revision for entry in script.walk_revisions()}
    if current is not None and current not in known:
        raise StoreUnavailable(
            f"The store is of a newer version ({current}) than this program. Update guardian-tui."
        )
    if revision == "head" or current is None:
        command.upgrade(config, revision)
    else:
        command.downgrade(config, revision)
