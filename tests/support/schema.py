"""Empty stores at once: migrations run once for each worker and set of tables, and what they made is made again without them.

Every other start of a store would spend a fifth of a second in Alembic.  The migrations have tests of their own, in `tests/store`, which run them.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, create_engine, event

from guardian_tui.engine.store import migrate
from guardian_tui.engine.store.migrate import HEADS

_run_alembic = migrate.run_alembic
_statements: dict[tuple[str, str], list[str]] = {}
"""What leads from nothing to the newest revision, by dialect and set of tables."""


def run_or_repeat(connection: Connection, kind: str, revision: str, current: str | None) -> None:
    """Alembic the first time that an empty store is brought to its newest revision; later the statements that it ran then."""
    if current is not None or revision != "head":
        _run_alembic(connection, kind, revision, current)
        return
    key = connection.dialect.name, kind
    known = _statements.get(key)
    if known is not None:
        for statement in known:
            connection.exec_driver_sql(statement)
        return
    ran: list[str] = []

    def note(*event_: Any) -> None:  # Any: SQLAlchemy's event
        _conn, _cursor, statement, parameters, _context, _many = event_
        if not statement.lstrip().upper().startswith(("SELECT", "PRAGMA", "SHOW")):
            assert not parameters, f"a migration hands in values, which are not kept here: {statement}"
            ran.append(statement)

    event.listen(connection, "before_cursor_execute", note)
    try:
        _run_alembic(connection, kind, revision, current)
    finally:
        event.remove(connection, "before_cursor_execute", note)
    _statements[key] = ran


def migrate_postgresql(url: str) -> None:
    """Bring an empty database of PostgreSQL to the newest revision."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    try:
        with engine.begin() as connection:
            for kind in HEADS:
                _run_alembic(connection, kind, "head", None)
    finally:
        engine.dispose()
