"""What copies are recognised by, and declared non-copies.

Works that are there already get their sketches from kept originals or thumbnails:
`lawful reconcile --repair`.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261128_copy_sketches"
down_revision = "20261127_corrections"
branch_labels = None
depends_on = None

BANDS = ("band_0", "band_1", "band_2", "band_3")


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "copy_sketches",
        sa.Column("artwork_id", sa.Uuid(), nullable=False),
        sa.Column("phash", sa.String(16), nullable=False),
        *(sa.Column(band, sa.Integer(), nullable=False) for band in BANDS),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("artwork_id", name=op.f("pk_copy_sketches")),
        sa.ForeignKeyConstraint(
            ["artwork_id"], ["artworks.id"], name=op.f("fk_copy_sketches_artwork_id_artworks")
        ),
    )
    for band in BANDS:
        op.create_index(op.f(f"ix_copy_sketches_{band}"), "copy_sketches", [band])
    op.create_table(
        "non_copies",
        sa.Column("artwork_id", sa.Uuid(), nullable=False),
        sa.Column("image_sha256", sa.String(64), nullable=False),
        sa.Column("image_phash", sa.String(16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("artwork_id", "image_sha256", name=op.f("pk_non_copies")),
        sa.ForeignKeyConstraint(
            ["artwork_id"], ["artworks.id"], name=op.f("fk_non_copies_artwork_id_artworks")
        ),
    )


def downgrade() -> None:
    """Drop both tables; sketches can be made again, declarations are lost."""
    op.drop_table("non_copies")
    op.drop_table("copy_sketches")
