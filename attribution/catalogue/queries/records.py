"""Statements about answers that were given, and about what a collection was made with."""

from __future__ import annotations

import re
from collections.abc import Collection as Several
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Select, case, delete, select, tuple_, update
from sqlalchemy.orm import Session

from attribution.answers import Removal, Verdict, without_works, works_named
from attribution.catalogue.models import (
    Artwork,
    ArtworkStatus,
    CitedWork,
    KeptCollection,
    RecordedAttribution,
    Withdrawal,
)
from attribution.catalogue.queries.pages import Page, check_limit, cut, moment_key
from attribution.catalogue.queries.watches import alert
from attribution.catalogue.queries.webhooks import announce_copies
from attribution.errors import BadInput, Hint, NotFound, Way
from attribution.events import After

SHA256 = re.compile("[0-9a-fA-F]{64}")


@dataclass(frozen=True)
class AnswersWanted:
    """Which answers a list shows; what is None does not matter."""

    verdict: Verdict | None = None
    artist_id: UUID | None = None  # whose registered work an answer names
    image_sha256: str | None = None  # of the file
    since: datetime | None = None
    until: datetime | None = None  # before then
    original_by: UUID | None = None  # the artist of the work that an image is a copy of

    def __post_init__(self) -> None:
        """Raise BadInput for what is no SHA-256."""
        if self.image_sha256 is not None:
            check_sha256(self.image_sha256)


EVERY_ANSWER = AnswersWanted()


def check_sha256(text: str) -> str:
    """Return a SHA-256 as it is kept; raises BadInput."""
    if not SHA256.fullmatch(text):
        raise BadInput(
            f"{text[:70]!r} is not a SHA-256; give the 64 hexadecimal digits that `sha256sum` "
            f"prints for the file"
        )
    return text.lower()


def record_attribution(session: Session, answer: dict[str, Any]) -> None:
    """Keep an answer as it was given (what `attribution.answers.write_answer` returns).

    A work that was withdrawn since it was looked up stands in it without its title, with a mark;
    locks the others, so that a withdrawal that comes now finds the answer.
    """
    named = {UUID(work["id"]) for work in works_named(answer)}
    indexed = set(
        session.scalars(
            select(Artwork.id)
            .where(Artwork.id.in_(named), Artwork.status == ArtworkStatus.INDEXED)
            .order_by(Artwork.id)
            .with_for_update(read=True)
        )
    )
    kept = dict(answer)
    if gone := named - indexed:
        for removal, works in removals(session, gone).items():
            kept = without_works(kept, works, removal)
    row = RecordedAttribution(
        id=UUID(answer["id"]),
        created_at=datetime.fromisoformat(answer["created_at"]),
        image_sha256=answer["image_sha256"],
        verdict=answer["verdict"],
        fingerprint=answer["searched"]["fingerprint"],
        answer=kept,
    )
    session.add(row)
    session.flush()
    copy = kept.get("copy_of")
    original = UUID(copy["id"]) if copy else None
    session.add_all(
        CitedWork(artwork_id=work, attribution_id=row.id, is_original=work == original)
        for work in indexed
    )
    if copy is not None:
        _announce_copy(session, row.id, copy)
    if original in indexed:
        alert(session, row.id, original)


def _announce_copy(session: Session, attribution_id: UUID, copy: Mapping[str, Any]) -> None:
    said = {"attribution": str(attribution_id), "artwork": copy["id"], "kind": copy["kind"]}
    announce_copies(session, After.FOUND, {UUID(copy["id"]): said})


def removals(session: Session, works: Several[UUID]) -> dict[Removal, set[UUID]]:
    """Return under which receipts works were withdrawn; none for those that are gone otherwise."""
    about_it = Withdrawal.artwork_id == Artwork.id
    about_all = Withdrawal.artwork_id.is_(None) & (Withdrawal.artist_id == Artwork.artist_id)
    wanted = (
        select(Artwork.id, Withdrawal.requested_at, Withdrawal.id)
        .join(Withdrawal, about_it | about_all)
        .where(Artwork.id.in_(works), Artwork.status == ArtworkStatus.WITHDRAWN)
        .order_by(Withdrawal.requested_at)  # the last one counts
    )
    last = {work: Removal(at, receipt) for work, at, receipt in session.execute(wanted)}
    found: dict[Removal, set[UUID]] = {}
    for work, removal in last.items():
        found.setdefault(removal, set()).add(work)
    return found


def attributions_by_id(session: Session, ids: Sequence[UUID]) -> list[RecordedAttribution]:
    """Return earlier answers, in the order of their ids; raises NotFound."""
    wanted = select(RecordedAttribution).where(RecordedAttribution.id.in_(ids))
    rows = {row.id: row for row in session.scalars(wanted)}
    for one in ids:
        if one not in rows:
            raise NotFound(f"no attribution {one}", hint=Hint(Way.LIST_ANSWERS))
    return [rows[one] for one in ids]


def list_attributions(
    session: Session,
    wanted: AnswersWanted = EVERY_ANSWER,
    *,
    cursor: str | None = None,
    limit: int = 100,
) -> Page[RecordedAttribution]:
    """Return a page of earlier answers, the newest first.

    Those of an artist name a work that is the artist's now, whoever's it was then; those whose
    original is by an artist are about copies of such a work.
    """
    answer = RecordedAttribution
    found = select(answer)
    if wanted.verdict is not None:
        found = found.where(answer.verdict == wanted.verdict)
    if wanted.artist_id is not None:
        found = found.where(answer.id.in_(_citing(wanted.artist_id)))
    if wanted.original_by is not None:
        originals = _citing(wanted.original_by).where(CitedWork.is_original)
        found = found.where(answer.id.in_(originals))
    if wanted.image_sha256 is not None:
        found = found.where(answer.image_sha256 == wanted.image_sha256.lower())
    if wanted.since is not None:
        found = found.where(answer.created_at >= wanted.since)
    if wanted.until is not None:
        found = found.where(answer.created_at < wanted.until)
    if cursor is not None:
        found = found.where(tuple_(answer.created_at, answer.id) < moment_key(cursor))
    found = found.order_by(answer.created_at.desc(), answer.id.desc())
    rows = session.scalars(found.limit(check_limit(limit))).all()
    return cut(rows, limit, lambda row: (row.created_at, row.id))


class LateAnswer(NamedTuple):
    """An answer in short, and of a copy whose work that is, as the answer says."""

    at: datetime
    verdict: str
    slug: str | None
    name: str | None


def late_answers(session: Session, since: datetime, limit: int) -> list[LateAnswer]:
    """Return the newest answers since a time, at most so many."""
    row, original = RecordedAttribution, RecordedAttribution.answer["copy_of"]
    is_copy = row.verdict == Verdict.COPY
    artist = (case((is_copy, original[name].as_string())) for name in ("slug", "name"))
    found = select(row.created_at, row.verdict, *artist).where(row.created_at >= since)
    newest = found.order_by(row.created_at.desc(), row.id.desc()).limit(limit)
    return [LateAnswer(*values) for values in session.execute(newest)]


def _citing(artist_id: UUID) -> Select[UUID]:
    """Select the answers that name a work of an artist."""
    cited = select(CitedWork.attribution_id).join(Artwork, Artwork.id == CitedWork.artwork_id)
    return cited.where(Artwork.artist_id == artist_id)


def live_collection(session: Session) -> KeptCollection | None:
    """Return the collection that is searched; None before the first use."""
    return session.scalar(select(KeptCollection).where(KeptCollection.live))


def hold_live(session: Session) -> str | None:
    """Return the fingerprint of the live collection, which stays live until the session ends.

    None where another one takes its place at this very moment.
    """
    return session.scalar(
        select(KeptCollection.fingerprint).where(KeptCollection.live).with_for_update(read=True)
    )


def collections(session: Session) -> list[KeptCollection]:
    """Return every collection, by name."""
    return list(session.scalars(select(KeptCollection).order_by(KeptCollection.name)))


def collection_name(fingerprint: str) -> str:
    """Return what the collection of these encoders is called."""
    return f"artworks-{fingerprint[:12]}"


def add_collection(
    session: Session,
    *,
    profile: str,
    fingerprint: str,
    dims: Mapping[str, int],
    lanes: Mapping[str, str],
    live: bool,
) -> KeptCollection:
    """Remember which encoders make the vectors of a collection; one that is known stays."""
    name = collection_name(fingerprint)
    row = session.get(KeptCollection, name)
    if row is None:
        row = KeptCollection(
            name=name,
            profile=profile,
            fingerprint=fingerprint,
            dims=dict(dims),
            lanes=dict(lanes),
            live=live,
        )
        session.add(row)
        session.flush()
    return row


def note_says_tenants(session: Session, name: str) -> None:
    """Note that all points of a collection say whose they are."""
    session.execute(
        update(KeptCollection).where(KeptCollection.name == name).values(says_tenants=True)
    )


def go_live(session: Session, name: str) -> None:
    """Have another collection searched from now on."""
    session.execute(update(KeptCollection).values(live=KeptCollection.name == name))


def drop_collection(session: Session, name: str) -> None:
    """Forget a collection that is not searched any more."""
    session.execute(delete(KeptCollection).where(KeptCollection.name == name, ~KeptCollection.live))


def is_cited(session: Session, attribution_id: UUID, artwork_id: UUID) -> bool:
    """Tell whether an answer names a work."""
    wanted = select(CitedWork.artwork_id).where(
        CitedWork.artwork_id == artwork_id, CitedWork.attribution_id == attribution_id
    )
    return session.scalar(wanted) is not None
