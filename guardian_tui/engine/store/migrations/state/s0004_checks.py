"""Checks from the engine."""

import sqlalchemy as sa
from alembic import op

revision = "s0004"
down_revision = "s0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "checks",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("host_id", sa.Text(), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), server_default="screen", nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("memory", sa.Text(), server_default="{}", nullable=False),
        sa.CheckConstraint("source IN ('screen', 'config')", name=op.f("ck_checks_source")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checks")),
        sa.UniqueConstraint("name", name=op.f("uq_checks_name")),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("checks")
