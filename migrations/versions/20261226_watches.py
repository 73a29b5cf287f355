"""Watches: artists whose copies the desk wants to see, images that are asked about again."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "20261226_watches"
down_revision = "20261225_holds"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)
TABLES = ("watches", "alerts", "quarantines")
MINE = "current_setting('lawful.tenant', true) IN (tenant, '*')"


def upgrade() -> None:
    """Make the tables, empty."""
    op.create_table(
        "watches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("artist", sa.Text(), nullable=True),
        _to("watches", "subject_id", "subjects.id", nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("until", MOMENT, nullable=True),
        sa.Column("compare_at", MOMENT, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("ended_why", sa.Text(), nullable=True),
        sa.Column("seal", JSON, nullable=False, server_default="{}"),
        sa.Column("sealed", sa.BigInteger(), nullable=True),
        _tenant(),
        sa.CheckConstraint(
            "(artist IS NULL) <> (subject_id IS NULL)", name=op.f("ck_watches_one_thing")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watches")),
    )
    for columns in (
        ["subject_id"],
        ["sealed"],
        ["artist", "tenant"],
        ["compare_at", "tenant"],
        ["tenant", "at", "id"],
    ):
        _index("watches", *columns)
    op.create_table(
        "alerts",
        _to("alerts", "attribution_id", "attributions.id"),
        _to("alerts", "watch_id", "watches.id"),
        _to("alerts", "artwork_id", "artworks.id"),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=True),
        _to("alerts", "case_id", "cases.id", nullable=True),
        _tenant(),
        sa.PrimaryKeyConstraint("attribution_id", name=op.f("pk_alerts")),
    )
    _index("alerts", "seen_at", "tenant")
    _index("alerts", "artwork_id", "at")
    op.create_table(
        "quarantines",
        sa.Column("id", sa.Uuid(), nullable=False),
        _to("quarantines", "watch_id", "watches.id"),
        _to("quarantines", "artwork_id", "artworks.id"),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("cases", sa.Integer(), nullable=False),
        sa.Column("usual", sa.Double(), nullable=False),
        sa.Column("released_at", MOMENT, nullable=True),
        sa.Column("released_by", sa.Text(), nullable=True),
        sa.Column("released_why", sa.Text(), nullable=True),
        _tenant(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantines")),
    )
    _index("quarantines", "watch_id")
    if op.get_bind().dialect.name == "postgresql":
        for table in TABLES:
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"CREATE POLICY tenant ON {table} USING ({MINE}) WITH CHECK ({MINE})")


def downgrade() -> None:
    """Forget every watch, alert and quarantine."""
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
