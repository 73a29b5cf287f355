"""The audit: a chain of entries, and the seals of answers, changes and receipts.

What is there already gets no seal: nothing can vouch for what it said before.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261211_audit"
down_revision = "20261210_api_keys"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
SEALED = ("attributions", "changes", "withdrawals")


def upgrade() -> None:
    """Begin an empty chain."""
    op.create_table(
        "audit_entries",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("object", sa.String(64), nullable=True),
        sa.Column("details", JSON, nullable=False),
        sa.Column("seal", JSON, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit_entries")),
    )
    op.create_index(op.f("ix_audit_entries_action"), "audit_entries", ["action"])
    op.create_index(op.f("ix_audit_entries_object"), "audit_entries", ["object"])
    head = op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("checked", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.bulk_insert(head, [{"id": 1, "sequence": 0, "digest": "0" * 64, "checked": 0}])
    for name in SEALED:
        with op.batch_alter_table(name) as table:
            table.add_column(sa.Column("seal", JSON, nullable=False, server_default="{}"))
            table.add_column(sa.Column("sealed", sa.BigInteger(), nullable=True))
            table.create_index(op.f(f"ix_{name}_sealed"), ["sealed"])


def downgrade() -> None:
    """Forget who did what."""
    for name in SEALED:
        with op.batch_alter_table(name) as table:
            table.drop_index(op.f(f"ix_{name}_sealed"))
            table.drop_column("sealed")
            table.drop_column("seal")
    op.drop_table("audit_head")
    op.drop_table("audit_entries")
