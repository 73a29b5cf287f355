"""One row stands for nobody: its name is kept free for it.

The row is made when the first work by nobody comes. Artists whose names mean nobody stay as they
are until `lawful reconcile --repair` merges them into it: their vectors have to leave the
classifier's statistics, and the index has to follow.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261202_nobody"
down_revision = "20261130_folded_names"
branch_labels = None
depends_on = None

NAME = "Unknown artist"
ARTISTS = sa.table("artists", sa.column("id", sa.Uuid()), sa.column("name"))
ALIASES = sa.table("aliases", sa.column("name"), sa.column("artist_id", sa.Uuid()))


def upgrade() -> None:
    """Rename an artist of exactly this name; the name becomes an alias, or what is closed opens."""
    connection = op.get_bind()
    artist = connection.scalar(sa.select(ARTISTS.c.id).where(ARTISTS.c.name == NAME))
    if artist is None:
        return
    names = (f"{NAME} (earlier{number})" for number in ("", *(f" {n}" for n in range(2, 1_000))))
    free = next(name for name in names if not _is_taken(connection, name))
    connection.execute(sa.update(ARTISTS).where(ARTISTS.c.id == artist).values(name=free))
    if not connection.scalar(sa.select(sa.func.count()).where(ALIASES.c.name == NAME)):
        connection.execute(sa.insert(ALIASES).values(name=NAME, artist_id=artist))


def downgrade() -> None:
    """Leave the names: to an earlier program the row is an artist like any."""


def _is_taken(connection: sa.Connection, name: str) -> bool:
    rows = (sa.select(table.c.name).where(table.c.name == name) for table in (ARTISTS, ALIASES))
    return connection.execute(sa.union_all(*rows)).first() is not None
