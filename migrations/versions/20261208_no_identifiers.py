"""Artists have no identifiers: nothing ever filled them in.

What records of merges say of them stays there, unread.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "20261208_no_identifiers"
down_revision = "20261207_tasks"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Drop the column."""
    with op.batch_alter_table("artists") as table:
        table.drop_column("identifiers")


def downgrade() -> None:
    """Add it again, empty."""
    with op.batch_alter_table("artists") as table:
        table.add_column(sa.Column("identifiers", JSON, nullable=False, server_default="{}"))
    with op.batch_alter_table("artists") as table:
        table.alter_column("identifiers", existing_type=JSON, server_default=None)
