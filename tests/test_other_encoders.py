"""Works and workers of other encoders than the collection's: nothing is lost or mixed."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import delete, update

from attribution.catalogue import queries, sums
from attribution.catalogue.models import Artwork, ArtworkStatus, Embedding, JobStatus, Outcome
from attribution.config import Settings
from attribution.encoders.encoder_set import EncoderSet
from attribution.errors import ProfileChanged
from attribution.services import Services, open_services
from attribution.upkeep.reconcile import reconcile
from ingest import writing
from ingest.listing import plan
from ingest.outcomes import Rows
from ingest.pipeline import run_batch
from ingest.sources import read_source
from ingest.summary import summarise
from ingest.work.worker import Lazily
from tests.asking import a_work, agree
from tests.portfolios import batch_key, finish, ingest, works


def go_live(services: Services, name: str | None = None) -> None:
    """Have another collection be live, as `reindex --profile` does, or that of this name again."""
    with services.sessions.begin() as session:
        other = queries.add_collection(
            session,
            profile="starter",
            fingerprint="f" * 64,
            dims={"clip": 8},
            lanes={"clip": "content"},
            live=False,
        )
        queries.go_live(session, name or other.name)


def test_a_worker_of_the_old_encoders_stops(services: Services, tmp_path: Path) -> None:
    """Nothing is reported as added; the batch waits with the reason for one that goes on."""
    folder = works(tmp_path / "new" / "zoe", 901, 902).parent
    job = plan(services, "new", read_source(folder), staged=False)
    go_live(services)

    with pytest.raises(ProfileChanged, match=r"'starter' now.*restart it with the LAWFUL_PROFILE"):
        run_batch(services, batch_key(job), stopping=lambda: False)

    with services.sessions() as session:
        (outcome,) = queries.list_items(session, job).items[:1]
        assert queries.job_by_id(session, job).status is not JobStatus.FAILED
        assert "restart it" in str(queries.trouble_of(session, job))
        assert not queries.artworks_by_sha256(session, [outcome.sha256 or ""])
    assert outcome.outcome is Outcome.PENDING
    assert services.index.count() == 12

    go_live(services, services.row.name)  # stands for a worker of the new encoders
    finish(services, job)
    assert summarise(services, job).added == 2


def test_a_change_between_point_and_row_is_noticed(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The point went to the old collection: the row does not say that the work can be found."""
    write = writing._write_points

    def changed_behind(services: Services, few: writing.Few, rows: Rows) -> None:
        write(services, few, rows)
        go_live(services)

    monkeypatch.setattr(writing, "_write_points", changed_behind)
    folder = works(tmp_path / "new" / "zoe", 901).parent
    job = plan(services, "new", read_source(folder), staged=False)
    with pytest.raises(ProfileChanged):
        run_batch(services, batch_key(job), stopping=lambda: False)

    with services.sessions() as session:
        pending = queries.list_artworks(session, status=ArtworkStatus.PENDING).items
    assert len(pending) == 1
    assert summarise(services, job).added == 0


def test_a_worker_says_that_it_has_the_old_encoders(ingested: Settings) -> None:
    """`lawful worker --check` asks for it."""
    runtime = Lazily(ingested)
    services = runtime.services()
    assert runtime.trouble == ""
    go_live(services)
    with pytest.raises(ProfileChanged):
        runtime.services()
    assert "restart it with the LAWFUL_PROFILE" in runtime.trouble
    runtime.close()


def by_other_encoders(services: Services, *works: Artwork) -> None:
    """Have works as a worker that was not restarted has left them: vectors of other encoders."""
    ids = [work.id for work in works]
    with services.sessions.begin() as session:
        sums.count_vectors(session, ids, by=-1)
        session.execute(
            update(Embedding).where(Embedding.artwork_id.in_(ids)).values(fingerprint="f" * 64)
        )
    services.index.delete(ids)


def test_works_of_other_encoders_are_encoded_or_left_alone(
    services: Services, tmp_path: Path
) -> None:
    """With an original they are encoded; without one they stay, until they are ingested again."""
    kept, bare = a_work(services), a_work(services, title="work-1")
    by_other_encoders(services, kept, bare)
    services.store.forget(bare.sha256)

    report = reconcile(services, repair=True)
    again = reconcile(services, repair=True)

    assert (report.missing, report.encoded, report.unencoded, report.lost) == (2, 1, 1, 0)
    assert (again.missing, again.encoded, again.unencoded, again.lost) == (1, 0, 1, 0)
    assert a_work(services, title="work-1").status is ArtworkStatus.INDEXED
    summary = ingest(services, tmp_path / "p")
    assert (summary.known, summary.added) == (12, 0)
    agree(services)


def test_without_the_encoders_nothing_is_encoded_nor_lost(
    ingested: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A profile that this machine does not have: works with originals wait for one that has it."""
    with open_services(ingested) as services:
        work = a_work(services)
        with services.sessions.begin() as session:
            sums.count_vectors(session, [work.id], by=-1)
            session.execute(delete(Embedding).where(Embedding.artwork_id == work.id))
        services.index.delete([work.id])
        monkeypatch.setattr(EncoderSet, "fingerprint", "another")

        report = reconcile(services, repair=True)

        assert (report.encoded, report.unencoded, report.lost) == (0, 1, 0)
        assert a_work(services).status is ArtworkStatus.INDEXED
