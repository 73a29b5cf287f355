"""Catalogue and index: what differs is found, what is lost is made anew with the same answers."""

from __future__ import annotations

import math
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import delete, update

from attribution.catalogue import queries
from attribution.catalogue.models import Artist, Artwork, Embedding, Tally
from attribution.collection import open_collection, open_stores
from attribution.config import Settings
from attribution.errors import DatabaseLost
from attribution.index.points import Point
from attribution.services import Services, open_services
from attribution.upkeep.reconcile import reconcile
from attribution.upkeep.report import Report
from attribution.upkeep.rounds import go_on
from tests.portfolios import ingest


def compare(services: Services, *, repair: bool = False) -> Report:
    """Reconcile."""
    return reconcile(services, repair=repair)


def test_what_agrees_is_clean(services: Services) -> None:
    """Every work has its point and says the same."""
    report = compare(services)

    assert report.is_clean
    assert (report.works, report.points) == (12, 12)


def test_differences_are_found_and_mended(services: Services) -> None:
    """Missing, orphaned and stale points, and a wrong count; repaired, nothing is left."""
    with services.sessions() as session:
        ids = [row.id for row in queries.list_artworks(session).items]
    stored = services.index.vectors([ids[0]])[ids[0]]
    services.index.delete([ids[1]])
    services.index.upsert([Point(uuid4(), stored, "nobody's", uuid4())])
    with services.sessions.begin() as session:
        session.execute(update(Artwork).where(Artwork.id == ids[2]).values(licence="CC0-1.0"))
        session.execute(update(Artist).where(Artist.slug == "artist-0").values(works=99))

    found = compare(services)
    assert (found.missing, found.orphaned, found.stale, found.miscounted) == (1, 1, 1, 1)
    assert found.examples["missing"] == [str(ids[1])]

    compare(services, repair=True)

    assert compare(services).is_clean
    assert services.index.count() == 12


def test_an_emptied_database_next_to_a_full_index_is_told(ingested: Settings) -> None:
    """It does not read as a beginning; nothing is compared, which would empty the index too."""
    (ingested.home / "lawful.db").unlink()
    with pytest.raises(DatabaseLost, match="has 12 works, the database has none: it was emptied"):
        open_services(ingested).__enter__()
    with open_stores(ingested) as stores, open_collection(stores) as collection:
        with pytest.raises(DatabaseLost):
            reconcile(collection, repair=True)
        with pytest.raises(DatabaseLost):
            go_on(collection, until=math.inf, every=timedelta(0))
        assert collection.index.count() == 12


def test_a_wrong_tally_is_found_and_mended(services: Services) -> None:
    """How many can be found is counted along; where somebody has changed that, it is set right."""
    with services.sessions.begin() as session:
        session.add(Tally(artists=-1, works=5))
        assert queries.searchable(session) == (2, 17)

    assert compare(services).misheld == 1
    compare(services, repair=True)

    assert compare(services).is_clean
    with services.sessions() as session:
        assert queries.searchable(session) == (3, 12)
        assert queries.ranked(session) == (3, 12)


def test_a_point_that_cannot_be_made_again(services: Services, tmp_path: Path) -> None:
    """Without vectors and original a missing work is marked, and can be ingested again."""
    with services.sessions.begin() as session:
        work = queries.list_artworks(session).items[0]
        session.execute(delete(Embedding).where(Embedding.artwork_id == work.id))
    services.index.delete([work.id])
    services.store.forget(work.sha256)

    assert compare(services, repair=True).lost == 1
    assert compare(services).is_clean
    summary = ingest(services, tmp_path / "p")

    assert (summary.added, summary.known) == (1, 11)
