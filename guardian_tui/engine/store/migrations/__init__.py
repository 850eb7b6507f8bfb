"""Alembic scripts: `state` and `metrics`, one line of revisions each."""
