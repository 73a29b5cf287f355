"""Hashes are found by thirds of their bits, which is exact at any size; bands of 16 bits go.

One statement fills the columns of all rows from the bands.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261203_certain_hashes"
down_revision = "20261202_joined_names"
branch_labels = None
depends_on = None

BANDS = {"band_0": 48, "band_1": 32, "band_2": 16, "band_3": 0}  # and how far up in the hash
THIRDS = {  # every third bit of the hash, as signed numbers
    "third_0": 0x9249249249249249 - (1 << 64),
    "third_1": 0x4924924924924924,
    "third_2": 0x2492492492492492,
}
INDEXES = {
    "ix_copy_sketches_third_0_bits_artwork_id_part": ["third_0", "bits", "artwork_id", "part"],
    "ix_copy_sketches_third_1_bits": ["third_1", "bits"],
    "ix_copy_sketches_third_2_bits": ["third_2", "bits"],
}
SKETCHES = sa.table(
    "copy_sketches",
    *(sa.column(band, sa.Integer()) for band in BANDS),
    *(sa.column(name, sa.BigInteger()) for name in ("bits", *THIRDS)),
)


def upgrade() -> None:
    """Join the bands of every hash, and deal its bits into thirds."""
    joined: sa.ColumnElement[int] = sa.literal(0, sa.BigInteger())
    for band, up in BANDS.items():
        wide = sa.cast(SKETCHES.c[band], sa.BigInteger())
        joined = joined.bitwise_or(wide.bitwise_lshift(sa.literal(up, sa.Integer())))
    thirds = {name: joined.bitwise_and(mask) for name, mask in THIRDS.items()}
    with op.batch_alter_table("copy_sketches") as table:
        for name in ("bits", *THIRDS):
            table.add_column(sa.Column(name, sa.BigInteger(), nullable=True))
    op.execute(sa.update(SKETCHES).values(bits=joined, **thirds))
    with op.batch_alter_table("copy_sketches") as table:
        for name in ("bits", *THIRDS):
            table.alter_column(name, existing_type=sa.BigInteger(), nullable=False)
        for band in BANDS:
            table.drop_index(op.f(f"ix_copy_sketches_{band}"))
            table.drop_column(band)
        for name, columns in INDEXES.items():
            table.create_index(op.f(name), columns)


def downgrade() -> None:
    """Split every hash into bands again."""
    bands = {
        band: SKETCHES.c.bits.bitwise_rshift(sa.literal(up, sa.Integer())).bitwise_and(0xFFFF)
        for band, up in BANDS.items()
    }
    with op.batch_alter_table("copy_sketches") as table:
        for band in BANDS:
            table.add_column(sa.Column(band, sa.Integer(), nullable=True))
    op.execute(sa.update(SKETCHES).values({b: sa.cast(v, sa.Integer()) for b, v in bands.items()}))
    with op.batch_alter_table("copy_sketches") as table:
        for name in INDEXES:
            table.drop_index(op.f(name))
        for name in ("bits", *THIRDS):
            table.drop_column(name)
        for band in BANDS:
            table.alter_column(band, existing_type=sa.Integer(), nullable=False)
            table.create_index(op.f(f"ix_copy_sketches_{band}"), [band])
