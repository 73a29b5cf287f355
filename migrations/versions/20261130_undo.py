"""What changes took along, in rows: so that they can be undone.

Types are spelt out and not imported: a revision describes the tables of its day, whatever the
models say later.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261130_undo"
down_revision = "20261130_patient_jobs"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)
KINDS = ("correct", "move", "merge", "rename", "alias")
MORE_KINDS = ("correct", "move", "split", "merge", "rename", "alias", "undo")
AT_ONCE = 1_000  # rows in one statement

artists = sa.table("artists", sa.column("id", sa.Uuid()), sa.column("slug", sa.Text()))
changes = sa.table(
    "changes",
    sa.column("id", sa.Uuid()),
    sa.column("kind", sa.Text()),
    sa.column("artwork_id", sa.Uuid()),
    sa.column("from_artist_id", sa.Uuid()),
    sa.column("works", sa.Integer()),
    sa.column("before", JSON),
    sa.column("merged_slug", sa.Text()),
)
change_works = sa.table(
    "change_works", sa.column("change_id", sa.Uuid()), sa.column("artwork_id", sa.Uuid())
)


def upgrade() -> None:
    """Make the tables; what a merge said of its works becomes rows."""
    with op.batch_alter_table("changes") as table:
        table.add_column(sa.Column("from_artist_id", sa.Uuid()))
        table.add_column(sa.Column("undoes_id", sa.Uuid()))
        table.add_column(sa.Column("works", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("changes") as table:
        table.alter_column("works", server_default=None)
        table.create_index("ix_changes_from_artist_id", ["from_artist_id"])
        table.create_unique_constraint("uq_changes_undoes_id", ["undoes_id"])
        table.create_foreign_key("fk_changes_undoes_id_changes", "changes", ["undoes_id"], ["id"])
    _allow(MORE_KINDS)
    _make_tables()
    bind = op.get_bind()
    named = changes.c.kind.in_(("correct", "move"))
    bind.execute(changes.update().where(named).values(works=1))
    _keep_works_of_merges(bind)
    _keep_artists_of_moves(bind)


def downgrade() -> None:
    """Drop what was added; undos and splits stay done, their record goes.

    The slug of an artist that was merged a second time still leads to the one who remains.
    """
    bind = op.get_bind()
    again = (changes.c.kind == "undo") & changes.c.merged_slug.is_not(None)
    bind.execute(changes.update().where(again).values(kind="merge"))
    merges = sa.select(changes.c.id, changes.c.before).where(changes.c.kind == "merge")
    for change, before in bind.execute(merges).all():
        own = sa.select(change_works.c.artwork_id).where(change_works.c.change_id == change)
        works = [str(work) for work in bind.execute(own.order_by("artwork_id")).scalars()]
        said = {name: before[name] for name in ("slug", "name")} | {"works": works}
        bind.execute(changes.update().where(changes.c.id == change).values(before=said))
    for name in ("change_works", "change_claims", "change_rows"):
        op.drop_table(name)
    with op.batch_alter_table("changes") as table:
        table.drop_constraint("fk_changes_undoes_id_changes", type_="foreignkey")
        table.drop_constraint("uq_changes_undoes_id", type_="unique")
        table.drop_index("ix_changes_from_artist_id")
        for column in ("from_artist_id", "undoes_id", "works"):
            table.drop_column(column)
    bind.execute(changes.delete().where(changes.c.kind.in_(("undo", "split"))))
    _allow(KINDS)


def _make_tables() -> None:
    def key(name: str, target: str, table: str) -> sa.ForeignKeyConstraint:
        return sa.ForeignKeyConstraint([name], [f"{target}.id"], name=f"fk_{table}_{name}_{target}")

    op.create_table(
        "change_works",
        sa.Column("change_id", sa.Uuid(), nullable=False),
        sa.Column("artwork_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("change_id", "artwork_id", name="pk_change_works"),
        key("change_id", "changes", "change_works"),
        key("artwork_id", "artworks", "change_works"),
    )
    op.create_index("ix_change_works_artwork_id", "change_works", ["artwork_id"])
    op.create_table(
        "change_claims",
        sa.Column("change_id", sa.Uuid(), nullable=False),
        sa.Column("artwork_id", sa.Uuid(), nullable=False),
        sa.Column("artist_id", sa.Uuid(), nullable=False),
        sa.Column("passed_on", sa.Boolean(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Uuid()),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("change_id", "artwork_id", "artist_id", name="pk_change_claims"),
        key("change_id", "changes", "change_claims"),
        key("artwork_id", "artworks", "change_claims"),
        key("job_id", "ingest_jobs", "change_claims"),
    )
    op.create_index("ix_change_claims_artwork_id", "change_claims", ["artwork_id"])
    op.create_table(
        "change_rows",
        sa.Column("change_id", sa.Uuid(), nullable=False),
        sa.Column("row_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("change_id", "row_id", name="pk_change_rows"),
        key("change_id", "changes", "change_rows"),
    )


def _keep_works_of_merges(bind: sa.Connection) -> None:
    """Earlier merges did not keep the id of the artist that has gone: it gets another one."""
    merges = bind.execute(sa.select(changes.c.id).where(changes.c.kind == "merge")).scalars().all()
    for change in merges:
        own = sa.select(changes.c.before).where(changes.c.id == change)
        before = dict(bind.execute(own).scalar_one())
        works = [UUID(work) for work in before.pop("works", [])]
        for few in _batches(works):
            rows = [{"change_id": change, "artwork_id": work} for work in few]
            bind.execute(change_works.insert(), rows)
        values = {"before": before, "works": len(works), "from_artist_id": uuid4()}
        bind.execute(changes.update().where(changes.c.id == change).values(values))


def _keep_artists_of_moves(bind: sa.Connection) -> None:
    slugs = dict(bind.execute(sa.select(artists.c.slug, artists.c.id)).all())
    merged = sa.select(changes.c.merged_slug, changes.c.from_artist_id)
    merged = merged.where(changes.c.merged_slug.is_not(None))
    slugs |= dict(bind.execute(merged).all())
    moves = sa.select(changes.c.id, changes.c.artwork_id, changes.c.before)
    found = bind.execute(moves.where(changes.c.kind == "move")).all()
    for few in _batches(found):
        bind.execute(
            change_works.insert(),
            [{"change_id": change, "artwork_id": work} for change, work, _ in few],
        )
        for change, _, before in few:
            old = slugs.get(before.get("artist"))
            bind.execute(changes.update().where(changes.c.id == change).values(from_artist_id=old))


def _batches(rows: Sequence[Any]) -> Iterator[list[Any]]:
    left = iter(rows)
    while few := list(islice(left, AT_ONCE)):
        yield few


def _allow(kinds: tuple[str, ...]) -> None:
    listed = ", ".join(repr(one) for one in kinds)
    with op.batch_alter_table("changes") as table:
        table.drop_constraint(op.f("ck_changes_kind"), type_="check")
        table.create_check_constraint(op.f("ck_changes_kind"), f"kind IN ({listed})")
