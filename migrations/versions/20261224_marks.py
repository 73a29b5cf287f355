"""Pictures that were drawn are found again by what they show, when their manifest is cut off.

Those that were drawn before are not in it: their files would have to be read.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261224_marks"
down_revision = "20261224_contacts"
branch_labels = None
depends_on = None

MINE = "current_setting('lawful.tenant', true) IN (tenant, '*')"
NUMBERS = ("bits", "third_0", "third_1", "third_2")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "drawn_pictures",
        sa.Column("generation_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("pixel_sha256", sa.String(64), nullable=False),
        sa.Column("phash", sa.String(16), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in NUMBERS),
        sa.Column("tenant", sa.String(40), nullable=False, server_default="default"),
        sa.ForeignKeyConstraint(
            ["generation_id"],
            ["generations.id"],
            name=op.f("fk_drawn_pictures_generation_id_generations"),
        ),
        sa.PrimaryKeyConstraint("generation_id", "number", name=op.f("pk_drawn_pictures")),
    )
    for columns in (
        ["sha256", "tenant"],
        ["pixel_sha256", "tenant"],
        *([third, "tenant", "bits"] for third in NUMBERS[1:]),
    ):
        name = op.f(f"ix_drawn_pictures_{'_'.join(columns)}")
        op.create_index(name, "drawn_pictures", columns)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE drawn_pictures ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON drawn_pictures USING ({MINE}) WITH CHECK ({MINE})")


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("drawn_pictures")
