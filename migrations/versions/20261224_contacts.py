"""How parties of cases can be reached, until then."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261224_contacts"
down_revision = "20261223_workings"
branch_labels = None
depends_on = None

MINE = "current_setting('lawful.tenant', true) IN (tenant, '*')"


def upgrade() -> None:
    """Make the table, empty."""
    party = sa.ForeignKey("case_parties.id", name=op.f("fk_party_contacts_party_id_case_parties"))
    op.create_table(
        "party_contacts",
        sa.Column("party_id", sa.Uuid(), party, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant", sa.String(40), nullable=False, server_default="default"),
        sa.PrimaryKeyConstraint("party_id", name=op.f("pk_party_contacts")),
    )
    op.create_index(op.f("ix_party_contacts_until"), "party_contacts", ["until"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE party_contacts ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON party_contacts USING ({MINE}) WITH CHECK ({MINE})")


def downgrade() -> None:
    """Forget every contact."""
    op.drop_table("party_contacts")
