"""Watches: artists whose copies the desk wants to see, and images that are asked about again."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path
from unittest.mock import Mock
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from sqlalchemy import select, update

from api.watches import WatchOut
from attribution.actors import Actor, acting
from attribution.cases import CaseKind, Lane
from attribution.catalogue import queries
from attribution.catalogue.columns import now
from attribution.catalogue.database import Database
from attribution.catalogue.models import (
    Alert,
    Artwork,
    Case,
    KeptCollection,
    RecordedAttribution,
    Watch,
)
from attribution.catalogue.queries import Origin, desk, watches
from attribution.catalogue.verification import verify
from attribution.config import Settings
from attribution.custody import How
from attribution.desk import alerting, asking
from attribution.desk.alerting import see_to_alerts
from attribution.desk.asking import ask_watched
from attribution.desk.watching import NewWatch, end_watch, release, watch
from attribution.errors import BadInput, Conflict, NotFound
from attribution.images import read_image
from attribution.lookup.subjects import Obtained, keeping
from attribution.services import Services, open_services
from attribution.tenants import within
from attribution.upkeep import subjects as upkeep
from attribution.upkeep.correction import merge
from attribution.upkeep.tenants import create
from attribution.upkeep.withdrawal import withdraw
from ingest.work import jobs, tasks
from ingest.work.application import make_app
from tests.apis import is_problem, png, upload
from tests.asking import a_work
from tests.commands import lawful
from tests.portfolios import ingest, portfolio, wait_until

ANN = Actor("key lk_ann (desk)")


def ask(services: Services, data: bytes, how: How = How.FILE) -> UUID:
    """Ask about an image that is kept; returns its id."""
    image = read_image(data)
    keep = keeping(services, image, lambda: data, Obtained(how))
    answer = services.attributor.attribute(image, also=keep)
    with services.sessions() as session:
        subject, _ = queries.subject_of_answer(session, answer.id)
    assert subject
    return subject.id


def watched(services: Services) -> list[Watch]:
    """Return every watch."""
    with services.sessions() as session:
        return list(watches.list_watches(session).items)


# ---- what is watched, and until when -------------------------------------------------------------


def test_a_watch_lasts_until_somebody_ends_it(services: Services) -> None:
    """Who watches what and why is in the record, which the audit vouches for."""
    with acting(ANN):
        made = watch(services, NewWatch("prints were sold before", artist="artist-1"))
    assert [(one.id, one.by, one.artist) for one in watched(services)] == [
        (made.id, ANN.name, "artist-1")
    ]

    end_watch(services, made.id, "the contract is over")

    (ended,) = watched(services)
    assert ended.ended_why == "the contract is over"
    with pytest.raises(Conflict, match=r"ended on 20\d\d"):
        end_watch(services, made.id, "again")
    watch(services, NewWatch("again", artist="artist-1"))
    assert verify(services.sessions, lambda *_: None).faults == 0


def test_what_cannot_be_watched_is_refused(services: Services) -> None:
    """With the way out."""
    kept, forgotten = ask(services, png(777)), ask(services, png(778))
    upkeep.forget(services, forgotten, "asked for")
    refused: list[tuple[NewWatch, type[Exception], str]] = [
        (NewWatch("why"), BadInput, "name one thing"),
        (NewWatch("why", "artist-1", kept), BadInput, "name one thing"),
        (NewWatch(" ", "artist-1"), BadInput, "the reason is empty"),
        (NewWatch("why", "artist-1", until=now() - timedelta(1)), BadInput, "is in the past"),
        (NewWatch("why", "nobody-here"), NotFound, "nobody-here"),
        (NewWatch("why", subject_id=uuid4()), NotFound, "was asked about"),
        (NewWatch("why", subject_id=forgotten), Conflict, "cannot be asked about again"),
    ]
    for new, kind, said in refused:
        with pytest.raises(kind, match=said):
            watch(services, new)
    with pytest.raises(NotFound, match="no watch"):
        end_watch(services, uuid4(), "why")


def test_nothing_is_watched_twice_at_a_time(services: Services) -> None:
    """Nor an artist under the name of one who was merged into them."""
    subject = ask(services, png(777))
    watch(services, NewWatch("why", subject_id=subject))
    watch(services, NewWatch("why", artist="artist-1"))
    merge(
        services, "artist-1", "artist-0", Origin("tests", by="Ann", reason="one"), is_confirmed=True
    )
    for new in (NewWatch("why", artist="artist-0"), NewWatch("why", subject_id=subject)):
        with pytest.raises(Conflict, match="lasts already; end that one first"):
            watch(services, new)


# ---- artists -------------------------------------------------------------------------------------


def cases_of(services: Services) -> list[Case]:
    """Return every case, the first one first."""
    with services.sessions() as session:
        return list(session.scalars(select(Case).order_by(Case.number)))


def shown(services: Services) -> WatchOut:
    """Return the watch as lists show it."""
    with services.sessions() as session:
        return WatchOut.read(session, watches.list_watches(session).items)[0]


def a_copy(
    services: Services, slug: str = "artist-1", title: str = "work-0", number: int = 1
) -> bytes:
    """Return the file of a work in other bytes."""
    data = services.store.original(a_work(services, slug, title).sha256)
    buffer, info = io.BytesIO(), PngInfo()
    info.add_text("copy", str(number))
    Image.open(io.BytesIO(data)).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def test_a_copy_of_a_watched_artist_opens_a_case(services: Services) -> None:
    """One for an image, however often it is looked up; the artist is a party."""
    watch(services, NewWatch("sold before", artist="artist-1"))
    ask(services, a_copy(services))
    ask(services, a_copy(services))
    ask(services, a_copy(services, "artist-0"))  # whom nobody watches
    ask(services, png(777))  # no copy

    assert see_to_alerts(services) == 2
    assert see_to_alerts(services) == 0

    (case,) = cases_of(services)
    assert (case.kind, case.opened_by) == (CaseKind.MATCH, "watches")
    assert case.title == "An image shows a work of artist-1, who is watched"
    with services.sessions() as session:
        assert [one.artist for one in desk.parties_of(session, case.id)] == ["artist-1"]
        (finding,) = desk.list_case_findings(session, case.id).items
        assert [one.case_id for one in session.scalars(select(Alert))] == [case.id, case.id]
    assert finding.lane is Lane.COPY


def test_a_drawn_copy_opens_a_case_of_its_kind(services: Services) -> None:
    """Of those that were drawn here."""
    watch(services, NewWatch("why", artist="artist-1"))
    ask(services, a_copy(services), How.GENERATED)

    see_to_alerts(services)

    assert [one.kind for one in cases_of(services)] == [CaseKind.GENERATED]


def test_a_work_that_is_looked_up_itself_opens_none(services: Services) -> None:
    """Nor does an answer whose work was withdrawn before the desk saw it."""
    watch(services, NewWatch("why", artist="artist-1"))
    ask(services, services.store.original(a_work(services).sha256), How.WORK)
    ask(services, a_copy(services, title="work-1"))
    withdraw(services, str(a_work(services, title="work-1").id), reason="asked for")

    assert see_to_alerts(services) == 2

    assert cases_of(services) == []


def test_an_ended_watch_gives_no_alert(services: Services) -> None:
    """Nor does one whose time is over; what was found before is looked at."""
    made = watch(services, NewWatch("why", artist="artist-1"))
    ask(services, a_copy(services))
    end_watch(services, made.id, "over")
    over = watch(services, NewWatch("why", artist="artist-1", until=now() + timedelta(1)))
    with services.sessions.begin() as session:
        past = update(Watch).where(Watch.id == over.id).values(until=now() - timedelta(1))
        session.execute(past)
    ask(services, a_copy(services, title="work-1"))

    see_to_alerts(services)

    assert len(cases_of(services)) == 1


def test_an_artist_who_was_merged_is_watched_under_the_other_name(services: Services) -> None:
    """The case is about whom the work belongs to now."""
    watch(services, NewWatch("why", artist="artist-1"))
    merge(
        services, "artist-1", "artist-0", Origin("tests", by="Ann", reason="one"), is_confirmed=True
    )
    ask(services, a_copy(services, "artist-0"))

    see_to_alerts(services)

    (case,) = cases_of(services)
    assert case.title.startswith("An image shows a work of artist-0")


def test_an_altered_answer_does_not_keep_the_others_waiting(services: Services) -> None:
    """It gets no case; the audit tells of it."""
    watch(services, NewWatch("why", artist="artist-1"))
    for title in ("work-0", "work-1"):
        ask(services, a_copy(services, title=title))
    with services.sessions.begin() as session:
        (first, *_) = watches.waiting_alerts(session, 1)
        row = RecordedAttribution
        altered = update(row).where(row.id == first.attribution_id).values(fingerprint="x")
        session.execute(altered)

    assert see_to_alerts(services) == 2

    assert len(cases_of(services)) == 1


def test_a_work_that_floods_the_desk_is_quarantined(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It opens no more cases until a person releases it; other works of the artist do."""
    monkeypatch.setattr(alerting, "FLOOD", 2)
    made = watch(services, NewWatch("why", artist="artist-1"))
    work = a_work(services)
    for number in (1, 2, 2, 3, 4):  # of which one is the same image again
        ask(services, a_copy(services, number=number))
    ask(services, a_copy(services, title="work-1"))

    assert see_to_alerts(services) == 6

    assert len(cases_of(services)) == 3
    (quarantined,) = shown(services).quarantined
    assert (quarantined.artwork_id, quarantined.cases, quarantined.usual) == (work.id, 2, 0)
    with pytest.raises(NotFound, match="is not in quarantine"):
        release(services, made.id, a_work(services, title="work-1").id, "why")

    release(services, made.id, work.id, "a campaign with many reposts")
    ask(services, a_copy(services, number=5))
    see_to_alerts(services)

    assert len(cases_of(services)) == 4
    assert shown(services).quarantined == []


def test_what_is_usual_is_no_flood(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """A work that opens cases every day may open more."""
    monkeypatch.setattr(alerting, "FLOOD", 2)
    monkeypatch.setattr(alerting, "TIMES", 60)
    watch(services, NewWatch("why", artist="artist-1"))
    for number in (1, 2):
        ask(services, a_copy(services, number=number))
    see_to_alerts(services)
    with services.sessions.begin() as session:
        session.execute(update(Alert).values(at=now() - timedelta(days=2)))
    for number in (3, 4, 5, 6, 7):
        ask(services, a_copy(services, number=number))
    see_to_alerts(services)

    assert len(cases_of(services)) == 6  # four are usual, of two in a month times 60
    assert shown(services).quarantined[0].usual == pytest.approx(2 / 30)


# ---- images --------------------------------------------------------------------------------------


def due(services: Services) -> None:
    """Have every watched image be due, an hour later as it were."""
    with services.sessions.begin() as session:
        session.execute(update(Watch).where(Watch.compare_at.is_not(None)).values(compare_at=now()))


def grow_old(services: Services) -> None:
    """Have all works be registered a day ago."""
    with services.sessions.begin() as session:
        session.execute(update(Artwork).values(indexed_at=now() - timedelta(1)))


def look(services: Services) -> int:
    """Do what is done every minute; returns how many images were asked about."""
    asked = ask_watched(services, lambda: services.attributor)
    see_to_alerts(services)
    return asked


def answers(services: Services) -> int:
    """Count the recorded answers."""
    with services.sessions() as session:
        return session.query(RecordedAttribution).count()


def register(services: Services, folder: Path, data: bytes, artist: str = "zoe") -> None:
    """Register a picture as a work of somebody."""
    (folder / "late" / artist).mkdir(parents=True)
    (folder / "late" / artist / "picture.png").write_bytes(data)
    ingest(services, folder / "late")


def test_a_watched_image_is_asked_about_when_its_work_is_registered(
    services: Services, tmp_path: Path
) -> None:
    """The new answer goes to a case; the next time there is nothing to ask."""
    grow_old(services)
    subject = ask(services, png(777, side=96))
    watch(services, NewWatch("it may turn up", subject_id=subject))
    assert look(services) == 0
    register(services, tmp_path, png(777, side=128))
    assert look(services) == 0  # not due for an hour
    due(services)

    assert look(services) == 1

    (case,) = cases_of(services)
    assert case.title == "A watched image matches a work of zoe that was registered since"
    due(services)
    grow_old(services)
    assert look(services) == 0
    assert len(cases_of(services)) == 1


def test_only_works_that_the_copy_lane_would_compare_have_it_asked(
    services: Services, tmp_path: Path
) -> None:
    """And where they are no match there is a new answer and no case."""
    grow_old(services)
    subject = ask(services, png(777))
    watch(services, NewWatch("why", subject_id=subject))
    assert look(services) == 0
    due(services)
    register(services, tmp_path, png(4))
    before = answers(services)

    assert look(services) == 1  # of so few works each is among the nearest

    assert answers(services) == before + 1
    assert cases_of(services) == []


def test_an_image_described_by_other_encoders_is_asked_about(services: Services) -> None:
    """Vectors of different encoders cannot be compared."""
    grow_old(services)
    watch(services, NewWatch("why", subject_id=ask(services, png(777))))
    with services.sessions.begin() as session:
        session.execute(update(KeptCollection).values(fingerprint="of other encoders"))

    assert look(services) == 1


def test_a_watch_ends_with_its_image(services: Services) -> None:
    """A watch does not keep it, and says why it ended."""
    subject = ask(services, png(777))
    watch(services, NewWatch("why", subject_id=subject))
    upkeep.forget(services, subject, "asked for")

    assert look(services) == 0

    (ended,) = watched(services)
    assert ended.ended_why == "the image is not kept any more"
    assert ended.compare_at is None


def test_so_many_images_are_asked_about_in_one_run(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others stay due; one that fails does not come back at once."""
    monkeypatch.setattr(asking, "ASKED", 1)
    broken, *others = [ask(services, png(seed)) for seed in (777, 778, 779)]
    for subject in (broken, *others):
        watch(services, NewWatch("why", subject_id=subject))
    with services.sessions() as session:
        sha256 = queries.subject_by_id(session, broken).image_sha256
    services.store.put_subject(sha256, b"altered")
    due(services)
    register(services, tmp_path, png(4))

    assert [look(services) for _ in range(4)] == [1, 1, 0, 0]


# ---- where it is done ----------------------------------------------------------------------------


def test_on_each_database_a_tenant_has_its_own(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    """Watches and cases; what is due is found across tenants."""
    del database  # it has made the tables
    home = Settings(home=tmp_path / "home", database_url=database_url, profile="stub")
    with open_services(home.model_copy(update={"keep_originals": True})) as services:
        create(services, "other")
        ingest(services, portfolio(tmp_path / "p"))
        watch(services, NewWatch("why", artist="artist-1"))
        watch(services, NewWatch("why", subject_id=ask(services, png(777))))
        ask(services, a_copy(services))

        assert look(services) == 1  # all works have just come

        assert len(cases_of(services)) == 1
        with within("other"):
            assert cases_of(services) == []
            assert watched(services) == []


def test_a_server_sees_to_watches(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a broker it does so itself, as long as it lives."""
    monkeypatch.setattr(jobs, "WATCH_EVERY_S", 0.05)
    watch(services, NewWatch("why", artist="artist-1"))
    ask(services, a_copy(services))

    with jobs.job_queue(services):
        wait_until(lambda: bool(cases_of(services)))


def test_a_worker_sees_to_watches(services: Services) -> None:
    """When the beat says so."""
    watch(services, NewWatch("why", artist="artist-1"))
    ask(services, a_copy(services))
    app, runtime = make_app(services.settings), Mock()
    runtime.stores.return_value = runtime.services.return_value = services
    tasks.register(app, runtime, stopping=lambda: False, submit=lambda _: None)

    assert app.tasks[tasks.WATCH].apply().get(disable_sync_subtasks=False) == 1

    assert len(cases_of(services)) == 1


# ---- doors ---------------------------------------------------------------------------------------


def test_over_http(client: TestClient) -> None:
    """Watch, list, end."""
    upload(client, png(1), artist="ann", title="Red boat")
    made = client.post("/v1/watches", json={"artist": "ann", "why": "prints were sold before"})
    assert made.status_code == 201
    assert client.get("/v1/watches").json()["items"] == [made.json()]
    is_problem(client.post("/v1/watches", json={"artist": "ann", "why": "x"}), 409, "conflict")

    path = f"/v1/watches/{made.json()['id']}"
    ended = client.post(f"{path}/end", json={"why": "the contract is over"})

    assert ended.json()["ended_why"] == "the contract is over"
    is_problem(client.post(f"{path}/end", json={"why": "x"}), 409, "conflict")


def test_the_commands(ingested: Settings) -> None:
    """`lawful watches add`, `list`, `end`."""
    home = ingested.home
    assert lawful(home, "watches", "list").stdout == "nothing is watched\n"
    added = lawful(home, "watches", "add", "--artist", "artist-1", "--why", "sold before", "--json")
    watch_id = json.loads(added.stdout)["id"]
    lawful(home, "watches", "end", watch_id, "--why", "the contract is over")

    listed = lawful(home, "watches", "list").stdout

    assert "artist artist-1\n" in listed
    assert ": the contract is over" in listed
    assert f"id {watch_id}" in listed
