"""How often a message about a task was sent: each next one is waited for longer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261230_sends"
down_revision = "20261230_insight"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Count from now on."""
    with op.batch_alter_table("tasks") as table:
        table.add_column(sa.Column("sends", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("tasks") as table:
        table.alter_column("sends", server_default=None)


def downgrade() -> None:
    """Forget the counts."""
    with op.batch_alter_table("tasks") as table:
        table.drop_column("sends")
