"""One image is looked up by a job of its own, with as many artists in its answer as were asked for.

Batches of before have five, as they always had.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261215_single_lookups"
down_revision = "20261214_answers_by_verdict"
branch_labels = None
depends_on = None

KINDS = "'archive', 'urls', 'works'"


def upgrade() -> None:
    """Add the kind and the column."""
    with op.batch_alter_table("lookup_batches") as table:
        table.add_column(sa.Column("artists", sa.Integer(), nullable=False, server_default="5"))
    with op.batch_alter_table("lookup_batches") as table:
        table.alter_column("artists", existing_type=sa.Integer(), server_default=None)
    _set_kinds(f"{KINDS}, 'image'")


def downgrade() -> None:
    """Forget the single lookups; their answers stay."""
    op.execute(
        "DELETE FROM tasks WHERE subject IN (SELECT id FROM lookup_batches WHERE kind = 'image')"
    )
    op.execute(
        "DELETE FROM lookup_items "
        "WHERE batch_id IN (SELECT id FROM lookup_batches WHERE kind = 'image')"
    )
    op.execute("DELETE FROM lookup_batches WHERE kind = 'image'")
    _set_kinds(KINDS)
    with op.batch_alter_table("lookup_batches") as table:
        table.drop_column("artists")


def _set_kinds(kinds: str) -> None:
    with op.batch_alter_table("lookup_batches") as table:
        table.drop_constraint(op.f("ck_lookup_batches_kind"), type_="check")
        table.create_check_constraint(op.f("ck_lookup_batches_kind"), f"kind IN ({kinds})")
