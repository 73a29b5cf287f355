"""Withdrawal: what is forgotten is gone everywhere, provably, and stays away."""

from __future__ import annotations

from pathlib import Path

import pytest

from attribution import withdrawal
from attribution.attributor import SearchQuery
from attribution.catalog import queries
from attribution.catalog.models import Artwork, ArtworkStatus, Withdrawal, artwork_id
from attribution.errors import BackendUnavailable, BadInput, NotFound
from attribution.images import read_image_file
from attribution.reconcile import reconcile
from attribution.services import Services
from attribution.withdrawal import withdraw
from tests.portfolios import ingest, portfolio


def a_work(services: Services, slug: str = "artist-1") -> Artwork:
    """Return a work of an artist."""
    with services.sessions() as session:
        artist = queries.artist_by_slug(session, slug)
        return queries.list_artworks(session, artist_id=artist.id).items[0]


def forget(services: Services, what: object) -> Withdrawal:
    """Withdraw an artist or a work."""
    return withdraw(services, services.index, str(what), reason="asked for")


def files_of(services: Services, sha256: str) -> list[Path]:
    """Return every file under the home whose name has the hash."""
    return [path for path in services.settings.home.rglob("*") if sha256 in path.name]


def database_holds(services: Services, text: str) -> bool:
    """Tell whether the bytes of the database file, with its log, contain a text."""
    with services.sessions() as session:
        session.connection().exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return text.encode() in (services.settings.home / "lawful.db").read_bytes()


def test_a_work_is_gone_everywhere(services: Services) -> None:
    """Row, point, thumbnail, original, kept vectors: nothing is left but the tombstone."""
    work = a_work(services)
    assert len(files_of(services, work.sha256)) == 2

    receipt = forget(services, work.id).receipt

    with services.sessions() as session:
        row = queries.artwork_by_id(session, work.id)
        assert not queries.kept_vectors(
            session, services.collection.fingerprint, [work.id], services.collection.dims
        )
    assert (row.status, row.reason, row.title, row.phash) == ("withdrawn", "asked for", None, "")
    assert files_of(services, work.sha256) == []
    assert services.index.vectors([work.id]) == {}
    assert receipt["removed"] == {
        "catalogue rows": 1,
        "kept vectors": 1,
        "kept vectors of parts": 0,
        "copy sketches": 1,
        "declared non-copies": 0,
        "lines of ingest jobs": 1,
        "recorded answers": 0,
        "points": 1,
        "points of parts": 0,
        "originals": 1,
        "thumbnails": 1,
        "cached vectors": 0,
    }
    assert (receipt["before"]["works"], receipt["after"]["works"]) == (12, 11)
    assert (receipt["before"]["points"], receipt["after"]["points"]) == (12, 11)
    assert receipt["left"] == {"points": 0, "points of parts": 0, "files": 0}
    assert reconcile(services, services.index, repair=False).is_clean


def test_answers_do_not_name_it(services: Services, tmp_path: Path) -> None:
    """The same picture and its title find others; an earlier answer loses the title."""
    work = a_work(services)
    path = tmp_path / "p" / "artist-1" / f"{work.title}.png"
    before = services.attributor.attribute(read_image_file(path))
    assert before.copy_of is not None
    assert before.copy_of.id == work.id

    assert forget(services, work.id).receipt["removed"]["recorded answers"] == 1

    after = services.attributor.attribute(read_image_file(path))
    named = {one.id for artist in after.artists for one in artist.works}
    found = services.attributor.search(SearchQuery(text=work.title, artists=("artist-1",)))
    assert after.copy_of is None or after.copy_of.id != work.id
    assert work.id not in named | {hit.id for hit in found.hits}
    assert after.searched.works == 11
    earlier = services.attributor.recall(before.id)
    assert earlier.copy_of is not None
    assert (earlier.copy_of.id, earlier.copy_of.title) == (work.id, None)


def test_an_artist_is_gone_with_all_works(services: Services) -> None:
    """Every work of the artist, and nobody else's."""
    receipt = forget(services, "artist-1").receipt

    with services.sessions() as session:
        counts = queries.counts(session)
    assert (counts.indexed, counts.withdrawn, counts.artists) == (8, 4, 2)
    assert len(receipt["works"]) == 4
    assert receipt["after"]["works of the artist"] == receipt["after"]["points of the artist"] == 0
    assert services.index.count() == 8


def test_it_stays_away_until_reinstated(services: Services, tmp_path: Path) -> None:
    """The next run of the same folder refuses the work and says how to bring it back."""
    work = a_work(services)
    forget(services, work.id)

    again = ingest(services, tmp_path / "p")
    assert (again.added, again.known, again.refused) == (0, 11, 1)
    (reason,) = [item.reason for item in again.items if item.reason]
    assert "withdrawn (asked for)" in reason
    assert "--reinstate" in reason

    back = ingest(services, tmp_path / "p", reinstate=True)
    assert (back.added, back.known, back.refused) == (1, 11, 0)
    assert services.index.count() == 12
    assert a_work(services).status is ArtworkStatus.INDEXED
    assert reconcile(services, services.index, repair=False).is_clean


def test_new_works_of_a_withdrawn_artist_are_refused(services: Services, tmp_path: Path) -> None:
    """Who has withdrawn is not taken in again by another file."""
    forget(services, "artist-1")
    source = portfolio(tmp_path / "new", artists=2, works=6)

    more = ingest(services, source)
    assert (more.added, more.known, more.refused) == (2, 4, 6)

    back = ingest(services, source, reinstate=True)
    assert (back.added, back.refused) == (6, 0)


def test_asked_again_the_first_receipt_comes_back(services: Services) -> None:
    """The same request twice is one withdrawal."""
    work = a_work(services)
    first = forget(services, work.id)

    assert forget(services, work.id).id == first.id


def test_an_interrupted_withdrawal_is_finished(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing shows the work once SQL knows; reconcile removes what is left elsewhere."""
    work = a_work(services)

    def away(_: object) -> None:
        raise BackendUnavailable("the index is away")

    with monkeypatch.context() as patch:
        patch.setattr(services.index, "delete", away)
        with pytest.raises(BackendUnavailable):
            forget(services, work.id)
    assert services.index.vectors([work.id])
    with services.sessions() as session:
        assert work.id not in queries.artworks_by_id(
            session, [work.id], status=ArtworkStatus.INDEXED
        )

    report = reconcile(services, services.index, repair=True)

    assert (report.unfinished_withdrawals, report.orphaned) == (1, 1)
    assert services.index.vectors([work.id]) == {}
    assert files_of(services, work.sha256) == []
    assert reconcile(services, services.index, repair=False).is_clean


def test_a_work_withdrawn_while_it_comes_in_does_not_come_in(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its row and its point a work is withdrawn: its point is removed again."""
    source = portfolio(tmp_path / "late", artists=1, works=1)
    path = source / "artist-0" / "work-0.png"
    path.write_bytes((tmp_path / "p" / "artist-2" / "work-3.png").read_bytes())
    work = artwork_id(read_image_file(path).facts.sha256)
    forget(services, work)
    real = services.index.upsert

    def meanwhile(points: list[object]) -> None:
        real(points)  # type: ignore[arg-type]
        monkeypatch.undo()
        withdrawal.withdraw(services, services.index, str(work), reason="again")

    monkeypatch.setattr(services.index, "upsert", meanwhile)
    summary = ingest(services, source, artist="artist-2", reinstate=True)

    assert (summary.added, summary.refused) == (0, 1)
    assert services.index.vectors([work]) == {}
    assert reconcile(services, services.index, repair=False).is_clean


def test_consent_taken_back_by_the_source(services: Services, tmp_path: Path) -> None:
    """A metadata row that says no withdraws an indexed work, or hides its picture."""
    rows = (
        '{"file_name": "artist-1/work-0.png", "consent_index": "no"}\n'
        '{"file_name": "artist-1/work-1.png", "consent_display": "no"}\n'
    )
    (tmp_path / "p" / "metadata.jsonl").write_text(rows)

    summary = ingest(services, tmp_path / "p")

    assert (summary.known, summary.refused, summary.withdrawn) == (11, 1, 1)
    assert ingest(services, tmp_path / "p").withdrawn == 0  # it says what it did, not what was
    with services.sessions() as session:
        artist = queries.artist_by_slug(session, "artist-1")
        works = queries.list_artworks(session, artist_id=artist.id).items
        counts = queries.counts(session)
    assert (counts.indexed, counts.withdrawn) == (11, 1)
    (hidden,) = [work for work in works if not work.consent_display]
    assert not services.store.has_thumbnail(hidden.sha256)
    assert reconcile(services, services.index, repair=False).is_clean


def test_bad_requests(services: Services) -> None:
    """A reason is needed, and somebody to forget."""
    with pytest.raises(BadInput, match="needs a reason"):
        withdraw(services, services.index, "artist-1", reason=" ")
    with pytest.raises(NotFound, match="did you mean"):
        forget(services, "artist-9")
    with pytest.raises(NotFound, match="no artwork"):
        forget(services, "00000000-0000-0000-0000-000000000000")
