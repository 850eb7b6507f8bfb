"""Timers on hosts: what may be installed where."""

import sqlalchemy as sa
from alembic import op

revision = "s0009"
down_revision = "s0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "backup_timers",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("host_id", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "host_id", name=op.f("pk_backup_timers")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("backup_timers")
