"""Works are described in parts as well: tiles of strips, transparent pictures on other grounds.

What is kept already describes whole works: it is part 0.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "20261130_parts"
down_revision = "20261130_blank_works"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
KEY = "pk_copy_sketches"


def upgrade() -> None:
    """Add numbers of the parts of works, and the table of their vectors."""
    with op.batch_alter_table("copy_sketches") as table:
        table.add_column(sa.Column("part", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("box", JSON, nullable=False, server_default="[0, 0, 1, 1]"))
        table.drop_constraint(KEY, type_="primary")
        table.create_primary_key(KEY, ["artwork_id", "part"])
    with op.batch_alter_table("copy_sketches") as table:
        table.alter_column("part", server_default=None)
        table.alter_column("box", server_default=None)
    op.create_table(
        "part_vectors",
        sa.Column("artwork_id", sa.Uuid(), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("vectors", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("artwork_id", "fingerprint", name=op.f("pk_part_vectors")),
        sa.ForeignKeyConstraint(
            ["artwork_id"], ["artworks.id"], name=op.f("fk_part_vectors_artwork_id_artworks")
        ),
    )


def downgrade() -> None:
    """Drop what describes parts; the whole works stay described."""
    op.drop_table("part_vectors")
    op.execute("DELETE FROM copy_sketches WHERE part > 0")
    with op.batch_alter_table("copy_sketches") as table:
        table.drop_constraint(KEY, type_="primary")
        table.create_primary_key(KEY, ["artwork_id"])
        table.drop_column("box")
        table.drop_column("part")
