"""A lookup batch says whether its images are looked up thoroughly.

In the generation of answers of version 7: a program of before does not know what they leave out.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "g2_20270102_thorough"
down_revision = "g2_20270101_halves"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column: what waits was asked when every lookup was thorough."""
    op.add_column(
        "lookup_batches",
        sa.Column("is_thorough", sa.Boolean(), nullable=False, server_default=sa.true()),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_column("lookup_batches", "is_thorough")
