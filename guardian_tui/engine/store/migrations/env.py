"""Alembic's environment: runs in the connection and for the tables that the caller hands in."""

from alembic import context

from guardian_tui.engine.store.migrate import METADATA, version_table

config = context.config
kind = config.attributes["kind"]
context.configure(
    connection=config.attributes["connection"],
    target_metadata=METADATA[kind],
    version_table=version_table(kind),
    render_as_batch=True,
)
context.run_migrations()
