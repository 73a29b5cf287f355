"""What the votes were found to mean.

Types are spelt out and not imported: a revision describes the tables of its day, whatever the
models say later.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261127_calibrations"
down_revision = "20261126_classifier_statistics"
branch_labels = None
depends_on = None

VALUES = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Create the table, empty: `lawful calibrate` or the next change of the catalogue fills it."""
    op.create_table(
        "calibrations",
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stamp", sa.String(64), nullable=False),
        sa.Column("works", sa.Integer(), nullable=False),
        sa.Column("artists", sa.Integer(), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("voices", VALUES, nullable=False),
        sa.Column("numbers", VALUES, nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_calibrations"),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("calibrations")
