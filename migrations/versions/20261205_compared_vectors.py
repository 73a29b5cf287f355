"""How far `reconcile` is with comparing stored vectors with the kept ones."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261205_compared_vectors"
down_revision = "20261204_declared_non_copies"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the work up to which they were compared."""
    with op.batch_alter_table("collections") as table:
        table.add_column(sa.Column("compared_to", sa.Uuid(), nullable=True))


def downgrade() -> None:
    """Forget it."""
    with op.batch_alter_table("collections") as table:
        table.drop_column("compared_to")
