"""Works that the classifier's matrix does not count yet have a table of their own.

A generation begins: a program of before would withdraw works and leave their vectors in it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "g1_20261231_additions"
down_revision = "20261231_rounds"
branch_labels = None
depends_on = None

MINE = "current_setting('lawful.tenant', true) IN (tenant, '*')"


def upgrade() -> None:
    """Create the table, empty: what is there was counted at once."""
    op.create_table(
        "classifier_additions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("works", sa.Integer(), nullable=False),
        sa.Column("vectors", sa.LargeBinary(), nullable=False),
        sa.Column("tenant", sa.String(40), nullable=False, server_default="default"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_classifier_additions")),
    )
    op.create_index(
        op.f("ix_classifier_additions_fingerprint_tenant"),
        "classifier_additions",
        ["fingerprint", "tenant"],
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE classifier_additions ALTER COLUMN vectors SET STORAGE EXTERNAL")
        op.execute("ALTER TABLE classifier_additions ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE classifier_additions FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY tenant ON classifier_additions USING ({MINE}) WITH CHECK ({MINE})"
        )


def downgrade() -> None:
    """Drop the table; where it had works the statistics wait for `lawful reconcile --repair`."""
    op.execute(
        "UPDATE collections SET statistics = 0"
        " WHERE fingerprint IN (SELECT fingerprint FROM classifier_additions)"
    )
    op.drop_table("classifier_additions")
