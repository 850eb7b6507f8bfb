"""Backups: repositories, jobs, runs, snapshots."""

import sqlalchemy as sa
from alembic import op

revision = "s0007"
down_revision = "s0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "backup_repositories",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), server_default="screen", nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("memory", sa.Text(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backup_repositories")),
        sa.UniqueConstraint("name", name=op.f("uq_backup_repositories_name")),
    )
    op.create_table(
        "backup_jobs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("host_id", sa.Text(), nullable=False),
        sa.Column("repository_id", sa.Text(), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), server_default="screen", nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("memory", sa.Text(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backup_jobs")),
        sa.UniqueConstraint("name", name=op.f("uq_backup_jobs_name")),
    )
    op.create_table(
        "backup_runs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("repository_id", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), server_default="", nullable=False),
        sa.Column("queued_at", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.Column("row", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("log", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'ended', 'lost')", name=op.f("ck_backup_runs_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backup_runs")),
    )
    op.create_index(
        op.f("ix_backup_runs_job_id_operation_queued_at"), "backup_runs", ["job_id", "operation", "queued_at"]
    )
    op.create_index(
        op.f("ix_backup_runs_repository_id_operation_queued_at"), "backup_runs", ["repository_id", "operation", "queued_at"],
    )  # fmt: skip
    op.create_index(op.f("ix_backup_runs_state"), "backup_runs", ["state"])
    op.create_table(
        "backup_snapshots",
        sa.Column("repository_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("good", sa.Integer(), server_default="1", nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("repository_id", "id", name=op.f("pk_backup_snapshots")),
    )
    op.create_index(op.f("ix_backup_snapshots_job_id_at"), "backup_snapshots", ["job_id", "at"])
    op.create_index(op.f("ix_backup_snapshots_repository_id_at"), "backup_snapshots", ["repository_id", "at"])
    op.create_table(
        "backup_hashes",
        sa.Column("repository_id", sa.Text(), nullable=False),
        sa.Column("snapshot_id", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("repository_id", "snapshot_id", name=op.f("pk_backup_hashes")),
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("backup_hashes", "backup_snapshots", "backup_runs", "backup_jobs", "backup_repositories"):
        op.drop_table(table)
