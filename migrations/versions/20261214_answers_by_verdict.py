"""Recorded answers are listed by verdict: an index, and verdicts as this program reads them.

Answers of version 1 called what is near-identical a copy. The answers themselves stay as they are,
and the audit, which is younger, vouches for none of these rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "20261214_answers_by_verdict"
down_revision = "20261213_lookup_batches"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
ANSWERS = sa.table(
    "attributions",
    sa.column("id", sa.Uuid()),
    sa.column("verdict", sa.String()),
    sa.column("answer", JSON),
)
INDEX = "ix_attributions_verdict_created_at_id"


def upgrade() -> None:
    """Correct verdicts of version 1, and make the index."""
    _say("copy", "related")
    op.create_index(INDEX, "attributions", ["verdict", "created_at", "id"])


def downgrade() -> None:
    """Call them copies again, as they were recorded."""
    op.drop_index(INDEX, "attributions")
    _say("related", "copy")


def _say(now: str, then: str) -> None:
    """Give near-identical findings of version 1 another verdict."""
    connection = op.get_bind()
    wanted = sa.select(ANSWERS.c.id, ANSWERS.c.answer).where(ANSWERS.c.verdict == now)
    rows = connection.execute(wanted.execution_options(yield_per=1_000))
    ids = [row.id for row in rows if _is_near_identical(row.answer)]
    if ids:
        change = ANSWERS.update().where(ANSWERS.c.id == sa.bindparam("one")).values(verdict=then)
        connection.execute(change, [{"one": one} for one in ids])


def _is_near_identical(answer: Mapping[str, Any]) -> bool:
    """Tell whether version 1 recorded it; the oldest answers did not say what they had found."""
    copy = answer.get("copy_of")
    if answer.get("version", 1) != 1 or copy is None:
        return False
    kind = copy.get("kind")
    return kind == "near_identical" or (not kind and copy["match"] not in {"bytes", "pixels"})
