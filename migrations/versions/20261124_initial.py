"""The first tables: artists and works, claims, ingest jobs, answers, collections.

Types are spelt out and not imported: a revision describes the tables of its day, whatever the
models say later.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261124_initial"
down_revision = None
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)
SLUG = sa.String(80).with_variant(sa.String(80, collation="C"), "postgresql")


def upgrade() -> None:
    """Create the tables."""
    _create_artists()
    _create_artworks()
    _create_ingest_jobs()
    _create_claims()
    _create_records()


def downgrade() -> None:
    """Drop the tables, those that refer to others first."""
    for table in (
        "collections",
        "attributions",
        "claims",
        "ingest_items",
        "ingest_jobs",
        "artworks",
        "aliases",
        "artists",
    ):
        op.drop_table(table)


def _create_artists() -> None:
    op.create_table(
        "artists",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", SLUG, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("folded", sa.Text(), nullable=False),
        sa.Column("identifiers", JSON, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_artists"),
        sa.UniqueConstraint("name", name="uq_artists_name"),
        sa.UniqueConstraint("slug", name="uq_artists_slug"),
    )
    op.create_index("ix_artists_folded", "artists", ["folded"])
    op.create_table(
        "aliases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("artist_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_aliases"),
        sa.ForeignKeyConstraint(["artist_id"], ["artists.id"], "fk_aliases_artist_id_artists"),
    )
    op.create_index("ix_aliases_artist_id", "aliases", ["artist_id"])


def _create_artworks() -> None:
    op.create_table(
        "artworks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("artist_id", sa.Uuid(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("pixel_sha256", sa.String(64), nullable=False),
        sa.Column("phash", sa.String(16), nullable=False),
        sa.Column("title", sa.Text()),
        sa.Column("tags", JSON, nullable=False),
        sa.Column("year", sa.Integer()),
        sa.Column("licence", sa.Text()),
        sa.Column("source", sa.Text()),
        sa.Column("consent_index", sa.Boolean(), nullable=False),
        sa.Column("consent_display", sa.Boolean(), nullable=False),
        sa.Column("consent_train", sa.Boolean(), nullable=False),
        sa.Column("consent_generate", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("facts", JSON, nullable=False),
        sa.Column("rights", JSON, nullable=False),
        sa.Column("thumbnail", sa.Text()),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("indexed_at", MOMENT),
        sa.CheckConstraint(
            "status IN ('pending', 'indexed', 'failed', 'withdrawn')",
            name=op.f("ck_artworks_status"),
        ),
        sa.PrimaryKeyConstraint("id", name="pk_artworks"),
        sa.UniqueConstraint("sha256", name="uq_artworks_sha256"),
        sa.ForeignKeyConstraint(["artist_id"], ["artists.id"], "fk_artworks_artist_id_artists"),
    )
    for columns in (
        ["artist_id", "status", "created_at", "id"],
        ["created_at", "id"],
        ["phash"],
        ["pixel_sha256"],
    ):
        op.create_index(f"ix_artworks_{'_'.join(columns)}", "artworks", columns)


def _create_ingest_jobs() -> None:
    op.create_table(
        "ingest_jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("started_at", MOMENT),
        sa.Column("finished_at", MOMENT),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'done', 'failed')", name=op.f("ck_ingest_jobs_status")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_ingest_jobs"),
    )
    op.create_index("ix_ingest_jobs_created_at_id", "ingest_jobs", ["created_at", "id"])
    op.create_table(
        "ingest_items",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("artist", sa.Text(), nullable=False),
        sa.Column("details", JSON, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("artwork_id", sa.Uuid()),
        sa.CheckConstraint(
            "outcome IN ('pending', 'added', 'known', 'conflict', 'refused')",
            name=op.f("ck_ingest_items_outcome"),
        ),
        sa.PrimaryKeyConstraint("job_id", "position", name="pk_ingest_items"),
        sa.ForeignKeyConstraint(
            ["job_id"], ["ingest_jobs.id"], "fk_ingest_items_job_id_ingest_jobs"
        ),
        sa.ForeignKeyConstraint(
            ["artwork_id"], ["artworks.id"], "fk_ingest_items_artwork_id_artworks"
        ),
    )
    op.create_index(
        "ix_ingest_items_job_id_outcome_position",
        "ingest_items",
        ["job_id", "outcome", "position"],
    )


def _create_claims() -> None:
    op.create_table(
        "claims",
        sa.Column("artwork_id", sa.Uuid(), nullable=False),
        sa.Column("artist_id", sa.Uuid(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Uuid()),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("artwork_id", "artist_id", name="pk_claims"),
        sa.ForeignKeyConstraint(["artwork_id"], ["artworks.id"], "fk_claims_artwork_id_artworks"),
        sa.ForeignKeyConstraint(["artist_id"], ["artists.id"], "fk_claims_artist_id_artists"),
        sa.ForeignKeyConstraint(["job_id"], ["ingest_jobs.id"], "fk_claims_job_id_ingest_jobs"),
    )
    op.create_index("ix_claims_artist_id", "claims", ["artist_id"])


def _create_records() -> None:
    op.create_table(
        "attributions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("image_sha256", sa.String(64), nullable=False),
        sa.Column("verdict", sa.String(32), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("answer", JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_attributions"),
    )
    op.create_index("ix_attributions_created_at_id", "attributions", ["created_at", "id"])
    op.create_index("ix_attributions_image_sha256", "attributions", ["image_sha256"])
    op.create_table(
        "collections",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("dims", JSON, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_collections"),
    )
