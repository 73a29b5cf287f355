"""Spellings of one fold join: aliases are found by their folds, and a job says whether they do.

The rule of folding itself is imported: the columns are what the program of the day compares by.
"""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

from attribution.catalogue.names import fold, turned

revision = "20261202_joined_names"
down_revision = "20261202_nobody"
branch_labels = None
depends_on = None

RULES = "names IN ('ask', 'join', 'new')"
KEPT: tuple[tuple[str, str, Callable[[str], str]], ...] = (
    ("aliases", "folded", fold),
    ("artists", "turned", turned),
)


def upgrade() -> None:
    """Add the columns and fill them in; jobs that are there join."""
    for name, column, rule in KEPT:
        _add(name, column, sa.Text(), "")
        _fill_in(name, column, rule)
        op.create_index(op.f(f"ix_{name}_{column}"), name, [column])
    _add("ingest_jobs", "names", sa.String(16), "join")
    with op.batch_alter_table("ingest_jobs") as table:
        table.create_check_constraint(op.f("ck_ingest_jobs_names"), RULES)


def downgrade() -> None:
    """Drop the columns."""
    with op.batch_alter_table("ingest_jobs") as table:
        table.drop_constraint(op.f("ck_ingest_jobs_names"), type_="check")
        table.drop_column("names")
    for name, column, _ in KEPT:
        op.drop_index(op.f(f"ix_{name}_{column}"), name)
        with op.batch_alter_table(name) as table:
            table.drop_column(column)


def _add(name: str, column: str, kind: sa.types.TypeEngine[str], value: str) -> None:
    with op.batch_alter_table(name) as table:
        table.add_column(sa.Column(column, kind, nullable=False, server_default=value))
    with op.batch_alter_table(name) as table:
        table.alter_column(column, server_default=None)


def _fill_in(name: str, column: str, rule: Callable[[str], str]) -> None:
    connection = op.get_bind()
    table = sa.table(name, sa.column("name"), sa.column(column))
    names = connection.scalars(sa.select(table.c.name)).all()
    if names:
        connection.execute(
            sa.update(table)
            .where(table.c.name == sa.bindparam("called"))
            .values({column: sa.bindparam("made")}),
            [{"called": one, "made": rule(one)} for one in names],
        )
