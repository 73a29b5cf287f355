"""Licences get their identifiers, works the words of their dates.

Types are spelt out and not imported: a revision describes the tables of its day, whatever the
models say later. What a licence is called is imported: it is no matter of tables.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from attribution.catalogue.licences import identify

revision = "20261130_licence_ids"
down_revision = "20261129_generations"
branch_labels = None
depends_on = None

AT_ONCE = 1_000
WORKS = sa.table(
    "artworks", sa.column("id", sa.Uuid()), sa.column("licence"), sa.column("licence_id")
)


def upgrade() -> None:
    """Add the columns, and fill in the identifiers of the licences that are there."""
    op.add_column("artworks", sa.Column("dated", sa.Text(), nullable=True))
    op.add_column("artworks", sa.Column("licence_id", sa.String(64), nullable=True))
    last = None
    while rows := _licensed(last):
        named = [(work, found) for work, text in rows if (found := identify(text))]
        if named:
            op.get_bind().execute(
                sa.update(WORKS)
                .where(WORKS.c.id == sa.bindparam("work"))
                .values(licence_id=sa.bindparam("found")),
                [{"work": work, "found": found} for work, found in named],
            )
        last = rows[-1][0]
    op.create_index(
        op.f("ix_artworks_licence_id_created_at_id"),
        "artworks",
        ["licence_id", "created_at", "id"],
    )


def downgrade() -> None:
    """Drop what was added."""
    op.drop_index(op.f("ix_artworks_licence_id_created_at_id"), "artworks")
    op.drop_column("artworks", "licence_id")
    op.drop_column("artworks", "dated")


def _licensed(last: object) -> list[tuple[Any, str]]:
    """Return the next works that say a licence, behind `last`, by their ids."""
    wanted = sa.select(WORKS.c.id, WORKS.c.licence).where(WORKS.c.licence.is_not(None))
    if last is not None:
        wanted = wanted.where(WORKS.c.id > last)
    found = op.get_bind().execute(wanted.order_by(WORKS.c.id).limit(AT_ONCE))
    return [(work, text) for work, text in found]
