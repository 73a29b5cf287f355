"""Ingest jobs of long ago keep numbers in place of lines that tell of nothing."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "g2_20270104_thinned"
down_revision = "g2_20270103_archives"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns: all lines are kept."""
    numbers = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    op.add_column("ingest_jobs", sa.Column("gone", numbers, nullable=True))
    op.add_column("ingest_jobs", sa.Column("thinned_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Drop the columns, and the numbers of lines that are gone."""
    with op.batch_alter_table("ingest_jobs") as table:
        table.drop_column("thinned_at")
        table.drop_column("gone")
