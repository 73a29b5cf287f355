"""Catalogue and index: what differs is found, what is lost is made anew with the same answers."""

from __future__ import annotations

import shutil
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import delete, update

from attribution.catalog import queries
from attribution.catalog.models import Artist, Artwork, Embedding
from attribution.config import Settings
from attribution.errors import BadInput, Conflict, IndexLost, NotFound
from attribution.reconcile import Report, reconcile
from attribution.reindex import change_profile, drop_collections, make_anew
from attribution.services import Services, Stores, open_collection, open_services, open_stores
from attribution.types import Point
from tests.asking import ask_about
from tests.portfolios import ingest


def shown(_done: int, _total: int) -> None:
    """Show no progress."""


def compare(services: Services, *, repair: bool = False) -> Report:
    """Reconcile."""
    return reconcile(services, services.index, repair=repair)


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


def test_a_point_that_cannot_be_made_again(services: Services, tmp_path: Path) -> None:
    """Without kept vectors a missing work is marked, and can be ingested again."""
    with services.sessions.begin() as session:
        work = queries.list_artworks(session).items[0]
        session.execute(delete(Embedding).where(Embedding.artwork_id == work.id))
    services.index.delete([work.id])

    assert compare(services, repair=True).lost == 1
    assert compare(services).is_clean
    summary = ingest(services, tmp_path / "p")

    assert (summary.added, summary.known) == (1, 11)


def test_a_lost_index_is_made_anew(ingested: Settings, tmp_path: Path) -> None:
    """Delete the folder: commands refuse to answer; after a reindex the answers are the same."""
    with open_services(ingested) as services:
        before = ask_about(services, tmp_path)
    shutil.rmtree(ingested.home / "index")
    with pytest.raises(IndexLost, match="lawful reindex"), open_services(ingested):
        pass

    with open_stores(ingested) as stores:
        assert make_anew(stores, progress=shown) == (12, 0)

    with open_services(ingested) as services:
        after = ask_about(services, tmp_path)
        assert compare(services).is_clean
    assert (after.artists, after.verdict) == (before.artists, before.verdict)


def test_nothing_to_make_anew(tmp_path: Path) -> None:
    """Before anything was ingested there is no collection."""
    with (
        open_stores(Settings(home=tmp_path, profile="stub")) as stores,
        pytest.raises(NotFound, match="begin with `lawful ingest"),
    ):
        make_anew(stores, progress=shown)


def change(stores: Stores, profile: str, *, partial: bool = False, keep_old: bool = False) -> str:
    """Change the encoders; return the name of the collection."""
    return change_profile(stores, profile, partial=partial, keep_old=keep_old, progress=shown).name


def test_other_encoders_from_the_originals(ingested: Settings, tmp_path: Path) -> None:
    """The new collection takes the place of the old one, which goes with its vectors."""
    with open_services(ingested) as services:
        old = services.collection
    with open_stores(ingested) as stores:
        name = change(stores, "starter")
        with stores.sessions() as session:
            (live,) = queries.collections(session)
            ids = [row.id for row in queries.list_artworks(session).items]
            assert not queries.kept_vectors(session, old.fingerprint, ids, old.dims)
        with open_collection(stores) as index:
            assert index.count() == 12
    assert (live.name, live.profile) == (name, "starter")

    with open_services(ingested.model_copy(update={"profile": "starter"})) as services:
        assert ask_about(services, tmp_path).searched.profile == "starter"
        assert compare(services).is_clean


def test_works_without_original_stop_a_change(ingested: Settings) -> None:
    """The old collection stays in its place, unless these works may be left out."""
    with open_stores(ingested) as stores:
        with stores.sessions() as session:
            work = queries.list_artworks(session).items[0]
        (ingested.home / "originals" / work.sha256[:2] / work.sha256).unlink()
        with pytest.raises(Conflict, match="1 works have no kept original"):
            change(stores, "starter")
        with stores.sessions() as session:
            live = queries.live_collection(session)
        assert live is not None
        assert live.profile == "stub"

        change(stores, "starter", partial=True, keep_old=True)
        with stores.sessions() as session:
            counts = queries.counts(session)
            names = [one.profile for one in queries.collections(session)]

        assert drop_collections(stores) == 1
        with stores.sessions() as session:
            left = [one.profile for one in queries.collections(session)]

    assert (counts.indexed, counts.failed) == (11, 1)
    assert sorted(names) == ["starter", "stub"]
    assert left == ["starter"]


def test_the_same_encoders_are_no_change(ingested: Settings) -> None:
    """Asking for what is there is an error, not a day of work."""
    with open_stores(ingested) as stores, pytest.raises(BadInput, match="already"):
        change(stores, "stub")
