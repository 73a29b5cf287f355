"""Legal holds: what cases keep, whatever is withdrawn or forgotten meanwhile."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "20261225_holds"
down_revision = "20261224_marks"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)
TABLES = ("holds", "held_exhibits", "exhibit_holds")
MINE = "current_setting('lawful.tenant', true) IN (tenant, '*')"
ONE_OF_THREE = (
    "(artwork_id IS NOT NULL AND artist IS NULL AND subject_id IS NULL) OR "
    "(artwork_id IS NULL AND artist IS NOT NULL AND subject_id IS NULL) OR "
    "(artwork_id IS NULL AND artist IS NULL AND subject_id IS NOT NULL)"
)


def upgrade() -> None:
    """Make the tables, empty."""
    op.create_table(
        "holds",
        sa.Column("id", sa.Uuid(), nullable=False),
        _to("holds", "case_id", "cases.id"),
        _to("holds", "artwork_id", "artworks.id", nullable=True),
        sa.Column("artist", sa.Text(), nullable=True),
        _to("holds", "subject_id", "subjects.id", nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("until", MOMENT, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("ended_why", sa.Text(), nullable=True),
        sa.Column("seal", JSON, nullable=False, server_default="{}"),
        sa.Column("sealed", sa.BigInteger(), nullable=True),
        _tenant(),
        sa.CheckConstraint(ONE_OF_THREE, name=op.f("ck_holds_one_thing")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
    )
    for columns in (
        ["case_id"],
        ["artwork_id"],
        ["subject_id"],
        ["sealed"],
        ["ended_at", "tenant"],
    ):
        _index("holds", *columns)
    op.create_table(
        "held_exhibits",
        _to("held_exhibits", "artwork_id", "artworks.id"),
        sa.Column("withdrawal_id", sa.Uuid(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("is_encrypted", sa.Boolean(), nullable=False),
        _tenant(),
        sa.PrimaryKeyConstraint("artwork_id", name=op.f("pk_held_exhibits")),
    )
    _index("held_exhibits", "withdrawal_id")
    op.create_table(
        "exhibit_holds",
        _to("exhibit_holds", "hold_id", "holds.id"),
        _to("exhibit_holds", "artwork_id", "held_exhibits.artwork_id"),
        _tenant(),
        sa.PrimaryKeyConstraint("hold_id", "artwork_id", name=op.f("pk_exhibit_holds")),
    )
    _index("exhibit_holds", "artwork_id")
    if op.get_bind().dialect.name == "postgresql":
        for table in TABLES:
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"CREATE POLICY tenant ON {table} USING ({MINE}) WITH CHECK ({MINE})")


def downgrade() -> None:
    """Forget every hold, and what was kept for them."""
    for table in reversed(TABLES):
        op.drop_table(table)


def _to(table: str, column: str, parent: str, *, nullable: bool = False) -> sa.Column[UUID]:
    name = op.f(f"fk_{table}_{column}_{parent.partition('.')[0]}")
    key = sa.ForeignKey(parent, name=name)
    return sa.Column(column, sa.Uuid(), key, nullable=nullable)


def _tenant() -> sa.Column[str]:
    return sa.Column("tenant", sa.String(40), nullable=False, server_default="default")


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns))
