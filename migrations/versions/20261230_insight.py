"""A calibration keeps how often its probabilities were right; works have places on a map.

Of calibrations made before, nothing is kept; the first map is laid out after the next job.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261230_insight"
down_revision = "20261229_walls"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
TABLES = ("maps", "map_places")
MINE = "current_setting('lawful.tenant', true) IN (tenant, '*')"


def upgrade() -> None:
    """Add the column and both tables."""
    with op.batch_alter_table("calibrations") as table:
        table.add_column(sa.Column("reliability", DOCUMENT, nullable=False, server_default="{}"))
    op.create_table(
        "maps",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("space", sa.Text(), nullable=False),
        sa.Column("works", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant", sa.String(40), nullable=False, server_default="default"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_maps")),
    )
    op.create_table(
        "map_places",
        sa.Column("map_id", sa.Uuid(), nullable=False),
        sa.Column("artwork_id", sa.Uuid(), nullable=False),
        sa.Column("x", sa.Double(), nullable=False),
        sa.Column("y", sa.Double(), nullable=False),
        sa.Column("tile", sa.Integer(), nullable=False),
        sa.Column("tenant", sa.String(40), nullable=False, server_default="default"),
        sa.ForeignKeyConstraint(["map_id"], ["maps.id"], name=op.f("fk_map_places_map_id_maps")),
        sa.ForeignKeyConstraint(
            ["artwork_id"], ["artworks.id"], name=op.f("fk_map_places_artwork_id_artworks")
        ),
        sa.PrimaryKeyConstraint("map_id", "artwork_id", name=op.f("pk_map_places")),
    )
    op.create_index(op.f("ix_map_places_artwork_id"), "map_places", ["artwork_id"])
    op.create_index(
        op.f("ix_map_places_map_id_tile_artwork_id_tenant"),
        "map_places",
        ["map_id", "tile", "artwork_id", "tenant"],
    )
    if op.get_bind().dialect.name == "postgresql":
        for name in TABLES:
            op.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
            op.execute(f"CREATE POLICY tenant ON {name} USING ({MINE}) WITH CHECK ({MINE})")


def downgrade() -> None:
    """Drop them."""
    op.drop_table("map_places")
    op.drop_table("maps")
    with op.batch_alter_table("calibrations") as table:
        table.drop_column("reliability")
