"""Lines of jobs that tell of nothing go after a time; what came of the files is still known."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from attribution.catalogue import queries
from attribution.catalogue.columns import now
from attribution.catalogue.models import Outcome
from attribution.catalogue.queries import JobSummary
from attribution.services import Services
from attribution.upkeep import thinning
from attribution.upkeep.reconcile import reconcile
from attribution.upkeep.thinning import thin_old
from ingest.summary import Summary, summarise
from tests.portfolios import ingest, picture, works


@pytest.fixture
def services(services: Services, monkeypatch: pytest.MonkeyPatch) -> Services:
    """Give a collection whose jobs are thinned after a day, and two days have passed."""
    monkeypatch.setattr(thinning, "now", lambda: now() + timedelta(days=2))
    return replace(services, settings=services.settings.model_copy(update={"job_days": 1}))


@pytest.fixture
def again(services: Services, tmp_path: Path) -> Summary:
    """Bring a portfolio twice, the second time with a new work, one twice, and a broken file."""
    folder = tmp_path / "works"
    works(folder / "Ann", *range(9_000, 9_005))
    ingest(services, folder)
    picture(4_711).save(folder / "Ann" / "new.png")
    picture(4_711).save(folder / "Ann" / "twice.png")
    (folder / "Ann" / "broken.png").write_bytes(b"no image")
    return ingest(services, folder)


def counted(services: Services, summary: Summary) -> JobSummary:
    """Return what a job says of itself."""
    assert summary.job is not None
    with services.sessions() as session:
        return queries.job_summary(session, summary.job)


def kept(services: Services, summary: Summary) -> dict[Outcome, list[str]]:
    """Return the paths of the lines that are kept of a job, by outcome."""
    assert summary.job is not None
    found: dict[Outcome, list[str]] = {}
    with services.sessions() as session:
        for item in queries.all_items(session, summary.job):
            found.setdefault(item.outcome, []).append(item.path)
    return found


def remarks(services: Services, summary: Summary) -> list[str]:
    """Return what is said of the source as a whole."""
    assert summary.job is not None
    with services.sessions() as session:
        return queries.job_by_id(session, summary.job).remarks


def test_every_line_stays_where_nobody_says_how_long(services: Services, again: Summary) -> None:
    """By default, and before the days are over."""
    forever = services.settings.model_copy(update={"job_days": None})
    long = services.settings.model_copy(update={"job_days": 3})

    assert thin_old(replace(services, settings=forever)) == 0
    assert thin_old(replace(services, settings=long)) == 0
    assert len(kept(services, again)[Outcome.KNOWN]) == again.known


def test_idle_lines_go_and_their_numbers_stay(
    services: Services, again: Summary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In parts; what was added or refused keeps its line."""
    monkeypatch.setattr(thinning, "AT_ONCE", 2)
    before = counted(services, again)

    gone = thin_old(services)

    assert gone == again.known + again.repeated > 2
    assert kept(services, again).keys() == {Outcome.ADDED, Outcome.REFUSED}
    assert counted(services, again) == before
    assert again.job is not None
    shown = summarise(services, again.job)
    assert (shown.known, shown.repeated, shown.added) == (again.known, again.repeated, again.added)
    assert remarks(services, again) == [
        f"The lines of {gone} files that were known already are no longer kept."
    ]
    assert thin_old(services) == 0
    assert len(remarks(services, again)) == 1


def test_an_interruption_counts_nothing_twice(
    services: Services, again: Summary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a part deleted and what it noted are one transaction."""
    before = counted(services, again)
    monkeypatch.setattr(thinning, "AT_ONCE", 1)
    monkeypatch.setattr(thinning, "ONE_GO_S", 0.0)
    assert thin_old(services) == 0
    assert again.job is not None
    with services.sessions.begin() as session:
        assert queries.thin(session, again.job, 1) == 1

    assert counted(services, again) == before
    monkeypatch.setattr(thinning, "ONE_GO_S", 60.0)
    assert thin_old(services) == again.known + again.repeated - 1
    assert counted(services, again) == before


def test_where_a_work_came_from_is_still_known(services: Services, again: Summary) -> None:
    """By the line that brought it."""
    assert again.added
    with services.sessions() as session:
        ids = [work.id for work in queries.list_artworks(session, limit=100).items]

    thin_old(services)

    with services.sessions() as session:
        seen = queries.last_seen(session, ids)
    assert seen.keys() == set(ids)
    assert all(one.path for one in seen.values())


def test_the_comparison_of_every_hour_does_it(services: Services, again: Summary) -> None:
    """So nobody has to remember it."""
    reconcile(services, repair=True)

    assert Outcome.KNOWN not in kept(services, again)
