"""Calibrations keep the weights of the spaces, and weigh nearness by cosine.

Those that are there go on to say what they said: until now the three spaces had fixed weights, and
nearness was counted in tenths of a cosine. The next calibration fits the weights.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261206_weights_of_spaces"
down_revision = "20261205_compared_vectors"
branch_labels = None
depends_on = None

VALUES = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
CALIBRATIONS = sa.table(
    "calibrations",
    sa.column("fingerprint", sa.String()),
    sa.column("voices", VALUES),
    sa.column("numbers", VALUES),
)
FIXED = {"clip": 1.0, "vae_layout": 0.25, "vae_style": 0.5}
SCALE = 10.0
NEAREST = "nearest in "


def upgrade() -> None:
    """Translate calibrations by the three spaces; others are made again by themselves."""
    connection = op.get_bind()
    for row in connection.execute(sa.select(CALIBRATIONS)).all():
        this = CALIBRATIONS.c.fingerprint == row.fingerprint
        spaces = [one.removeprefix(NEAREST) for one in row.voices if one.startswith(NEAREST)]
        if row.numbers and set(spaces) == set(FIXED):
            numbers = _translated(row.numbers, len(row.voices) - len(spaces))
            connection.execute(sa.update(CALIBRATIONS).where(this).values(numbers=numbers))
        elif row.numbers:
            connection.execute(sa.delete(CALIBRATIONS).where(this))


def downgrade() -> None:
    """Delete them: fitted weights of spaces cannot be told to the version before."""
    op.execute(sa.delete(CALIBRATIONS))


def _translated(numbers: dict[str, Any], voters: int) -> dict[str, Any]:
    weights = numbers["weights"]
    nearness = [SCALE * weight for weight in weights[voters:]]
    spaces = {space: weight / sum(FIXED.values()) for space, weight in FIXED.items()}
    return numbers | {"weights": weights[:voters] + nearness, "spaces": spaces}
