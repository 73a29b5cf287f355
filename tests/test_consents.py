"""Consent: who said what, when and where; what follows for works, and what crawlers read."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import PngImagePlugin
from sqlalchemy import URL, select, text

from api.reports.pages import make_page
from attribution.actors import ROLES, Actor, Role, acting
from attribution.catalogue import queries
from attribution.catalogue.database import connect
from attribution.catalogue.models import PURPOSES, Artwork, ArtworkStatus, AuditEntry, Consent
from attribution.catalogue.queries import ConsentsWanted, Origin, Statement, WorksWanted
from attribution.catalogue.verification import verify
from attribution.collection import open_stores
from attribution.config import Settings
from attribution.consents import (
    GRANTED_BY_DEFAULT,
    Answer,
    ConsentPurpose,
    ConsentSource,
    is_allowed,
    standing,
)
from attribution.errors import BadInput, Conflict, NotAllowed, NotFound
from attribution.images import read_image, read_thumbnail
from attribution.lookup import wording
from attribution.lookup.sights import Sight, evidence, large_evidence, sight
from attribution.services import Services, open_services
from attribution.upkeep import correction
from attribution.upkeep.consents import Saying, follow_due, say
from attribution.upkeep.reconcile import reconcile
from attribution.upkeep.undoing import undo
from attribution.upkeep.withdrawal import withdraw
from ingest.exports import publish
from tests.apis import is_problem, png, upload
from tests.asking import a_work, agree
from tests.commands import lawful
from tests.portfolios import ingest, picture, portfolio, wait_until
from tests.postgres import fresh_database

US = Origin("test")
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def said(services: Services, work: UUID | None = None) -> list[Consent]:
    """Return statements, the first one first: of one work, or all."""
    with services.sessions() as session:
        page = queries.list_consents(session, ConsentsWanted(artwork_id=work), limit=500)
    return list(reversed(page.items))


def now_of(services: Services, work: UUID) -> Artwork:
    """Return a work as it is now."""
    with services.sessions() as session:
        return queries.artwork_by_id(session, work)


def table(folder: Path, **columns: str) -> Path:
    """Write two works of an artist, with a table about the first; returns the folder."""
    own = folder / "Ann"
    own.mkdir(parents=True, exist_ok=True)
    for seed in (1, 2):
        picture(900 + seed).save(own / f"boat-{seed}.png")
    row = {"file_name": "Ann/boat-1.png", **columns}
    (folder / "metadata.jsonl").write_text(json.dumps(row))
    return folder


def named(services: Services, title: str) -> Artwork:
    """Return the work of a title."""
    with services.sessions() as session:
        return session.scalars(select(Artwork).where(Artwork.title == title)).one()


# ---- which statement stands ----------------------------------------------------------------------


def statement(answer: Answer, source: ConsentSource, day: int, *, own: bool = True) -> Statement:
    """Return a statement about training, made on some day."""
    work, artist = (UUID(int=1), None) if own else (None, UUID(int=2))
    at = NOON + day * DAY
    return Statement(
        ConsentPurpose.TRAIN, answer, source, "ann", artwork_id=work, artist_id=artist, said_at=at
    )


@pytest.mark.parametrize(
    ("history", "allowed"),
    [
        ([], False),
        ([(Answer.ALLOW, ConsentSource.TABLE, 1, True)], True),
        ([(Answer.ASK, ConsentSource.TABLE, 1, True)], False),
        # The last one counts, and a work's own counts more than its artist's.
        (
            [
                (Answer.ALLOW, ConsentSource.TABLE, 1, True),
                (Answer.DENY, ConsentSource.PERSON, 2, True),
            ],
            False,
        ),
        (
            [
                (Answer.ALLOW, ConsentSource.TABLE, 1, True),
                (Answer.DENY, ConsentSource.PERSON, 2, False),
            ],
            True,
        ),
        # What the file says stands until a person says yes to that very work.
        (
            [
                (Answer.DENY, ConsentSource.METADATA, 1, True),
                (Answer.ALLOW, ConsentSource.TABLE, 2, True),
            ],
            False,
        ),
        (
            [
                (Answer.DENY, ConsentSource.METADATA, 1, True),
                (Answer.ALLOW, ConsentSource.PERSON, 2, False),
            ],
            False,
        ),
        (
            [
                (Answer.DENY, ConsentSource.METADATA, 1, True),
                (Answer.ALLOW, ConsentSource.PERSON, 2, True),
            ],
            True,
        ),
        (
            [
                (Answer.DENY, ConsentSource.METADATA, 1, True),
                (Answer.ALLOW, ConsentSource.PERSON, 2, True),
                (Answer.DENY, ConsentSource.TABLE, 3, True),
            ],
            False,
        ),
        (
            [
                (Answer.ALLOW, ConsentSource.PERSON, 1, True),
                (Answer.DENY, ConsentSource.METADATA, 2, True),
            ],
            False,
        ),
        (
            [
                (Answer.DENY, ConsentSource.METADATA, 1, True),
                (Answer.ALLOW, ConsentSource.PERSON, 2, True),
                (Answer.DENY, ConsentSource.PERSON, 3, True),
                (Answer.ALLOW, ConsentSource.TABLE, 4, True),
            ],
            False,
        ),
        # Of two at once the stricter counts.
        (
            [
                (Answer.DENY, ConsentSource.TABLE, 1, True),
                (Answer.ALLOW, ConsentSource.TABLE, 1, True),
            ],
            False,
        ),
    ],
)
def test_which_statement_counts(
    history: Sequence[tuple[Answer, ConsentSource, int, bool]], *, allowed: bool
) -> None:
    """The last about the work, else about the artist; a no in the file yields to people alone."""
    rows = [statement(answer, source, day, own=own) for answer, source, day, own in history]

    assert is_allowed("train", standing(rows, NOON + 9 * DAY)) is allowed


def test_a_statement_counts_between_its_dates() -> None:
    """From the first moment on, and up to the last; outside of them the one before it counts."""
    before = statement(Answer.DENY, ConsentSource.PERSON, 0)
    dated = replace(
        statement(Answer.ALLOW, ConsentSource.PERSON, 1),
        valid_from=NOON + 2 * DAY,
        valid_until=NOON + 4 * DAY,
    )

    counts = [standing([before, dated], NOON + day * DAY) for day in range(1, 6)]

    assert counts == [before, dated, dated, before, before]


def test_by_default_a_work_is_found_shown_and_evidence() -> None:
    """What nobody has said anything of trains nothing and steers nothing."""
    assert tuple(one for one in PURPOSES if is_allowed(one, None)) == GRANTED_BY_DEFAULT
    assert GRANTED_BY_DEFAULT == ("index", "display", "evidence")


# ---- what follows for works ----------------------------------------------------------------------

moments = st.integers(-3, 3).map(lambda days: datetime.now(UTC) + days * DAY)


@st.composite
def statements(draw: st.DrawFn, artwork: UUID, artist: UUID) -> Statement:
    """Draw a statement about a work or its artist."""
    is_own = draw(st.booleans())
    people = [ConsentSource.PERSON] if not is_own else list(ConsentSource)
    return Statement(
        draw(
            st.sampled_from([ConsentPurpose.DISPLAY, ConsentPurpose.EVIDENCE, ConsentPurpose.TRAIN])
        ),
        draw(st.sampled_from(Answer)),
        draw(st.sampled_from(people)),
        "somebody",
        artwork_id=artwork if is_own else None,
        artist_id=None if is_own else artist,
        valid_from=draw(st.none() | moments),
        valid_until=draw(st.none() | moments),
        said_at=datetime.now(UTC) - draw(st.integers(1, 9)) * DAY,
    )


@given(data=st.data())
@hypothesis_settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_may_be_done_equals_a_derivation_from_scratch(
    services: Services, data: st.DataObject
) -> None:
    """Whatever was said in whatever order, and looked at in between or not."""
    work = a_work(services, "artist-0")
    history = data.draw(st.lists(statements(work.id, work.artist_id), max_size=6))
    looks = data.draw(st.lists(st.booleans(), min_size=len(history), max_size=len(history)))
    with services.sessions() as session:
        row = queries.works_to_change(session, [work.id])[work.id]
        for one, is_looked_at in zip(history, looks, strict=True):
            queries.keep_consents(session, [one])
            if is_looked_at:
                queries.project(session, [row])
        queries.project(session, [row])
        of = {one: [said for said in history if said.purpose == one] for one in PURPOSES}
        derived = [one for one in PURPOSES if is_allowed(one, standing(of[one], datetime.now(UTC)))]
        assert list(row.consent) == derived
        session.rollback()


def test_what_a_person_says_is_followed_and_kept(services: Services) -> None:
    """The work, its point and its picture; the statement says who, where and until when."""
    work = a_work(services, "artist-0")

    denied = say(
        services, Saying(ConsentPurpose.DISPLAY, Answer.DENY, work.id, document="e-mail, 3 May")
    )

    assert (denied.source, denied.answer, denied.document) == ("person", "deny", "e-mail, 3 May")
    assert not now_of(services, work.id).consent_display
    assert not services.store.has_thumbnail(work.sha256)
    agree(services)
    say(services, Saying(ConsentPurpose.DISPLAY, Answer.ALLOW, work.id))
    assert services.store.has_thumbnail(work.sha256)
    assert [one.answer for one in said(services, work.id)] == ["deny", "allow"]


def test_what_is_said_of_an_artist_is_about_all_works(services: Services) -> None:
    """Those that are there, those that come, and not those of which something else was said."""
    work = a_work(services, "artist-0")
    say(services, Saying(ConsentPurpose.TRAIN, Answer.ALLOW, work.id))

    say(services, Saying(ConsentPurpose.TRAIN, Answer.DENY, artist="artist-0"))
    say(services, Saying(ConsentPurpose.EVIDENCE, Answer.DENY, artist="artist-0"))
    say(services, Saying(ConsentPurpose.GENERATE, Answer.ALLOW, artist="artist-0"))

    with services.sessions() as session:
        wanted = WorksWanted(work.artist_id)
        rows = queries.next_artworks(session, wanted, after=None, limit=9)
    assert {row.id for row in rows if row.consent_train} == {work.id}
    assert all(row.consent_generate and not row.consent_evidence for row in rows)
    assert len(rows) == 4


def test_a_new_work_follows_what_was_said_of_its_artist(services: Services, tmp_path: Path) -> None:
    """From the moment that it is there; what its table says of it counts more."""
    ingest(services, table(tmp_path / "a"))
    say(services, Saying(ConsentPurpose.GENERATE, Answer.ALLOW, artist="ann"))
    say(services, Saying(ConsentPurpose.DISPLAY, Answer.DENY, artist="ann"))
    more = tmp_path / "b"
    (more / "Ann").mkdir(parents=True)
    for seed in (3, 4):
        picture(900 + seed).save(more / "Ann" / f"boat-{seed}.png")
    row = {"file_name": "Ann/boat-4.png", "consent_display": "yes"}
    (more / "metadata.jsonl").write_text(json.dumps(row))

    ingest(services, more)

    third, fourth = named(services, "boat-3"), named(services, "boat-4")
    assert (third.consent_display, third.consent_generate) == (False, True)
    assert (fourth.consent_display, fourth.consent_generate) == (True, True)
    assert not services.store.has_thumbnail(third.sha256)


def test_works_follow_when_a_statement_begins_or_ends(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`reconcile` looks at what is due, and at nothing else."""
    work = a_work(services, "artist-0")

    def at(moment: datetime) -> None:
        monkeypatch.setattr("attribution.catalogue.queries.consents.now", lambda: moment)
        monkeypatch.setattr("attribution.upkeep.consents.now", lambda: moment)

    at(NOON - DAY)
    dated = Saying(ConsentPurpose.TRAIN, Answer.ALLOW, work.id, None, None, NOON, NOON + 2 * DAY)
    say(services, dated)
    assert not now_of(services, work.id).consent_train
    assert follow_due(services) == 0

    seen = []
    for moment in (NOON, NOON + DAY, NOON + 3 * DAY, NOON + 4 * DAY):
        at(moment)
        seen.append((follow_due(services), now_of(services, work.id).consent_train))

    assert seen == [(1, True), (0, True), (1, False), (0, False)]
    agree(services)


def test_a_work_on_its_way_in_waits_for_what_is_being_said(postgres: URL, tmp_path: Path) -> None:
    """Whoever speaks of a portfolio waits for works on their way in: neither misses the other."""
    with fresh_database(postgres) as url:
        database = connect(url)
        database.upgrade()
        database.dispose()
        settings = Settings(home=tmp_path / "home", profile="stub", database_url=url)
        portfolio(tmp_path / "p", artists=1, works=1)
        with open_services(settings) as services, ThreadPoolExecutor(1) as threads:
            ingest(services, tmp_path / "p")
            (tmp_path / "q" / "artist-0").mkdir(parents=True)
            picture(77).save(tmp_path / "q" / "artist-0" / "new.png")
            with services.sessions.begin() as session:
                artist = queries.artist_by_slug(session, "artist-0").id
                queries.lock_portfolios(session, [artist], speaks=True)
                no = Statement(
                    ConsentPurpose.DISPLAY,
                    Answer.DENY,
                    ConsentSource.PERSON,
                    "ann",
                    artist_id=artist,
                )
                queries.add_consent(session, no)
                coming = threads.submit(ingest, services, tmp_path / "q")
                wait_until(lambda: _waits(services))
            assert coming.result().added == 1
            assert not named(services, "new").consent_display

            with services.sessions.begin() as session:  # the other way round
                queries.lock_portfolios(session, [artist])
                said_now = Saying(ConsentPurpose.EVIDENCE, Answer.DENY, artist="artist-0")
                saying = threads.submit(say, services, said_now)
                wait_until(lambda: _waits(services))
            assert saying.result().answer == Answer.DENY
            assert not named(services, "new").consent_evidence


def _waits(services: Services) -> bool:
    """Tell whether somebody waits for a lock by number."""
    waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    with services.sessions() as session:
        return bool(session.scalar(waiting))


def test_reconcile_has_works_follow(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without repair it says how many statements are due."""
    work = a_work(services, "artist-0")
    later = datetime.now(UTC) + DAY
    say(services, Saying(ConsentPurpose.TRAIN, Answer.ALLOW, work.id, valid_until=later))
    for module in ("attribution.catalogue.queries.consents", "attribution.upkeep.consents"):
        monkeypatch.setattr(f"{module}.now", lambda: later)

    assert reconcile(services, repair=False).turned == 1
    assert now_of(services, work.id).consent_train
    assert reconcile(services, repair=True).turned == 1
    assert not now_of(services, work.id).consent_train
    assert reconcile(services, repair=False).turned == 0


def test_a_no_to_finding_withdraws(services: Services) -> None:
    """The work is gone for good; that something was said stays, and where it stood goes."""
    work, other = a_work(services, "artist-0"), a_work(services, "artist-0", title="work-1")
    say(services, Saying(ConsentPurpose.TRAIN, Answer.ALLOW, work.id, document="contract of Ann"))

    last = say(
        services, Saying(ConsentPurpose.INDEX, Answer.DENY, work.id, document="letter of Ann")
    )

    assert now_of(services, work.id).status is ArtworkStatus.WITHDRAWN
    assert last.ended_at is not None
    assert [(one.purpose, one.document) for one in said(services, work.id)] == [
        ("train", None),
        ("index", None),
    ]
    with services.sessions() as session:
        assert "of Ann" not in str(session.scalars(select(AuditEntry.details)).all())
        assert not any(queries.left_of_works(session, [work.id]).values())
    say(services, Saying(ConsentPurpose.INDEX, Answer.DENY, artist="artist-0"))
    assert now_of(services, other.id).status is ArtworkStatus.WITHDRAWN
    assert not verify(services.sessions, lambda *_: None).faults


def test_what_was_said_before_a_withdrawal_counts_no_more(
    services: Services, tmp_path: Path
) -> None:
    """A work that is reinstated comes with what its source says then."""
    work = a_work(services, "artist-0")
    say(services, Saying(ConsentPurpose.TRAIN, Answer.ALLOW, work.id))
    say(services, Saying(ConsentPurpose.GENERATE, Answer.ALLOW, artist="artist-0"))
    withdraw(services, "artist-0", reason="asked for")

    ingest(services, tmp_path / "p", reinstate=True)

    row = now_of(services, work.id)
    assert row.status is ArtworkStatus.INDEXED
    assert row.consent == GRANTED_BY_DEFAULT


def test_what_nobody_can_say(services: Services) -> None:
    """Of nothing or of two things, backwards in time, at length; ask and an end of index."""
    work = a_work(services, "artist-0")
    wrong = [
        Saying(ConsentPurpose.TRAIN, Answer.ALLOW),
        Saying(ConsentPurpose.TRAIN, Answer.ALLOW, work.id, "artist-0"),
        Saying(ConsentPurpose.TRAIN, Answer.ALLOW, work.id, valid_from=NOON, valid_until=NOON),
        Saying(ConsentPurpose.TRAIN, Answer.ALLOW, work.id, document="x" * 2_001),
        Saying(ConsentPurpose.INDEX, Answer.ASK, work.id),
        Saying(ConsentPurpose.INDEX, Answer.DENY, work.id, valid_until=NOON),
    ]
    for one in wrong:
        with pytest.raises(BadInput):
            say(services, one)
    with pytest.raises(NotFound):
        say(services, Saying(ConsentPurpose.TRAIN, Answer.ALLOW, uuid4()))
    withdraw(services, str(work.id), reason="asked for")
    with pytest.raises(Conflict):
        say(services, Saying(ConsentPurpose.TRAIN, Answer.ALLOW, work.id))
    assert said(services) == []


def test_a_correction_is_a_statement(services: Services) -> None:
    """And its undo is another one."""
    work = a_work(services, "artist-0")

    made = correction.correct(services, work.id, {"consent_train": True, "title": "x"}, US)
    assert made is not None
    undo(services, made.id, US)

    assert [(one.answer, one.source, one.by) for one in said(services, work.id)] == [
        ("allow", "person", "test"),
        ("deny", "person", "test"),
    ]
    assert not now_of(services, work.id).consent_train


def test_a_merge_takes_along_what_was_said_of_the_artist(services: Services) -> None:
    """Both portfolios follow; undone, each follows its own again."""
    say(services, Saying(ConsentPurpose.TRAIN, Answer.ALLOW, artist="artist-0"))
    ours, theirs = a_work(services, "artist-0"), a_work(services, "artist-1")

    merged = correction.merge(services, "artist-0", "artist-1", US, is_confirmed=True)
    assert now_of(services, ours.id).consent_train
    assert now_of(services, theirs.id).consent_train
    agree(services)

    undo(services, merged.id, US)
    assert now_of(services, ours.id).consent_train
    assert not now_of(services, theirs.id).consent_train
    agree(services)
    assert not verify(services.sessions, lambda *_: None).faults


def test_a_work_that_moves_follows_its_new_artist(services: Services) -> None:
    """What was said of the old one counts no more."""
    say(services, Saying(ConsentPurpose.DISPLAY, Answer.DENY, artist="artist-1"))
    work = a_work(services, "artist-0")

    moved = correction.move(services, work.id, "artist-1", US)
    assert not now_of(services, work.id).consent_display
    assert not services.store.has_thumbnail(work.sha256)

    undo(services, moved.id, US)
    assert now_of(services, work.id).consent_display
    assert services.store.has_thumbnail(work.sha256)


# ---- what sources say ----------------------------------------------------------------------------


def test_a_table_says_who_said_it_and_where(services: Services, tmp_path: Path) -> None:
    """Only what it says is a statement; what it leaves out is a default."""
    answers = {"consent_train": "ask", "consent_display": "allow", "consent_evidence": "deny"}
    papers = {"consent_document": "https://ann.example/terms"}

    ingest(services, table(tmp_path / "t", **answers, **papers))

    work, plain = named(services, "boat-1"), named(services, "boat-2")
    assert {(one.purpose, one.answer, one.source, one.document) for one in said(services)} == {
        ("train", "ask", "table", "https://ann.example/terms"),
        ("display", "allow", "table", "https://ann.example/terms"),
        ("evidence", "deny", "table", "https://ann.example/terms"),
    }
    assert {one.artwork_id for one in said(services)} == {work.id}
    assert {one.by for one in said(services)} == {f"ingest job {said(services)[0].job_id}"}
    assert work.consent == ("index", "display")
    assert plain.consent == GRANTED_BY_DEFAULT


def test_without_a_document_the_line_of_the_table_is_kept(
    services: Services, tmp_path: Path
) -> None:
    """So that somebody finds what was said."""
    ingest(services, table(tmp_path / "t", consent_train="no"))

    assert [one.document for one in said(services)] == ["metadata.jsonl, line 1"]


def test_sidecars_and_files_say_so(services: Services, tmp_path: Path) -> None:
    """A no in the file names the words; a file next to it is another source."""
    own = tmp_path / "p2" / "Ann"
    own.mkdir(parents=True)
    words = PngImagePlugin.PngInfo()
    words.add_text("Comment", "noai")
    picture(901).save(own / "a.png", pnginfo=words)
    picture(902).save(own / "b.png")
    (own / "b.json").write_text('{"consent_display": "no"}')

    ingest(services, tmp_path / "p2")

    assert {(one.purpose, one.answer, one.source) for one in said(services)} == {
        ("train", "deny", "metadata"),
        ("display", "deny", "sidecar"),
    }
    (of_file,) = (one for one in said(services) if one.source == ConsentSource.METADATA)
    assert "noai" in (of_file.document or "")


def test_a_no_in_the_file_yields_to_a_document(services: Services, tmp_path: Path) -> None:
    """Of a person, about that very work; nothing wider undoes it."""
    own = tmp_path / "p2" / "Ann"
    own.mkdir(parents=True)
    words = PngImagePlugin.PngInfo()
    words.add_text("Comment", "noai")
    picture(901).save(own / "a.png", pnginfo=words)
    ingest(services, tmp_path / "p2")
    work = named(services, "a")

    say(services, Saying(ConsentPurpose.TRAIN, Answer.ALLOW, artist="ann", document="contract 12"))
    assert not now_of(services, work.id).consent_train
    with pytest.raises(NotAllowed, match="document"):
        say(services, Saying(ConsentPurpose.TRAIN, Answer.ALLOW, work.id))
    say(services, Saying(ConsentPurpose.TRAIN, Answer.ALLOW, work.id, document="contract 12"))

    assert now_of(services, work.id).consent_train


def test_what_a_source_says_of_known_works(services: Services, tmp_path: Path) -> None:
    """Stricter is followed, freer waits to be allowed; said again it is no other statement."""
    ingest(services, table(tmp_path / "t"))
    work = named(services, "boat-1")

    for _ in range(2):
        ingest(services, table(tmp_path / "t", consent_train="yes", consent_display="no"))
    assert [(one.purpose, one.answer) for one in said(services)] == [("display", "deny")]
    for _ in range(2):
        ingest(services, table(tmp_path / "t", consent_train="yes"), allow_freer=True)
    assert [(one.purpose, one.answer) for one in said(services)] == [
        ("display", "deny"),
        ("train", "allow"),
    ]
    assert now_of(services, work.id).consent == ("index", "evidence", "train")

    say(services, Saying(ConsentPurpose.TRAIN, Answer.DENY, work.id))
    ingest(services, table(tmp_path / "t", consent_train="yes"), allow_freer=True)
    assert not now_of(services, work.id).consent_train


def test_an_interrupted_batch_says_it_once() -> None:
    """A statement of a job about a work has one id, however often the job is run."""
    work, job = uuid4(), uuid4()
    one = Statement(ConsentPurpose.TRAIN, Answer.DENY, ConsentSource.TABLE, "")

    assert one.of_job(job, work).id == replace(one, id=uuid4()).of_job(job, work).id
    assert one.of_job(job, work).id != one.of_job(uuid4(), work).id


# ---- in words, and for crawlers ------------------------------------------------------------------


def test_one_sentence_says_it(services: Services) -> None:
    """Whether it is allowed, who said so, when and where; of a default that it is one."""
    work = a_work(services, "artist-0")
    one = say(services, Saying(ConsentPurpose.TRAIN, Answer.ASK, work.id, document="e-mail, 3 May"))

    assert wording.consent_said("train", None) == (
        "train: not allowed by default, nobody has said anything of it"
    )
    assert wording.consent_said("train", one) == (
        f"train: not allowed without asking first, said by {one.by} on {one.said_at:%Y-%m-%d} "
        f"(e-mail, 3 May)"
    )


def published(services: Services, kind: str, site: str | None = None) -> str:
    """Return an export of everything."""
    return b"".join(publish(kind, services, WorksWanted(), site)).decode()


def test_crawlers_read_what_was_said(services: Services) -> None:
    """By address on one site; works of which nobody has said anything are not in it."""
    first, second, elsewhere, silent = (
        a_work(services, "artist-0", title=f"work-{n}") for n in range(4)
    )
    address = "https://ann.example"
    for work, source in (
        (first, f"{address}/a b.png"),
        (second, f"{address}/b.png?size=1"),
        (elsewhere, "https://other.example/c.png"),
        (silent, f"{address}/d.png"),
    ):
        correction.correct(services, work.id, {"source": source}, US)
    terms = "https://ann.example/terms"
    say(services, Saying(ConsentPurpose.TRAIN, Answer.ASK, first.id, document=terms))
    say(services, Saying(ConsentPurpose.TRAIN, Answer.ALLOW, second.id))
    say(services, Saying(ConsentPurpose.INDEX, Answer.ALLOW, second.id))
    say(services, Saying(ConsentPurpose.GENERATE, Answer.DENY, elsewhere.id))

    assert sorted(json.loads(published(services, "tdmrep", address)), key=str) == [
        {"location": "/a%20b.png", "tdm-reservation": 1, "tdm-policy": terms},
        {"location": "/b.png?size=1$", "tdm-reservation": 0},
    ]
    robots = published(services, "robots", address).splitlines()
    assert robots[0] == "User-Agent: *"
    assert sorted(robots[1:]) == [
        "Content-Usage: /a%20b.png train-ai=n",
        "Content-Usage: /b.png?size=1$ train-ai=y, search=y",
    ]
    fields = [json.loads(line) for line in published(services, "aipref").splitlines()]
    assert {one["source"]: one["content-usage"] for one in fields} == {
        f"{address}/a b.png": "train-ai=n",
        f"{address}/b.png?size=1": "train-ai=y, search=y",
    }
    lines = [json.loads(line) for line in published(services, "cawg").splitlines()]
    entries = {one["id"]: one["assertion"]["data"]["entries"] for one in lines}
    assert entries.keys() == {str(one.id) for one in (first, second, elsewhere)}
    assert entries[str(first.id)]["cawg.ai_training"] == {
        "use": "constrained",
        "constraint_info": terms,
    }
    assert entries[str(elsewhere.id)] == {"cawg.ai_inference": {"use": "notAllowed"}}
    for wrong in (None, "nowhere"):
        with pytest.raises(BadInput, match="site"):
            published(services, "tdmrep", wrong)


def test_a_yes_to_one_address_is_none_to_another(services: Services) -> None:
    """Rules hold for all that begins alike, `*` and `$` have a meaning, and pages show many works.

    What is pasted among other rules opens nothing that those close.
    """
    address = "https://ann.example"
    sources = ["/1", "/*", "/x$", "/page", "/page"]
    works = [a_work(services, f"artist-{n // 4}", title=f"work-{n % 4}") for n in range(5)]
    for work, path in zip(works, sources, strict=True):
        correction.correct(services, work.id, {"source": f"{address}{path}"}, US)
        no = path == "/page" and work is works[3]
        say(services, Saying(ConsentPurpose.TRAIN, Answer.DENY if no else Answer.ALLOW, work.id))
    say(services, Saying(ConsentPurpose.INDEX, Answer.ALLOW, works[3].id))

    rules = {one["location"]: one for one in json.loads(published(services, "tdmrep", address))}
    assert {path: one["tdm-reservation"] for path, one in rules.items()} == {
        "/1$": 0,
        "/%2A$": 0,
        "/x%24$": 0,
        "/page": 1,
    }
    assert sorted(published(services, "robots", address).splitlines()) == [
        "Content-Usage: /%2A$ train-ai=y",
        "Content-Usage: /1$ train-ai=y",
        "Content-Usage: /page train-ai=n",
        "Content-Usage: /page$ train-ai=n, search=y",
        "Content-Usage: /x%24$ train-ai=y",
        "User-Agent: *",
    ]
    fields = [json.loads(line) for line in published(services, "aipref").splitlines()]
    assert [one["content-usage"] for one in fields if one["source"] == f"{address}/page"] == [
        "train-ai=n, search=y"
    ]


# ---- evidence ------------------------------------------------------------------------------------


def test_reviewers_see_evidence_and_the_audit_says_so(services: Services) -> None:
    """Of a work that may not be displayed and that an answer cites; denied, nobody sees it."""
    work = a_work(services, "artist-0")
    answer = services.attributor.attribute(
        read_image(services.store.original(work.sha256), services.limits)
    )
    say(services, Saying(ConsentPurpose.DISPLAY, Answer.DENY, work.id))

    assert evidence(services, answer.id, work.id)[8:12] == b"WEBP"

    with services.sessions() as session:
        (seen,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "view"))
    assert (seen.object, seen.details) == (f"artwork:{work.id}", {"attribution": str(answer.id)})
    with pytest.raises(NotFound, match="cite"):
        evidence(services, answer.id, uuid4())
    say(services, Saying(ConsentPurpose.EVIDENCE, Answer.DENY, work.id))
    with pytest.raises(NotAllowed):
        evidence(services, answer.id, work.id)


def test_works_are_large_enough_to_compare(services: Services) -> None:
    """From the kept original, audited also where all may see it; else the thumbnail has to do."""
    big = a_work(services, "artist-0")
    answer = services.attributor.attribute(
        read_image(services.store.original(big.sha256), services.limits)
    )
    picture(0, side=2_000).save(buffer := io.BytesIO(), "PNG")
    services.store.put_original(big.sha256, buffer.getvalue())

    assert sight(services, answer.id, big.id) == Sight(is_large=True)
    assert read_thumbnail(large_evidence(services, answer.id, big.id)).size == (1_600, 1_600)

    with services.sessions() as session:
        assert session.scalars(select(AuditEntry).where(AuditEntry.action == "view")).one()
    services.store.forget(big.sha256)
    services.store.put_thumbnail(big.sha256, b"small")
    assert sight(services, answer.id, big.id) == Sight()
    assert large_evidence(services, answer.id, big.id) == b"small"
    say(services, Saying(ConsentPurpose.DISPLAY, Answer.DENY, big.id))
    assert "no picture" in str(sight(services, answer.id, big.id).unseen)
    say(services, Saying(ConsentPurpose.EVIDENCE, Answer.DENY, big.id))
    assert "nobody" in str(sight(services, answer.id, big.id).unseen)
    with pytest.raises(NotAllowed):
        large_evidence(services, answer.id, big.id)


def test_only_whoever_reviews_sees_evidence(services: Services) -> None:
    """In a report as well; others read that the work may not be displayed."""
    work = a_work(services, "artist-0")
    image = read_image(services.store.original(work.sha256), services.limits)
    answer = services.attributor.attribute(image)
    say(services, Saying(ConsentPurpose.DISPLAY, Answer.DENY, work.id, document="e-mail, 3 May"))

    pages = {}
    for role in (Role.READER, Role.REVIEWER):
        with acting(Actor(role.value, ROLES[role])):
            pages[role] = make_page(services, "found.png", image, answer).laid_on

    assert pages[Role.READER].unseen == "may not be displayed"
    assert pages[Role.REVIEWER].picture is not None
    assert [one for one in pages[Role.READER].consent if "e-mail, 3 May" in one]


# ---- doors ---------------------------------------------------------------------------------------


def test_the_api_says_and_shows_it(client: TestClient) -> None:
    """A statement, the list with its filters, the work with its sentences, the export."""
    upload(client, png(1), artist="Ann", consent_train="no")
    (work,) = client.get("/v1/artworks").json()["items"]
    asked = {"purpose": "train", "answer": "allow", "artwork_id": work["id"]}

    made = client.post("/v1/consents", json=asked | {"document": "contract 12"})

    assert made.status_code == 201
    assert client.get(made.headers["location"]).json() == made.json()
    both = client.get("/v1/consents", params={"artist": "ann", "purpose": "train"}).json()
    assert [(one["source"], one["answer"]) for one in both["items"]] == [
        ("person", "allow"),
        ("upload", "deny"),
    ]
    by_upload = {"work": work["id"], "source": "upload"}
    assert len(client.get("/v1/consents", params=by_upload).json()["items"]) == 1
    shown = client.get(f"/v1/artworks/{work['id']}").json()
    stands = {one["purpose"]: (one["allowed"], one["statement"]) for one in shown["consents"]}
    assert stands["train"] == (True, made.json()["id"])
    assert stands["evidence"] == (True, None)
    exported = client.get("/v1/consents/export", params={"format": "cawg"})
    assert json.loads(exported.text)["id"] == work["id"]
    is_problem(client.get("/v1/consents/export?format=tdmrep"), 422, "bad-input")
    is_problem(client.post("/v1/consents", json=asked | {"artist": "ann"}), 422, "bad-input")
    rows = client.get("/v1/consents", headers={"accept": "text/csv"}).text.splitlines()
    assert len(rows) == 3


def test_the_command_says_and_shows_it(ingested: Settings, tmp_path: Path) -> None:
    """A sentence for each purpose, who said it, and a file for crawlers."""
    with open_stores(ingested) as stores, stores.sessions() as session:
        (work, *_) = session.scalars(select(Artwork.id)).all()

    told = lawful(
        ingested.home, "consents", "say", "train", "ask", "--work", str(work), "--document", "memo"
    )
    assert "train: not allowed without asking first, said by command line" in told.stdout
    listed = lawful(ingested.home, "consents", "list", "--json").stdout
    assert json.loads(listed)["document"] == "memo"
    over = ("train", "allow", "--work", str(work), "--valid-until", "2020-01-01")
    assert "not in force now" in lawful(ingested.home, "consents", "say", *over).stdout
    shown = lawful(ingested.home, "consents", "show", str(work)).stdout.splitlines()
    assert [one.split(":")[0] for one in shown] == list(PURPOSES)
    out = tmp_path / "mining.jsonl"
    lawful(ingested.home, "consents", "export", "--as", "cawg", "--out", str(out))
    assert json.loads(out.read_text())["id"] == str(work)
