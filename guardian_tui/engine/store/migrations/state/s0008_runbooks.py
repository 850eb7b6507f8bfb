"""Runbooks: the documents that runs are pinned to, runs, their journals, their output."""

import sqlalchemy as sa
from alembic import op

revision = "s0008"
down_revision = "s0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "runbook_documents",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("runbook", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_runbook_documents")),
    )
    op.create_table(
        "runbook_runs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("runbook", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), server_default="", nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.Column("settled", sa.Integer(), server_default="0", nullable=False),
        sa.Column("row", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('asking', 'running', 'paused', 'deciding', 'ended')",
            name=op.f("ck_runbook_runs_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runbook_runs")),
    )
    op.create_index(op.f("ix_runbook_runs_runbook_started_at"), "runbook_runs", ["runbook", "started_at"])
    op.create_index(op.f("ix_runbook_runs_started_at"), "runbook_runs", ["started_at"])
    op.create_index(op.f("ix_runbook_runs_settled"), "runbook_runs", ["settled"])
    op.create_table(
        "runbook_journal",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "seq", name=op.f("pk_runbook_journal")),
    )
    op.create_table(
        "runbook_output",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.CheckConstraint("stream IN ('out', 'err')", name=op.f("ck_runbook_output_stream")),
        sa.PrimaryKeyConstraint("run_id", "number", name=op.f("pk_runbook_output")),
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("runbook_output", "runbook_journal", "runbook_runs", "runbook_documents"):
        op.drop_table(table)
