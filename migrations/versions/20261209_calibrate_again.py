"""Calibrations of before do not say how near anything registered is: they are made again.

That happens by itself, within a minute (`lawful beat`), or now (`lawful calibrate`).
"""

from __future__ import annotations

from alembic import op

revision = "20261209_calibrate_again"
down_revision = "20261208_no_identifiers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forget what was fitted."""
    op.execute("DELETE FROM calibrations")


def downgrade() -> None:
    """Forget what was fitted: the earlier program reads less, and makes it again too."""
    op.execute("DELETE FROM calibrations")
