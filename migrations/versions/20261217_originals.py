"""Answers are listed by whose work an image is a copy of: a cited work says that it is the one."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "20261217_originals"
down_revision = "20261216_webhooks"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
ANSWERS = sa.table(
    "attributions",
    sa.column("id", sa.Uuid()),
    sa.column("verdict", sa.String()),
    sa.column("answer", JSON),
)
CITED = sa.table(
    "cited_works",
    sa.column("artwork_id", sa.Uuid()),
    sa.column("attribution_id", sa.Uuid()),
    sa.column("is_original", sa.Boolean()),
)


def upgrade() -> None:
    """Add the column, and read from the answers that are there which work it is."""
    op.add_column(
        "cited_works",
        sa.Column("is_original", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    connection = op.get_bind()
    original = ANSWERS.c.answer["copy_of"]["id"].as_string()
    copies = sa.select(ANSWERS.c.id, original.label("original")).where(ANSWERS.c.verdict == "copy")
    known = CITED.update().where(
        CITED.c.attribution_id == sa.bindparam("answer"),
        CITED.c.artwork_id == sa.bindparam("work", type_=sa.Uuid()),
    )
    found = connection.execute(copies).all()
    if rows := [{"answer": row.id, "work": UUID(row.original)} for row in found if row.original]:
        connection.execute(known.values(is_original=True), rows)


def downgrade() -> None:
    """Remove the column."""
    with op.batch_alter_table("cited_works") as cited:
        cited.drop_column("is_original")
