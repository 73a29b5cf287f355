"""Pictures that were drawn are found again by the bits that were hidden in them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261228_watermarks"
down_revision = "20261227_desk"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the bits; pictures that were drawn before have none."""
    with op.batch_alter_table("drawn_pictures") as table:
        table.add_column(sa.Column("watermark", sa.String(128)))
        table.create_index(op.f("ix_drawn_pictures_watermark_tenant"), ["watermark", "tenant"])


def downgrade() -> None:
    """Drop the bits."""
    with op.batch_alter_table("drawn_pictures") as table:
        table.drop_index(op.f("ix_drawn_pictures_watermark_tenant"))
        table.drop_column("watermark")
