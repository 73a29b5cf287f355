"""Webhooks that are told of copies once people have decided; those that are there go on at once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261227_desk"
down_revision = "20261226_watches"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the columns; a webhook that is there keeps being told at once."""
    with op.batch_alter_table("webhooks") as table:
        after = sa.Column("after", sa.String(16), nullable=False, server_default="found")
        table.add_column(after)
        table.create_check_constraint(op.f("ck_webhooks_after"), "after IN ('found', 'review')")
    with op.batch_alter_table("webhooks") as table:
        table.alter_column("after", server_default=None)
    op.add_column("case_findings", sa.Column("told_at", MOMENT, nullable=True))


def downgrade() -> None:
    """Have every webhook told at once again, and forget of which findings they were told."""
    op.drop_column("case_findings", "told_at")
    with op.batch_alter_table("webhooks") as table:
        table.drop_constraint(op.f("ck_webhooks_after"), type_="check")
        table.drop_column("after")
