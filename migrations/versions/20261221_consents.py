"""Consent is what somebody said, with its history; evidence is a purpose of its own.

Who gave the answers that stand by now, nobody knows any more. Where one differs from the default,
it becomes a statement that says just this: it stood when statements began to be kept.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "20261221_consents"
down_revision = "20261220_subjects"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)
MINE = "current_setting('lawful.tenant', true) IN (tenant, '*')"
DEFAULTS = {"index": True, "display": True, "train": False, "generate": False}
NAMES = 'id, artwork_id, purpose, answer, source, said_at, "by", tenant'
RANDOM = {"sqlite": "lower(hex(randomblob(16)))", "postgresql": "gen_random_uuid()"}


def upgrade() -> None:
    """Make the table, and keep the answers that stand and are no defaults."""
    op.create_table(
        "consents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("artist_id", sa.Uuid(), nullable=True),
        sa.Column("artwork_id", sa.Uuid(), nullable=True),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("answer", sa.String(16), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("document", sa.Text(), nullable=True),
        sa.Column("valid_from", MOMENT, nullable=True),
        sa.Column("valid_until", MOMENT, nullable=True),
        sa.Column("said_at", MOMENT, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("turns_at", MOMENT, nullable=True),
        sa.Column("seal", JSON, nullable=False, server_default="{}"),
        sa.Column("sealed", sa.BigInteger(), nullable=True),
        sa.Column("tenant", sa.String(40), nullable=False, server_default="default"),
        sa.CheckConstraint(
            "purpose IN ('index', 'display', 'evidence', 'train', 'generate')",
            name=op.f("ck_consents_purpose"),
        ),
        sa.CheckConstraint("answer IN ('allow', 'deny', 'ask')", name=op.f("ck_consents_answer")),
        sa.CheckConstraint(
            "source IN ('table', 'sidecar', 'folder', 'metadata', 'upload', 'person', 'earlier')",
            name=op.f("ck_consents_source"),
        ),
        sa.CheckConstraint(
            "(artist_id IS NULL) <> (artwork_id IS NULL)", name=op.f("ck_consents_about")
        ),
        *(
            sa.ForeignKeyConstraint(
                [column], [f"{table}.id"], name=op.f(f"fk_consents_{column}_{table}")
            )
            for column, table in (
                ("artist_id", "artists"),
                ("artwork_id", "artworks"),
                ("job_id", "ingest_jobs"),
            )
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
    )
    with op.batch_alter_table("artworks") as batch:
        batch.add_column(
            sa.Column("consent_evidence", sa.Boolean(), nullable=False, server_default=sa.true())
        )
    _keep_answers()
    for columns in (
        ["artist_id"],
        ["artwork_id"],
        ["sealed"],
        ["turns_at", "tenant"],
        ["tenant", "said_at", "id"],
        ["purpose", "tenant", "said_at", "id"],
        ["source", "tenant", "said_at", "id"],
    ):
        op.create_index(op.f(f"ix_consents_{'_'.join(columns)}"), "consents", columns)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE consents ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON consents USING ({MINE}) WITH CHECK ({MINE})")


def _keep_answers() -> None:
    """Write what stands otherwise than by default; of withdrawn works nothing is said any more."""
    random = RANDOM[op.get_bind().dialect.name]
    for purpose, default in DEFAULTS.items():
        answer = "deny" if default else "allow"
        differs = f"consent_{purpose}" if not default else f"NOT consent_{purpose}"
        op.execute(
            f"INSERT INTO consents ({NAMES}) "  # noqa: S608  our own words
            f"SELECT {random}, id, '{purpose}', '{answer}', 'earlier', CURRENT_TIMESTAMP, "
            f"'unknown', tenant FROM artworks WHERE {differs} AND status <> 'withdrawn'"
        )


def downgrade() -> None:
    """Forget who said what; the answers that stand stay."""
    with op.batch_alter_table("artworks") as batch:
        batch.drop_column("consent_evidence")
    op.drop_table("consents")
