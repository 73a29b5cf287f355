"""Declared non-copies have an id, an end, and stand in the record of changes, which says by whom.

Those of before were made by nobody knows whom; they hold on, and can be revoked.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261204_declared_non_copies"
down_revision = "20261203_certain_hashes"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)
KINDS = ("correct", "move", "split", "merge", "rename", "alias", "undo")
MORE_KINDS = (*KINDS, "declare", "revoke")
BEFORE = "unknown: declared before this was asked for"

artworks = sa.table("artworks", sa.column("id", sa.Uuid()), sa.column("artist_id", sa.Uuid()))
changes = sa.table(
    "changes",
    *(sa.column(name, sa.Uuid()) for name in ("id", "artist_id", "artwork_id", "undoes_id")),
    *(sa.column(name, sa.Text()) for name in ("kind", "origin", "by")),
    *(sa.column(name, MOMENT) for name in ("made_at", "completed_at")),
    *(sa.column(name, JSON) for name in ("before", "after")),
    sa.column("works", sa.Integer()),
)
non_copies = sa.table(
    "non_copies",
    *(sa.column(name, sa.Uuid()) for name in ("id", "artwork_id")),
    *(sa.column(name, sa.Text()) for name in ("image_sha256", "image_phash")),
    *(sa.column(name, MOMENT) for name in ("until", "created_at")),
)
KEPT = ("artwork_id", "image_sha256", "image_phash")


def upgrade() -> None:
    """Make the table anew, and a change for each declaration that there is."""
    bind = op.get_bind()
    wanted = sa.select(
        *(non_copies.c[name] for name in (*KEPT, "created_at")), artworks.c.artist_id
    )
    known = bind.execute(wanted.join(artworks, artworks.c.id == non_copies.c.artwork_id)).mappings()
    rows = [{"id": uuid4(), **row} for row in known]
    with op.batch_alter_table("changes") as table:
        table.add_column(sa.Column("by", sa.Text(), nullable=True))
    _allow(MORE_KINDS)
    op.drop_table("non_copies")
    op.create_table(
        "non_copies",
        sa.Column("id", sa.Uuid(), nullable=False),
        *_kept_columns(),
        sa.Column("until", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_non_copies")),
        _key("artwork_id", "artworks"),
        _key("id", "changes"),
    )
    op.create_index(op.f("ix_non_copies_artwork_id"), "non_copies", ["artwork_id"])
    if rows:
        bind.execute(changes.insert(), [_change(row) for row in rows])
        bind.execute(
            non_copies.insert(), [{name: row[name] for name in ("id", *KEPT)} for row in rows]
        )


def downgrade() -> None:
    """Keep the declarations that are in force; who made them, and which were revoked, is lost."""
    bind = op.get_bind()
    revoked = sa.select(changes.c.undoes_id).where(changes.c.kind == "revoke")
    pair = non_copies.c.artwork_id, non_copies.c.image_sha256
    first = sa.func.min(non_copies.c.image_phash), sa.func.min(changes.c.made_at)
    wanted = (
        sa.select(*pair, *first)
        .join(changes, changes.c.id == non_copies.c.id)
        .where(
            non_copies.c.id.not_in(revoked),
            non_copies.c.until.is_(None) | (non_copies.c.until > sa.func.current_timestamp()),
        )
        .group_by(*pair)
    )
    names = (*KEPT, "created_at")
    rows = [dict(zip(names, row, strict=True)) for row in bind.execute(wanted)]
    op.drop_table("non_copies")
    op.create_table(
        "non_copies",
        *_kept_columns(),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("artwork_id", "image_sha256", name=op.f("pk_non_copies")),
        _key("artwork_id", "artworks"),
    )
    if rows:
        bind.execute(non_copies.insert(), rows)
    for kind in ("revoke", "declare"):
        bind.execute(changes.delete().where(changes.c.kind == kind))
    _allow(KINDS)
    with op.batch_alter_table("changes") as table:
        table.drop_column("by")


def _kept_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("artwork_id", sa.Uuid(), nullable=False),
        sa.Column("image_sha256", sa.String(64), nullable=False),
        sa.Column("image_phash", sa.String(16), nullable=False),
    ]


def _key(column: str, table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_non_copies_{column}_{table}")
    return sa.ForeignKeyConstraint([column], [f"{table}.id"], name=name)


def _change(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "kind": "declare",
        "artist_id": row["artist_id"],
        "artwork_id": row["artwork_id"],
        "works": 0,
        "origin": "api",  # there was no other door
        "by": BEFORE,
        "made_at": row["created_at"],
        "completed_at": row["created_at"],
        "before": {},
        "after": {"image_sha256": row["image_sha256"]},
    }


def _allow(kinds: tuple[str, ...]) -> None:
    listed = ", ".join(repr(one) for one in kinds)
    with op.batch_alter_table("changes") as table:
        table.drop_constraint(op.f("ck_changes_kind"), type_="check")
        table.create_check_constraint(op.f("ck_changes_kind"), f"kind IN ({listed})")
