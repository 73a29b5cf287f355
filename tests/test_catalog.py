"""What the catalogue knows, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError, InvalidRequestError, StatementError
from sqlalchemy.orm import Session

from attribution.answers import Removal, Verdict
from attribution.catalogue import lifecycle, queries
from attribution.catalogue.database import Database
from attribution.catalogue.models import (
    Artist,
    Artwork,
    ArtworkStatus,
    IngestItem,
    IngestJob,
    Outcome,
    RecordedAttribution,
    artwork_id,
)
from attribution.catalogue.queries import (
    AnswersWanted,
    ChangesWanted,
    ItemOutcome,
    NewArtwork,
    NewClaim,
    NewItem,
    Page,
)
from attribution.errors import BadInput, Conflict, Hint, NotFound, Way
from tests.databases import at_once, planned

Row = TypeVar("Row")
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def work(artist: Artist, content: str, **facts: str) -> NewArtwork:
    """Describe a work whose bytes are `content`."""
    digest = sha256(content.encode()).hexdigest()
    return NewArtwork(artist.id, digest, digest, "0" * 16, title=content, facts=facts)


def add_indexed(session: Session, name: str, *contents: str) -> list[Artwork]:
    """Add works of one artist that can be found."""
    artist = queries.get_or_create_artist(session, name)
    rows = queries.add_artworks(session, [work(artist, content) for content in contents])
    lifecycle.become_indexed(session, [row.id for row in rows.values()])
    return [rows[sha256(content.encode()).hexdigest()] for content in contents]


def all_pages(ask: Callable[[str | None], Page[Row]]) -> list[Row]:
    """Read a list to its end."""
    page = ask(None)
    rows = list(page.items)
    while page.next is not None:
        page = ask(page.next)
        rows += page.items
    return rows


# ---- artists ------------------------------------------------------------------------------------


def test_artist_is_found_again(database: Database) -> None:
    """The same name is the same artist, now and later, spare spaces aside."""
    with database.sessions.begin() as session:
        first = queries.get_or_create_artist(session, "Aubanel MONNIER")
    with database.sessions.begin() as session:
        again = queries.get_or_create_artists(session, ["Aubanel  MONNIER", "Aubanel MONNIER "])

    assert {artist.id for artist in again.values()} == {first.id}
    assert first.slug == "aubanel-monnier"


def test_spellings_are_proposed_and_not_merged(database: Database) -> None:
    """Likely aliases are two artists with two slugs until a person says otherwise."""
    names = ["PeterM", "peterm", "A.J. Ashton", "AJ Ashton", "Alan Horkan"]
    with database.sessions.begin() as session:
        artists = queries.get_or_create_artists(session, names)
        pairs = queries.proposed_aliases(session)

    assert len({artist.slug for artist in artists.values()}) == len(names)
    assert {artists["PeterM"].slug, artists["peterm"].slug} == {"peterm", "peterm-2"}
    assert [{one.name, other.name} for one, other in pairs] == [
        {"A.J. Ashton", "AJ Ashton"},
        {"PeterM", "peterm"},
    ]


def test_confirmed_alias_finds_the_artist(database: Database) -> None:
    """Works under an alias go to its artist; a name of someone else is refused."""
    with database.sessions.begin() as session:
        balin = queries.get_or_create_artist(session, "Jean-Victor Balin")
        queries.get_or_create_artist(session, "Someone Else")
        queries.add_alias(session, balin.id, "J.-V. Balin")
        queries.add_alias(session, balin.id, "J.-V. Balin")
        with pytest.raises(Conflict, match="'Someone Else' is already the name of 'someone-else'"):
            queries.add_alias(session, balin.id, "Someone Else")
    with database.sessions.begin() as session:
        assert queries.get_or_create_artist(session, "J.-V. Balin").id == balin.id
        shown = queries.artist_by_slug(session, "jean-victor-balin")
        assert [alias.name for alias in shown.aliases] == ["J.-V. Balin"]


def test_a_batch_may_be_all_new_artists(database: Database) -> None:
    """The largest batch of the settings, each file by another artist, some with one slug."""
    names = [f"Artist {number}" for number in range(1_000)] + [f"One{'!' * n}" for n in range(24)]
    with database.sessions.begin() as session:
        artists = queries.get_or_create_artists(session, names)

    assert len({artist.slug for artist in artists.values()}) == 1_024
    assert {artists[f"One{'!' * n}"].slug for n in range(3)} == {"one", "one-2", "one-3"}


def test_two_at_the_same_time_get_one_artist(database: Database) -> None:
    """Whoever comes second finds what the first has made, in whatever order names come."""
    names = [f"Artist {number}" for number in range(20)] + ["Ärtist 1", "ARTIST 1"]

    def ingest(order: int) -> dict[str, UUID]:
        with database.sessions.begin() as session:
            found = queries.get_or_create_artists(session, names[::order])
        return {name: artist.id for name, artist in found.items()}

    answers = at_once(ingest, [1, -1, 1, -1])

    assert all(answer == answers[0] for answer in answers)
    with database.sessions() as session:
        assert len(queries.all_artists(session)) == len(names)


def test_unknown_artist_gets_a_hint(database: Database) -> None:
    """The error names the slug and what comes close, or how to begin."""
    with database.sessions.begin() as session:
        with pytest.raises(NotFound, match=r"'petrm'.*empty") as none_yet:
            queries.artist_by_slug(session, "petrm")
        queries.get_or_create_artist(session, "peterm")
        with pytest.raises(NotFound, match=r"no artist 'petrm'; did you mean 'peterm'\?"):
            queries.artist_by_slug(session, "petrm")
        with pytest.raises(NotFound, match="no artist 'xyz'") as far_off:
            queries.artist_by_slug(session, "xyz")
    assert none_yet.value.hint == Hint(Way.INGEST)
    assert far_off.value.hint == Hint(Way.LIST_ARTISTS)


@pytest.mark.parametrize("name", ["hilma", "KLI", "af klint", "Klint, Hilma", "h. a. k"])
def test_artists_are_found_by_the_begin_or_end_of_a_name(database: Database, name: str) -> None:
    """Of a name or an alias, in any spelling; one that has withdrawn is not."""
    with database.sessions.begin() as session:
        named = queries.get_or_create_artists(session, ["Hilma Klint", "Anna Klint", "Bob"])
        hilma, anna = named["Hilma Klint"], named["Anna Klint"]
        queries.add_alias(session, hilma.id, "af Klint")
        queries.add_alias(session, hilma.id, "H. A. K.")
        queries.close_artist(session, anna.id, Removal(LONG_AGO, uuid4()))
    with database.sessions() as session:
        found = queries.artists_called(session, name, limit=5)
        listed = queries.list_artists(session, without_withdrawn=True).items

    assert [artist.slug for artist, _ in found] == ["hilma-klint"]
    assert [artist.slug for artist, _ in listed] == ["bob", "hilma-klint"]


def test_artists_come_in_pages(database: Database) -> None:
    """Every artist once, by slug, with the number of indexed works."""
    with database.sessions.begin() as session:
        queries.get_or_create_artists(session, [f"A {n}" for n in range(7)] + ["A-1-b", "Ab"])
        add_indexed(session, "A 3", "one", "two")
    with database.sessions() as session:
        rows = all_pages(lambda cursor: queries.list_artists(session, cursor=cursor, limit=2))
        complete = queries.all_artists(session)

    assert [artist.slug for artist, _ in rows] == sorted(artist.slug for artist, _ in rows)
    assert len(rows) == 9
    assert {artist.slug: count for artist, count in rows if count} == {"a-3": 2}
    assert [(artist.slug, count) for artist, count in complete] == [
        (artist.slug, count) for artist, count in rows
    ]


# ---- works --------------------------------------------------------------------------------------


def test_artwork_id_never_changes() -> None:
    """Ids follow from content; another value would orphan every stored vector."""
    assert artwork_id("ab" * 32) == UUID("600b3555-0a24-589e-9728-fee930e292c6")


def test_same_bytes_are_one_work(database: Database) -> None:
    """Bringing a file again, also twice at once, changes nothing about what is known of it."""
    with database.sessions.begin() as session:
        (first,) = add_indexed(session, "Alan Horkan", "a boat")
        again = queries.add_artworks(session, [work(first.artist, "a boat", new="fact")] * 2)

    assert list(again.values()) == [first]
    assert first.status is ArtworkStatus.INDEXED
    assert first.facts == {}
    assert first.consent == ("index", "display", "evidence")


def test_two_at_the_same_time_add_one_work(database: Database) -> None:
    """Two jobs with the same files neither fail nor double anything."""
    with database.sessions.begin() as session:
        artist = queries.get_or_create_artist(session, "Alan Horkan")
    works = [work(artist, f"work {number}") for number in range(50)]

    def ingest(order: int) -> int:
        with database.sessions.begin() as session:
            return len(queries.add_artworks(session, works[::order]))

    assert at_once(ingest, [1, -1, 1, -1]) == [50] * 4
    with database.sessions() as session:
        assert queries.counts(session).pending == 50


def test_conflicting_claim_is_recorded_and_shown(database: Database) -> None:
    """The same bytes under a second artist: one work of the first, one claim of the second."""
    with database.sessions.begin() as session:
        (boat,) = add_indexed(session, "First", "a boat")
        second = queries.get_or_create_artist(session, "Second")
        kept = queries.add_artworks(session, [work(second, "a boat")])[boat.sha256]
        for path in ("second/boat.png", "second/again.png"):
            queries.record_claims(session, [NewClaim(boat.id, second.id, path)])
    with database.sessions() as session:
        claims = queries.claims_for(session, [boat.id, uuid4()])
        counts, number = queries.counts(session), queries.count_claims(session)

    assert kept.artist.slug == "first"
    assert [(claim.artist.slug, claim.path) for claim in claims[boat.id]] == [
        ("second", "second/boat.png")
    ]
    assert (counts.artists, counts.indexed, number) == (1, 1, 1)


def test_works_are_found_by_content(database: Database) -> None:
    """By id, bytes and pixels, with their artists, in any state or one."""
    with database.sessions.begin() as session:
        boat, _ = add_indexed(session, "Alan Horkan", "boat", "house")
        tree = work(boat.artist, "tree")
        queries.add_artworks(session, [tree])
    ids = [boat.id, artwork_id(tree.sha256), uuid4()]
    with database.sessions() as session:
        indexed = queries.artworks_by_id(session, ids, status=ArtworkStatus.INDEXED)
        by_bytes = queries.artworks_by_sha256(session, [boat.sha256, "0" * 64])
        same = [
            queries.same_image(session, *content)
            for content in ((boat.sha256, "0"), ("0", boat.pixel_sha256), ("0", "0"))
        ]
        pending = queries.same_image(session, tree.sha256, tree.pixel_sha256)

        assert len(queries.artworks_by_id(session, ids)) == 2
        assert queries.artwork_by_id(session, boat.id).artist.name == "Alan Horkan"
    assert list(indexed) == [boat.id]
    assert [row.id for row in by_bytes] == [boat.id]
    assert [row and row.id for row in same] == [boat.id, boat.id, None]
    assert pending is None


def test_unknown_work_is_named(database: Database) -> None:
    """The error repeats the id."""
    missing = uuid4()
    with database.sessions() as session, pytest.raises(NotFound, match=str(missing)):
        queries.artwork_by_id(session, missing)


def test_state_of_works(database: Database) -> None:
    """Only what was pending can fail; a withdrawn work does not come back by itself."""
    with database.sessions.begin() as session:
        boat, house = add_indexed(session, "Alan Horkan", "boat", "house")
        tree = queries.add_artworks(session, [work(boat.artist, "tree")]).popitem()[1]
        lifecycle.become_failed(session, [boat.id, tree.id], "the encoder gave NaN")
        queries.bury_works(session, [house.id], "asked for", Removal(datetime.now(UTC), uuid4()))
        assert lifecycle.become_indexed(session, [house.id]) == set()
    with database.sessions() as session:
        rows = queries.artworks_by_id(session, [boat.id, house.id, tree.id])
        counts = queries.counts(session)
        sizes = queries.portfolio_sizes(session)

    assert rows[boat.id].status is ArtworkStatus.INDEXED
    assert rows[house.id].status is ArtworkStatus.WITHDRAWN
    assert (rows[tree.id].status, rows[tree.id].reason) == ("failed", "the encoder gave NaN")
    assert (counts.indexed, counts.failed, counts.withdrawn, counts.pending) == (1, 1, 1, 0)
    assert sizes == {boat.artist_id: 1}


def test_works_come_in_pages(database: Database) -> None:
    """Every work once, the newest first, also where many were added at the same moment."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    with database.sessions.begin() as session:
        works = add_indexed(session, "Alan Horkan", *(f"work {number}" for number in range(11)))
        for number, row in enumerate(works):
            row.created_at = moment + timedelta(seconds=number // 5)
        add_indexed(session, "Other", "not his")
    with database.sessions() as session:
        rows = all_pages(
            lambda cursor: queries.list_artworks(
                session, artist_id=works[0].artist_id, cursor=cursor, limit=3
            )
        )
        everything = queries.list_artworks(session, status=None, limit=500)

    assert len(everything.items) == 12
    assert everything.next is None
    assert [row.id for row in rows] == [
        row.id for row in sorted(works, key=lambda row: (row.created_at, row.id), reverse=True)
    ]


def test_pages_stay_where_they_are(database: Database) -> None:
    """A work that arrives while somebody turns pages neither repeats nor hides another."""
    with database.sessions.begin() as session:
        works = add_indexed(session, "Alan Horkan", *"abcd")
        first = queries.list_artworks(session, limit=2)
        add_indexed(session, "Alan Horkan", "new")
        second = queries.list_artworks(session, limit=10, cursor=first.next)

    assert {row.id for row in (*first.items, *second.items)} == {row.id for row in works}


@pytest.mark.parametrize("cursor", ["x", "", "WyJhIl0", "WyJhIiwgImIiXQ", "bnVsbA", "é", "e30=="])
def test_wrong_cursor(database: Database, cursor: str) -> None:
    """Whatever is no cursor of a list is refused as such, on every list."""
    with database.sessions() as session:
        for ask in (queries.list_artworks, queries.list_jobs, queries.list_attributions):
            with pytest.raises(BadInput, match="not a cursor for this list; start again"):
                ask(session, cursor=cursor)


@pytest.mark.parametrize("limit", [0, -1, 501])
def test_wrong_page_size(database: Database, limit: int) -> None:
    """The error names the limits."""
    with database.sessions() as session, pytest.raises(BadInput, match="1 to 500 entries, not"):
        queries.list_artworks(session, limit=limit)


# ---- jobs ---------------------------------------------------------------------------------------


def start_a_job(session: Session, files: int) -> IngestJob:
    """List some files as a job."""
    job = queries.create_job(session, source="/portfolio")
    items = [NewItem(f"{n}.png", f"artist {n % 2}", {"title": n}) for n in range(files)]
    queries.add_items(session, job.id, items, start=0)
    queries.add_batches(session, job.id, files)
    return job


def test_job_goes_from_file_to_file(database: Database) -> None:
    """Pending files come in order, from a position on; an outcome is counted, and stays."""
    with database.sessions.begin() as session:
        (boat,) = add_indexed(session, "Alan Horkan", "boat")
        job = start_a_job(session, 5)
        few = queries.pending_items(session, job.id, first=0, stop=5, limit=2)
        following = queries.pending_items(session, job.id, first=2, stop=4, limit=9)
        queries.record_outcomes(
            session,
            job.id,
            [
                ItemOutcome(0, Outcome.ADDED, artwork_id=boat.id),
                ItemOutcome(1, Outcome.REFUSED, "not an image"),
            ],
        )
    with database.sessions() as session:
        rest = queries.pending_items(session, job.id, first=0, stop=5, limit=10)
        summary = queries.job_summary(session, job.id)
        everything = list(queries.all_items(session, job.id))
        refused = queries.list_items(session, job.id, outcome=Outcome.REFUSED)
        progress = queries.job_progress(session, job.id)

    with database.sessions.begin() as session:
        queries.record_outcomes(session, job.id, [ItemOutcome(0, Outcome.KNOWN)])
    with database.sessions() as session:
        assert queries.job_summary(session, job.id).outcomes == summary.outcomes

    assert [item.path for item in few + following] == ["0.png", "1.png", "2.png", "3.png"]
    assert [item.position for item in rest] == [2, 3, 4]
    assert rest[0].details == {"title": 2}
    assert progress == (2, 5)
    assert (summary.total, summary.artists) == (5, 2)
    assert summary.outcomes == dict.fromkeys(Outcome, 0) | {"pending": 3, "added": 1, "refused": 1}
    assert everything[0].artwork_id == boat.id
    assert [(item.path, item.reason) for item in refused.items] == [("1.png", "not an image")]


def test_unknown_job_is_named(database: Database) -> None:
    """The error repeats the id."""
    missing = uuid4()
    with database.sessions() as session, pytest.raises(NotFound, match=str(missing)):
        queries.job_by_id(session, missing)


# ---- answers and collections --------------------------------------------------------------------


def an_answer(**more: object) -> dict[str, Any]:
    """Return an answer that names nobody."""
    named: dict[str, Any] = {
        "id": str(uuid4()),
        "created_at": datetime.now(UTC).isoformat(),
        "image_sha256": "0" * 64,
        "verdict": "abstain",
        "copy_of": None,
        "artists": [],
        "searched": {"fingerprint": "f"},
    }
    return named | more


def test_answer_is_read_again_as_given(database: Database) -> None:
    """Numbers come back bit by bit, text in any script."""
    answer = an_answer(score=0.1 + 0.2, name="Sérgio 🎨", nothing=None, more=[{"a": 1e-300}])
    with database.sessions.begin() as session:
        queries.record_attribution(session, answer)
    with database.sessions() as session:
        assert queries.attributions_by_id(session, [UUID(answer["id"])])[0].answer == answer
        with pytest.raises(NotFound, match="no attribution 0000"):
            queries.attributions_by_id(session, [UUID(int=0)])


def test_answers_come_in_pages(database: Database) -> None:
    """Every answer once, the newest first."""
    answers = [an_answer() for _ in range(5)]
    with database.sessions.begin() as session:
        for answer in answers:
            queries.record_attribution(session, answer)
    with database.sessions() as session:
        rows: list[RecordedAttribution] = all_pages(
            lambda cursor: queries.list_attributions(session, cursor=cursor, limit=2)
        )

    assert [str(row.id) for row in rows] == [answer["id"] for answer in answers[::-1]]


def test_collection_remembers_its_encoders(database: Database) -> None:
    """Profile, fingerprint and widths; asked for again it stays as it is."""
    same = "f" * 64
    with database.sessions.begin() as session:
        assert queries.live_collection(session) is None
        queries.add_collection(
            session,
            profile="starter",
            dims={"clip": 256},
            lanes={"clip": "content"},
            fingerprint=same,
            live=True,
        )
        queries.add_collection(
            session, profile="other", dims={}, lanes={}, fingerprint=same, live=True
        )
    with database.sessions() as session:
        (known,) = queries.collections(session)

    assert (known.profile, known.dims) == ("starter", {"clip": 256})
    assert known.name == "artworks-ffffffffffff"


def test_one_collection_is_live(database: Database) -> None:
    """Another one takes its place in one statement; the live one cannot be dropped."""
    with database.sessions.begin() as session:
        for fingerprint in ("a" * 64, "b" * 64):
            queries.add_collection(
                session,
                profile="p",
                fingerprint=fingerprint,
                dims={},
                lanes={},
                live=fingerprint[0] == "a",
            )
        queries.go_live(session, "artworks-bbbbbbbbbbbb")
        queries.drop_collection(session, "artworks-bbbbbbbbbbbb")
        queries.drop_collection(session, "artworks-aaaaaaaaaaaa")
    with database.sessions() as session:
        live = queries.live_collection(session)
        names = [one.name for one in queries.collections(session)]

    assert live is not None
    assert names == [live.name] == ["artworks-bbbbbbbbbbbb"]


# ---- what holds for all tables ------------------------------------------------------------------


def test_times_are_utc(database: Database) -> None:
    """A moment comes back as the same moment, in UTC; one without a zone is refused."""
    noon_in_tokyo = datetime(2026, 5, 1, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=9)))
    with database.sessions.begin() as session:
        job = queries.create_job(session, source="x")
        job.started_at = noon_in_tokyo
    with database.sessions() as session:
        read = queries.job_by_id(session, job.id)
        assert read.started_at == noon_in_tokyo
        assert read.started_at.tzinfo is UTC
        assert read.created_at.tzinfo is UTC
    with pytest.raises(StatementError, match="no time zone"), database.sessions.begin() as session:
        queries.create_job(session, source="x").started_at = datetime(2026, 5, 1)  # noqa: DTZ001


def test_odd_text_is_kept_readable(database: Database) -> None:
    """NUL in metadata and bytes in a file's name that are no UTF-8 do not stop a job."""
    with database.sessions.begin() as session:
        job = queries.create_job(session, source="x")
        odd = NewItem("caf\udce9.png", "a\0b", {"exif\0": ["\0", "\udce9", {"n": 1.5}]})
        queries.add_items(session, job.id, [odd], start=0)
    with database.sessions() as session:
        (item,) = queries.pending_items(session, job.id, first=0, stop=1, limit=1)

    assert (item.path, item.artist) == (r"caf\udce9.png", "ab")
    assert item.details == {"exif": ["", r"\udce9", {"n": 1.5}]}


def test_references_are_enforced(database: Database) -> None:
    """A work needs an artist that exists, a file a job that exists."""
    for row in (
        IngestItem(job_id=uuid4(), position=0, path="x", artist="x"),
        Artwork(id=uuid4(), artist_id=uuid4(), sha256="0", pixel_sha256="0", phash="0"),
    ):
        with pytest.raises(IntegrityError), database.sessions.begin() as session:
            session.add(row)


def test_states_are_enforced(database: Database) -> None:
    """The database itself refuses a state that no code knows."""
    with pytest.raises(IntegrityError), database.migrating() as connection:
        connection.execute(
            text(
                "INSERT INTO ingest_jobs (id, source, status, created_at) "
                "VALUES ('00000000000000000000000000000000', 'x', 'asleep', '2026-01-01')"
            )
        )


def test_nothing_is_loaded_unasked(database: Database) -> None:
    """A forgotten relationship is an error, not a statement for every row."""
    with database.sessions.begin() as session:
        artist = queries.get_or_create_artist(session, "Alan Horkan")
    with database.sessions() as session:
        found = queries.artists_by_id(session, [artist.id])[artist.id]
        with pytest.raises(InvalidRequestError, match="lazy='raise'"):
            _ = found.aliases


def test_a_failing_block_changes_nothing(database: Database) -> None:
    """What a use case did before it failed is taken back."""

    def fail(session: Session) -> None:
        add_indexed(session, "Alan Horkan", "boat")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), database.sessions.begin() as session:
        fail(session)
    with database.sessions() as session:
        assert queries.all_artists(session) == []


def test_lists_and_batches_take_few_statements(database: Database) -> None:
    """The number of statements does not grow with the number of rows."""
    statements: list[str] = []
    with database.sessions.begin() as session:
        connection = session.connection()
        event.listen(
            connection,
            "before_cursor_execute",
            lambda _c, _cursor, statement, *_rest: statements.append(statement),
        )
        add_indexed(session, "Alan Horkan", *(f"work {number}" for number in range(64)))
        writing, statements[:] = len(statements), []
        page = queries.list_artworks(session, limit=64)
        queries.list_artists(session)

    assert len(page.items) == 64
    assert writing <= 20  # with the tenant, a lock on the new name, and another look behind it
    assert len(statements) <= 4


def test_an_artist_is_looked_up_by_index(database: Database) -> None:
    """Neither engine reads through the artists, whichever of its slugs is asked for."""
    with database.sessions.begin() as session:
        queries.get_or_create_artists(session, ["Ann Example", "Ben Example"])
    with planned(database) as (session, plans):
        artist = queries.artist_by_slug(session, "ann-example")
        queries.likely_aliases(session, {artist.name: artist.id})

    steps = [step for plan in plans for step in plan]
    assert steps
    assert not [step for step in steps if re.search(r"SCAN artists|Seq Scan on artists", step)]


FILTERS: dict[str, AnswersWanted | ChangesWanted] = {
    "answers": AnswersWanted(),
    "answers by verdict": AnswersWanted(verdict=Verdict.COPY),
    "answers by artist": AnswersWanted(artist_id=UUID(int=1)),
    "answers by original": AnswersWanted(original_by=UUID(int=1)),
    "answers by image": AnswersWanted(image_sha256="0" * 64),
    "answers by time": AnswersWanted(since=LONG_AGO, until=LONG_AGO + timedelta(days=1)),
    "answers by verdict and time": AnswersWanted(verdict=Verdict.COPY, since=LONG_AGO),
    "changes by artist": ChangesWanted(artist_id=UUID(int=1)),
    "changes by work": ChangesWanted(artwork_id=UUID(int=1)),
    "changes by time": ChangesWanted(since=LONG_AGO, until=LONG_AGO + timedelta(days=1)),
}


@pytest.mark.parametrize("wanted", FILTERS.values(), ids=FILTERS)
def test_filters_are_served_by_an_index(
    database: Database, wanted: AnswersWanted | ChangesWanted
) -> None:
    """Neither engine reads through a table, whatever a list is filtered by."""
    with planned(database) as (session, plans):
        if isinstance(wanted, AnswersWanted):
            queries.list_attributions(session, wanted)
        else:
            queries.list_changes(session, wanted)

    (plan,) = plans
    assert plan
    assert not [step for step in plan if re.search(r"SCAN \w+$|Seq Scan", step)]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_lookups_use_their_index(database: Database) -> None:
    """SQLite, which plans without statistics, finds works by id and pages by time, not by state."""
    with planned(database) as (session, plans):
        queries.artworks_by_id(session, [uuid4()], status=ArtworkStatus.INDEXED)
        # Many, as a load asks for them: each would seem worth reading through everything.
        queries.artworks_by_sha256(session, [f"{number:064x}" for number in range(1_000)])
        queries.spoken_for(session, uuid4(), [uuid4() for _ in range(1_000)])
        queries.same_image(session, "0", "0")
        queries.list_artworks(session)
        queries.list_artworks(session, artist_id=uuid4())
        queries.miscounted(session)
        queries.counts(session)
        queries.pending_items(session, uuid4(), first=0, stop=9, limit=1)

    for plan, wanted in zip(
        plans,
        (
            "artworks USING INDEX sqlite_autoindex_artworks_1 (id=?)",
            "artworks USING INDEX sqlite_autoindex_artworks_1 (id=?)",
            "ingest_items USING INDEX ix_ingest_items_artwork_id (artwork_id=?)",
            "artworks USING INDEX ix_artworks_pixel_sha256",
            "artworks USING INDEX ix_artworks_tenant_created_at_id (tenant=?)",
            "artworks USING INDEX ix_artworks_artist_id_status_created_at_id",
            "artworks USING COVERING INDEX ix_artworks_artist_id_status_created_at_id",
            "SCAN tallies",  # the few rows that say how many can be found
            "artworks USING COVERING INDEX ix_artworks_unindexed",
            "artists USING INDEX sqlite_autoindex_artists_1 (id=?)",  # nobody's
            "USING INDEX ix_ingest_items_job_id_outcome_position",
        ),
        strict=True,
    ):
        assert wanted in " / ".join(plan)
