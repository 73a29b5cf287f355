"""What each named vector of a collection is for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "20261206_lanes"
down_revision = "20261206_weights_of_spaces"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
CONTENT = "clip"  # in every collection so far; all of its vectors voted

collections = sa.table(
    "collections", sa.column("name"), sa.column("dims", JSON), sa.column("lanes", JSON)
)


def upgrade() -> None:
    """Add the lanes: as all vectors of the collections so far voted, so they go on voting."""
    with op.batch_alter_table("collections") as table:
        table.add_column(sa.Column("lanes", JSON, nullable=True))
    connection = op.get_bind()
    for name, dims in connection.execute(sa.select(collections.c.name, collections.c.dims)).all():
        lanes = {space: "content" if space == CONTENT else "style" for space in dims}
        connection.execute(
            collections.update().where(collections.c.name == name).values(lanes=lanes)
        )
    with op.batch_alter_table("collections") as table:
        table.alter_column("lanes", existing_type=JSON, nullable=False)


def downgrade() -> None:
    """Forget them."""
    with op.batch_alter_table("collections") as table:
        table.drop_column("lanes")
