"""Images that were asked about: kept with the answers about them, and shown again.

What an answer rests on can be shown later: the image, how its bytes came here, who asked and what
for. The row of an image, the question and the file are written in the transaction that records the
answer. Which images go, and when, is in `attribution.upkeep.subjects`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import rfc8785
from PIL import Image
from sqlalchemy.orm import Session

from attribution.actors import Scope, who
from attribution.answers import Attribution
from attribution.catalogue import queries
from attribution.catalogue.columns import clean
from attribution.catalogue.models import Subject, SubjectUse
from attribution.collection import Stores, decrypted, subject_cipher
from attribution.custody import How, Kept, Purpose
from attribution.errors import BadInput, Conflict, NotFound, RecordAltered
from attribution.images import CheckedImage, ImageFacts
from attribution.lookup import wording
from attribution.lookup.attributor import Also

LIES_ELSEWHERE = {How.WORK, How.GENERATED}  # under `originals` and `generations`


@dataclass(frozen=True)
class Obtained:
    """How the bytes of an image came here, and what for."""

    how: How
    purpose: Purpose | None = None
    job_id: UUID | None = None  # of a lookup batch, or a request for pictures
    position: int | None = None  # among its images
    source: Mapping[str, Any] = field(default_factory=dict)  # what the server of a URL said


def keeping(
    stores: Stores, image: CheckedImage, read: Callable[[], bytes], obtained: Obtained
) -> Also:
    """Return what keeps an image with the answer about it.

    `read` returns its bytes once more: those of many images need not be in memory at once. The file
    is written last, so that what fails leaves a file without a row at most, which `reconcile`
    deletes.
    """
    return partial(_keep, stores, image.facts, read, obtained)


def _keep(
    stores: Stores,
    facts: ImageFacts,
    read: Callable[[], bytes],
    obtained: Obtained,
    session: Session,
    answer: Attribution,
) -> None:
    settings = stores.settings
    row = queries.subject_asked_about(session, facts.sha256, _described(facts))
    session.add(_use(row, obtained, answer))
    session.flush()
    if not queries.may_be_kept(session, row, answer.id, is_copy=answer.copy_of is not None):
        queries.forget_workings_about(session, [facts.sha256])
        return
    if settings.subjects == "digest" or obtained.how in LIES_ELSEWHERE:
        return
    row.until = answer.created_at + timedelta(days=settings.subject_days)
    if row.kept is Kept.NOTHING:
        row.kept, row.phash = Kept(settings.subjects), facts.phash
        row.forgotten_at = row.forgotten_why = None
        session.flush()
        data = read()
        if hashlib.sha256(data).hexdigest() != facts.sha256:
            raise BadInput("the image has changed since it was read; ask again")
        cipher = subject_cipher(settings) if row.kept is Kept.ENCRYPTED else None
        stores.store.put_subject(facts.sha256, cipher.encrypt(data) if cipher else data)


def _described(facts: ImageFacts) -> dict[str, Any]:
    return {
        "media_type": Image.MIME.get(facts.format, "application/octet-stream"),
        "width": facts.width,
        "height": facts.height,
        "size_bytes": facts.bytes,
    }


def _use(row: Subject, obtained: Obtained, answer: Attribution) -> SubjectUse:
    source = hashlib.sha256(rfc8785.dumps(clean(dict(obtained.source)))).hexdigest()
    return SubjectUse(
        id=answer.id,
        subject_id=row.id,
        how=obtained.how,
        job_id=obtained.job_id,
        position=obtained.position,
        source_sha256=source if obtained.source else None,
        purpose=obtained.purpose,
        by=who().name,
        at=answer.created_at,
    )


def seen(stores: Stores, subject_id: UUID) -> tuple[Subject, bytes]:
    """Return an image that was asked about, with its bytes; the audit says who has seen it.

    Raises NotFound where it is not kept, Conflict for one of another key, RecordAltered.
    """
    with stores.sessions() as session:
        row = queries.subject_by_id(session, subject_id)
    if row.kept is Kept.NOTHING:
        raise NotFound(f"image {row.id}: {wording.image_kept(row, None)}")
    data = read_kept(stores, row)
    with stores.sessions.begin() as session:
        queries.note_seen(session, row.id)
    return row, data


def said_of(stores: Stores, attribution_id: UUID) -> str:
    """Say what is kept of the image that an answer is about."""
    with stores.sessions() as session:
        return wording.image_kept(*queries.subject_of_answer(session, attribution_id))


def shown(stores: Stores, attribution_id: UUID) -> tuple[bytes | None, str]:
    """Return the image that an answer is about, where it is kept and the caller may see it.

    With a sentence on what is kept of it. The audit says who has seen it.
    """
    with stores.sessions() as session:
        row, use = queries.subject_of_answer(session, attribution_id)
    said = wording.image_kept(row, use)
    if row is None or row.kept is Kept.NOTHING:
        return None, said
    if Scope.REVIEW not in who().scopes:
        return None, f"{said} Seeing it needs the scope {Scope.REVIEW.value!r}."
    try:
        return seen(stores, row.id)[1], said
    except (Conflict, NotFound, RecordAltered) as error:
        return None, f"{said} It cannot be shown: {error}."


def read_kept(stores: Stores, row: Subject) -> bytes:
    """Return the bytes of an image that is kept; shown to nobody yet.

    Raises NotFound, Conflict for one of another key, RecordAltered.
    """
    data = stores.store.subject(row.image_sha256)
    if row.kept is Kept.ENCRYPTED:
        data = decrypted(stores.settings, data, f"image {row.id}")
    if hashlib.sha256(data).hexdigest() != row.image_sha256:
        raise RecordAltered(
            f"the file of image {row.id} is not what was asked about: its SHA-256 is not "
            f"{row.image_sha256}"
        )
    return data
