"""Vectors are kept in half precision from here on.

A generation begins: a program of before would take two numbers of a new one for one. What is kept
already stays as it is; both are read.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import sqlalchemy as sa
from alembic import op

revision = "g2_20270101_halves"
down_revision = "g1_20261231_additions"
branch_labels = None
depends_on = None

PAGE = 1_000
IN_HALVES = 1  # byte before them, which makes the length odd
KEPT = [
    sa.table(name, sa.column("artwork_id"), sa.column("fingerprint"), sa.column("vectors"))
    for name in ("embeddings", "part_vectors")
]


def upgrade() -> None:
    """Change nothing."""


def downgrade() -> None:
    """Write what is in half precision as float32: the same numbers in twice the space."""
    for table in KEPT:
        while rows := op.get_bind().execute(_halves(table)).all():
            for row in rows:
                whole = np.frombuffer(row.vectors, "<f2", offset=IN_HALVES).astype("<f4")
                op.execute(
                    sa.update(table)
                    .where(table.c.artwork_id == row.artwork_id)
                    .where(table.c.fingerprint == row.fingerprint)
                    .values(vectors=whole.tobytes())
                )


def _halves(table: sa.TableClause) -> sa.Select[Any]:
    length = sa.func.length(table.c.vectors)
    return sa.select(table).where(length % 2 == 1).limit(PAGE)
