"""One table of tasks in place of batches and of the leases of generations.

Types are spelt out and not imported: a revision describes the tables of its day, whatever the
models say later.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261207_tasks"
down_revision = "20261206_lanes"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make a task of every batch and generation; what ran goes on once its lease runs out."""
    _create_tasks()
    op.execute(
        "INSERT INTO tasks (subject, kind, number, first, stop, begun, alone, status, attempts, "
        "deaths, owner, lease_until, created_at, sent_at, error) "
        "SELECT job_id, CASE number WHEN 0 THEN 'list' ELSE 'ingest' END, number, first, stop, "
        "begun, alone, ingest_batches.status, attempts, 0, owner, lease_until, created_at, "
        "sent_at, ingest_batches.error "
        "FROM ingest_batches JOIN ingest_jobs ON ingest_jobs.id = job_id"
    )
    op.execute(
        "INSERT INTO tasks (subject, kind, number, first, stop, begun, status, attempts, "
        "deaths, owner, lease_until, created_at, sent_at) "
        "SELECT id, 'draw', 0, 0, 0, 0, CASE status WHEN 'running' THEN 'running' "
        "WHEN 'done' THEN 'done' WHEN 'failed' THEN 'dead' ELSE 'queued' END, attempts, 0, owner, "
        "lease_until, created_at, sent_at FROM generations"
    )
    op.drop_table("ingest_batches")
    op.drop_index("ix_generations_status_lease_until", "generations")
    with op.batch_alter_table("generations") as table:
        for name in ("attempts", "owner", "lease_until", "sent_at"):
            table.drop_column(name)


def downgrade() -> None:
    """Make batches and leases of generations again."""
    _create_batches()
    op.execute(
        "INSERT INTO ingest_batches (job_id, number, first, stop, begun, alone, status, attempts, "
        "owner, lease_until, sent_at, error) "
        "SELECT subject, number, first, stop, begun, alone, status, attempts, owner, lease_until, "
        "sent_at, error FROM tasks WHERE kind IN ('list', 'ingest')"
    )
    with op.batch_alter_table("generations") as table:
        table.add_column(sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("owner", sa.Text()))
        table.add_column(sa.Column("lease_until", MOMENT))
        table.add_column(sa.Column("sent_at", MOMENT))
    op.execute(
        "UPDATE generations SET (attempts, owner, lease_until, sent_at) = (SELECT attempts, owner, "
        "lease_until, sent_at FROM tasks WHERE subject = generations.id AND kind = 'draw')"
    )
    with op.batch_alter_table("generations") as table:
        table.alter_column("attempts", server_default=None)
    op.create_index("ix_generations_status_lease_until", "generations", ["status", "lease_until"])
    op.drop_table("tasks")


def _create_tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column("subject", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("stop", sa.Integer(), nullable=False),
        sa.Column("begun", sa.Integer(), nullable=False),
        sa.Column("alone", sa.Integer()),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("deaths", sa.Integer(), nullable=False),
        sa.Column("owner", sa.Text()),
        sa.Column("lease_until", MOMENT),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("sent_at", MOMENT),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("subject", "kind", "number", name="pk_tasks"),
        sa.CheckConstraint("kind IN ('list', 'ingest', 'draw')", name=op.f("ck_tasks_kind")),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'done', 'dead')", name=op.f("ck_tasks_status")
        ),
    )
    op.create_index("ix_tasks_status_lease_until", "tasks", ["status", "lease_until"])


def _create_batches() -> None:
    op.create_table(
        "ingest_batches",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("stop", sa.Integer(), nullable=False),
        sa.Column("begun", sa.Integer(), nullable=False),
        sa.Column("alone", sa.Integer()),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("owner", sa.Text()),
        sa.Column("lease_until", MOMENT),
        sa.Column("sent_at", MOMENT),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("job_id", "number", name="pk_ingest_batches"),
        sa.ForeignKeyConstraint(
            ["job_id"], ["ingest_jobs.id"], name="fk_ingest_batches_job_id_ingest_jobs"
        ),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'done', 'dead')", name=op.f("ck_ingest_batches_status")
        ),
    )
    op.create_index(
        "ix_ingest_batches_status_lease_until", "ingest_batches", ["status", "lease_until"]
    )
