"""Watches: artists whose copies the desk wants to see, images that are asked about again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "20261226_watches"
down_revision = "20261225_holds"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)
TABLES = ("watches",)
MINE = "current_setting('lawful.tenant', true) IN (tenant, '*')"


def upgrade() -> None:
    """Make the tables, empty."""
    op.create_table(
        "watches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("artist", sa.Text(), nullable=True),
        sa.Column(
            "subject_id",
            sa.Uuid(),
            sa.ForeignKey("subjects.id", name=op.f("fk_watches_subject_id_subjects")),
            nullable=True,
        ),
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
        sa.CheckConstraint(
            "(artist IS NULL) <> (subject_id IS NULL)", name=op.f("ck_watches_one_thing")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watches")),
    )
    for columns in (["subject_id"], ["sealed"], ["artist", "tenant"], ["tenant", "at", "id"]):
        _index("watches", *columns)
    if op.get_bind().dialect.name == "postgresql":
        for table in TABLES:
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"CREATE POLICY tenant ON {table} USING ({MINE}) WITH CHECK ({MINE})")


def downgrade() -> None:
    """Forget every watch."""
    for table in reversed(TABLES):
        op.drop_table(table)


def _tenant() -> sa.Column[str]:
    return sa.Column("tenant", sa.String(40), nullable=False, server_default="default")


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns))
