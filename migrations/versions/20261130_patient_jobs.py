"""Jobs that wait and go on: files in hand, files that end their process, remarks, "repeated".

Types are spelt out and not imported: a revision describes the tables of its day, whatever the
models say later.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "20261130_patient_jobs"
down_revision = "20261130_licence_ids"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
OUTCOMES = ("pending", "added", "known", "corrected", "conflict", "refused")
MORE_OUTCOMES = ("pending", "added", "known", "repeated", "corrected", "conflict", "refused")


def upgrade() -> None:
    """Add the columns and the table, widen the outcomes."""
    op.create_table(
        "deadly_files",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_deadly_files"),
    )
    with op.batch_alter_table("ingest_batches") as table:
        table.add_column(sa.Column("begun", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("alone", sa.Integer()))
    with op.batch_alter_table("ingest_batches") as table:
        table.alter_column("begun", server_default=None)
    with op.batch_alter_table("ingest_jobs") as table:
        table.add_column(sa.Column("remarks", JSON, nullable=False, server_default="[]"))
    with op.batch_alter_table("ingest_jobs") as table:
        table.alter_column("remarks", server_default=None)
    _allow(MORE_OUTCOMES)


def downgrade() -> None:
    """Drop what was added; files that came twice in a job were known ones."""
    op.execute("UPDATE ingest_items SET outcome = 'known' WHERE outcome = 'repeated'")
    _allow(OUTCOMES)
    with op.batch_alter_table("ingest_jobs") as table:
        table.drop_column("remarks")
    with op.batch_alter_table("ingest_batches") as table:
        table.drop_column("alone")
        table.drop_column("begun")
    op.drop_table("deadly_files")


def _allow(outcomes: tuple[str, ...]) -> None:
    listed = ", ".join(repr(one) for one in outcomes)
    with op.batch_alter_table("ingest_items") as table:
        table.drop_constraint(op.f("ck_ingest_items_outcome"), type_="check")
        table.create_check_constraint(op.f("ck_ingest_items_outcome"), f"outcome IN ({listed})")
