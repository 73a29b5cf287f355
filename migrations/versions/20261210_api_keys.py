"""Keys to the HTTP API: what each is for, the hash of its token, what it may do."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261210_api_keys"
down_revision = "20261209_calibrate_again"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the table; until it has a row, the API is open to its own machine."""
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.String(11), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=True),
        sa.Column("scopes", JSON, nullable=False),
        sa.Column("artists", JSON, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("issued_by", sa.Text(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("last_used_at", MOMENT, nullable=True),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("prefix", name=op.f("uq_api_keys_prefix")),
        sa.CheckConstraint(
            "role IN ('reader', 'contributor', 'reviewer', 'operator', 'auditor')",
            name=op.f("ck_api_keys_role"),
        ),
    )


def downgrade() -> None:
    """Forget all keys: the earlier program asks for none."""
    op.drop_table("api_keys")
