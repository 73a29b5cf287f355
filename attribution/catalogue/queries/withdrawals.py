"""Statements that forget works. What stays of one is a tombstone: enough to know it again.

The tombstone keeps id, hash of the file, artist, reason and time; everything else that describes or
resembles the work is wiped, here and wherever it was written down.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Text,
    cast,
    delete,
    exists,
    func,
    or_,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from attribution.answers import Removal, without_works
from attribution.catalogue.chain import forget
from attribution.catalogue.columns import now
from attribution.catalogue.insert import IN_SQL
from attribution.catalogue.lifecycle import become_pending, become_withdrawn, count_held
from attribution.catalogue.models import WIPED as WIPED_TEXT
from attribution.catalogue.models import (
    Artist,
    Artwork,
    ArtworkStatus,
    Change,
    ChangeClaim,
    ChangeKind,
    ChangeWork,
    CitedWork,
    Claim,
    Consent,
    CopySketch,
    Embedding,
    ExhibitHold,
    HeldExhibit,
    IngestItem,
    MapPlace,
    NonCopy,
    PartVectors,
    RecordedAttribution,
    Withdrawal,
    artwork_id,
)
from attribution.catalogue.queries.archives import take_back
from attribution.catalogue.queries.artworks import (
    NewArtwork,
    artwork_row,
    artworks_by_sha256,
)
from attribution.catalogue.queries.changes import just_merged
from attribution.catalogue.queries.consents import forget_consents
from attribution.catalogue.queries.embeddings import forget_part_vectors, forget_vectors
from attribution.catalogue.queries.forgetting import wipe_items
from attribution.catalogue.queries.maps import forget_places
from attribution.catalogue.queries.non_copies import forget_non_copies
from attribution.catalogue.queries.pages import Page, check_limit, cut, moment_key
from attribution.catalogue.queries.replies import forget_replies
from attribution.catalogue.queries.sketches import forget_sketches
from attribution.catalogue.queries.subjects import bury_subjects
from attribution.catalogue.queries.workings import bury_workings
from attribution.catalogue.sealed import path_of_claim
from attribution.chunks import chunks
from attribution.errors import NotFound

WIPED: Mapping[str, Any] = {
    "pixel_sha256": "",
    "phash": "",
    "title": None,
    "caption": None,
    "tags": [],
    "year": None,
    "dated": None,
    "licence": None,
    "licence_id": None,
    "source": None,
    "facts": {},
    "rights": {},
    "thumbnail": None,
}

AT_ONCE = 1_000  # receipts in one statement


SPOKEN = (ChangeKind.CORRECT, ChangeKind.UNDO, ChangeKind.DECLARE, ChangeKind.REVOKE)
"""Changes that say something of a work, before and after."""


def _says(*columns: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
    """Return whether JSON columns say anything."""
    return or_(*(cast(column, Text).not_in(("{}", "[]")) for column in columns))


LOOKED_AT: Mapping[str, tuple[InstrumentedAttribute[Any], ColumnElement[bool]]] = {
    "catalogue rows": (
        Artwork.id,
        or_(
            *(getattr(Artwork, name).is_not(None) for name, to in WIPED.items() if to is None),
            *(getattr(Artwork, name) != to for name, to in WIPED.items() if to == ""),
            _says(Artwork.tags, Artwork.facts, Artwork.rights),
        ),
    ),
    "kept vectors": (Embedding.artwork_id, true()),
    "kept vectors of parts": (PartVectors.artwork_id, true()),
    "copy sketches": (CopySketch.artwork_id, true()),
    "places on the map": (MapPlace.artwork_id, true()),
    "declared non-copies": (NonCopy.artwork_id, true()),
    "statements of consent": (Consent.artwork_id, Consent.document.is_not(None)),
    "lines of ingest jobs": (IngestItem.artwork_id, IngestItem.path != WIPED_TEXT),
    "claims": (Claim.artwork_id, Claim.path != WIPED_TEXT),
    "earlier claims": (ChangeClaim.artwork_id, ChangeClaim.path != WIPED_TEXT),
    "recorded answers": (CitedWork.artwork_id, true()),
    "exhibits without a hold": (
        HeldExhibit.artwork_id,
        ~exists().where(ExhibitHold.artwork_id == HeldExhibit.artwork_id),
    ),
    "changes": (
        Change.artwork_id,
        Change.reason.is_not(None)
        | (
            Change.kind.in_(SPOKEN)
            & Change.from_artist_id.is_(None)
            & _says(Change.before, Change.after)
        ),
    ),
}
"""Where a row may say something of a work: its id there, and what is not to be. The other tables
with ids of works, such as `withdrawals`, `change_works` and `case_subjects`, have ids and hashes
alone."""


def works_to_withdraw(
    session: Session, artist_id: UUID, artwork_id: UUID | None
) -> dict[UUID, ArtworkStatus]:
    """Return the works of a request that are not withdrawn yet, with their states; locks them."""
    wanted = select(Artwork.id, Artwork.status).where(
        Artwork.artist_id == artist_id, Artwork.status != ArtworkStatus.WITHDRAWN
    )
    if artwork_id is not None:
        wanted = wanted.where(Artwork.id == artwork_id)
    return dict(session.execute(wanted.order_by(Artwork.id).with_for_update()).all())


def bury_works(
    session: Session, ids: Collection[UUID], reason: str, removal: Removal
) -> dict[str, int]:
    """Turn works into tombstones, wherever SQL speaks of them; returns what was wiped where."""
    titled = select(Artwork.title).where(Artwork.id.in_(ids), Artwork.title.is_not(None))
    titles = [str(title) for title in session.scalars(titled)]
    rows = become_withdrawn(session, ids, reason, removal.at)
    session.execute(update(Artwork).where(Artwork.id.in_(rows)).values(**WIPED))
    lines = wipe_items(session, ids, titles)
    session.execute(update(Claim).where(Claim.artwork_id.in_(ids)).values(path=WIPED_TEXT))
    _wipe_changes(session, ids, removal.receipt)
    asked_about, computed = bury_subjects(session, ids, removal), bury_workings(session, ids)
    return {
        "catalogue rows": len(rows),
        "kept vectors": forget_vectors(session, ids),
        "kept vectors of parts": forget_part_vectors(session, ids),
        "copy sketches": forget_sketches(session, ids),
        "places on the map": forget_places(session, ids),
        "declared non-copies": forget_non_copies(session, ids, removal.receipt),
        "statements of consent": forget_consents(session, Consent.artwork_id.in_(ids), removal),
        "lines of ingest jobs": lines,
        "images asked about": asked_about,
        "workings of answers": computed,
        "recorded answers": _wipe_answers(session, ids, removal),
        "answers kept for repeated requests": forget_replies(session),
    }


def left_of_works(session: Session, ids: Collection[UUID]) -> dict[str, int]:
    """Count the rows that still say something of withdrawn works, table by table, by their ids."""
    counted: dict[str, int] = {}
    for name, (column, says) in LOOKED_AT.items():
        wanted = select(func.count()).where(column.in_(ids), says)
        counted[name] = session.scalar(wanted) or 0
    return counted


def close_artist(session: Session, artist_id: UUID, removal: Removal) -> None:
    """Take in no more works of an artist; raises Conflict when it is just gone.

    From here on, until the transaction ends, nobody gives them any either.
    """
    closed = update(Artist).where(Artist.id == artist_id).values(withdrawn_at=now())
    if session.scalar(closed.returning(Artist.id)) is None:
        raise just_merged()
    own = Change.artist_id == artist_id
    undone = Change.id.in_(select(Change.undoes_id).where(own))  # such as the merge they left
    for about in (own, undone):
        forget(session, Change, about, ["reason"], removal.receipt)
        session.execute(update(Change).where(about).values(reason=None), execution_options=IN_SQL)
    forget_consents(session, Consent.artist_id == artist_id, removal)


def reinstate(session: Session, works: Collection[NewArtwork]) -> dict[str, Artwork]:
    """Take withdrawn works and their artists in again, to be indexed; returns the rows by hash."""
    artists = {work.artist_id for work in works}
    session.execute(update(Artist).where(Artist.id.in_(artists)).values(withdrawn_at=None))
    described = {row.pop("id"): row for row in map(artwork_row, works)}
    owners = {work: row.pop("artist_id") for work, row in described.items()}
    back = become_pending(session, owners)
    for work in back:
        session.execute(update(Artwork).where(Artwork.id == work).values(described[work]))
    sizes = (work.size for work in works if artwork_id(work.sha256) in back)
    count_held(session, works=len(back), size=sum(sizes))
    rows = artworks_by_sha256(session, [work.sha256 for work in works])
    return {row.sha256: row for row in rows}


def buried_works(session: Session, withdrawal: Withdrawal) -> dict[UUID, str]:
    """Return the tombstones that a withdrawal is about: id -> hash of the file."""
    wanted = select(Artwork.id, Artwork.sha256).where(
        Artwork.artist_id == withdrawal.artist_id, Artwork.status == ArtworkStatus.WITHDRAWN
    )
    if withdrawal.artwork_id is not None:
        wanted = wanted.where(Artwork.id == withdrawal.artwork_id)
    return dict(session.execute(wanted.order_by(Artwork.id)).all())


def last_withdrawal(
    session: Session, artist_id: UUID, artwork_id: UUID | None
) -> Withdrawal | None:
    """Return the latest request about this artist or work."""
    about = Withdrawal.artwork_id == artwork_id if artwork_id else Withdrawal.artwork_id.is_(None)
    return session.scalar(
        select(Withdrawal)
        .where(Withdrawal.artist_id == artist_id, about)
        .order_by(Withdrawal.requested_at.desc(), Withdrawal.id)
        .limit(1)
    )


def withdrawal_by_id(session: Session, withdrawal_id: UUID) -> Withdrawal:
    """Return a request with its receipt; raises NotFound."""
    row = session.get(Withdrawal, withdrawal_id)
    if row is None:
        raise NotFound(f"no withdrawal {withdrawal_id}; GET /v1/withdrawals lists them")
    return row


def withdrawal_to_change(session: Session, withdrawal_id: UUID) -> Withdrawal:
    """Return a request as it is now; nobody else writes its receipt until the session ends."""
    wanted = select(Withdrawal).where(Withdrawal.id == withdrawal_id).with_for_update()
    return session.scalars(wanted.execution_options(populate_existing=True)).one()


def list_withdrawals(
    session: Session, *, cursor: str | None = None, limit: int = 100
) -> Page[Withdrawal]:
    """Return a page of requests with their receipts, the newest first."""
    wanted = select(Withdrawal).order_by(Withdrawal.requested_at.desc(), Withdrawal.id.desc())
    if cursor is not None:
        wanted = wanted.where(tuple_(Withdrawal.requested_at, Withdrawal.id) < moment_key(cursor))
    rows = session.scalars(wanted.limit(check_limit(limit))).all()
    return cut(rows, limit, lambda row: (row.requested_at, row.id))


def unknown_withdrawals(session: Session, receipts: Collection[UUID]) -> list[UUID]:
    """Return which of these requests there are not."""
    unknown = set(receipts)
    for few in chunks(list(receipts), AT_ONCE):
        unknown -= set(session.scalars(select(Withdrawal.id).where(Withdrawal.id.in_(few))))
    return sorted(unknown)


def unfinished_withdrawals(session: Session) -> list[UUID]:
    """Return the requests of which something is still to be removed."""
    wanted = select(Withdrawal.id).where(Withdrawal.completed_at.is_(None))
    return list(session.scalars(wanted.order_by(Withdrawal.requested_at)))


def _wipe_changes(session: Session, ids: Collection[UUID], receipt: UUID) -> None:
    """Take what was said of these works, and why, out of the record of changes.

    The reason of a merge is about artists and stays; that of a split, or of an undo, may be about
    the works. Whose a work was before and after a move, or the undo of one, stays as well.
    """
    spoken = Change.kind.in_(SPOKEN)
    alone = Change.artwork_id.in_(ids)
    of_words = alone & spoken & Change.from_artist_id.is_(None)
    forget(session, Change, of_words, ["before", "after"], receipt)
    session.execute(update(Change).where(of_words).values(before={}, after={}))
    among = Change.id.in_(select(ChangeWork.change_id).where(ChangeWork.artwork_id.in_(ids)))
    of_some = among & Change.kind.in_((ChangeKind.SPLIT, ChangeKind.UNDO))
    for about in (alone, of_some):
        forget(session, Change, about, ["reason"], receipt)
        session.execute(update(Change).where(about).values(reason=None), execution_options=IN_SQL)
    claimed = select(ChangeClaim.change_id).where(ChangeClaim.artwork_id.in_(ids))
    forget(session, Change, Change.id.in_(claimed), [*map(path_of_claim, ids)], receipt)
    session.execute(
        update(ChangeClaim).where(ChangeClaim.artwork_id.in_(ids)).values(path=WIPED_TEXT)
    )


def _wipe_answers(session: Session, ids: Collection[UUID], removal: Removal) -> int:
    """Take what is said of these works out of the answers that cite them, and mark that."""
    take_back(session, ids)
    cited = select(CitedWork.attribution_id).where(CitedWork.artwork_id.in_(ids))
    forget(
        *(session, RecordedAttribution, RecordedAttribution.id.in_(cited)),
        leaves=[str(one) for one in ids],
        receipt=removal.receipt,
    )
    answers = session.scalars(
        select(RecordedAttribution).where(RecordedAttribution.id.in_(cited))
    ).all()
    for row in answers:
        row.answer = without_works(row.answer, ids, removal)
    session.execute(delete(CitedWork).where(CitedWork.artwork_id.in_(ids)))
    return len(answers)
