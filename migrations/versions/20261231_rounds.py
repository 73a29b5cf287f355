"""Catalogue and index are compared a range at a time: how far each tenant's comparison has got."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261231_rounds"
down_revision = "20261231_tallies"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MINE = "current_setting('lawful.tenant', true) IN (tenant, '*')"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "rounds",
        sa.Column("door", sa.String(16), nullable=False),
        sa.Column("step", sa.String(16), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.Column("repair", sa.Boolean(), nullable=False),
        sa.Column("found", DOCUMENT, nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant", sa.String(40), nullable=False, server_default="default"),
        sa.PrimaryKeyConstraint("door", "tenant", name=op.f("pk_rounds")),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE rounds ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE rounds FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON rounds USING ({MINE}) WITH CHECK ({MINE})")


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("rounds")
