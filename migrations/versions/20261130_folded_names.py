"""Names are folded again: what tells people of one name apart counts now.

The rule itself is imported: the column is what the program of the day compares names by.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from attribution.catalogue.names import fold

revision = "20261130_folded_names"
down_revision = "20261201_freer_jobs"
branch_labels = None
depends_on = None

ARTISTS = sa.table("artists", sa.column("id", sa.Uuid()), sa.column("name"), sa.column("folded"))


def upgrade() -> None:
    """Fold the names of all artists."""
    connection = op.get_bind()
    rows = connection.execute(sa.select(ARTISTS.c.id, ARTISTS.c.name, ARTISTS.c.folded)).all()
    changed = [
        {"artist": row.id, "new": fold(row.name)} for row in rows if row.folded != fold(row.name)
    ]
    if changed:
        connection.execute(
            sa.update(ARTISTS)
            .where(ARTISTS.c.id == sa.bindparam("artist"))
            .values(folded=sa.bindparam("new")),
            changed,
        )


def downgrade() -> None:
    """Leave the folds: an earlier program only proposes aliases by them."""
