"""Jobs that may widen consents and licences of works that are known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261201_freer_jobs"
down_revision = "20261130_parts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; jobs that are there may not."""
    with op.batch_alter_table("ingest_jobs") as table:
        table.add_column(
            sa.Column("allow_freer", sa.Boolean(), nullable=False, server_default=sa.false())
        )
    with op.batch_alter_table("ingest_jobs") as table:
        table.alter_column("allow_freer", server_default=None)


def downgrade() -> None:
    """Drop the column."""
    with op.batch_alter_table("ingest_jobs") as table:
        table.drop_column("allow_freer")
