"""First metrics tables."""

import sqlalchemy as sa
from alembic import op

revision = "m0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "chunks",
        sa.Column("host_id", sa.Text(), nullable=False),
        sa.Column("resolution", sa.Integer(), nullable=False),
        sa.Column("period", sa.Integer(), nullable=False),
        sa.Column("start", sa.Float(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("resolution IN (0, 60, 900)", name=op.f("ck_chunks_resolution")),
        sa.PrimaryKeyConstraint("host_id", "resolution", "period", "start", name=op.f("pk_chunks")),
    )
    op.create_index(op.f("ix_chunks_resolution_start"), "chunks", ["resolution", "start"], unique=False)
    op.create_table(
        "hot",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("host_id", sa.Text(), nullable=False),
        sa.Column("period", sa.Integer(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("layout", sa.Text(), nullable=False),
        sa.Column("vals", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hot")),
    )
    op.create_table(
        "layouts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("names", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_layouts")),
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("layouts")
    op.drop_table("hot")
    op.drop_index(op.f("ix_chunks_resolution_start"), table_name="chunks")
    op.drop_table("chunks")
