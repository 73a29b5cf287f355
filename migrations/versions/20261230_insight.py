"""A calibration keeps how often its probabilities were right.

Of those made before, nothing is kept.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261230_insight"
down_revision = "20261229_walls"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Add the column."""
    with op.batch_alter_table("calibrations") as table:
        table.add_column(sa.Column("reliability", DOCUMENT, nullable=False, server_default="{}"))


def downgrade() -> None:
    """Drop the column."""
    with op.batch_alter_table("calibrations") as table:
        table.drop_column("reliability")
