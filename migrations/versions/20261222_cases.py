"""Cases: subjects, findings, assessments, decisions, notes, parties."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.schema import SchemaItem

revision = "20261222_cases"
down_revision = "20261221_consents"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)
WORD = sa.String(16)
MINE = "current_setting('lawful.tenant', true) IN (tenant, '*')"
TABLES = (
    "desks",
    "cases",
    "case_parties",
    "case_subjects",
    "case_findings",
    "assessments",
    "decisions",
    "case_notes",
)
KINDS = ("match", "claim", "withdrawal", "generated", "appeal")
ASSESSED = ("confirmed", "rejected", "unclear")


def upgrade() -> None:
    """Make the tables, empty."""
    _desks_and_cases()
    _subjects()
    _judgements()
    if op.get_bind().dialect.name == "postgresql":
        for table in TABLES:
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"CREATE POLICY tenant ON {table} USING ({MINE}) WITH CHECK ({MINE})")


def downgrade() -> None:
    """Forget every case."""
    for table in reversed(TABLES):
        op.drop_table(table)


def _desks_and_cases() -> None:
    op.create_table(
        "desks",
        sa.Column("last_case", sa.Integer(), nullable=False),
        _tenant(),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_desks")),
    )
    _table(
        "cases",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("appeals", sa.Uuid(), nullable=True),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.Column("opened_by", sa.Text(), nullable=False),
        sa.Column("status", WORD, nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("due_at", MOMENT, nullable=True),
        sa.Column("assignee", sa.Text(), nullable=True),
        sa.Column("lease_by", sa.Text(), nullable=True),
        sa.Column("lease_until", MOMENT, nullable=True),
        sa.Column("subjects", sa.Integer(), nullable=False),
        sa.Column("findings", sa.Integer(), nullable=False),
        *_sealed(),
        _one_of("cases", "kind", KINDS),
        _one_of("cases", "status", ("open", "second", "decided", "closed")),
        sa.CheckConstraint("priority BETWEEN 1 AND 5", name=op.f("ck_cases_priority")),
        sa.UniqueConstraint("number", "tenant", name=op.f("uq_cases_number_tenant")),
    )
    _index("cases", "sealed")
    _index("cases", "appeals")
    _index("cases", "status", "tenant", "priority", "number")


def _subjects() -> None:
    _table(
        "case_parties",
        _of("cases", "case_parties"),
        sa.Column("role", WORD, nullable=False),
        sa.Column("artist", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("added_at", MOMENT, nullable=False),
        _one_of("case_parties", "role", ("artist", "respondent", "counsel", "other")),
    )
    _index("case_parties", "case_id")
    _index("case_parties", "artist")
    _table(
        "case_subjects",
        _of("cases", "case_subjects"),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("image_sha256", sa.String(64), nullable=False),
        _of("attributions", "case_subjects", nullable=True),
        _of("artworks", "case_subjects", nullable=True),
        sa.Column("open_kind", WORD, nullable=True),
        _one_of("case_subjects", "open_kind", KINDS),
        _unique("case_subjects", "image_sha256", "tenant", "open_kind"),
        _unique("case_subjects", "case_id", "position"),
    )
    _table(
        "case_findings",
        _of("cases", "case_findings"),
        sa.Column("position", sa.Integer(), nullable=False),
        _of("case_subjects", "case_findings"),
        sa.Column("lane", WORD, nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.Column("about", JSON, nullable=False),
        sa.Column("assessed", WORD, nullable=True),
        _one_of("case_findings", "lane", ("copy", "style", "provenance", "rights")),
        _one_of("case_findings", "assessed", ASSESSED),
        _unique("case_findings", "case_id", "position"),
    )
    _index("case_findings", "case_id", "assessed", "position")


def _judgements() -> None:
    _table(
        "assessments",
        _of("case_findings", "assessments"),
        sa.Column("verdict", WORD, nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        *_sealed(),
        _one_of("assessments", "verdict", ASSESSED),
    )
    _index("assessments", "sealed")
    _index("assessments", "finding_id", "at")
    _table(
        "decisions",
        _of("cases", "decisions"),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("outcome", WORD, nullable=False),
        sa.Column("ground", WORD, nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("supersedes", sa.Uuid(), nullable=True),
        sa.Column("needs_second", sa.Boolean(), nullable=False),
        sa.Column("seconded_by", sa.Text(), nullable=True),
        sa.Column("seconded_at", MOMENT, nullable=True),
        *_sealed(),
        _one_of(
            "decisions",
            "outcome",
            (
                *("match_confirmed", "match_licensed", "match_rejected", "style_noted"),
                *("claim_upheld", "claim_rejected", "withdrawal_due", "no_finding"),
                *("appeal_granted", "appeal_denied"),
            ),
        ),
        _one_of(
            "decisions",
            "ground",
            (
                *("same_picture", "altered_picture", "other_picture", "same_subject"),
                *("licensed", "prior_claim", "on_request", "no_evidence", "other"),
            ),
        ),
        _unique("decisions", "case_id", "number"),
    )
    _index("decisions", "sealed")
    _table(
        "case_notes",
        _of("cases", "case_notes"),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        *_sealed(),
        _one_of("case_notes", "kind", ("comment", "skip", "move", "reopen", "appeal")),
    )
    _index("case_notes", "sealed")
    _index("case_notes", "case_id", "at")


def _table(name: str, *parts: SchemaItem) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.Uuid(), nullable=False),
        *parts,
        _tenant(),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
    )


def _tenant() -> sa.Column[str]:
    return sa.Column("tenant", sa.String(40), nullable=False, server_default="default")


def _sealed() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("seal", JSON, nullable=False, server_default="{}"),
        sa.Column("sealed", sa.BigInteger(), nullable=True),
    )


def _of(parent: str, table: str, *, nullable: bool = False) -> sa.Column[Any]:
    column = {
        "cases": "case_id",
        "attributions": "attribution_id",
        "artworks": "artwork_id",
        "case_subjects": "subject_id",
        "case_findings": "finding_id",
    }[parent]
    name = op.f(f"fk_{table}_{column}_{parent}")
    return sa.Column(column, sa.Uuid(), sa.ForeignKey(f"{parent}.id", name=name), nullable=nullable)


def _one_of(table: str, column: str, values: tuple[str, ...]) -> sa.CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=op.f(f"ck_{table}_{column}"))


def _unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=op.f(f"uq_{table}_{'_'.join(columns)}"))


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns))
