"""Documents of cases: kept, listed, seen, removed; never shown."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlalchemy import select, update

from api.cases import SUFFIXES
from api.http.app import create_app
from attribution import tenants
from attribution.actors import Actor, acting
from attribution.cases import CaseKind, CaseOutcome, Ground, PartyRole
from attribution.catalogue import chain
from attribution.catalogue.columns import now
from attribution.catalogue.database import Database
from attribution.catalogue.models import AuditEntry, CaseDocument
from attribution.catalogue.queries import documents
from attribution.catalogue.verification import verify
from attribution.collection import Stores, open_stores
from attribution.config import Settings
from attribution.desk import judging, opening
from attribution.desk.documents import (
    MAGIC,
    MAIL,
    TEXT,
    add_document,
    media_type,
    remove_document,
    see_document,
)
from attribution.desk.judging import NewDecision
from attribution.desk.opening import NewCase, NewParty
from attribution.errors import BadInput, Conflict, NotAllowed, NotFound, RecordAltered, TooLarge
from attribution.upkeep.documents import forget_expired
from tests.apis import is_problem, local_client, png, settings
from tests.commands import lawful

PDF = b"%PDF-1.7\n<script>alert(1)</script>"
NOTHING = NewDecision(CaseOutcome.NO_FINDING, Ground.NO_EVIDENCE, "nothing was found")


@pytest.fixture
def stores(database: Database, database_url: str, tmp_path: Path) -> Iterator[Stores]:
    """Open what is known, on each database."""
    del database  # it has made the tables
    with open_stores(Settings(home=tmp_path / "home", database_url=database_url)) as opened:
        yield opened


@pytest.fixture
def case(stores: Stores) -> UUID:
    """Open a case."""
    return opening.open_case(stores, NewCase(CaseKind.WITHDRAWAL, "asked for")).case.id


def kept(stores: Stores) -> list[Path]:
    """Return the files of documents."""
    return [one for one in (stores.settings.home / "documents").glob("*") if one.is_file()]


def close(stores: Stores, case: UUID) -> None:
    """Decide a case and close it."""
    judging.decide(stores, case, NOTHING)
    judging.close(stores, case)


def test_a_document_is_kept_as_it_came(stores: Stores, case: UUID) -> None:
    """The audit vouches for it, and says who has seen it."""
    with acting(Actor("key lk_ann (desk)")):
        row = add_document(stores, case, PDF, " The answer ")
    with acting(Actor("key lk_bob (desk)")):
        found, data = see_document(stores, case, row.id)

    assert data == PDF
    assert (found.title, found.position, found.size_bytes) == ("The answer", 1, len(PDF))
    assert (found.media_type, found.by) == ("application/pdf", "key lk_ann (desk)")
    with stores.sessions() as session:
        about = select(AuditEntry).where(AuditEntry.object == f"document:{row.id}")
        said = [(one.action, one.actor) for one in session.scalars(about)]
    assert sorted(said) == [("add-document", "key lk_ann (desk)"), ("view", "key lk_bob (desk)")]
    with stores.sessions.begin() as session:
        session.execute(update(CaseDocument).values(title="another"))
    assert verify(stores.sessions, lambda *_: None).faults == 1


def test_a_document_is_encrypted_where_there_is_a_key(stores: Stores, case: UUID) -> None:
    """With another key it is not read, and says so; what was altered neither."""
    key = SecretStr(Fernet.generate_key().decode())
    chosen = stores.settings.model_copy(update={"subjects_key": key})
    object.__setattr__(stores, "settings", chosen)
    row = add_document(stores, case, PDF, "the answer")
    (file,) = kept(stores)

    assert PDF not in file.read_bytes()
    assert see_document(stores, case, row.id)[1] == PDF
    object.__setattr__(stores, "settings", chosen.model_copy(update={"subjects_key": None}))
    with pytest.raises(Conflict, match="add that key behind the others"):
        see_document(stores, case, row.id)
    other = add_document(stores, case, PDF, "the answer")
    stores.store.put_document(other.id, b"%PDF-another")
    with pytest.raises(RecordAltered, match="is not what was added"):
        see_document(stores, case, other.id)


def test_a_removed_document_leaves_its_line(stores: Stores, case: UUID) -> None:
    """With who removed it and why; once."""
    row = add_document(stores, case, PDF, "the answer")
    with pytest.raises(BadInput, match="the reason is empty"):
        remove_document(stores, case, row.id, " ")

    remove_document(stores, case, row.id, "sent by mistake")

    assert kept(stores) == []
    with stores.sessions() as session:
        (line,) = documents.list_documents(session, case).items
    assert (line.removed_why, line.sha256) == ("sent by mistake", row.sha256)
    with pytest.raises(NotFound, match=r"was removed on .*: sent by mistake"):
        see_document(stores, case, row.id)
    with pytest.raises(Conflict, match="document 1 was removed on"):
        remove_document(stores, case, row.id, "again")
    assert verify(stores.sessions, lambda *_: None).faults == 0


def test_a_file_is_deleted_when_its_line_says_so(
    stores: Stores, case: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A removal that fails keeps the file; what a crash behind it leaves goes with the next run."""
    row = add_document(stores, case, PDF, "the answer")
    with monkeypatch.context() as patch:
        patch.setattr(chain, "head_of", _gone)  # as the transaction ends
        with pytest.raises(RecordAltered):
            remove_document(stores, case, row.id, "sent by mistake")
    assert see_document(stores, case, row.id)[1] == PDF
    with monkeypatch.context() as patch:
        patch.setattr(stores.store, "forget_document", _killed)
        with pytest.raises(KeyboardInterrupt):
            remove_document(stores, case, row.id, "sent by mistake")
    assert len(kept(stores)) == 1

    assert (forget_expired(stores), forget_expired(stores)) == (1, 0)

    assert kept(stores) == []
    with stores.sessions() as session:
        line = documents.document_of_case(session, case, row.id)
    assert (line.removed_why, line.until) == ("sent by mistake", None)
    assert verify(stores.sessions, lambda *_: None).faults == 0


def _gone(*_: object, **__: object) -> None:
    raise RecordAltered("a test")


def _killed(_: UUID) -> None:
    raise KeyboardInterrupt


def test_documents_go_some_time_after_the_case_is_closed(stores: Stores, case: UUID) -> None:
    """Not before, and not while an appeal is open; nobody adds to a closed case."""
    row = add_document(stores, case, PDF, "the answer")
    close(stores, case)
    with stores.sessions.begin() as session:
        until = documents.document_of_case(session, case, row.id).until
        session.execute(update(CaseDocument).values(until=now()))
    appeal = opening.appeal(stores, case, "there is a licence").case
    kept_for_appeal = forget_expired(stores)
    with acting(Actor("key lk_eve")):
        denied = NewDecision(CaseOutcome.APPEAL_DENIED, Ground.NO_EVIDENCE, "no licence")
        judging.decide(stores, appeal.id, denied)
        judging.close(stores, appeal.id)

    assert until is not None
    assert timedelta(days=364) < until - now() <= timedelta(days=365)
    assert (kept_for_appeal, forget_expired(stores), forget_expired(stores)) == (0, 1, 0)
    assert kept(stores) == []
    with stores.sessions() as session:
        gone = documents.document_of_case(session, case, row.id)
    assert gone.removed_why == "its time was over"
    with pytest.raises(Conflict, match="add a document to a case"):
        add_document(stores, case, PDF, "late")


def test_a_party_neither_adds_nor_sees_nor_removes(stores: Stores, case: UUID) -> None:
    """Nobody handles the papers of a case of their own; and what was refused leaves no file."""
    row = add_document(stores, case, PDF, "the answer")
    party = NewParty(PartyRole.RESPONDENT, name="A shop", account="key lk_shop")
    opening.add_party(stores, case, party)

    with acting(Actor("key lk_shop (now)")):
        for act in (
            lambda: add_document(stores, case, PDF, "a licence"),
            lambda: see_document(stores, case, row.id),
            lambda: remove_document(stores, case, row.id, "mine"),
        ):
            with pytest.raises(NotAllowed, match="is a party of case 1"):
                act()
    assert len(kept(stores)) == 1


def test_another_tenant_and_another_case_have_no_such_document(stores: Stores, case: UUID) -> None:
    """The file lies with its tenant."""
    row = add_document(stores, case, PDF, "the answer")
    other = opening.open_case(stores, NewCase(CaseKind.WITHDRAWAL, "another")).case.id

    with pytest.raises(NotFound, match="the case has no document"):
        see_document(stores, other, row.id)
    with tenants.within("museum"):
        with pytest.raises(NotFound):
            see_document(stores, case, row.id)
        with pytest.raises(NotFound):
            stores.store.document(row.id)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PDF, "application/pdf"),
        (png(1), "image/png"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
        (b"II*\0\x08\0\0\0", "image/tiff"),
        ("grüße".encode(), TEXT),
        (b"<html><script>alert(1)</script>", TEXT),
        (b"From: a@b.org\r\nDate: Mon, 2 Mar 2026\r\nSubject: x\r\n\r\n\xff\xfe", MAIL),
    ],
    ids=["pdf", "png", "webp", "tiff", "text", "html", "mail"],
)
def test_what_a_file_is_says_its_beginning(data: bytes, kind: str) -> None:
    """And not its name."""
    assert media_type(data) == kind


def test_every_kind_has_an_ending() -> None:
    """By which a document is saved."""
    assert SUFFIXES.keys() == {*MAGIC.values(), MAIL, TEXT}


@pytest.mark.parametrize("data", [b"", b" \n", b"PK\3\4", b"MZ\0", "ü".encode("latin-1")])
def test_other_files_are_refused(stores: Stores, case: UUID, data: bytes) -> None:
    """With what is taken."""
    with pytest.raises(BadInput, match="send it as one of these"):
        add_document(stores, case, data, "a programme")


def test_a_document_that_is_too_large_is_refused(stores: Stores, case: UUID) -> None:
    """As an image would be."""
    with pytest.raises(TooLarge, match="LAWFUL_MAX_IMAGE_MB"):
        add_document(stores, case, PDF + bytes(stores.limits.max_bytes), "a film")


def test_documents_over_http(tmp_path: Path) -> None:
    """Handed out as an attachment of no type, which no browser guesses at."""
    with local_client(create_app(settings(tmp_path / "home"))) as client:
        case = client.post("/v1/cases", json={"kind": "withdrawal", "title": "a claim"}).json()
        place = f"/v1/cases/{case['id']}/documents"
        sent = {"file": ("../../x.html", b"<script>alert(1)</script>")}
        added = client.post(place, data={"title": "the answer"}, files=sent)
        found = client.get(f"{place}/{added.json()['id']}")
        removed = client.post(f"{place}/{added.json()['id']}/remove", json={"why": "by mistake"})
        listed = client.get(place).json()["items"]
        gone = client.get(f"{place}/{added.json()['id']}")

    name = f"document-{added.json()['sha256'][:12]}.txt"
    assert added.status_code == 201
    assert found.content == b"<script>alert(1)</script>"
    assert found.headers["content-type"] == "application/octet-stream"
    assert found.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert found.headers["x-content-type-options"] == "nosniff"
    assert listed == [removed.json()]
    assert removed.json()["removed_why"] == "by mistake"
    is_problem(gone, 404, "not-found")


def test_documents_in_the_terminal(tmp_path: Path) -> None:
    """Added by their name, listed, saved, removed."""
    home, paper = tmp_path / "home", tmp_path / "answer.pdf"
    paper.write_bytes(PDF)
    lawful(home, "cases", "open", "a claim", "--kind", "withdrawal")
    added = lawful(home, "cases", "documents", "add", "1", str(paper)).stdout
    lawful(home, "cases", "documents", "save", "1", "1", "-o", str(tmp_path / "saved"))
    lawful(home, "cases", "documents", "remove", "1", "1", "--why", "by mistake")
    listed = lawful(home, "cases", "documents", "list", "1").stdout

    assert "document 1: answer.pdf" in added
    assert (tmp_path / "saved").read_bytes() == PDF
    assert ": by mistake" in listed
