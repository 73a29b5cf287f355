"""Batches with leases, kept vectors, withdrawals; works counted on their artists.

Types are spelt out and not imported: a revision describes the tables of its day, whatever the
models say later.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261125_durable_jobs"
down_revision = "20261124_initial"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)
JOB_STATES = ("queued", "running", "done", "failed")
MORE_JOB_STATES = ("listing", "queued", "running", "done", "failed", "cancelled")


def upgrade() -> None:
    """Create the new tables, widen the old ones, count what is there, list what is unfinished."""
    _create_batches()
    _create_embeddings()
    _create_withdrawals()
    with op.batch_alter_table("artists") as table:
        table.add_column(sa.Column("works", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("withdrawn_at", MOMENT))
    op.execute(
        "UPDATE artists SET works = (SELECT count(*) FROM artworks "
        "WHERE artworks.artist_id = artists.id AND artworks.status = 'indexed')"
    )
    with op.batch_alter_table("artists") as table:
        table.alter_column("works", server_default=None)
    with op.batch_alter_table("artworks") as table:
        table.add_column(sa.Column("withdrawn_at", MOMENT))
    op.create_index(
        "ix_artworks_unindexed",
        "artworks",
        ["status"],
        postgresql_where=sa.text("status <> 'indexed'"),
        sqlite_where=sa.text("status <> 'indexed'"),
    )
    with op.batch_alter_table("ingest_items") as table:
        table.add_column(sa.Column("sha256", sa.String(64)))
        table.create_index("ix_ingest_items_artwork_id", ["artwork_id"])
    _widen_jobs()
    with op.batch_alter_table("collections") as table:
        table.add_column(sa.Column("live", sa.Boolean(), nullable=False, server_default=sa.true()))
    with op.batch_alter_table("collections") as table:
        table.alter_column("live", server_default=None)
    # One batch for each unfinished job: its files go on where they stopped.
    op.execute(
        "INSERT INTO ingest_batches (job_id, number, first, stop, status, attempts) "
        "SELECT id, 1, 0, (SELECT count(*) FROM ingest_items WHERE job_id = ingest_jobs.id), "
        "'queued', 0 FROM ingest_jobs WHERE status <> 'done'"
    )


def downgrade() -> None:
    """Drop the tables, those that refer to others first, and the columns."""
    for name in ("withdrawals", "cited_works", "embeddings", "ingest_batches"):
        op.drop_table(name)
    op.execute("UPDATE ingest_jobs SET status = 'failed' WHERE status IN ('listing', 'cancelled')")
    op.execute(sa.text("DELETE FROM collections WHERE NOT live"))
    with op.batch_alter_table("collections") as table:
        table.drop_column("live")
    with op.batch_alter_table("ingest_jobs") as table:
        table.drop_constraint(op.f("ck_ingest_jobs_status"), type_="check")
        table.create_check_constraint(op.f("ck_ingest_jobs_status"), _one_of(JOB_STATES))
        table.drop_column("reinstate")
        table.drop_column("upload")
    with op.batch_alter_table("ingest_items") as table:
        table.drop_index("ix_ingest_items_artwork_id")
        table.drop_column("sha256")
    op.drop_index("ix_artworks_unindexed", "artworks")
    with op.batch_alter_table("artworks") as table:
        table.drop_column("withdrawn_at")
    with op.batch_alter_table("artists") as table:
        table.drop_column("withdrawn_at")
        table.drop_column("works")


def _create_batches() -> None:
    op.create_table(
        "ingest_batches",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("stop", sa.Integer(), nullable=False),
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


def _create_embeddings() -> None:
    op.create_table(
        "embeddings",
        sa.Column("artwork_id", sa.Uuid(), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("vectors", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("artwork_id", "fingerprint", name="pk_embeddings"),
        sa.ForeignKeyConstraint(
            ["artwork_id"], ["artworks.id"], name="fk_embeddings_artwork_id_artworks"
        ),
    )


def _create_withdrawals() -> None:
    op.create_table(
        "cited_works",
        sa.Column("artwork_id", sa.Uuid(), nullable=False),
        sa.Column("attribution_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("artwork_id", "attribution_id", name="pk_cited_works"),
        sa.ForeignKeyConstraint(
            ["artwork_id"], ["artworks.id"], name="fk_cited_works_artwork_id_artworks"
        ),
        sa.ForeignKeyConstraint(
            ["attribution_id"],
            ["attributions.id"],
            name="fk_cited_works_attribution_id_attributions",
        ),
    )
    op.create_table(
        "withdrawals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("artist_id", sa.Uuid(), nullable=False),
        sa.Column("artwork_id", sa.Uuid()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_at", MOMENT, nullable=False),
        sa.Column("completed_at", MOMENT),
        sa.Column("receipt", JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_withdrawals"),
        sa.ForeignKeyConstraint(
            ["artist_id"], ["artists.id"], name="fk_withdrawals_artist_id_artists"
        ),
        sa.ForeignKeyConstraint(
            ["artwork_id"], ["artworks.id"], name="fk_withdrawals_artwork_id_artworks"
        ),
    )
    op.create_index("ix_withdrawals_requested_at_id", "withdrawals", ["requested_at", "id"])


def _widen_jobs() -> None:
    with op.batch_alter_table("ingest_jobs") as table:
        table.add_column(sa.Column("upload", JSON, nullable=False, server_default="{}"))
        table.add_column(
            sa.Column("reinstate", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        table.drop_constraint(op.f("ck_ingest_jobs_status"), type_="check")
        table.create_check_constraint(op.f("ck_ingest_jobs_status"), _one_of(MORE_JOB_STATES))
    with op.batch_alter_table("ingest_jobs") as table:
        table.alter_column("upload", server_default=None)
        table.alter_column("reinstate", server_default=None)


def _one_of(states: tuple[str, ...]) -> str:
    return f"status IN ({', '.join(repr(state) for state in states)})"
