"""Lookup batches take turns, what is slow can be asked for again; what tenants hold is counted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261218_limits"
down_revision = "20261217_originals"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
OUTCOMES = "'pending', 'answered', 'refused'"


def upgrade() -> None:
    """Add when each was last in turn, the outcome, and the counts."""
    moment = sa.DateTime(timezone=True)
    op.add_column("lookup_batches", sa.Column("last_turn", moment, nullable=True))
    op.add_column("tenants", sa.Column("last_lookup", moment, nullable=True))
    _set_outcomes(f"{OUTCOMES}, 'timed_out'")
    for column, kind in (("held_works", sa.Integer()), ("held_bytes", sa.BigInteger())):
        op.add_column("tenants", sa.Column(column, kind, nullable=False, server_default="0"))
    _count_held()


def downgrade() -> None:
    """Refuse what timed out, as an earlier version did."""
    op.execute("UPDATE lookup_items SET outcome = 'refused' WHERE outcome = 'timed_out'")
    _set_outcomes(OUTCOMES)
    for column in ("held_bytes", "held_works", "last_lookup"):
        op.drop_column("tenants", column)
    op.drop_column("lookup_batches", "last_turn")


def _count_held() -> None:
    """Count the works of each tenant that are not withdrawn, and the bytes of their files."""
    held = ("name", "held_works", "held_bytes")
    tenants = sa.table("tenants", *(sa.column(name) for name in held))
    facts = sa.column("facts", JSON)
    works = sa.table("artworks", sa.column("tenant"), sa.column("status"), facts)
    is_held = (works.c.tenant == tenants.c.name) & (works.c.status != "withdrawn")
    counted = sa.select(sa.func.count()).select_from(works).where(is_held)
    size = sa.func.coalesce(sa.func.sum(works.c.facts["bytes"].as_integer()), 0)
    op.execute(
        sa.update(tenants).values(
            held_works=counted.scalar_subquery(),
            held_bytes=sa.select(size).where(is_held).scalar_subquery(),
        )
    )


def _set_outcomes(outcomes: str) -> None:
    with op.batch_alter_table("lookup_items") as table:
        table.drop_constraint(op.f("ck_lookup_items_outcome"), type_="check")
        table.create_check_constraint(op.f("ck_lookup_items_outcome"), f"outcome IN ({outcomes})")
