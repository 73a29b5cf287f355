"""How many artists and works can be found: counted along, read at once, and nobody waits."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from attribution import tenants
from attribution.catalogue import lifecycle, queries
from attribution.catalogue.database import Database
from attribution.catalogue.models import Artist, Tally
from tests.databases import planned

ARTISTS = 200_000


def an_artist(session: Session, number: int) -> UUID:
    """Add an artist without works."""
    return queries.get_or_create_artist(session, f"Artist {number}").id


def rows(session: Session) -> int:
    """Count the rows of the tally."""
    return session.scalars(select(func.count()).select_from(Tally)).one()


def test_no_number_of_artists_makes_a_lookup_slower(database: Database) -> None:
    """Of hundreds of thousands of artists not one is read; what is asked reads the tally alone."""
    many = (
        {"id": uuid4(), "slug": f"a-{n}", "name": f"A {n}", "folded": f"a{n}", "turned": f"{n}a"}
        for n in range(ARTISTS)
    )
    with database.sessions.begin() as session:
        session.execute(insert(Artist), [one | {"works": 5} for one in many])
        lifecycle.tally(session, works=5 * ARTISTS, artists=ARTISTS)
    with planned(database) as (session, plans):
        assert queries.searchable(session) == (ARTISTS, 5 * ARTISTS)
        assert queries.ranked(session) == (ARTISTS, 5 * ARTISTS)
        with tenants.across():
            assert queries.findable(session) == 5 * ARTISTS

    read = " / ".join(step for plan in plans for step in plan)
    assert "tallies" in read
    assert "SCAN artists" not in read
    assert "Seq Scan on artists" not in read


def test_rows_are_folded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """They stay few, and say the same."""
    monkeypatch.setattr(lifecycle, "FOLDED", 1)
    with database.sessions.begin() as session:
        session.add_all([Tally(artists=1, works=3) for _ in range(50)])
        lifecycle.tally(session, **queries.untallied(session)._asdict())  # there is no artist
        assert queries.searchable(session) == (0, 0)
        assert rows(session) == 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_nobody_waits_for_another_who_counts(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two transactions count and fold at the same time; what one has in hand the other leaves."""
    monkeypatch.setattr(lifecycle, "FOLDED", 1)
    with database.sessions.begin() as session:
        ids = [an_artist(session, number) for number in range(2)]
        session.add(Tally(artists=0, works=0))
    one, other = database.sessions(), database.sessions()
    with one, other:
        for session, artist in ((one, ids[0]), (other, ids[1])):
            session.execute(select(func.set_config("lock_timeout", "2s", True)))  # noqa: FBT003
            lifecycle._count_works(session, [artist] * 3, 1)
        other.commit()
        one.commit()
    with database.sessions() as session:
        assert queries.searchable(session) == (2, 6)
        assert queries.untallied(session) == (0, 0)
