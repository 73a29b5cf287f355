"""What answers are computed from is kept beside them, with the numbers of calibrations.

Asking about an image that is kept once more is a way in which an image comes here.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "20261223_workings"
down_revision = "20261222_cases"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)
TABLES = ("workings", "used_calibrations")
EARLIER = "how IN ('upload', 'file', 'archive', 'url', 'work', 'generated')"
HOW = "how IN ('upload', 'file', 'archive', 'url', 'work', 'generated', 'again')"
MINE = "current_setting('lawful.tenant', true) IN (tenant, '*')"


def upgrade() -> None:
    """Make both tables, empty: what earlier answers were computed from was not kept."""
    op.create_table(
        "workings",
        sa.Column("attribution_id", sa.Uuid(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("calibration", sa.String(64), nullable=True),
        sa.Column("until", MOMENT, nullable=False),
        sa.Column("tenant", sa.String(40), nullable=False, server_default="default"),
        sa.ForeignKeyConstraint(
            ["attribution_id"],
            ["attributions.id"],
            name=op.f("fk_workings_attribution_id_attributions"),
        ),
        sa.PrimaryKeyConstraint("attribution_id", name=op.f("pk_workings")),
    )
    op.create_table(
        "used_calibrations",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("voices", JSON, nullable=False),
        sa.Column("numbers", JSON, nullable=False),
        sa.Column("used_at", MOMENT, nullable=False),
        sa.Column("tenant", sa.String(40), nullable=False, server_default="default"),
        sa.PrimaryKeyConstraint("digest", "tenant", name=op.f("pk_used_calibrations")),
    )
    for column in ("until", "calibration"):
        op.create_index(op.f(f"ix_workings_{column}_tenant"), "workings", [column, "tenant"])
    _constrain(HOW)
    if op.get_bind().dialect.name == "postgresql":
        for table in TABLES:
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"CREATE POLICY tenant ON {table} USING ({MINE}) WITH CHECK ({MINE})")


def _constrain(how: str) -> None:
    name = op.f("ck_subject_uses_how")
    with op.batch_alter_table("subject_uses") as batch:
        batch.drop_constraint(name, type_="check")
        batch.create_check_constraint(name, how)


def downgrade() -> None:
    """Forget what answers were computed from; asked again was as if with the file."""
    for table in reversed(TABLES):
        op.drop_table(table)
    op.execute("UPDATE subject_uses SET how = 'file' WHERE how = 'again'")
    _constrain(EARLIER)
