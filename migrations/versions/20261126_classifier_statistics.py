"""The statistics of the classifier, and whether those of a collection are complete.

Types are spelt out and not imported: a revision describes the tables of its day, whatever the
models say later.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261126_classifier_statistics"
down_revision = "20261125_durable_jobs"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, empty: those of collections that are there are made by `reconcile`."""
    op.create_table(
        "classifier_artists",
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("artist_id", sa.Uuid(), nullable=False),
        sa.Column("works", sa.Integer(), nullable=False),
        sa.Column("sums", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", "artist_id", name="pk_classifier_artists"),
        sa.ForeignKeyConstraint(
            ["artist_id"], ["artists.id"], name="fk_classifier_artists_artist_id_artists"
        ),
    )
    op.create_table(
        "classifier_shards",
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("stamp", sa.Uuid(), nullable=False),
        sa.Column("gram", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", "number", name="pk_classifier_shards"),
    )
    if op.get_bind().dialect.name == "postgresql":  # megabytes that do not compress
        for name, column in (("classifier_artists", "sums"), ("classifier_shards", "gram")):
            op.execute(f"ALTER TABLE {name} ALTER COLUMN {column} SET STORAGE EXTERNAL")
    with op.batch_alter_table("collections") as table:
        table.add_column(sa.Column("statistics", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("collections") as table:
        table.alter_column("statistics", server_default=None)


def downgrade() -> None:
    """Drop what was added."""
    with op.batch_alter_table("collections") as table:
        table.drop_column("statistics")
    op.drop_table("classifier_shards")
    op.drop_table("classifier_artists")
