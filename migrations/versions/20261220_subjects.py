"""Images that are asked about are kept, with every question about each."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "20261220_subjects"
down_revision = "20261219_sealed_keys"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)
TABLES = ("subjects", "subject_uses")
MINE = "current_setting('lawful.tenant', true) IN (tenant, '*')"
PURPOSES = "purpose IN ('provenance', 'clearance', 'claim', 'monitoring', 'test')"


def upgrade() -> None:
    """Make both tables, empty: of what was asked about before, no image was kept."""
    op.create_table(
        "subjects",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("image_sha256", sa.String(64), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("phash", sa.String(16), nullable=True),
        sa.Column("kept", sa.String(16), nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("until", MOMENT, nullable=True),
        sa.Column("forgotten_at", MOMENT, nullable=True),
        sa.Column("forgotten_why", sa.String(16), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("receipt", sa.Uuid(), nullable=True),
        sa.Column("tenant", sa.String(40), nullable=False, server_default="default"),
        sa.CheckConstraint(
            "kept IN ('image', 'encrypted', 'nothing')", name=op.f("ck_subjects_kept")
        ),
        sa.CheckConstraint(
            "forgotten_why IN ('retention', 'withdrawal', 'request', 'lost')",
            name=op.f("ck_subjects_forgotten_why"),
        ),
        sa.UniqueConstraint("image_sha256", "tenant", name=op.f("uq_subjects_image_sha256_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subjects")),
    )
    op.create_table(
        "subject_uses",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("how", sa.String(16), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=True),
        sa.Column("source_sha256", sa.String(64), nullable=True),
        sa.Column("purpose", sa.String(16), nullable=True),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("seal", JSON, nullable=False, server_default="{}"),
        sa.Column("sealed", sa.BigInteger(), nullable=True),
        sa.Column("tenant", sa.String(40), nullable=False, server_default="default"),
        sa.CheckConstraint(
            "how IN ('upload', 'file', 'archive', 'url', 'work', 'generated')",
            name=op.f("ck_subject_uses_how"),
        ),
        sa.CheckConstraint(PURPOSES, name=op.f("ck_subject_uses_purpose")),
        sa.ForeignKeyConstraint(
            ["id"], ["attributions.id"], name=op.f("fk_subject_uses_id_attributions")
        ),
        sa.ForeignKeyConstraint(
            ["subject_id"], ["subjects.id"], name=op.f("fk_subject_uses_subject_id_subjects")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subject_uses")),
    )
    for table, columns in (
        ("subjects", ["receipt"]),
        ("subjects", ["until", "tenant"]),
        ("subjects", ["tenant", "asked_at", "id"]),
        ("subjects", ["kept", "tenant", "asked_at", "id"]),
        ("subject_uses", ["subject_id", "at"]),
        ("subject_uses", ["sealed"]),
    ):
        op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, columns)
    with op.batch_alter_table("tenants") as batch:
        batch.add_column(sa.Column("subjects_to", sa.String(64), nullable=True))
    with op.batch_alter_table("lookup_batches") as batch:
        batch.add_column(sa.Column("purpose", sa.String(16), nullable=True))
        batch.create_check_constraint(op.f("ck_lookup_batches_purpose"), PURPOSES)
    if op.get_bind().dialect.name == "postgresql":
        for table in TABLES:
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"CREATE POLICY tenant ON {table} USING ({MINE}) WITH CHECK ({MINE})")


def downgrade() -> None:
    """Forget them; files of images stay where they are."""
    with op.batch_alter_table("lookup_batches") as batch:
        batch.drop_constraint(op.f("ck_lookup_batches_purpose"), type_="check")
        batch.drop_column("purpose")
    with op.batch_alter_table("tenants") as batch:
        batch.drop_column("subjects_to")
    for table in reversed(TABLES):
        op.drop_table(table)
