"""Many images looked up at once, by tasks of a kind of their own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261213_lookup_batches"
down_revision = "20261212_replies"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)
KINDS = "'list', 'ingest', 'draw'"


def upgrade() -> None:
    """Make the tables, and let tasks be of the kind."""
    _set_kinds(f"{KINDS}, 'lookup'")
    op.create_table(
        "lookup_batches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("started_at", MOMENT),
        sa.Column("finished_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lookup_batches")),
        sa.CheckConstraint(
            "kind IN ('archive', 'urls', 'works')", name=op.f("ck_lookup_batches_kind")
        ),
        sa.CheckConstraint(
            "status IN ('listing', 'queued', 'running', 'done', 'failed', 'cancelled')",
            name=op.f("ck_lookup_batches_status"),
        ),
    )
    op.create_index(op.f("ix_lookup_batches_created_at_id"), "lookup_batches", ["created_at", "id"])
    op.create_table(
        "lookup_items",
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(64)),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("attribution_id", sa.Uuid()),
        sa.Column("fetched", JSON, nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "position", name=op.f("pk_lookup_items")),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["lookup_batches.id"],
            name=op.f("fk_lookup_items_batch_id_lookup_batches"),
        ),
        sa.ForeignKeyConstraint(
            ["attribution_id"],
            ["attributions.id"],
            name=op.f("fk_lookup_items_attribution_id_attributions"),
        ),
        sa.CheckConstraint(
            "outcome IN ('pending', 'answered', 'refused')", name=op.f("ck_lookup_items_outcome")
        ),
    )
    op.create_index(
        op.f("ix_lookup_items_batch_id_outcome_position"),
        "lookup_items",
        ["batch_id", "outcome", "position"],
    )


def downgrade() -> None:
    """Forget the batches; their answers stay."""
    op.drop_table("lookup_items")
    op.drop_table("lookup_batches")
    op.execute("DELETE FROM tasks WHERE kind = 'lookup'")
    _set_kinds(KINDS)


def _set_kinds(kinds: str) -> None:
    with op.batch_alter_table("tasks") as table:
        table.drop_constraint(op.f("ck_tasks_kind"), type_="check")
        table.create_check_constraint(op.f("ck_tasks_kind"), f"kind IN ({kinds})")
