"""Images that were asked about: what is kept of them, until when, who sees them, how they go."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import rfc8785
from cryptography.fernet import Fernet
from fastapi.testclient import TestClient
from PIL import Image
from pydantic import SecretStr
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from api.cli import app as commands
from api.http.app import create_app
from attribution import tenants
from attribution.actors import Role
from attribution.answers import Attribution
from attribution.catalogue import chain, queries, sealed
from attribution.catalogue.columns import now
from attribution.catalogue.database import Database, connect
from attribution.catalogue.models import AuditEntry, CitedWork, LookupItem, Subject, SubjectUse
from attribution.catalogue.verification import verify
from attribution.collection import open_stores
from attribution.config import Settings
from attribution.custody import Forgotten, How, Kept, Purpose
from attribution.errors import BadInput, Conflict, NotFound, RecordAltered
from attribution.images import read_image
from attribution.lookup import subjects, wording
from attribution.lookup.subjects import Obtained, keeping
from attribution.services import Services, open_services
from attribution.upkeep import subjects as upkeep
from attribution.upkeep.reconcile import reconcile
from attribution.upkeep.tenants import create
from attribution.upkeep.withdrawal import withdraw
from ingest.lookups import accept_works
from tests.apis import archive, is_problem, local_client, png, settings
from tests.asking import a_work
from tests.databases import planned
from tests.keys import bearing, make_key
from tests.lookups import begin, lines, run
from tests.portfolios import ingest, portfolio, wait_until
from tests.web import LOCAL, at, serving

ASKED = png(777)
SHA256 = hashlib.sha256(ASKED).hexdigest()
FILE = Obtained(How.FILE)


def ask(services: Services, data: bytes = ASKED, obtained: Obtained = FILE) -> UUID:
    """Ask about an image, and keep it as the settings say; returns the id of the answer."""
    image = read_image(data)
    keep = keeping(services, image, lambda: data, obtained)
    return services.attributor.attribute(image, also=keep).id


def subject_of(services: Services, answer: UUID) -> Subject:
    """Return what is known of the image that an answer is about."""
    with services.sessions() as session:
        row, _ = queries.subject_of_answer(session, answer)
    assert row is not None
    return row


def files(services: Services) -> list[Path]:
    """Return what is kept of images that were asked about."""
    folder = services.settings.home / "subjects"
    return [path for path in folder.rglob("*") if path.is_file()]


def entries(services: Services, action: str) -> list[AuditEntry]:
    """Return what the audit says of something."""
    with services.sessions() as session:
        return list(session.scalars(select(AuditEntry).where(AuditEntry.action == action)))


def chosen(services: Services, **values: Any) -> Services:
    """Return the same collection under other settings."""
    return replace(services, settings=services.settings.model_copy(update=values))


def secret(*keys: bytes) -> Any:
    """Return a setting with these keys."""
    return SecretStr(",".join(key.decode() for key in keys))


# ---- what is kept --------------------------------------------------------------------------------


def test_the_image_is_kept_with_its_answer(services: Services) -> None:
    """Its bytes, what it is, who asked, how it came and what for; until a date."""
    answer = ask(services, obtained=Obtained(How.UPLOAD, Purpose.CLAIM))

    row = subject_of(services, answer)
    assert (row.image_sha256, row.media_type, row.kept) == (SHA256, "image/png", Kept.IMAGE)
    assert (row.width, row.height, row.size_bytes) == (64, 64, len(ASKED))
    assert row.until
    assert timedelta(179) < row.until - now() <= timedelta(180)
    assert [path.read_bytes() for path in files(services)] == [ASKED]
    with services.sessions() as session:
        (use,) = queries.uses_of_subject(session, row.id)
    assert (use.id, use.how, use.purpose) == (answer, How.UPLOAD, Purpose.CLAIM)
    assert use.by.startswith("process of ")
    assert wording.image_kept(row, use) == f"The image is kept until {row.until:%Y-%m-%d}."


def test_two_questions_about_one_image(services: Services) -> None:
    """One image, two uses; its time begins again."""
    first = ask(services)
    with services.sessions.begin() as session:
        session.execute(update(Subject).values(until=now() + timedelta(1)))

    second = ask(services, obtained=Obtained(How.URL, source={"url": "https://example.org/a"}))

    row = subject_of(services, second)
    assert row.id == subject_of(services, first).id
    assert row.until
    assert row.until - now() > timedelta(179)
    with services.sessions() as session:
        uses = queries.uses_of_subject(session, row.id)
    assert [use.id for use in uses] == [second, first]
    assert len(files(services)) == 1


def test_digest_keeps_no_byte(services: Services) -> None:
    """Only the SHA-256 of the image, and that it was asked about."""
    answer = ask(chosen(services, subjects="digest"))

    row = subject_of(services, answer)
    assert (row.kept, row.until, row.phash, files(services)) == (Kept.NOTHING, None, None, [])
    assert wording.image_kept(row, None) == (
        "With the question, only the image's SHA-256 was kept."
    )
    with pytest.raises(NotFound, match="With the question, only the image's SHA-256 was kept"):
        subjects.seen(services, row.id)


@pytest.mark.parametrize("how", [How.WORK, How.GENERATED])
def test_what_lies_elsewhere_is_not_kept_twice(services: Services, how: How) -> None:
    """Originals of works and pictures that were drawn have files of their own."""
    answer = ask(services, obtained=Obtained(how, job_id=UUID(int=7), position=2))

    assert subject_of(services, answer).kept is Kept.NOTHING
    assert files(services) == []
    with services.sessions() as session:
        said = wording.image_kept(*queries.subject_of_answer(session, answer))
    assert ("original of a registered work" in said) == (how is How.WORK)
    assert (f"picture 2 of generation {UUID(int=7)}" in said) == (how is How.GENERATED)


def test_an_answer_that_fails_keeps_nothing(services: Services) -> None:
    """What cannot be kept is not answered; what is not answered is not kept."""
    image = read_image(ASKED)
    keep = keeping(services, image, lambda: png(1), FILE)

    with pytest.raises(BadInput, match="has changed since it was read"):
        services.attributor.attribute(image, also=keep)

    with services.sessions() as session:
        assert not queries.list_subjects(session).items
        assert not queries.list_attributions(session).items
    assert files(services) == []


def test_uses_are_vouched_for(services: Services) -> None:
    """A use that was altered in the database, or removed, is found."""
    first, second = ask(services), ask(services)
    assert verify(services.sessions, lambda *_: None).faults == 0

    with services.sessions.begin() as session:
        session.execute(update(SubjectUse).where(SubjectUse.id == first).values(by="Eve"))
    with services.sessions.begin() as session:
        session.connection().exec_driver_sql(
            f"DELETE FROM subject_uses WHERE id = '{second.hex}'"  # noqa: S608  our own id
        )

    told = verify(services.sessions, lambda *_: None).told
    assert any(str(first) in one for one in told)
    assert any(f"{second}, recorded by entry" in one for one in told)


def test_an_audit_of_an_earlier_version_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first entry does not count the uses of images, of which there were none."""
    with open_stores(Settings(home=tmp_path / "home", profile="stub")) as stores:
        with monkeypatch.context() as patch:
            patch.delitem(sealed.SEALED, "subject-use")
            with stores.sessions.begin() as session:
                chain.note(session, "settings")

        assert verify(stores.sessions, lambda *_: None).told == []


# ---- encrypted -----------------------------------------------------------------------------------


def test_encrypted_images(services: Services) -> None:
    """No file has the image; a new key in front reads the old one's, and encrypts from then on."""
    old, new = Fernet.generate_key(), Fernet.generate_key()
    closed = chosen(services, subjects="encrypted", subjects_key=secret(old))
    first = subject_of(closed, ask(closed))
    rotated = chosen(services, subjects="encrypted", subjects_key=secret(new, old))
    second = subject_of(rotated, ask(rotated, png(778)))

    assert first.kept is second.kept is Kept.ENCRYPTED
    for path in files(services):
        assert not {ASKED[:16], png(778)[:16]} & {path.read_bytes()[:16]}
    assert subjects.seen(rotated, first.id)[1] == ASKED
    assert subjects.seen(rotated, second.id)[1] == png(778)
    only_new = chosen(services, subjects_key=secret(new))
    assert subjects.seen(only_new, second.id)[1] == png(778)
    for wrong in (only_new, services):
        with pytest.raises(Conflict, match="a key that LAWFUL_SUBJECTS_KEY does not have"):
            subjects.seen(wrong, first.id)


@pytest.mark.parametrize("key", ["", "secret", "secret,secret"])
def test_encrypted_without_a_key_is_refused_at_start(tmp_path: Path, key: str) -> None:
    """The error says how to make one, and nothing of what was given."""
    settings = Settings(home=tmp_path, subjects="encrypted", subjects_key=SecretStr(key))
    with pytest.raises(BadInput, match=r"Fernet.generate_key") as raised, open_stores(settings):
        pass
    assert "secret" not in str(raised.value)


def test_a_file_that_was_altered_is_not_shown(services: Services) -> None:
    """What is shown is what was asked about."""
    row = subject_of(services, ask(services))
    files(services)[0].write_bytes(png(1))
    with pytest.raises(RecordAltered, match="is not what was asked about"):
        subjects.seen(services, row.id)
    assert not entries(services, "view")


def test_each_sight_is_recorded(services: Services) -> None:
    """Whoever sees an image has an entry."""
    row = subject_of(services, ask(services))
    assert subjects.seen(services, row.id)[1] == ASKED
    assert [one.object for one in entries(services, "view")] == [f"subject:{row.id}"]


# ---- how they go ---------------------------------------------------------------------------------


@pytest.fixture
def anywhere(tmp_path: Path, database_url: str) -> Iterator[Services]:
    """Open a collection of three artists on each engine."""
    database = connect(database_url)
    database.upgrade()
    database.dispose()
    settings = Settings(
        home=tmp_path / "home", database_url=database_url, profile="stub", keep_originals=True
    )
    with open_services(settings) as opened:
        ingest(opened, portfolio(tmp_path / "p"))
        yield opened


def test_images_go_when_their_time_is_over(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row first, then the file, an entry each, a few at a time; the others stay."""
    monkeypatch.setattr(upkeep, "AT_ONCE", 2)
    gone = [subject_of(services, ask(services, png(seed))) for seed in range(5)]
    stays = subject_of(services, ask(services))
    with services.sessions.begin() as session:
        old = Subject.id.in_([row.id for row in gone])
        session.execute(update(Subject).where(old).values(until=now() - timedelta(seconds=1)))
    assert reconcile(services, repair=False).expired == 5

    assert reconcile(services, repair=True).expired == 5

    assert [path.name for path in files(services)] == [stays.image_sha256]
    with services.sessions() as session:
        row = queries.subject_by_id(session, gone[0].id)
    assert (row.kept, row.forgotten_why, row.phash) == (Kept.NOTHING, Forgotten.RETENTION, None)
    assert wording.image_kept(row, None) == (
        f"The image was deleted on {now():%Y-%m-%d}: its time was over."
    )
    said = {one.object for one in entries(services, "forget-image")}
    assert said == {f"subject:{one.id}" for one in gone}
    assert reconcile(services, repair=False).is_clean


def test_an_image_that_is_asked_about_again_is_kept_again(services: Services) -> None:
    """After its time was over, as if it were new; not after somebody said that it goes."""
    row = subject_of(services, ask(services))
    with services.sessions.begin() as session:
        session.execute(update(Subject).values(until=now()))
    assert upkeep.forget_expired(services) == 1

    ask(services)
    with services.sessions() as session:
        again = queries.subject_by_id(session, row.id)
    assert (again.kept, again.forgotten_at, len(files(services))) == (Kept.IMAGE, None, 1)

    upkeep.forget(services, row.id, "sent by mistake")
    ask(services)
    with services.sessions() as session:
        last = queries.subject_by_id(session, row.id)
    assert (last.kept, last.forgotten_why) == (Kept.NOTHING, Forgotten.REQUEST)
    assert (last.reason, files(services)) == ("sent by mistake", [])


def test_what_cannot_be_forgotten(services: Services) -> None:
    """Without a reason, twice, or what there is not."""
    row = subject_of(services, ask(services))
    with pytest.raises(BadInput, match="say why"):
        upkeep.forget(services, row.id, "  ")
    with pytest.raises(NotFound):
        upkeep.forget(services, UUID(int=1), "x")
    upkeep.forget(services, row.id, "x")
    with pytest.raises(Conflict, match="nothing is kept"):
        upkeep.forget(services, row.id, "x")


def bytes_of(folder: Path, work: str) -> bytes:
    """Return the file of a work of artist-1."""
    return (folder / "p" / "artist-1" / f"{work}.png").read_bytes()


def altered(data: bytes) -> bytes:
    """Return the same picture in another file."""
    buffer = io.BytesIO()
    Image.open(io.BytesIO(data)).convert("RGB").save(buffer, "BMP")
    return buffer.getvalue()


def test_a_withdrawal_takes_the_images_that_show_the_work(
    anywhere: Services, tmp_path: Path
) -> None:
    """Its very bytes and copies of it; the receipt counts them, and others stay."""
    work = a_work(anywhere)
    data = bytes_of(tmp_path, str(work.title))
    same, copy = (subject_of(anywhere, ask(anywhere, one)) for one in (data, altered(data)))
    other = subject_of(anywhere, ask(anywhere))

    request = withdraw(anywhere, str(work.id), reason="asked for")

    removed, left = request.receipt["removed"], request.receipt["left"]
    assert (removed["images asked about"], removed["files of images asked about"]) == (2, 2)
    assert (left["images asked about"], request.completed_at is None) == (0, False)
    assert [path.name for path in files(anywhere)] == [other.image_sha256]
    for row in (same, copy):
        with anywhere.sessions() as session:
            gone = queries.subject_by_id(session, row.id)
        assert (gone.kept, gone.phash, gone.receipt) == (Kept.NOTHING, None, request.id)
        assert f"withdrawn (receipt {request.id})" in wording.image_kept(gone, None)
    for one in (data, altered(data)):  # they are not kept again
        ask(anywhere, one)
    assert len(files(anywhere)) == 1


def test_a_withdrawal_that_was_interrupted_takes_the_files_later(
    anywhere: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asking again finishes it."""
    work = a_work(anywhere)
    ask(anywhere, bytes_of(tmp_path, str(work.title)))
    with monkeypatch.context() as patch:
        patch.setattr(upkeep, "delete_files", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            withdraw(anywhere, str(work.id), reason="asked for")
    assert len(files(anywhere)) == 1

    request = withdraw(anywhere, str(work.id), reason="asked for")

    assert request.completed_at
    assert request.receipt["removed"]["files of images asked about"] == 1
    assert files(anywhere) == []


def test_a_copy_of_a_work_that_is_withdrawn_meanwhile_is_not_kept(
    services: Services, tmp_path: Path
) -> None:
    """Between lookup and record: the answer finds a copy, and cites nothing any more."""
    work = a_work(services)
    data = altered(bytes_of(tmp_path, str(work.title)))
    image = read_image(data)

    keep = keeping(services, image, lambda: data, FILE)

    def late(session: Session, answer: Attribution) -> None:
        assert answer.copy_of
        session.execute(delete(CitedWork))  # as a withdrawal does
        keep(session, answer)

    answer = services.attributor.attribute(image, also=late)

    assert subject_of(services, answer.id).kept is Kept.NOTHING
    assert files(services) == []


def test_files_and_rows_that_disagree_are_found_and_mended(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file without a row that keeps it goes once it is old; an image without a file is lost."""
    monkeypatch.setattr(upkeep, "MOST", 3)
    rows = [subject_of(services, ask(services, png(seed))) for seed in range(6)]
    services.store.forget_subject(rows[0].image_sha256)
    services.store.put_subject("f" * 64, b"left behind")
    assert sum(upkeep.compare(services, repair=True) for _ in range(3)) == 1  # too young to go

    monkeypatch.setattr(upkeep, "UNDER_WAY", timedelta(0))
    assert sum(upkeep.compare(services, repair=True) for _ in range(3)) == 1

    with services.sessions() as session:
        lost = queries.subject_by_id(session, rows[0].id)
    assert (lost.kept, lost.forgotten_why) == (Kept.NOTHING, Forgotten.LOST)
    assert len(files(services)) == 5
    assert not services.store.has_subject("f" * 64)
    assert reconcile(services, repair=False).is_clean


def test_another_tenant_has_images_of_its_own(services: Services) -> None:
    """The same bytes are kept for each; one forgets, the other keeps."""
    create(services, "theirs")
    ours = subject_of(services, ask(services))
    with tenants.within("theirs"):
        theirs = subject_of(services, ask(services))
        with pytest.raises(NotFound):
            subjects.seen(services, ours.id)
    upkeep.forget(services, ours.id, "x")

    assert not services.store.has_subject(SHA256)
    with tenants.within("theirs"):
        assert subjects.seen(services, theirs.id)[1] == ASKED


def test_nothing_reads_through_the_images(database: Database) -> None:
    """Neither engine scans a table, in whatever is asked often."""
    one = UUID(int=1)
    with planned(database) as (session, plans):
        queries.list_subjects(session)
        queries.list_subjects(session, sha256=SHA256)
        queries.list_subjects(session, kept=Kept.IMAGE)
        queries.subject_of_answer(session, one)
        queries.uses_of_subject(session, one)
        queries.count_expired(session)
        queries.expired_subjects(session, 10)
        queries.next_subjects(session, after="", limit=10)
        queries.subjects_under(session, one)
        queries.kept_of_works(session, [SHA256])

    assert len(plans) == 10
    for plan in plans:
        assert not [step for step in plan if re.search(r"SCAN \w+$|Seq Scan", step)], plan


# ---- the doors -----------------------------------------------------------------------------------


def made(client: TestClient, data: bytes = ASKED, **params: str) -> dict[str, Any]:
    """Ask over HTTP; returns the image as it is shown."""
    files = {"image": ("../<b>.png", data, "text/html")}
    answer = client.post("/v1/attributions", files=files, params=params).json()
    about = {"attribution": answer["id"]}
    (subject,) = client.get("/v1/subjects", params=about).json()["items"]
    return {**client.get(f"/v1/subjects/{subject['id']}").json(), "answer": answer["id"]}


def test_an_upload_is_kept(client: TestClient) -> None:
    """With its purpose; a set keeps each of its images."""
    subject = made(client, purpose="claim")
    (use,) = subject["uses"]
    assert (use["how"], use["purpose"], use["attribution"]) == (
        "upload",
        "claim",
        subject["answer"],
    )
    assert subject["summary"].startswith("The image is kept until ")
    images = [("images", ("a.png", png(seed))) for seed in (1, 2)]
    assert client.post("/v1/attributions/sets", files=images).status_code == 201
    listed = client.get("/v1/subjects", params={"kept": "image"}).json()["items"]
    assert len(listed) == 3
    by_hash = client.get("/v1/subjects", params={"sha256": SHA256.upper()}).json()["items"]
    assert [one["id"] for one in by_hash] == [subject["id"]]
    refused = client.get("/v1/subjects", params={"sha256": "abc"})
    is_problem(refused, 422, "bad-input")
    is_problem(
        client.post("/v1/attributions?purpose=fun", files=images[:1]), 422, "invalid-request"
    )


def test_an_image_is_handed_out_as_a_file(client: TestClient) -> None:
    """Whatever it is, and whatever it was called: to be saved, and never run as a page."""
    hostile = ASKED + b"<script>alert(1)</script>"
    subject = made(client, hostile)

    response = client.get(f"/v1/subjects/{subject['id']}/image")

    assert response.content == hostile
    assert response.headers["content-type"] == "application/octet-stream"
    name = f"{subject['image_sha256']}.png"
    assert response.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"


def test_an_image_is_forgotten_over_http(client: TestClient) -> None:
    """Once; then nothing can be seen, and the answer stays."""
    subject = made(client)
    place = f"/v1/subjects/{subject['id']}"
    is_problem(client.post(f"{place}/forget", json={"reason": ""}), 422, "invalid-request")
    gone = client.post(f"{place}/forget", json={"reason": "sent by mistake"}).json()
    assert (gone["kept"], gone["forgotten_why"]) == ("nothing", "request")
    is_problem(client.get(f"{place}/image"), 404, "not-found")
    is_problem(client.post(f"{place}/forget", json={"reason": "again"}), 409, "conflict")
    page = client.get(f"/v1/attributions/{subject['answer']}/report").text
    assert "that was asked for. Give it again to see it here." in page


def test_who_sees_the_image(tmp_path: Path) -> None:
    """A reader learns that it is kept; a reviewer sees it, in the report too; the audit says so."""
    chosen = settings(tmp_path / "home")
    with local_client(create_app(chosen)) as client:
        tokens = {role: make_key(chosen, role).token for role in (Role.READER, Role.REVIEWER)}
        tokens[Role.AUDITOR] = make_key(chosen, Role.AUDITOR).token
        client.headers.update(bearing(tokens[Role.READER]))
        subject = made(client)
        image = f"/v1/subjects/{subject['id']}/image"
        report = f"/v1/attributions/{subject['answer']}/report"
        is_problem(client.get(image), 403, "scope-missing")
        page = client.get(report).text
        assert "Seeing it needs the scope" in page
        assert "data:image/webp" not in page

        client.headers.update(bearing(tokens[Role.REVIEWER]))
        assert client.get(image).content == ASKED
        assert "data:image/webp" in client.get(report).text
        forget = f"/v1/subjects/{subject['id']}/forget"
        is_problem(client.post(forget, json={"reason": "x"}), 403, "scope-missing")

        client.headers.update(bearing(tokens[Role.AUDITOR]))
        seen = client.get("/v1/audit", params={"action": "view"}).json()["items"]
    assert [one["object"] for one in seen] == [f"subject:{subject['id']}"] * 2


def test_many_images_are_kept(client: TestClient) -> None:
    """Members of an archive, and one whose sender does not wait; which of which job is said."""
    batch = client.post(
        "/v1/lookup-batches", files={"file": ("a.zip", archive({"a.png": png(1)}))}
    ).json()
    later = client.post(
        "/v1/attributions?purpose=test",
        files={"image": ("q.png", png(2))},
        headers={"prefer": "respond-async"},
    ).json()
    for job in (batch["id"], later["id"]):
        wait_until(partial(is_done, client, job))

    said = {}
    for one in client.get("/v1/subjects").json()["items"]:
        (use,) = client.get(f"/v1/subjects/{one['id']}").json()["uses"]
        said[use["job"]] = (use["how"], use["purpose"], use["position"], one["kept"])
    assert said == {
        batch["id"]: ("archive", None, 0, "image"),
        later["id"]: ("upload", "test", 0, "image"),
    }


def is_done(client: TestClient, job: str) -> bool:
    """Tell whether a job is done."""
    return bool(client.get(f"/v1/jobs/{job}").json()["status"] == "done")


def of_the_only_line(services: Services, batch: UUID) -> tuple[LookupItem, Subject, SubjectUse]:
    """Return the image of a batch of one, with what is known of it."""
    (item,) = lines(services, batch)
    assert item.attribution_id
    with services.sessions() as session:
        row, use = queries.subject_of_answer(session, item.attribution_id)
    assert row
    assert use
    return item, row, use


def test_what_the_server_of_a_url_said_is_vouched_for(services: Services) -> None:
    """The use has the digest of what the batch keeps."""
    with serving() as server:
        batch = begin(services, f"url\n{at(server, '/a.png')}\n".encode(), "links.csv")
        run(services, batch, fetcher=LOCAL)

    item, row, use = of_the_only_line(services, batch)
    assert (row.kept, use.how, use.job_id, use.position) == (Kept.IMAGE, How.URL, batch, 0)
    said: Any = item.fetched
    assert use.source_sha256 == hashlib.sha256(rfc8785.dumps(said)).hexdigest()


def test_the_original_of_a_work_is_not_kept_twice(services: Services) -> None:
    """It is looked up from where it lies."""
    batch = accept_works(services, [str(a_work(services).id)])
    run(services, batch)

    _, row, use = of_the_only_line(services, batch)
    assert (row.kept, use.how, files(services)) == (Kept.NOTHING, How.WORK, [])


def test_a_drawn_picture_says_where_it_lies(client: TestClient) -> None:
    """It is kept once, with its generation."""
    drawing = client.post("/v1/generations", json={"prompt": "a boat"}).json()
    place = f"/v1/generations/{drawing['id']}"
    wait_until(lambda: client.get(place).json()["status"] == "done")
    answer = client.get(place).json()["images"][0]["attribution"]["id"]

    (subject,) = client.get("/v1/subjects", params={"attribution": answer}).json()["items"]
    (use,) = client.get(f"/v1/subjects/{subject['id']}").json()["uses"]
    assert (subject["kept"], use["how"]) == ("nothing", "generated")
    assert (use["job"], use["position"]) == (drawing["id"], 0)
    page = client.get(f"/v1/attributions/{answer}/report").text
    assert f"The image was drawn here, as picture 0 of generation {drawing['id']}" in page


def test_the_command_line(ingested: Settings, tmp_path: Path) -> None:
    """`lawful attribute` keeps a file; `lawful subjects` lists, shows, writes and forgets it."""
    path, out = tmp_path / "q.png", tmp_path / "out.png"
    path.write_bytes(ASKED)
    do = partial(done, {"LAWFUL_HOME": str(ingested.home), "LAWFUL_PROFILE": "stub"})
    answer = json.loads(do("attribute", str(path), "--purpose", "clearance", "--json"))["id"]
    subject = json.loads(do("subjects", "list", "--attribution", answer, "--json"))["id"]

    said = do("subjects", "show", subject)
    assert "file, for clearance, by command line" in " ".join(said.split())
    do("subjects", "image", subject, "--out", str(out))
    assert out.read_bytes() == ASKED
    do("show", answer, "--report", str(tmp_path / "report.html"))
    assert "data:image/webp" in (tmp_path / "report.html").read_text("utf-8")
    forgotten = json.loads(do("subjects", "forget", subject, "--reason", "x", "--json"))
    assert (forgotten["kept"], forgotten["reason"]) == ("nothing", "x")


def done(environment: dict[str, str], *words: str) -> str:
    """Run a command; returns what it printed."""
    result = CliRunner().invoke(commands, words, env=environment)
    assert result.exit_code == 0, result.output
    return result.stdout
