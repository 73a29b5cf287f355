"""Whole answers of long ago may be in the file store: their rows say by which digest."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "g2_20270103_archives"
down_revision = "g2_20270102_thorough"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, empty: every answer is whole."""
    op.add_column("attributions", sa.Column("archived", sa.String(64), nullable=True))
    _index("whole", ["tenant", "created_at", "id"], "archived IS NULL")
    _index("surplus", ["tenant"], "archived = ''")


def downgrade() -> None:
    """Drop the column; refuse where an answer would be lost."""
    archived = op.get_bind().scalar(
        sa.text("SELECT count(*) FROM attributions WHERE archived <> ''")
    )
    if archived:
        raise RuntimeError(
            f"{archived} answers are in the file store, which the version before does not read"
        )
    op.drop_index("ix_attributions_surplus", "attributions")
    op.drop_index("ix_attributions_whole", "attributions")
    with op.batch_alter_table("attributions") as table:
        table.drop_column("archived")


def _index(name: str, columns: list[str], which: str) -> None:
    where = sa.text(which)
    op.create_index(
        f"ix_attributions_{name}",
        "attributions",
        columns,
        postgresql_where=where,
        sqlite_where=where,
    )
