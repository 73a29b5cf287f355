"""Documents of cases: files that somebody sent, kept until some time after the case is closed.

They are handed out as they came, to be saved, and never shown: a file of a stranger may do anything
in whatever opens it. How one goes is in `attribution.upkeep.documents`.
"""

from __future__ import annotations

import hashlib
import re
from email.parser import BytesHeaderParser
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from attribution.actors import who
from attribution.cases import Act, after
from attribution.catalogue.chain import note
from attribution.catalogue.models import Case, CaseDocument
from attribution.catalogue.queries import desk, documents
from attribution.collection import Stores, decrypted, subject_cipher
from attribution.desk.people import check_not_own, stated
from attribution.errors import BadInput, Conflict, NotFound, RecordAltered, TooLarge
from attribution.upkeep.documents import delete_files, remove

MOST = 500  # documents of a case, also those that were removed
MAGIC = {
    rb"%PDF-": "application/pdf",
    rb"\x89PNG\r\n\x1a\n": "image/png",
    rb"\xff\xd8\xff": "image/jpeg",
    rb"GIF8[79]a": "image/gif",
    rb"RIFF.{4}WEBP": "image/webp",
    rb"II\*\0|MM\0\*": "image/tiff",
}
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")  # none of it is in a text
HEAD = 65_536  # bytes in which the headers of an e-mail begin
MAIL, TEXT = "message/rfc822", "text/plain"


def add_document(stores: Stores, case_id: UUID, data: bytes, title: str) -> CaseDocument:
    """Keep a file with a case, encrypted where LAWFUL_SUBJECTS_KEY is set.

    Raises NotFound; NotAllowed in a case of one's own; TooLarge; BadInput for what is neither a
    PDF, an image, a text nor an e-mail, and without a title; Conflict for a closed case and one
    with MOST documents.
    """
    title, kind, cipher = stated(title, "title"), media_type(data), subject_cipher(stores.settings)
    if len(data) > stores.limits.max_bytes:
        raise TooLarge(
            f"the document has more than {stores.limits.max_bytes / 2**20:.1f} MiB; send it in "
            f"parts, or raise LAWFUL_MAX_IMAGE_MB"
        )
    row = CaseDocument(
        id=uuid4(),
        case_id=case_id,
        title=title,
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        media_type=kind,
        by=who().name,
        is_encrypted=cipher is not None,
    )
    try:
        with stores.sessions.begin() as session:
            case = desk.case_to_change(session, case_id)
            after(Act.FILE, case.status, case.number)
            check_not_own(session, case)
            row.position = _next_position(session, case)
            session.add(row)
            session.flush()
            stores.store.put_document(row.id, cipher.encrypt(data) if cipher else data)
    except BaseException:
        stores.store.forget_document(row.id)  # no file without a row
        raise
    return row


def see_document(stores: Stores, case_id: UUID, document_id: UUID) -> tuple[CaseDocument, bytes]:
    """Return a document with its bytes; the audit says who has seen it.

    Raises NotFound, also for one that was removed; NotAllowed in a case of one's own; Conflict for
    one of another key; RecordAltered.
    """
    with stores.sessions.begin() as session:
        check_not_own(session, desk.case_by_id(session, case_id))
        row = documents.document_of_case(session, case_id, document_id)
        if row.removed_at is not None:
            raise NotFound(
                f"document {row.position} was removed on {row.removed_at:%Y-%m-%d}: "
                f"{row.removed_why}"
            )
        data = stores.store.document(row.id)
        if row.is_encrypted:
            data = decrypted(stores.settings, data, f"document {row.id}")
        if hashlib.sha256(data).hexdigest() != row.sha256:
            raise RecordAltered(
                f"the file of document {row.id} is not what was added: its SHA-256 is not "
                f"{row.sha256}"
            )
        note(session, "view", f"{documents.DOCUMENT}:{row.id}", case=str(case_id))
    return row, data


def remove_document(stores: Stores, case_id: UUID, document_id: UUID, why: str) -> CaseDocument:
    """Delete the file of a document, whatever the status of the case; its line stays.

    Raises NotFound, NotAllowed in a case of one's own, BadInput without a reason, Conflict for one
    that was removed.
    """
    why = stated(why, "reason")
    with stores.sessions.begin() as session:
        check_not_own(session, desk.case_by_id(session, case_id))
        row = documents.document_to_remove(session, case_id, document_id)
        if row.removed_at is not None:
            raise Conflict(f"document {row.position} was removed on {row.removed_at:%Y-%m-%d}")
        remove(row, why)
    delete_files(stores, [row.id])
    with stores.sessions() as session:
        return documents.document_of_case(session, case_id, document_id)


def _next_position(session: Session, case: Case) -> int:
    known = documents.count_documents(session, case.id)
    if known >= MOST:
        raise Conflict(f"case {case.number} has {MOST} documents, and takes no more")
    return known + 1


def media_type(data: bytes) -> str:
    """Return what a file is by its own bytes; raises BadInput for what no case takes."""
    for magic, kind in MAGIC.items():
        if re.match(magic, data, re.DOTALL):
            return kind
    head = BytesHeaderParser().parsebytes(data[:HEAD])
    if "from" in head and "date" in head:
        return MAIL
    try:
        if data.strip() and not CONTROL.search(data.decode()):
            return TEXT
    except UnicodeDecodeError:
        pass
    raise BadInput(
        "the file is neither a PDF, an image (PNG, JPEG, GIF, WebP, TIFF), a text in UTF-8 nor an "
        "e-mail (.eml): send it as one of these"
    )
