"""The classifier's statistics in the catalogue: counted along, compared, mended, proved."""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pytest
from alembic import command
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from attribution.answers import Removal
from attribution.arithmetic.classifier import Statistics
from attribution.catalogue import lifecycle, queries, schema, sums
from attribution.catalogue.columns import now
from attribution.catalogue.database import Database
from attribution.catalogue.models import (
    Alias,
    Artist,
    Artwork,
    ArtworkStatus,
    ClassifierAddition,
    ClassifierArtist,
    ClassifierShard,
    KeptCollection,
    Tally,
    Tenant,
    artwork_id,
)
from attribution.catalogue.queries import NewArtwork, Origin, recounts, statistics
from attribution.catalogue.queries.statistics import WorkKey
from attribution.config import Settings
from attribution.errors import BadInput, Conflict
from attribution.services import Services, open_services
from attribution.types import Matrix
from attribution.upkeep import correction, rebuilding, withdrawal
from attribution.upkeep.rebuilding import mend, rebuild_sums
from attribution.upkeep.reconcile import reconcile
from attribution.upkeep.undoing import put_back
from attribution.upkeep.withdrawal import withdraw
from tests.asking import ask_about
from tests.databases import at_once, planned
from tests.portfolios import ingest, portfolio

ENCODERS = "f" * 64
WIDTH = 6


def differences(services: Services) -> int:
    """Compare the statistics with a rebuild."""
    return rebuild_sums(services, services.row).differences


def digest(services: Services) -> str:
    """Return the digest of the statistics."""
    return rebuild_sums(services, services.row).digest


def test_what_comes_in_is_counted(services: Services) -> None:
    """Every work is in the sums, with the last write that makes it findable."""
    found = rebuild_sums(services, services.row)

    assert (found.works, found.differences) == (12, 0)


def test_what_goes_is_as_if_it_had_never_come(services: Services, tmp_path: Path) -> None:
    """Withdrawn, the statistics are those of before; the receipt says so."""
    before = digest(services)
    ingest(services, portfolio(tmp_path / "more", artists=5, works=2), artist="Late")
    assert digest(services) != before

    receipt = withdraw(services, "late", reason="asked for").receipt

    assert digest(services) == before
    proof = receipt["statistics"]
    assert proof["before"] != proof["after"] == before
    assert (proof["works"], proof["equals a rebuild"]) == (12, True)


def test_reinstated_it_is_counted_again(services: Services, tmp_path: Path) -> None:
    """Back and forth leaves no trace."""
    before = digest(services)
    withdraw(services, "artist-1", reason="asked for")
    ingest(services, tmp_path / "p", reinstate=True)

    assert digest(services) == before
    assert reconcile(services, repair=False).is_clean


def test_an_emptied_catalogue_has_empty_statistics(services: Services, tmp_path: Path) -> None:
    """Not a bit of the withdrawn is left in any row, and answers say nothing."""
    for number in range(3):
        withdraw(services, f"artist-{number}", reason="asked for")

    with services.sessions() as session:
        assert session.scalar(select(func.count()).select_from(ClassifierArtist)) == 0
        assert session.scalar(select(func.count()).select_from(ClassifierAddition)) == 0
        (shard,) = session.scalars(select(ClassifierShard)).all()
    assert not any(shard.gram)
    assert ask_about(services, tmp_path).artists == ()


def test_wrong_statistics_are_found_and_mended(services: Services) -> None:
    """Lost rows and wrong numbers differ; a repair adds what is missing."""
    before = digest(services)
    with services.sessions.begin() as session:
        row = session.scalars(select(ClassifierArtist)).first()
        assert row is not None
        session.delete(row)
        session.execute(delete(ClassifierAddition))

    found = reconcile(services, repair=False)
    assert (found.statistics, found.is_clean) == (1, False)
    reconcile(services, repair=True)

    assert digest(services) == before
    assert reconcile(services, repair=False).is_clean


def test_statistics_of_an_older_version_are_made(services: Services, tmp_path: Path) -> None:
    """Never complete: the classifier says nothing and the answer says why; then they are made."""
    before = digest(services)
    with services.sessions.begin() as session:
        lifecycle.forget_statistics(session, services.row.fingerprint)
        session.execute(update(KeptCollection).values(statistics=0))
    answer = ask_about(services, tmp_path)
    assert {voter for one in answer.artists for voter in one.voters} == {"neighbours"}
    assert "reconcile --repair" in answer.notes[-1]

    reconcile(services, repair=True)

    assert digest(services) == before
    assert "classifier" in ask_about(services, tmp_path).artists[0].voters


def test_statistics_are_compared_in_pages_of_any_size(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Works of one artist may lie on several pages; who has sums and no works is found as well."""
    whole = rebuild_sums(services, services.row)
    for module, name, size in (
        (rebuilding, "PAGE", 3),
        (statistics, "PAGE", 1),
        (recounts, "SPAN", 5),
    ):
        monkeypatch.setattr(module, name, size)
    assert rebuild_sums(services, services.row).digest == whole.digest
    assert reconcile(services, repair=False).is_clean
    with services.sessions.begin() as session:
        first, _, last = session.scalars(
            select(ClassifierArtist).order_by(ClassifierArtist.artist_id)
        )
        last.artist_id = queries.get_or_create_nobody(session).id
        first.works += 1
        session.execute(update(Tenant).values(held_works=Tenant.held_works - 2))
        session.add(Tally(artists=1, works=3))

    found = rebuild_sums(services, services.row)
    assert (found.works, found.differences) == (12, 3)
    assert reconcile(services, repair=True).misheld == 1

    assert rebuild_sums(services, services.row).digest == whole.digest
    assert reconcile(services, repair=False).is_clean


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the other weighs costs
def test_vectors_are_read_by_an_index_in_its_order(database: Database) -> None:
    """So a page costs the same wherever it is: nothing is sorted."""
    key = WorkKey(uuid4(), ArtworkStatus.INDEXED, now(), uuid4())
    with planned(database) as (session, plans):
        assert queries.kept_rows(session, ENCODERS, after=key, limit=500) is None

    steps = " / ".join(plans[-1])
    assert "ix_artworks_artist_id" in steps
    assert "TEMP B-TREE" not in steps


def test_two_repairs_mend_once(services: Services) -> None:
    """What another process has just mended is not added a second time."""
    before = digest(services)
    with services.sessions.begin() as session:
        session.execute(delete(ClassifierArtist))
    found = rebuild_sums(services, services.row)

    mend(services, found)
    mend(services, found)

    assert digest(services) == before


def test_a_repair_bears_writers_meanwhile(services: Services, tmp_path: Path) -> None:
    """What is counted between the look and the repair stays counted."""
    with services.sessions.begin() as session:
        session.execute(delete(ClassifierArtist))
    found = rebuild_sums(services, services.row)
    withdraw(services, "artist-0", reason="asked for")
    ingest(services, portfolio(tmp_path / "more", artists=1, works=6))

    mend(services, found)

    assert differences(services) == 0


def test_a_change_is_seen_by_the_next_answer(services: Services, tmp_path: Path) -> None:
    """The classifier is solved again when works come or go, and never names who is gone."""
    first = ask_about(services, tmp_path)
    withdraw(services, first.artists[0].slug, reason="asked for")

    assert first.artists[0].slug not in {one.slug for one in ask_about(services, tmp_path).artists}


@pytest.mark.parametrize("voters", [["neighbours"], ["classifier"], ["neighbours", "classifier"]])
def test_voters_can_be_switched_off(tmp_path: Path, voters: list[str]) -> None:
    """Each voter's part is told, the parts sum to the share, and each artist has evidence."""
    settings = Settings(home=tmp_path / "other", profile="stub", voters=voters)  # type: ignore[arg-type]
    with open_services(settings) as other:
        ingest(other, portfolio(tmp_path / "p"))
        answer = ask_about(other, tmp_path)

    for artist in answer.artists:
        assert set(artist.voters) == set(voters)
        assert sum(artist.voters.values()) == pytest.approx(artist.score)
        assert sum(artist.spaces.values()) == pytest.approx(artist.voters.get("neighbours", 0))
        assert artist.works


def test_a_long_catalogue_is_proved_later(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above a number of works the receipt does not wait for a rebuild."""
    monkeypatch.setattr(withdrawal, "REBUILT", 5)

    receipt = withdraw(services, "artist-1", reason="asked for").receipt

    assert receipt["statistics"]["equals a rebuild"] is None
    assert receipt["statistics"]["after"] == digest(services)


def digest_of(artists: list[UUID], works: Matrix) -> str:
    """Return the digest of the statistics of these works."""
    return Statistics.of(artists, works).digest()


def rows(seed: int, count: int) -> Matrix:
    """Return unit rows."""
    made = np.random.default_rng(seed).normal(size=(count, WIDTH))
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return made.astype(np.float32)


def test_writers_at_the_same_time(database: Database) -> None:
    """Two writers, adding and removing, on both engines: the sums are those of what is left."""
    with database.sessions.begin() as session:
        artists = queries.get_or_create_artists(session, ["Ann", "Ben", "Cleo"])
    ids = sorted(artist.id for artist in artists.values())

    def write(seed: int) -> None:
        for turn in range(6):
            delta = Statistics.of(ids * 2, rows(100 * seed + turn, 6))
            for by in (1, -1) if turn % 2 else (1,):
                with database.sessions.begin() as session:
                    sums.change_statistics(session, ENCODERS, delta, by=by)

    at_once(write, (1, 2))

    expected = Statistics(WIDTH)
    for seed in (1, 2):
        for turn in (0, 2, 4):
            expected.add(ids * 2, rows(100 * seed + turn, 6))
    with database.sessions() as session:
        found = queries.statistics_of(session, ENCODERS, WIDTH)
    assert found.digest() == expected.digest()


def test_writers_do_not_wait_for_each_other(database: Database) -> None:
    """On a server two add works at once; a removal leaves no vector of any work in an addition."""
    with database.sessions.begin() as session:
        ann, ben = queries.get_or_create_artists(session, ["Ann", "Ben"]).values()
    if database.is_file:  # one writer at a time, whatever it writes
        for number, artist in enumerate((ann, ben)):
            with database.sessions.begin() as session:
                sums.add_works(session, ENCODERS, [artist.id], rows(number, 1))
    else:
        with database.sessions.begin() as first, database.sessions.begin() as second:
            sums.add_works(first, ENCODERS, [ann.id], rows(0, 1))
            sums.add_works(second, ENCODERS, [ben.id], rows(1, 1))
    with database.sessions() as session:
        assert session.scalars(select(ClassifierAddition.works)).all() == [1, 1]
        assert queries.statistics_of(session, ENCODERS, WIDTH).digest() == digest_of(
            [ann.id, ben.id], np.concatenate([rows(0, 1), rows(1, 1)])
        )

    with database.sessions.begin() as session:
        gone = Statistics.of([ann.id], rows(0, 1))
        sums.change_statistics(session, ENCODERS, gone, by=-1)

    with database.sessions() as session:
        assert session.scalars(select(ClassifierAddition)).all() == []
        found = queries.statistics_of(session, ENCODERS, WIDTH)
    assert found.digest() == digest_of([ben.id], rows(1, 1))


@pytest.mark.parametrize(("limit", "most"), [("FOLDED", 8), ("ADDITIONS", 3)])
def test_many_additions_are_folded_by_a_writer(
    database: Database, monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    """Once for many works, or additions, the matrix is written; not a bit differs from one sum."""
    monkeypatch.setattr(sums, limit, most)
    with database.sessions.begin() as session:
        ann = queries.get_or_create_artist(session, "Ann").id
    waiting, stamps = [], set()
    for number in range(6):
        with database.sessions.begin() as session:
            sums.add_works(session, ENCODERS, [ann] * 3, rows(number, 3))
        with database.sessions() as session:
            waiting.append(sum(session.scalars(select(ClassifierAddition.works))))
            stamps |= set(session.scalars(select(ClassifierShard.stamp)))
            found = queries.statistics_of(session, ENCODERS, WIDTH)
        added = np.concatenate([rows(one, 3) for one in range(number + 1)])
        assert found.digest() == digest_of([ann] * len(added), added)

    assert waiting == [3, 6, 0, 3, 6, 0]
    assert len(stamps) == 2


def test_writers_that_fold_at_the_same_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is folded twice, nothing is lost."""
    monkeypatch.setattr(sums, "FOLDED", 4)
    with database.sessions.begin() as session:
        artists = queries.get_or_create_artists(session, ["Ann", "Ben"])
    ids = sorted(artist.id for artist in artists.values())

    def write(seed: int) -> None:
        for turn in range(8):
            with database.sessions.begin() as session:
                sums.add_works(session, ENCODERS, [ids[seed]], rows(100 * seed + turn, 1))

    at_once(write, (0, 1))

    works = [rows(100 * seed + turn, 1) for seed in (0, 1) for turn in range(8)]
    with database.sessions() as session:
        found = queries.statistics_of(session, ENCODERS, WIDTH)
    assert found.digest() == digest_of([ids[0]] * 8 + [ids[1]] * 8, np.concatenate(works))


def test_shards_of_an_older_version_become_one(database: Database) -> None:
    """What was counted in several rows still counts, and is one row after the next fold."""
    works = rows(1, 4)
    with database.sessions.begin() as session:
        ann = queries.get_or_create_artist(session, "Ann").id
        for number in range(2):
            part = Statistics.of([ann] * 2, works[2 * number : 2 * number + 2]).gram
            session.add(
                ClassifierShard(
                    fingerprint=ENCODERS, number=number, stamp=uuid4(), gram=part.tobytes()
                )
            )
        session.flush()
        whole = Statistics.of([ann] * 4, works)
        whole.gram[:] = 0  # the artist's sums alone
        sums.change_statistics(session, ENCODERS, whole, by=1)

    with database.sessions() as session:
        assert len(session.scalars(select(ClassifierShard)).all()) == 1
        found = queries.statistics_of(session, ENCODERS, WIDTH)
    assert found.digest() == digest_of([ann] * 4, works)


def test_statistics_of_another_width_are_refused(database: Database) -> None:
    """Sums of other encoders are never read as ours."""
    with database.sessions.begin() as session:
        ann = queries.get_or_create_artist(session, "Ann").id
        sums.change_statistics(session, ENCODERS, Statistics.of([ann], rows(1, 1)), by=1)

    with database.sessions() as session, pytest.raises(BadInput, match="other encoders"):
        queries.statistics_of(session, ENCODERS, WIDTH + 1)


def test_an_earlier_version_knows_that_additions_are_missing(database: Database) -> None:
    """Gone with their table, they leave the statistics to a repair."""
    with database.sessions.begin() as session:
        ann = queries.get_or_create_artist(session, "Ann").id
        for name in (ENCODERS, "e" * 64):
            queries.add_collection(
                session,
                profile="test",
                fingerprint=name,
                dims={"a": WIDTH},
                lanes={"a": "content"},
                live=False,
            )
        sums.add_works(session, ENCODERS, [ann], rows(1, 1))

    with database.migrating() as connection:
        command.downgrade(schema.configuration(connection), "20261230_sends")
    database.upgrade()

    with database.sessions() as session:
        assert queries.times_mended(session, ENCODERS) == 0
        assert queries.times_mended(session, "e" * 64) == 1


def test_additions_of_another_width_are_refused(database: Database) -> None:
    """Nor are works that wait to be folded."""
    with database.sessions.begin() as session:
        ann = queries.get_or_create_artist(session, "Ann").id
        sums.add_works(session, ENCODERS, [ann], rows(1, 1))

    with database.sessions() as session, pytest.raises(BadInput, match="other encoders"):
        queries.statistics_of(session, ENCODERS, WIDTH + 1)


def test_only_indexed_works_count(services: Services) -> None:
    """Lost works leave the sums with their state."""
    with services.sessions.begin() as session:
        work = session.scalars(select(Artwork.id)).first()
        assert isinstance(work, UUID)
        lifecycle.become_lost(session, [work], "gone")
    assert differences(services) == 0
    with services.sessions.begin() as session:
        lifecycle.become_indexed(session, [work])
        assert queries.artworks_by_id(session, [work], status=ArtworkStatus.INDEXED)

    assert differences(services) == 0


NAMES = ("Ann", "Ben", "Cleo", "anonymous")
steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["add", "add", "move", "merge", "split", "withdraw", "lose", "undo", "undo"]
        ),
        st.integers(0, 7),
        st.sampled_from(NAMES),
        st.sampled_from(NAMES),
    ),
    max_size=12,
)


@hypothesis_settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_any_history_equals_a_rebuild(
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    history: list[tuple[str, int, str, str]],
) -> None:
    """Add, move, merge, split, withdraw, lose, undo: every integer is a fit's from scratch.

    What is in the lane of copies is not counted. How many can be found is tallied along.
    """
    monkeypatch.setattr(lifecycle, "FOLDED", 2)
    for what, number, name, other in history:
        with suppress(Conflict), database.sessions.begin() as session:
            change_catalogue(session, what, number, name, other)
        with database.sessions() as session:
            kept = queries.kept_rows(session, ENCODERS, after=None, limit=500)
            found = queries.statistics_of(session, ENCODERS, WIDTH)
            assert queries.miscounted(session) == ([], None)
            assert queries.untallied(session) == (0, 0)
        expected = Statistics.of(kept.artists, kept.rows) if kept else Statistics(WIDTH)
        assert found.digest() == expected.digest()


def change_catalogue(session: Session, what: str, number: int, name: str, other: str) -> None:
    """Do one step, where the catalogue allows it."""
    one, two = (queries.get_or_create_artist(session, each) for each in (name, other))
    digest = sha256(str(number).encode()).hexdigest()
    work = artwork_id(digest)
    if what == "add":
        new = NewArtwork(one.id, digest, digest, "0" * 16)
        queries.add_artworks(session, [new])
        queries.reinstate(session, [new])
        lifecycle.become_indexed(session, [work])
        queries.add_collection(
            session,
            profile="test",
            fingerprint=ENCODERS,
            dims={"a": WIDTH, "copies": 2},
            lanes={"a": "content", "copies": "copy"},
            live=False,
        )
        vectors = {"a": rows(number, 1)[0], "copies": np.array([1, 0], np.float32)}
        queries.keep_vectors(session, ENCODERS, {work: vectors})
    elif what == "merge" and one.id != two.id and not one.is_nobody:
        queries.merge_artists(session, one.id, two.id, Origin("test"))
    elif what == "move" and (row := queries.works_to_change(session, [work]).get(work)):
        queries.move_work(session, row, two.id, Origin("test"))
    elif what == "split" and (row := queries.works_to_change(session, [work]).get(work)):
        if row.artist_id != two.id and row.status is ArtworkStatus.INDEXED:
            queries.give_works(session, [work], row.artist_id, two.id, Origin("test"))
    elif what == "undo":
        undo_last(session, number)
    elif what == "withdraw":
        queries.bury_works(session, [work], "asked for", Removal(now(), uuid4()))
    elif what == "lose":
        lifecycle.become_lost(session, [work], "gone")


def undo_last(session: Session, number: int = 0) -> None:
    """Undo one of the last changes, or raise Conflict."""
    made = queries.list_changes(session, limit=8).items
    if number < len(made):
        change = made[number]
        queries.check_not_undone(session, change)
        queries.mark_undo(session, put_back(session, change, (), Origin("test")), change)


@hypothesis_settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps, st.sampled_from(NAMES), st.sampled_from(NAMES))
@example(
    [
        ("add", 2, "Ann", "Ann"),
        ("move", 2, "Ann", "Ben"),
        ("undo", 0, "Ann", "Ann"),
        ("withdraw", 2, "Ann", "Ann"),
        ("add", 2, "Ann", "Ann"),
        ("undo", 0, "Ann", "Ann"),
    ],
    "Ann",
    "Ben",
)
def test_any_undone_merge_never_was(
    database: Database, history: list[tuple[str, int, str, str]], name: str, other: str
) -> None:
    """On both engines, after any history: merged and undone, every row and integer is as before."""
    for step in history:
        with suppress(Conflict), database.sessions.begin() as session:
            change_catalogue(session, *step)
    with database.sessions.begin() as session:
        one, two = (queries.get_or_create_artist(session, each) for each in (name, other))
    if one.id == two.id or one.is_nobody:
        return
    before = rows_of(database)
    with database.sessions.begin() as session:
        queries.merge_artists(session, one.id, two.id, Origin("test"))
    merged = rows_of(database)
    for expected in (before, merged, before):
        with database.sessions.begin() as session:
            undo_last(session)
        assert rows_of(database) == expected


def rows_of(database: Database) -> list[object]:
    """Return artists, names, works and sums."""
    works = (Artwork.id, Artwork.artist_id, Artwork.status)
    with database.sessions() as session:
        tables = [
            sorted(map(str, session.execute(select(*columns)).all()))
            for columns in (Artist.__table__.columns, Alias.__table__.columns, works)
        ]
        return [*tables, queries.statistics_of(session, ENCODERS, WIDTH).digest()]


def test_statistics_that_were_wrong_do_not_keep_an_artist(database: Database) -> None:
    """What is counted too much for an artist goes along when it is merged."""
    with database.sessions.begin() as session:
        ann, ben = queries.get_or_create_artists(session, ["Ann", "Ben"]).values()
        sums.change_statistics(session, ENCODERS, Statistics.of([ann.id], rows(1, 1)), by=1)
        queries.merge_artists(session, ann.id, ben.id, Origin("test"))

    with database.sessions() as session:
        found = queries.statistics_of(session, ENCODERS, WIDTH)
    assert found.digest() == Statistics.of([ben.id], rows(1, 1)).digest()


def test_a_move_is_seen_by_the_next_answer(services: Services, tmp_path: Path) -> None:
    """The classifier is solved again, though Σ x xᵀ is as before."""
    first = ask_about(services, tmp_path)
    slug = first.artists[0].slug
    other = "artist-0" if slug != "artist-0" else "artist-1"

    correction.merge(services, slug, other, Origin("test"), is_confirmed=True)

    assert slug not in {one.slug for one in ask_about(services, tmp_path).artists}
    assert differences(services) == 0
