"""Catalogue and index are compared a range at a time, from where the comparison has got."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, update

from attribution import parts
from attribution.catalogue import queries
from attribution.catalogue.columns import now
from attribution.catalogue.models import Artist, Artwork, ArtworkStatus, Round
from attribution.catalogue.queries import Origin
from attribution.index.points import Point
from attribution.services import Services
from attribution.upkeep import comparison, correction, reconcile, rounds
from attribution.upkeep.report import Report

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have five works in a range."""
    monkeypatch.setattr(comparison, "PAGE", 5)
    monkeypatch.setattr(parts, "PAGE", 5)


def ids(services: Services) -> list[UUID]:
    """Return the works that can be found, in order."""
    with services.sessions() as session:
        return [row.id for row in queries.indexed_artworks(session, after=None, limit=100)]


def damage(services: Services) -> list[UUID]:
    """Have two points missing, two strange and one stale, and a count wrong; return the missing."""
    works = ids(services)
    stored = services.index.vectors([works[0]])[works[0]]
    services.index.delete([works[1], works[8]])
    strange = [UUID(int=1), UUID(int=2**128 - 1)]
    services.index.upsert([Point(one, stored, "nobody's", uuid4()) for one in strange])
    with services.sessions.begin() as session:
        session.execute(update(Artwork).where(Artwork.id == works[11]).values(licence="CC0-1.0"))
        session.execute(update(Artist).where(Artist.slug == "artist-0").values(works=99))
    return [works[1], works[8]]


def counted(report: Report) -> tuple[int, ...]:
    """Return what differed."""
    return report.missing, report.orphaned, report.stale, report.miscounted


def tick(services: Services, until: float = 0.0) -> Report | None:
    """Compare the next range, as a message of the beat does when its time is up at once."""
    return rounds.go_on(services, until=until, every=HOUR)


def test_a_whole_round_says_what_one_look_said(services: Services) -> None:
    """However small the ranges are, wherever the differences lie."""
    missing = damage(services)

    found = reconcile.reconcile(services, repair=False)

    assert counted(found) == (2, 2, 1, 1)
    assert (found.works, found.points) == (12, 12)
    assert found.examples["missing"] == [str(one) for one in missing]
    assert counted(reconcile.reconcile(services, repair=True)) == (2, 2, 1, 1)
    assert reconcile.reconcile(services, repair=False).is_clean


def test_each_message_compares_the_next_range_and_repairs_it(services: Services) -> None:
    """The report comes with the last range; the next round begins an hour after this one began."""
    damage(services)
    reports = [tick(services)]
    while reports[-1] is None:
        reports.append(tick(services))

    *none, report = reports
    assert none == [None] * 5  # works: 5, 5 and the rest; parts: none; artists; answers: none
    assert report is not None
    assert counted(report) == (2, 2, 1, 1)
    assert reconcile.compare_statistics(services, repair=True).misheld == 1  # by that wrong count
    assert reconcile.reconcile(services, repair=False).is_clean
    assert tick(services, math.inf) is None
    with services.sessions.begin() as session:
        session.execute(update(Round).values(began_at=now() - HOUR))
    assert counted(tick(services, math.inf) or Report(missing=-1)) == (0, 0, 0, 0)


def test_a_round_by_hand_goes_on_where_it_was_interrupted(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was found before is in its report; what was compared is not compared again."""
    damage(services)
    looked: list[UUID | None] = []

    def interrupt(done: int, total: int) -> None:
        assert (done, total) == (5, 12)
        raise KeyboardInterrupt

    def noting(collection: Services, after: UUID | None) -> object:
        looked.append(after)
        return comparison.compare_range(collection, after)

    with pytest.raises(KeyboardInterrupt):
        reconcile.reconcile(services, repair=False, progress=interrupt)
    monkeypatch.setattr(rounds, "compare_range", noting)

    found = reconcile.reconcile(services, repair=False)

    assert counted(found) == (2, 2, 1, 1)
    assert (found.works, found.points) == (12, 12)
    assert None not in looked


def test_an_old_or_another_round_is_begun_again(services: Services) -> None:
    """What was looked at yesterday may differ by now; what was not repaired has to be."""

    def interrupt(*_: int) -> None:
        raise KeyboardInterrupt

    damage(services)
    for repair in (False, True):
        with pytest.raises(KeyboardInterrupt):
            reconcile.reconcile(services, repair=repair, progress=interrupt)
        if repair:
            with services.sessions.begin() as session:
                session.execute(update(Round).values(began_at=now() - rounds.STALE))
        found = reconcile.reconcile(services, repair=repair)
        assert (found.works, found.repaired) == (12, repair)
    assert reconcile.reconcile(services, repair=False).is_clean


def test_works_that_come_or_go_between_ranges_are_no_difference(services: Services) -> None:
    """A range is compared as it is when its turn comes."""
    assert tick(services) is None
    with services.sessions() as session:
        works = queries.indexed_artworks(session, after=None, limit=100)
    origin = Origin("test")
    correction.correct(services, works[0].id, {"year": 1901}, origin)
    correction.correct(services, works[11].id, {"year": 1902}, origin)

    report = tick(services, math.inf)

    assert report is not None
    assert report.is_clean


@contextmanager
def statements(services: Services) -> Iterator[list[str]]:
    """Note the statements about works that are executed meanwhile."""
    seen: list[str] = []

    def note(_c: object, _k: object, statement: str, *_: object) -> None:
        if "FROM artworks" in statement:
            seen.append(statement)

    engine = services.sessions.kw["bind"]
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def test_no_statement_of_a_range_reads_all_works(services: Services) -> None:
    """Each is bounded by a limit, by ids, or by one artist's works."""
    damage(services)
    with statements(services) as seen:
        while tick(services) is None:
            pass
        reconcile.see_to(services, repair=True)

    assert seen
    bounds = ("LIMIT", " IN (", "artworks.id =", "artworks.artist_id =", "EXISTS (SELECT")
    assert [one for one in seen if not any(bound in one for bound in bounds)] == []
    with services.sessions() as session:
        assert len(queries.artworks_by_id(session, ids(services), status=ArtworkStatus.INDEXED))
