"""Corrections: the record of changes, captions, and the outcome "corrected".

Types are spelt out and not imported: a revision describes the tables of its day, whatever the
models say later.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261127_corrections"
down_revision = "20261127_calibrations"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)
SLUG = sa.String(80).with_variant(sa.String(80, collation="C"), "postgresql")
OUTCOMES = ("pending", "added", "known", "conflict", "refused")
MORE_OUTCOMES = ("pending", "added", "known", "corrected", "conflict", "refused")


def upgrade() -> None:
    """Create the table, add the column, widen the outcomes."""
    op.create_table(
        "changes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("artist_id", sa.Uuid(), nullable=False),
        sa.Column("artwork_id", sa.Uuid()),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("completed_at", MOMENT),
        sa.Column("before", JSON, nullable=False),
        sa.Column("after", JSON, nullable=False),
        sa.Column("merged_slug", SLUG),
        sa.PrimaryKeyConstraint("id", name="pk_changes"),
        sa.UniqueConstraint("merged_slug", name="uq_changes_merged_slug"),
        sa.ForeignKeyConstraint(["artist_id"], ["artists.id"], name="fk_changes_artist_id_artists"),
        sa.ForeignKeyConstraint(
            ["artwork_id"], ["artworks.id"], name="fk_changes_artwork_id_artworks"
        ),
        sa.CheckConstraint(
            "kind IN ('correct', 'move', 'merge', 'rename', 'alias')", name=op.f("ck_changes_kind")
        ),
    )
    op.create_index("ix_changes_artist_id", "changes", ["artist_id"])
    op.create_index("ix_changes_artwork_id", "changes", ["artwork_id"])
    op.create_index("ix_changes_made_at_id", "changes", ["made_at", "id"])
    op.create_index(
        "ix_changes_unfinished",
        "changes",
        ["made_at"],
        postgresql_where=sa.text("completed_at IS NULL"),
        sqlite_where=sa.text("completed_at IS NULL"),
    )
    with op.batch_alter_table("artworks") as table:
        table.add_column(sa.Column("caption", sa.Text()))
    _allow(MORE_OUTCOMES)


def downgrade() -> None:
    """Drop what was added; corrected files were known ones."""
    op.execute("UPDATE ingest_items SET outcome = 'known' WHERE outcome = 'corrected'")
    _allow(OUTCOMES)
    with op.batch_alter_table("artworks") as table:
        table.drop_column("caption")
    op.drop_table("changes")


def _allow(outcomes: tuple[str, ...]) -> None:
    listed = ", ".join(repr(one) for one in outcomes)
    with op.batch_alter_table("ingest_items") as table:
        table.drop_constraint(op.f("ck_ingest_items_outcome"), type_="check")
        table.create_check_constraint(op.f("ck_ingest_items_outcome"), f"outcome IN ({listed})")
