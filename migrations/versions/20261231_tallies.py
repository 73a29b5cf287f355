"""How many artists and works can be found is counted along, for a lookup cannot add it up."""

from __future__ import annotations

from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

import sqlalchemy as sa
from alembic import op

revision = "20261231_tallies"
down_revision = "20261230_sends"
branch_labels = None
depends_on = None

MINE = "current_setting('lawful.tenant', true) IN (tenant, '*')"
NOBODYS_URL = "https://lawful-diffusion.org/artists/nobody"


def upgrade() -> None:
    """Add the table, with a row for each tenant that has works."""
    tallies = op.create_table(
        "tallies",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("artists", sa.Integer(), nullable=False),
        sa.Column("works", sa.BigInteger(), nullable=False),
        sa.Column("tenant", sa.String(40), nullable=False, server_default="default"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tallies")),
    )
    op.create_index(op.f("ix_tallies_tenant"), "tallies", ["tenant"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE tallies ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE tallies FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON tallies USING ({MINE}) WITH CHECK ({MINE})")
    _tally(tallies)


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("tallies")


def _tally(tallies: sa.Table) -> None:
    """Add up what is counted of artists: nobody's works can be found, nobody is no artist."""
    kinds = (("id", sa.Uuid()), ("tenant", sa.String()), ("works", sa.Integer()))
    artists = sa.table("artists", *(sa.column(name, kind) for name, kind in kinds)).c
    names = op.get_bind().scalars(sa.select(sa.table("tenants", sa.column("name")).c.name)).all()
    for name in names:
        counted = sa.select(
            sa.func.count().filter(artists.id != _nobody_of(name)), sa.func.sum(artists.works)
        ).where(artists.tenant == name, artists.works > 0)
        number, works = op.get_bind().execute(counted).one()
        if works:
            row = {"id": uuid4(), "tenant": name, "artists": number, "works": works}
            op.execute(tallies.insert().values(row))


def _nobody_of(tenant: str) -> UUID:
    return uuid5(NAMESPACE_URL, NOBODYS_URL + ("" if tenant == "default" else f"/{tenant}"))
