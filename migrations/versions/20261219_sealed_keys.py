"""The audit vouches for keys and webhooks too, and for what changes have in other tables.

What is there already gets no seal: nothing can vouch for what it said before.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261219_sealed_keys"
down_revision = "20261218_limits"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
SEALED = ("api_keys", "webhooks")
BEFORE = ["attribution", "change", "withdrawal"]


def upgrade() -> None:
    """Give rows a place for their seals; a chain that was begun goes on from there."""
    for name in SEALED:
        with op.batch_alter_table(name) as table:
            table.add_column(sa.Column("seal", JSON, nullable=False, server_default="{}"))
            table.add_column(sa.Column("sealed", sa.BigInteger(), nullable=True))
            table.create_index(op.f(f"ix_{name}_sealed"), ["sealed"])
    with op.batch_alter_table("audit_head") as table:
        table.add_column(sa.Column("kinds", JSON, nullable=False, server_default="[]"))
    head = sa.table("audit_head", sa.column("sequence"), sa.column("kinds", JSON))
    op.execute(sa.update(head).where(head.c.sequence > 0).values(kinds=BEFORE))


def downgrade() -> None:
    """Forget the seals."""
    with op.batch_alter_table("audit_head") as table:
        table.drop_column("kinds")
    for name in SEALED:
        with op.batch_alter_table(name) as table:
            table.drop_index(op.f(f"ix_{name}_sealed"))
            table.drop_column("sealed")
            table.drop_column("seal")
