"""Legal holds: what is kept for a case while works are withdrawn and images are forgotten."""

from __future__ import annotations

import base64
import io
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.fernet import Fernet
from fastapi.testclient import TestClient
from PIL import Image
from pydantic import SecretStr
from sqlalchemy import select, update

from attribution.actors import Actor, acting
from attribution.cases import CaseKind, CaseOutcome, Ground, PartyRole
from attribution.catalogue import queries
from attribution.catalogue.columns import now
from attribution.catalogue.models import (
    AuditEntry,
    CitedWork,
    Hold,
    Subject,
    SubjectUse,
    Workings,
)
from attribution.catalogue.queries import Origin, holds
from attribution.catalogue.verification import verify
from attribution.config import Settings
from attribution.custody import Forgotten, How, Kept
from attribution.desk import judging
from attribution.desk.holding import NewHold, end_hold, exhibit, put_on_hold
from attribution.desk.judging import NewDecision
from attribution.desk.opening import NewCase, NewParty, add_answers, open_case
from attribution.errors import BadInput, Conflict, NotAllowed, NotFound
from attribution.images import read_image
from attribution.lookup.subjects import Obtained, keeping, seen
from attribution.lookup.wording import on_hold
from attribution.services import Services, open_services
from attribution.upkeep import subjects as upkeep
from attribution.upkeep.correction import merge, move, split
from attribution.upkeep.reconcile import BY_NAME, reconcile
from attribution.upkeep.withdrawal import withdraw
from tests.apis import is_problem, png, upload
from tests.asking import a_work
from tests.commands import lawful
from tests.portfolios import ingest

ANN = Actor("key lk_ann (desk)")


@pytest.fixture
def case(services: Services) -> UUID:
    """Open a case about a claim that nobody has made yet."""
    with acting(ANN):
        return open_case(services, NewCase(CaseKind.WITHDRAWAL, "a claim")).case.id


def ask(services: Services, data: bytes) -> UUID:
    """Ask about an image that is kept; returns its id."""
    image = read_image(data)
    keep = keeping(services, image, lambda: data, Obtained(How.FILE))
    answer = services.attributor.attribute(image, also=keep)
    with services.sessions() as session:
        subject, _ = queries.subject_of_answer(session, answer.id)
    assert subject
    return subject.id


def subject_of(services: Services, subject_id: UUID) -> Subject:
    """Return an image as it is now."""
    with services.sessions() as session:
        return queries.subject_by_id(session, subject_id)


def held_by(services: Services, receipt: UUID) -> dict[str, Any]:
    """Return what a receipt says is on hold now."""
    with services.sessions() as session:
        held: dict[str, Any] = queries.withdrawal_by_id(session, receipt).receipt["held"]
    return held


def says(home: Path, text: str) -> bool:
    """Tell whether any row of the database, or its file, has a text."""
    with closing(sqlite3.connect(home / "lawful.db")) as database:
        dumped = "\n".join(database.iterdump())
    return text in dumped or text.encode() in (home / "lawful.db").read_bytes()


# ---- works ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["work", "artist"])
def test_a_work_on_hold_is_withdrawn_and_a_sealed_exhibit_stays(
    services: Services, case: UUID, what: str
) -> None:
    """Nothing finds it; the receipt is complete and says what is kept, for which case."""
    work = a_work(services)
    new = NewHold("a claim was announced", work.id) if what == "work" else None
    hold = put_on_hold(services, case, new or NewHold("a claim", artist="artist-1"))

    request = withdraw(services, str(work.id), reason="asked for")

    assert services.index.vectors([work.id]) == {}
    assert request.completed_at is not None
    assert not any(request.receipt["left"].values())
    assert request.receipt["held"] == {"works": [str(work.id)], "images": [], "cases": [1]}
    assert on_hold(request.receipt["held"]).startswith(
        "on hold for case 1: sealed exhibits of works (1)"
    )
    found = exhibit(services, case, work.id)
    assert (found["title"], found["artist"], found["sha256"]) == ("work-0", "artist-1", work.sha256)
    assert found["sketch"]
    picture = Image.open(io.BytesIO(base64.b64decode(found["picture"])))
    assert picture.format == "WEBP"

    with acting(ANN):
        end_hold(services, case, hold.id, "settled")

    with pytest.raises(NotFound, match="keeps nothing of artwork"):
        exhibit(services, case, work.id)
    with services.sessions() as session:
        held = queries.withdrawal_by_id(session, request.id).receipt["held"]
    assert (held["works"], held["cases"]) == ([], [])
    assert on_hold(held).startswith("what was on hold went too when the hold ended, on 20")
    assert verify(services.sessions, lambda *_: None).faults == 0


def test_nothing_of_it_is_left_when_the_hold_ends(
    services: Services, case: UUID, tmp_path: Path
) -> None:
    """Neither in a row nor in what a file keeps of deleted ones."""
    work = a_work(services)
    with services.sessions.begin() as session:
        queries.artwork_by_id(session, work.id).title = "Unmistakable Needle"
    hold = put_on_hold(services, case, NewHold("a claim", work.id))
    withdraw(services, str(work.id), reason="asked for")
    assert exhibit(services, case, work.id)["title"] == "Unmistakable Needle"

    end_hold(services, case, hold.id, "settled")

    assert not says(tmp_path / "home", "Unmistakable Needle")
    assert b"Unmistakable Needle" not in b"".join(
        path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file()
    )


def test_no_picture_without_consent_for_evidence(services: Services, case: UUID) -> None:
    """The rest is kept."""
    work = a_work(services)
    with services.sessions.begin() as session:
        queries.artwork_by_id(session, work.id).consent_evidence = False
    put_on_hold(services, case, NewHold("a claim", work.id))

    withdraw(services, str(work.id), reason="asked for")

    found = exhibit(services, case, work.id)
    assert found["picture"] is None
    assert found["sketch"]


def test_an_original_that_cannot_be_read_keeps_no_work_from_going(
    services: Services, case: UUID
) -> None:
    """The exhibit has no picture then."""
    work = a_work(services)
    with services.sessions.begin() as session:
        queries.artwork_by_id(session, work.id).consent_display = False
    (original,) = services.settings.home.rglob(f"originals/**/{work.sha256}*")
    original.write_bytes(b"no image")
    put_on_hold(services, case, NewHold("a claim", work.id))

    request = withdraw(services, str(work.id), reason="asked for")

    assert request.completed_at is not None
    assert exhibit(services, case, work.id)["picture"] is None


def test_an_exhibit_is_encrypted_where_images_are(ingested: Settings, tmp_path: Path) -> None:
    """By the key of the settings; without it nobody reads one."""
    key = SecretStr(Fernet.generate_key().decode())
    with open_services(ingested.model_copy(update={"subjects_key": key})) as services:
        with acting(ANN):
            case = open_case(services, NewCase(CaseKind.WITHDRAWAL, "a claim")).case.id
        work = a_work(services)
        put_on_hold(services, case, NewHold("a claim", work.id))
        withdraw(services, str(work.id), reason="asked for")
        assert exhibit(services, case, work.id)["title"] == "work-0"
    with open_services(ingested) as services, pytest.raises(Conflict, match="LAWFUL_SUBJECTS_KEY"):
        exhibit(services, case, work.id)
    assert not says(tmp_path / "home", work.pixel_sha256)


def test_two_cases_hold_one_work(services: Services, case: UUID) -> None:
    """The exhibit goes with the last; each sight of it is in the audit."""
    work = a_work(services)
    other = open_case(services, NewCase(CaseKind.WITHDRAWAL, "another claim")).case.id
    first = put_on_hold(services, case, NewHold("a claim", work.id))
    second = put_on_hold(services, other, NewHold("another", artist="artist-1"))
    withdraw(services, "artist-1", reason="asked for")

    end_hold(services, case, first.id, "settled")

    with pytest.raises(NotFound):
        exhibit(services, case, work.id)
    assert exhibit(services, other, work.id)["title"] == "work-0"
    with services.sessions() as session:
        page = holds.list_exhibits(session, other)
        entry = session.query(AuditEntry).filter_by(action="view").one()
    assert len(page.items) == 4
    assert entry.object == f"artwork:{work.id}"
    end_hold(services, other, second.id, "settled")
    with services.sessions() as session:
        assert holds.list_exhibits(session, other).items == ()


def test_a_hold_on_an_artist_follows_a_merge(services: Services, case: UUID) -> None:
    """Works that are another artist's by now are theirs."""
    put_on_hold(services, case, NewHold("a claim", artist="artist-1"))
    merge(
        services, "artist-1", "artist-0", Origin("tests", by="Ann", reason="one"), is_confirmed=True
    )
    work = a_work(services, "artist-0", "work-0")

    withdraw(services, str(work.id), reason="asked for")

    assert exhibit(services, case, work.id)["artist"] == "artist-0"


def test_a_hold_follows_works_that_were_moved_before_the_artist_was_merged(
    services: Services, case: UUID
) -> None:
    """And from then on those that are taken from whoever remained, but none of before."""
    moved, taken, before = (
        a_work(services, artist, title)
        for artist, title in (
            ("artist-1", "work-0"),
            ("artist-1", "work-1"),
            ("artist-0", "work-2"),
        )
    )
    put_on_hold(services, case, NewHold("a claim", artist="artist-1"))
    move(services, moved.id, "artist-2", Origin("tests"))
    move(services, before.id, "artist-2", Origin("tests"))
    one = Origin("tests", by="Ann", reason="one")
    merge(services, "artist-1", "artist-0", one, is_confirmed=True)
    move(services, taken.id, "artist-2", Origin("tests"))

    for work in (moved, taken, before):
        withdraw(services, str(work.id), reason="asked for")

    with services.sessions() as session:
        kept = {one.artwork_id for one in holds.list_exhibits(session, case).items}
    assert kept == {moved.id, taken.id}


def test_of_an_artist_who_is_nobody_now_only_their_works_are_held(
    services: Services, case: UUID
) -> None:
    """Works by nobody are by many, and a case has no hold on the others."""
    own, other = a_work(services, "artist-1"), a_work(services, "artist-0")
    with services.sessions.begin() as session:
        nobody = queries.get_or_create_nobody(session)
    put_on_hold(services, case, NewHold("a claim", artist="artist-1"))
    move(services, other.id, nobody.slug, Origin("tests"))
    with services.sessions.begin() as session:  # as reconcile does where a name means nobody
        artist = queries.artist_by_slug(session, "artist-1")
        queries.merge_artists(session, artist.id, nobody.id, BY_NAME)

    for work in (own, other):
        withdraw(services, str(work.id), reason="asked for")

    with services.sessions() as session:
        kept = {one.artwork_id for one in holds.list_exhibits(session, case).items}
    assert kept == {own.id}


def test_a_hold_on_an_artist_keeps_hold_of_works_that_were_moved_away(
    services: Services, case: UUID
) -> None:
    """To another artist while it lasted; not of those that were moved before."""
    before, later, other = (a_work(services, title=f"work-{one}") for one in range(3))
    move(services, before.id, "artist-0", Origin("tests"))
    put_on_hold(services, case, NewHold("a claim", artist="artist-1"))
    move(services, later.id, "artist-0", Origin("tests"))
    split(services, "artist-1", [other.id], "Somebody Else", Origin("tests"))

    for work in (before, later, other):
        withdraw(services, str(work.id), reason="asked for")

    with services.sessions() as session:
        kept = {one.artwork_id for one in holds.list_exhibits(session, case).items}
    assert kept == {later.id, other.id}


def test_the_receipt_names_the_cases_that_still_need_it(services: Services, case: UUID) -> None:
    """When one hold of two ends, and when another case needs what is on hold already."""
    work = a_work(services)
    other = open_case(services, NewCase(CaseKind.WITHDRAWAL, "another claim")).case.id
    subject = ask(services, services.store.original(work.sha256))
    first = put_on_hold(services, case, NewHold("a claim", work.id))
    put_on_hold(services, other, NewHold("another", work.id))
    put_on_hold(services, other, NewHold("another", subject_id=subject))
    request = withdraw(services, str(work.id), reason="asked for")
    assert request.receipt["held"]["cases"] == [1, 2]

    end_hold(services, case, first.id, "settled")

    held = held_by(services, request.id)
    assert held == {"works": [str(work.id)], "images": [str(subject)], "cases": [2]}
    put_on_hold(services, case, NewHold("again", subject_id=subject))
    assert held_by(services, request.id)["cases"] == [1, 2]


def test_withdrawn_again_the_later_exhibit_counts(services: Services, case: UUID) -> None:
    """A work that was taken in again meanwhile."""
    work = a_work(services)
    put_on_hold(services, case, NewHold("a claim", work.id))
    request = withdraw(services, str(work.id), reason="asked for")
    ingest(services, services.settings.home.parent / "p", reinstate=True)
    again = withdraw(services, str(work.id), reason="asked for again")

    with services.sessions() as session:
        (kept,) = holds.list_exhibits(session, case).items
    assert kept.withdrawal_id == again.id
    said = on_hold(held_by(services, request.id))
    assert said == f"receipt {again.id} of a later withdrawal says what is kept on hold"


# ---- images --------------------------------------------------------------------------------------


def test_an_image_on_hold_outlives_its_time(services: Services, case: UUID) -> None:
    """And a request; with what its answer was computed from."""
    subject = ask(services, png(777))
    hold = put_on_hold(services, case, NewHold("a claim", subject_id=subject))
    with services.sessions.begin() as session:
        for table in (Subject, Workings):
            session.execute(update(table).values(until=now() - timedelta(1)))

    reconcile(services, repair=True)

    assert subject_of(services, subject).kept is Kept.IMAGE
    with services.sessions() as session:
        assert session.query(Workings).count() == 1
    with pytest.raises(Conflict, match="is on hold for case 1: it can be forgotten when"):
        upkeep.forget(services, subject, "asked for")

    end_hold(services, case, hold.id, "settled")
    reconcile(services, repair=True)

    assert subject_of(services, subject).forgotten_why is Forgotten.RETENTION


def test_a_copy_on_hold_stays_until_the_hold_ends(services: Services, case: UUID) -> None:
    """When the work is withdrawn; then it goes under that receipt."""
    work = a_work(services)
    data = services.store.original(work.sha256)
    subject = ask(services, data)
    hold = put_on_hold(services, case, NewHold("a claim", subject_id=subject))

    request = withdraw(services, str(work.id), reason="asked for")

    assert request.completed_at is not None
    assert request.receipt["held"] == {"works": [], "images": [str(subject)], "cases": [1]}
    assert seen(services, subject)[1] == data

    end_hold(services, case, hold.id, "settled")

    gone = subject_of(services, subject)
    assert (gone.kept, gone.forgotten_why) == (Kept.NOTHING, Forgotten.WITHDRAWAL)
    assert gone.receipt == request.id
    assert not services.store.has_subject(work.sha256)


def test_a_hold_on_a_work_keeps_the_image_that_the_case_is_about(services: Services) -> None:
    """A withdrawal takes no image in question out of a case on which something is on hold."""
    work, other = (a_work(services, title=f"work-{one}") for one in range(2))
    data = services.store.original(work.sha256)
    subject = ask(services, data)
    with services.sessions() as session:
        (answer,) = session.scalars(select(SubjectUse.id).where(SubjectUse.subject_id == subject))
    with acting(ANN):
        about = NewCase(CaseKind.MATCH, "a copy", attributions=[answer])
        case = open_case(services, about).case
        hold = put_on_hold(services, case.id, NewHold("a claim", artwork_id=other.id))

    request = withdraw(services, str(work.id), reason="asked for")

    assert request.receipt["held"] == {"works": [], "images": [str(subject)], "cases": [1]}
    assert not any(request.receipt["left"].values())
    assert seen(services, subject)[1] == data
    with pytest.raises(Conflict, match="is on hold for case 1"):
        upkeep.forget(services, subject, "asked for")
    with acting(ANN):  # another case about it needs it as well, once something is on hold for that
        second = open_case(services, NewCase(CaseKind.WITHDRAWAL, "theirs", [answer])).case
        assert held_by(services, request.id)["cases"] == [1]
        own = put_on_hold(services, second.id, NewHold("a claim", artwork_id=other.id))
        assert held_by(services, request.id)["cases"] == [1, 2]
        end_hold(services, case.id, hold.id, "settled")
        assert seen(services, subject)[1] == data
        end_hold(services, second.id, own.id, "settled")

    gone = subject_of(services, subject)
    assert (gone.kept, gone.receipt) == (Kept.NOTHING, request.id)
    assert not services.store.has_subject(work.sha256)
    assert held_by(services, request.id)["images"] == []


def test_an_image_that_a_case_with_a_hold_takes_in_is_kept_for_it(services: Services) -> None:
    """And no receipt of what went before says that it is kept."""
    work, gone, other = (a_work(services, title=f"work-{one}") for one in range(3))
    subjects = [ask(services, services.store.original(one.sha256)) for one in (work, gone)]
    with services.sessions() as session:
        uses = {one.subject_id: one.id for one in session.scalars(select(SubjectUse))}
    earlier = withdraw(services, str(gone.id), reason="asked for").id
    with acting(ANN):
        case = open_case(services, NewCase(CaseKind.MATCH, "copies")).case
        put_on_hold(services, case.id, NewHold("a claim", artwork_id=other.id))
        add_answers(services, case.id, [uses[one] for one in subjects])

    request = withdraw(services, str(work.id), reason="asked for")

    assert request.receipt["held"]["images"] == [str(subjects[0])]
    with services.sessions() as session:
        assert "held" not in queries.withdrawal_by_id(session, earlier).receipt
    assert not services.store.has_subject(gone.sha256)


def test_the_receipt_of_the_later_withdrawal_lists_an_image_that_shows_two_works(
    services: Services, case: UUID
) -> None:
    """The first one leads there, and what it said ends with that."""
    first, second = (a_work(services, title=f"work-{one}") for one in range(2))
    subject = ask(services, services.store.original(first.sha256))
    with services.sessions.begin() as session:
        use = session.query(SubjectUse).filter_by(subject_id=subject).one()
        session.add(CitedWork(artwork_id=second.id, attribution_id=use.id, is_original=True))
    hold = put_on_hold(services, case, NewHold("a claim", subject_id=subject))
    receipts = [withdraw(services, str(work.id), reason="asked for").id for work in (first, second)]

    earlier, later = (held_by(services, one) for one in receipts)
    assert (earlier["images"], earlier["later"]) == ([], str(receipts[1]))
    assert later["images"] == [str(subject)]
    end_hold(services, case, hold.id, "settled")
    assert held_by(services, receipts[1])["images"] == []


# ---- who and when --------------------------------------------------------------------------------


def test_a_hold_ends_when_its_time_is_over(services: Services, case: UUID) -> None:
    """By the periodic work."""
    work = a_work(services)
    put_on_hold(services, case, NewHold("a claim", work.id, until=now() + timedelta(1)))
    withdraw(services, str(work.id), reason="asked for")
    with services.sessions.begin() as session:
        session.execute(update(Hold).values(until=now() - timedelta(seconds=1)))
        session.execute(update(Hold).values(seal={}, sealed=None))

    reconcile(services, repair=True)

    with services.sessions() as session:
        (row,) = holds.holds_of(session, case)
        assert holds.list_exhibits(session, case).items == ()
    assert row.ended_why == "its time was over"


def test_what_cannot_be_held_is_refused(services: Services, case: UUID) -> None:
    """With the way out."""
    work = a_work(services)
    refused: list[tuple[NewHold, type[Exception], str]] = [
        (NewHold("why"), BadInput, "name one thing"),
        (NewHold("why", work.id, "artist-1"), BadInput, "name one thing"),
        (NewHold(" ", work.id), BadInput, "the reason is empty"),
        (NewHold("why", work.id, until=now() - timedelta(1)), BadInput, "is in the past"),
        (NewHold("why", uuid4()), NotFound, "artwork"),
        (NewHold("why", artist="nobody-here"), NotFound, "nobody-here"),
        (NewHold("why", subject_id=uuid4()), NotFound, "image"),
    ]
    for new, kind, said in refused:
        with pytest.raises(kind, match=said):
            put_on_hold(services, case, new)
    withdraw(services, str(work.id), reason="asked for")
    with pytest.raises(Conflict, match="nothing is left of it that could be put on hold"):
        put_on_hold(services, case, NewHold("why", work.id))
    subject = ask(services, png(777))
    upkeep.forget(services, subject, "asked for")
    with pytest.raises(Conflict, match="nothing is kept of image"):
        put_on_hold(services, case, NewHold("why", subject_id=subject))
    with services.sessions.begin() as session:
        slug = queries.get_or_create_nobody(session).slug
    with pytest.raises(Conflict, match="put the works on hold by their ids"):
        put_on_hold(services, case, NewHold("why", artist=slug))


def test_who_acts_for_a_party_holds_nothing(services: Services) -> None:
    """Nor ends a hold."""
    party = NewParty(PartyRole.ARTIST, artist="artist-1")
    case = open_case(services, NewCase(CaseKind.WITHDRAWAL, "a claim", parties=[party])).case.id
    hold = put_on_hold(services, case, NewHold("why", artist="artist-1"))

    with acting(Actor("key lk_eve (hers)", artists=frozenset({"artist-1"}))):
        with pytest.raises(NotAllowed):
            put_on_hold(services, case, NewHold("why", artist="artist-0"))
        with pytest.raises(NotAllowed):
            end_hold(services, case, hold.id, "mine")


def test_a_case_with_a_hold_is_not_closed(services: Services, case: UUID) -> None:
    """It is decided, and closed when the hold has ended; a hold ends once."""
    hold = put_on_hold(services, case, NewHold("why", artist="artist-1"))
    judging.decide(
        services, case, NewDecision(CaseOutcome.NO_FINDING, Ground.NO_EVIDENCE, "no image")
    )
    with pytest.raises(Conflict, match="something is on hold for case 1"):
        judging.close(services, case)

    end_hold(services, case, hold.id, "settled")
    with pytest.raises(Conflict, match=r"ended on 20\d\d"):
        end_hold(services, case, hold.id, "settled")
    judging.close(services, case)
    with pytest.raises(Conflict, match="put something on hold"):
        put_on_hold(services, case, NewHold("why", artist="artist-1"))


# ---- doors ---------------------------------------------------------------------------------------


def test_over_http(client: TestClient) -> None:
    """Put on hold, withdraw, open the exhibit, end the hold."""
    upload(client, png(1), artist="ann", title="Red boat")
    (work,) = client.get("/v1/artworks").json()["items"]
    case = client.post("/v1/cases", json={"kind": "withdrawal", "title": "a claim"}).json()
    path = f"/v1/cases/{case['id']}"

    sent: dict[str, Any] = {"artwork_id": work["id"], "why": "a claim was announced"}
    hold = client.post(f"{path}/holds", json=sent)
    client.post("/v1/withdrawals", json={"what": work["id"], "reason": "asked for"})

    assert hold.status_code == 201
    assert client.get(path).json()["holds"] == [hold.json()]
    (listed,) = client.get(f"{path}/exhibits").json()["items"]
    assert listed["artwork_id"] == work["id"]
    assert client.get(f"{path}/exhibits/{work['id']}").json()["title"] == "Red boat"
    ended = client.post(f"{path}/holds/{hold.json()['id']}/end", json={"why": "settled"})
    assert ended.json()["ended_why"] == "settled"
    assert client.get(f"{path}/exhibits").json()["items"] == []
    is_problem(client.get(f"{path}/exhibits/{work['id']}"), 404, "not-found")
    is_problem(client.post(f"{path}/holds/{uuid4()}/end", json={"why": "x"}), 404, "not-found")


def test_the_commands(ingested: Settings) -> None:
    """`lawful cases hold` and `end-hold` show the case; the receipt says what is kept."""
    home = ingested.home
    lawful(home, "cases", "open", "a claim", "--kind", "withdrawal")

    held = lawful(home, "cases", "hold", "1", "--artist", "artist-1", "--why", "a claim")
    gone = lawful(home, "withdraw", "artist-1", "--reason", "asked for")
    hold = held.stdout.split("on hold: artist-1 (lasts)")[1].splitlines()[1].strip()
    ended = lawful(home, "cases", "end-hold", "1", hold, "--why", "settled")

    assert "on hold for case 1: sealed exhibits of works (4)" in gone.stdout
    assert "on hold: artist-1 (ended 20" in ended.stdout
