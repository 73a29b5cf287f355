"""Rows carry the tenant: everything that is there belongs to the one called `default`.

What was unique in the database is so for each tenant, and lists begin their index with it. On
PostgreSQL row-level security lets a role that does not own the tables see no other tenant's rows.
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "20261215_tenants"
down_revision = "20261215_single_lookups"
branch_labels = None
depends_on = None

DEFAULT = "default"
TABLES = (
    "aliases",
    "api_keys",
    "artists",
    "artworks",
    "attributions",
    "calibrations",
    "change_claims",
    "change_rows",
    "change_works",
    "changes",
    "cited_works",
    "claims",
    "classifier_artists",
    "classifier_shards",
    "copy_sketches",
    "denied_files",
    "embeddings",
    "generations",
    "ingest_items",
    "ingest_jobs",
    "lookup_batches",
    "lookup_items",
    "non_copies",
    "part_vectors",
    "replies",
    "tasks",
    "withdrawals",
)
KEYS = {  # primary keys
    "aliases": ["name"],
    "calibrations": ["fingerprint"],
    "classifier_shards": ["fingerprint", "number"],
    "replies": ["actor", "key"],
}
UNIQUE = {
    "artists": ("slug", "name"),
    "artworks": ("sha256",),
    "changes": ("merged_slug",),
}
INDEXES = {  # that begin with the tenant
    "artists": (["turned"],),
    "artworks": (["created_at", "id"],),
    "copy_sketches": (
        ["third_0", "bits", "artwork_id", "part"],
        ["third_1", "bits"],
        ["third_2", "bits"],
    ),
    "attributions": (["created_at", "id"],),
    "changes": (["made_at", "id"],),
    "generations": (["created_at", "id"],),
    "ingest_jobs": (["created_at", "id"],),
    "lookup_batches": (["created_at", "id"],),
    "withdrawals": (["requested_at", "id"],),
}
FILTERED = {
    "artists": ["folded"],
    "artworks": ["licence_id", "created_at", "id"],
    "attributions": ["verdict", "created_at", "id"],
}
AUDIT = (
    ["tenant", "sequence"],
    ["action", "tenant", "sequence"],
    ["actor", "tenant", "sequence"],
    ["tenant", "at"],
)
OF_ARTIST = ["artist_id", "status", "created_at", "id"]
MINE = "current_setting('lawful.tenant', true) IN (tenant, '*')"


def upgrade() -> None:
    """Give everything to the tenant `default`."""
    tenants = op.create_table(
        "tenants",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("compared_to", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_tenants")),
    )
    op.bulk_insert(tenants, [{"name": DEFAULT, "created_at": datetime.now(UTC)}])
    for table in (*TABLES, "audit_entries"):
        op.add_column(
            table, sa.Column("tenant", sa.String(40), nullable=False, server_default=DEFAULT)
        )
    op.drop_index(op.f("ix_audit_entries_action"), "audit_entries")
    for columns in AUDIT:
        _index("audit_entries", columns)
    for table, columns in KEYS.items():
        _set_key(table, ["tenant", *columns])
    for table, names in UNIQUE.items():
        with op.batch_alter_table(table) as batch:
            for name in names:
                batch.drop_constraint(op.f(f"uq_{table}_{name}"), type_="unique")
                batch.create_unique_constraint(op.f(f"uq_{table}_tenant_{name}"), ["tenant", name])
    for table, indexes in INDEXES.items():
        for columns in indexes:
            _move_index(table, columns, ["tenant", *columns])
    for table, (first, *rest) in FILTERED.items():  # SQLite judges an index by its first column
        _move_index(table, [first, *rest], [first, "tenant", *rest])
    _move_index("artworks", OF_ARTIST, [*OF_ARTIST, "tenant"])
    _index_unindexed(["tenant", "status"])
    with op.batch_alter_table("collections") as batch:
        batch.drop_column("compared_to")
        batch.add_column(
            sa.Column("says_tenants", sa.Boolean(), nullable=False, server_default=sa.false())
        )
    _secure("ENABLE", f"CREATE POLICY tenant ON {{table}} USING ({MINE}) WITH CHECK ({MINE})")


def downgrade() -> None:
    """Forget whose rows are whose; refused while there is more than one tenant."""
    names = op.get_bind().scalars(sa.text("SELECT name FROM tenants")).all()
    if names != [DEFAULT]:
        raise ValueError(f"an earlier version would mix the rows of {', '.join(sorted(names))}")
    _secure("DISABLE", "DROP POLICY tenant ON {table}")
    with op.batch_alter_table("collections") as batch:
        batch.drop_column("says_tenants")
        batch.add_column(sa.Column("compared_to", sa.Uuid(), nullable=True))
    for table, indexes in INDEXES.items():
        for columns in indexes:
            _move_index(table, ["tenant", *columns], columns)
    for table, (first, *rest) in FILTERED.items():
        _move_index(table, [first, "tenant", *rest], [first, *rest])
    _move_index("artworks", [*OF_ARTIST, "tenant"], OF_ARTIST)
    _index_unindexed(["status"])
    for table, constrained in UNIQUE.items():
        with op.batch_alter_table(table) as batch:
            for name in constrained:
                batch.drop_constraint(op.f(f"uq_{table}_tenant_{name}"), type_="unique")
                batch.create_unique_constraint(op.f(f"uq_{table}_{name}"), [name])
    for table, columns in KEYS.items():
        _set_key(table, columns)
    for columns in AUDIT:
        op.drop_index(op.f(f"ix_audit_entries_{'_'.join(columns)}"), "audit_entries")
    _index("audit_entries", ["action"])
    for table in (*TABLES, "audit_entries"):
        with op.batch_alter_table(table) as batch:
            batch.drop_column("tenant")
    op.drop_table("tenants")


def _set_key(table: str, columns: list[str]) -> None:
    with op.batch_alter_table(table) as batch:
        batch.drop_constraint(op.f(f"pk_{table}"), type_="primary")
        batch.create_primary_key(op.f(f"pk_{table}"), columns)


def _move_index(table: str, old: list[str], new: list[str]) -> None:
    op.drop_index(op.f(f"ix_{table}_{'_'.join(old)}"), table)
    _index(table, new)


def _index(table: str, columns: list[str]) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, columns)


def _index_unindexed(columns: list[str]) -> None:
    op.drop_index("ix_artworks_unindexed", "artworks")
    rest = sa.text("status <> 'indexed'")
    op.create_index(
        "ix_artworks_unindexed", "artworks", columns, postgresql_where=rest, sqlite_where=rest
    )


def _secure(switch: str, policy: str) -> None:
    """Switch row-level security, which SQLite has not."""
    if op.get_bind().dialect.name == "postgresql":
        for table in TABLES:
            statements = (f"ALTER TABLE {table} {switch} ROW LEVEL SECURITY", policy)
            for statement in statements if switch == "ENABLE" else reversed(statements):
                op.execute(statement.format(table=table))
