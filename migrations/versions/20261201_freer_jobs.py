"""Jobs that may widen consents and licences; what the source of a job denies of a file."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261201_freer_jobs"
down_revision = "20261130_parts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add column and table; jobs that are there may not."""
    op.create_table(
        "denied_files",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["ingest_jobs.id"], name="fk_denied_files_job_id_ingest_jobs"
        ),
        sa.PrimaryKeyConstraint("job_id", "sha256", "purpose", name="pk_denied_files"),
    )
    with op.batch_alter_table("ingest_jobs") as table:
        table.add_column(
            sa.Column("allow_freer", sa.Boolean(), nullable=False, server_default=sa.false())
        )
    with op.batch_alter_table("ingest_jobs") as table:
        table.alter_column("allow_freer", server_default=None)


def downgrade() -> None:
    """Drop what was added."""
    op.drop_table("denied_files")
    with op.batch_alter_table("ingest_jobs") as table:
        table.drop_column("allow_freer")
