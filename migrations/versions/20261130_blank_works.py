"""Works may be blank: registered, and never found.

Types are spelt out and not imported: a revision describes the tables of its day, whatever the
models say later.
"""

from __future__ import annotations

from alembic import op

revision = "20261130_blank_works"
down_revision = "20261130_undo"
branch_labels = None
depends_on = None

STATES = ("pending", "indexed", "failed", "withdrawn")
MORE_STATES = ("pending", "indexed", "blank", "failed", "withdrawn")


def upgrade() -> None:
    """Allow the state."""
    _allow(MORE_STATES)


def downgrade() -> None:
    """Forbid it; blank works are such that cannot be found, with the reason."""
    op.execute("UPDATE artworks SET status = 'failed', reason = 'blank' WHERE status = 'blank'")
    _allow(STATES)


def _allow(states: tuple[str, ...]) -> None:
    listed = ", ".join(repr(one) for one in states)
    with op.batch_alter_table("artworks") as table:
        table.drop_constraint(op.f("ck_artworks_status"), type_="check")
        table.create_check_constraint(op.f("ck_artworks_status"), f"status IN ({listed})")
