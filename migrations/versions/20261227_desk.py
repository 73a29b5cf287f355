"""Webhooks that are told of copies once people have decided, and documents of cases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "20261227_desk"
down_revision = "20261226_watches"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)
MINE = "current_setting('lawful.tenant', true) IN (tenant, '*')"


def upgrade() -> None:
    """Add table and columns; a webhook that is there keeps being told at once."""
    with op.batch_alter_table("webhooks") as table:
        after = sa.Column("after", sa.String(16), nullable=False, server_default="found")
        table.add_column(after)
        table.create_check_constraint(op.f("ck_webhooks_after"), "after IN ('found', 'review')")
    with op.batch_alter_table("webhooks") as table:
        table.alter_column("after", server_default=None)
    op.add_column("cases", sa.Column("follows", sa.Uuid(), nullable=True))
    op.add_column("case_findings", sa.Column("told_at", MOMENT, nullable=True))
    case = sa.ForeignKey("cases.id", name=op.f("fk_case_documents_case_id_cases"))
    op.create_table(
        "case_documents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), case, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("is_encrypted", sa.Boolean(), nullable=False),
        sa.Column("until", MOMENT, nullable=True),
        sa.Column("removed_at", MOMENT, nullable=True),
        sa.Column("removed_by", sa.Text(), nullable=True),
        sa.Column("removed_why", sa.Text(), nullable=True),
        sa.Column("seal", JSON, nullable=False, server_default="{}"),
        sa.Column("sealed", sa.BigInteger(), nullable=True),
        sa.Column("tenant", sa.String(40), nullable=False, server_default="default"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_documents")),
        sa.UniqueConstraint("case_id", "position", name=op.f("uq_case_documents_case_id_position")),
    )
    for columns in (["until", "tenant"], ["sealed"]):
        op.create_index(op.f(f"ix_case_documents_{'_'.join(columns)}"), "case_documents", columns)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE case_documents ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON case_documents USING ({MINE}) WITH CHECK ({MINE})")


def downgrade() -> None:
    """Forget every document, and have every webhook told at once again."""
    op.drop_table("case_documents")
    op.drop_column("case_findings", "told_at")
    op.drop_column("cases", "follows")
    with op.batch_alter_table("webhooks") as table:
        table.drop_constraint(op.f("ck_webhooks_after"), type_="check")
        table.drop_column("after")
