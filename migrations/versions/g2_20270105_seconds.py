"""A calibration says how long it took."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "g2_20270105_seconds"
down_revision = "g2_20270104_thinned"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column: of earlier ones nobody knows."""
    op.add_column("calibrations", sa.Column("seconds", sa.Double(), nullable=True))


def downgrade() -> None:
    """Drop the column."""
    with op.batch_alter_table("calibrations") as table:
        table.drop_column("seconds")
