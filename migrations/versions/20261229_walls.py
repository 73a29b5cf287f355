"""Row-level security binds the owner of the tables too, as which the program is often run.

Superusers and roles with BYPASSRLS pass all the same: `lawful info` names them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261229_walls"
down_revision = "20261228_watermarks"
branch_labels = None
depends_on = None

SECURED = sa.text(
    "SELECT relname FROM pg_class WHERE relrowsecurity"
    " AND relnamespace = current_schema()::regnamespace"
)


def upgrade() -> None:
    """Bind the owner."""
    _switch("FORCE")


def downgrade() -> None:
    """Let the owner pass."""
    _switch("NO FORCE")


def _switch(how: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table in op.get_bind().scalars(SECURED).all():
            op.execute(f"ALTER TABLE {table} {how} ROW LEVEL SECURITY")
