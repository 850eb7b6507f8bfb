"""Facts of hosts, kept over a restart."""

import sqlalchemy as sa
from alembic import op

revision = "s0006"
down_revision = "s0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "host_facts",
        sa.Column("host_id", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("read_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("host_id", name=op.f("pk_host_facts")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("host_facts")
