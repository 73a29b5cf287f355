"""The classifier of many artists while works come and go: nobody waits, and its age is said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import delete

from attribution import tenants
from attribution.answers import Attribution
from attribution.arithmetic.classifier import Statistics
from attribution.catalogue import queries, sums
from attribution.catalogue.columns import now
from attribution.catalogue.database import Database
from attribution.catalogue.models import ClassifierAddition, ClassifierArtist, Tenant
from attribution.services import Services
from attribution.types import Matrix, Neighbour
from attribution.upkeep.withdrawal import withdraw
from attribution.voters import classifier
from attribution.voters.classifier import ClassifierSeat, ClassifierVoter
from attribution.voters.voter import Absent, Question
from tests.asking import ask_about
from tests.portfolios import ingest, portfolio, wait_until

ENCODERS = "f" * 64
WIDTH = 6


@pytest.fixture(autouse=True)
def _one_artist_is_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "AT_ONCE", 0)
    monkeypatch.setattr(classifier, "PAUSE_S", 0.0)


@pytest.fixture
def no_thread_solves() -> Iterator[None]:
    """Hold what a thread needs to solve: what was solved before stays."""
    with classifier.ALONE:
        yield


def rows(seed: int, count: int = 1) -> Matrix:
    """Return unit rows."""
    made = np.random.default_rng(seed).normal(size=(count, WIDTH))
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return made.astype(np.float32)


def add(database: Database, name: str, seed: int) -> UUID:
    """Add four works of an artist."""
    with database.sessions.begin() as session:
        artist = queries.get_or_create_artist(session, name).id
        sums.add_works(session, ENCODERS, [artist] * 4, rows(seed, 4))
    return artist


def remove(database: Database, artist: UUID, seed: int) -> None:
    """Take these works away."""
    with database.sessions.begin() as session:
        gone = Statistics.of([artist] * 4, rows(seed, 4))
        sums.change_statistics(session, ENCODERS, gone, by=-1)


def opened(database: Database) -> ClassifierSeat:
    """Return a seat of a collection without works."""
    with database.sessions.begin() as session:
        queries.add_collection(
            session,
            profile="test",
            fingerprint=ENCODERS,
            dims={"a": WIDTH},
            lanes={"a": "content"},
            live=True,
        )
    return ClassifierSeat(database.sessions, ENCODERS, {"a": WIDTH})


def voter_of(seat: ClassifierSeat) -> ClassifierVoter:
    """Return the voter, which there is."""
    voter = seat.current()
    assert voter is not None
    return voter


def test_works_that_come_are_weighed_later(database: Database) -> None:
    """The lookup that finds them does not wait, its voter says how old it is; then they count."""
    seat, before = opened(database), now()
    assert seat.current() is None
    ann = add(database, "Ann", 1)
    first = voter_of(seat)
    assert (first.solved_at, first.classifier.artists) == (None, (ann,))

    with classifier.ALONE:
        ben = add(database, "Ben", 2)
        stale = voter_of(seat)

    assert stale.digest == first.digest
    assert stale.classifier.artists == (ann,)
    assert stale.solved_at is not None
    assert before < stale.solved_at < now()
    wait_until(lambda: voter_of(seat).solved_at is None)
    assert set(voter_of(seat).classifier.artists) == {ann, ben}
    with database.sessions() as session:
        whole = queries.statistics_of(session, ENCODERS, WIDTH)
    assert voter_of(seat).digest == whole.digest()


@pytest.mark.usefixtures("no_thread_solves")
def test_who_is_gone_is_out_at_once(database: Database) -> None:
    """Before anything is solved again, whatever else came meanwhile."""
    seat = opened(database)
    ann, ben = add(database, "Ann", 1), add(database, "Ben", 2)
    assert set(voter_of(seat).classifier.artists) == {ann, ben}
    add(database, "Cleo", 3)
    assert set(voter_of(seat).classifier.artists) == {ann, ben}

    remove(database, ann, 1)

    stale = voter_of(seat)
    assert stale.classifier.artists == (ben,)
    assert stale.solved_at is not None
    shares = stale.shares(Question({"a": rows(1)[0]}, {}, {}, {})).shares
    assert shares == {ben: pytest.approx(1)}


def test_once_a_minute(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream of writes does not have it solved all the time."""
    seat = opened(database)
    add(database, "Ann", 1)
    first = voter_of(seat)
    add(database, "Ben", 2)
    monkeypatch.setattr(classifier, "PAUSE_S", 3600.0)
    voter_of(seat)
    wait_until(lambda: voter_of(seat).digest != first.digest)
    second = voter_of(seat)

    add(database, "Cleo", 3)

    assert voter_of(seat).digest == voter_of(seat).digest == second.digest
    assert voter_of(seat).solved_at is not None


def test_a_thread_solves_for_the_tenant_that_asks(database: Database) -> None:
    """And for no other."""
    seat = opened(database)
    add(database, "Ann", 1)
    with database.sessions.begin() as session:
        session.add(Tenant(name="theirs"))
    with tenants.within("theirs"):
        cleo = add(database, "Cleo", 2)
        assert voter_of(seat).classifier.artists == (cleo,)
        dora = add(database, "Dora", 3)
        wait_until(lambda: len(voter_of(seat).classifier.artists) > 1)
        assert set(voter_of(seat).classifier.artists) == {cleo, dora}


def test_a_thread_that_fails_leaves_the_last_one(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """And says so; the next one mends it."""
    seat = opened(database)
    ann = add(database, "Ann", 1)
    first = voter_of(seat)
    with database.sessions.begin() as session:
        stranger = queries.get_or_create_artist(session, "Ben").id
        sums.add_works(session, ENCODERS, [stranger], np.ones((1, WIDTH + 1), np.float32))

    voter_of(seat)
    wait_until(lambda: "the classifier stays as it was" in caplog.text)

    assert voter_of(seat).digest == first.digest
    with database.sessions.begin() as session:
        session.execute(delete(ClassifierAddition).where(ClassifierAddition.works == 1))
        session.execute(delete(ClassifierArtist).where(ClassifierArtist.artist_id != ann))
    wait_until(lambda: voter_of(seat).solved_at is None)
    assert voter_of(seat).digest == first.digest


def ask(services: Services, folder: Path) -> Attribution:
    """Ask about a picture that nobody registered; the answer has pins."""
    answer = ask_about(services, folder)
    assert answer.pins is not None
    return answer


def test_an_answer_says_how_old_its_classifier_is(services: Services, tmp_path: Path) -> None:
    """In a sentence and as a field that is recorded; nothing is said once it weighs all works."""
    fresh = ask(services, tmp_path)
    assert fresh.pins is not None
    assert fresh.pins.solved_at is None
    with classifier.ALONE:
        ingest(services, portfolio(tmp_path / "more", artists=5, works=2), artist="Late")
        answer = ask(services, tmp_path)

    assert answer.pins is not None
    assert answer.pins.solved_at is not None
    assert answer.pins.voters["classifier"] == fresh.pins.voters["classifier"]
    (note,) = [note for note in answer.notes if "not yet weighed by the classifier" in note]
    assert f"solved at {answer.pins.solved_at:%Y-%m-%d %H:%M:%S} UTC" in note
    assert services.attributor.recall(answer.id) == answer
    wait_until(lambda: not any("not yet weighed" in one for one in ask(services, tmp_path).notes))


@pytest.mark.usefixtures("no_thread_solves")
def test_a_withdrawn_artist_is_not_named_by_the_last_one(
    services: Services, tmp_path: Path
) -> None:
    """From the moment of withdrawal."""
    first = ask_about(services, tmp_path).artists[0]
    assert "classifier" in first.voters

    withdraw(services, first.slug, reason="asked for")

    later = ask_about(services, tmp_path)
    assert first.slug not in {one.slug for one in later.artists}
    assert sum(one.score for one in later.artists) == pytest.approx(1)


def test_among_many_those_who_are_near_are_weighed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a work left out likewise: with the artists near it, without its artist those near then."""
    monkeypatch.setattr(classifier, "MANY", 4)
    seat = opened(database)
    ann, ben, cleo, dora = (add(database, f"Artist {n}", n) for n in range(4))
    every = voter_of(seat)
    vectors = {"a": rows(0)[0]}

    def question(*near: UUID) -> Question:
        hits = [Neighbour(UUID(int=n + 1), one, 0.5, n + 1) for n, one in enumerate(near)]
        return Question(vectors, {"a": hits}, {}, {})

    shares = every.shares(question(ben, ann)).shares
    absent = Absent(ann, [vectors], question(ann, ben), question(cleo, dora))
    told = every.shares_without(absent)

    assert set(shares) == {ann, ben}
    assert sum(shares.values()) == pytest.approx(1)
    assert told is not None
    known, others = (ballot.shares for ballot in told)
    assert (set(known), set(others)) == ({ann, ben}, {cleo, dora})
    assert sum(known.values()) == sum(others.values()) == pytest.approx(1)
    assert every.shares(question()).shares == {}
