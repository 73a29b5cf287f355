"""Calibrations keep the weights of the spaces, and weigh nearness by cosine.

Those of before are deleted, and made again by themselves: they belong to encoders whose fingerprint
has changed as well, so that no answer would read them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261206_weights_of_spaces"
down_revision = "20261205_compared_vectors"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Delete them: they lack the weights of the spaces."""
    op.execute(sa.delete(sa.table("calibrations")))


def downgrade() -> None:
    """Delete them: the version before does not know these weights."""
    op.execute(sa.delete(sa.table("calibrations")))
