"""Statements of consent, and what follows from them for works: `Artwork.consent_…`.

Those columns are what filters read. They are derived here and nowhere else: of new works before
they are inserted (`allowed_to_new`), of others in the transaction of the statement (`project`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4, uuid5

from sqlalchemy import ColumnElement, Select, func, or_, select, tuple_, update
from sqlalchemy.orm import Session, joinedload

from attribution.answers import Removal
from attribution.catalogue.chain import amended, forget
from attribution.catalogue.columns import now
from attribution.catalogue.insert import IN_SQL, insert_new
from attribution.catalogue.models import PURPOSES, Artist, Artwork, Consent
from attribution.catalogue.queries.pages import Page, check_limit, cut, moment_key
from attribution.consents import (
    Answer,
    ConsentPurpose,
    ConsentSource,
    is_allowed,
    next_turn,
    standing,
)
from attribution.errors import Hint, NotFound, Way
from attribution.images import forbidden_by


@dataclass(frozen=True)
class Statement:
    """What somebody says of one purpose: of a work, or of an artist's portfolio."""

    purpose: ConsentPurpose
    answer: Answer
    source: ConsentSource
    by: str
    artwork_id: UUID | None = None
    artist_id: UUID | None = None
    document: str | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    job_id: UUID | None = None
    said_at: datetime = field(default_factory=now)
    id: UUID = field(default_factory=uuid4)
    turns_at: datetime | None = None

    def of_job(self, job_id: UUID, artwork_id: UUID) -> Statement:
        """Return it about a work that a job brings; told twice, it is the same one."""
        told = f"{job_id}/{self.purpose}/{self.source}"
        by = f"ingest job {job_id}"
        id_ = uuid5(artwork_id, told)
        return replace(self, id=id_, artwork_id=artwork_id, by=by, job_id=job_id)


@dataclass(frozen=True)
class ConsentsWanted:
    """Which statements a list shows; what is None does not matter."""

    artist_id: UUID | None = None  # about the portfolio, and about works that are theirs now
    artwork_id: UUID | None = None  # about the work alone
    purpose: ConsentPurpose | None = None
    source: ConsentSource | None = None


CONSENTS = tuple(f"consent_{one}" for one in PURPOSES)
_NAMED = tuple(zip(PURPOSES, CONSENTS, strict=True))
EVERY_CONSENT = ConsentsWanted()
Standing = Mapping[str, Consent | None]
"""Which statement stands, by purpose; None: nothing was said, and the default holds."""


def keep_consents(session: Session, said: Sequence[Statement]) -> None:
    """Write statements of sources, in one insert; one that is there already stays as it is."""
    insert_new(session, Consent, [vars(one) for one in said])


def add_consent(session: Session, said: Statement) -> Consent:
    """Write a statement of a person, which the audit vouches for."""
    row = Consent(**vars(said))
    session.add(row)
    session.flush()
    return row


def lock_portfolios(session: Session, artists: Collection[UUID], *, speaks: bool = False) -> None:
    """Have whoever speaks of a portfolio wait for works on their way into it, and they for them.

    Before any row of a work is locked, or two wait for each other. SQLite has one writer anyway.
    """
    if session.get_bind().dialect.name != "postgresql":
        return
    lock = func.pg_advisory_xact_lock if speaks else func.pg_advisory_xact_lock_shared
    for artist in sorted(artists):
        digest = sha256(b"portfolio" + artist.bytes).digest()
        session.execute(select(lock(int.from_bytes(digest[:8], signed=True))))


def portfolio_consents(
    session: Session, artists: Collection[UUID]
) -> Mapping[UUID, Sequence[Consent]]:
    """Return what was said of the whole portfolios of artists."""
    found: dict[UUID, list[Consent]] = defaultdict(list)
    wanted = select(Consent).where(Consent.artist_id.in_(artists), Consent.ended_at.is_(None))
    for row in session.scalars(wanted):
        if row.artist_id is not None:
            found[row.artist_id].append(row)
    return found


def allowed_to_new(said: Iterable[Statement], of_portfolio: Iterable[Consent]) -> tuple[str, ...]:
    """Return what may be done with a work that comes with these statements."""
    stands = _standing([*said, *of_portfolio], now())
    return tuple(one for one in PURPOSES if is_allowed(one, stands[one]))


def standing_consents(session: Session, works: Collection[Artwork]) -> dict[UUID, Standing]:
    """Return which statements stand for works now."""
    found = portfolio_consents(session, {row.artist_id for row in works})
    said = {row.id: list(found.get(row.artist_id, ())) for row in works}
    own = select(Consent).where(Consent.artwork_id.in_(said), Consent.ended_at.is_(None))
    for one in session.scalars(own):
        if one.artwork_id is not None:
            said[one.artwork_id].append(one)
    at = now()
    return {work: _standing(all_, at) for work, all_ in said.items()}


def standing_of_portfolio(session: Session, artist_id: UUID) -> Standing:
    """Return which statements stand for an artist's whole portfolio now."""
    return _standing(portfolio_consents(session, [artist_id]).get(artist_id, ()), now())


def project(session: Session, rows: Collection[Artwork]) -> dict[UUID, dict[str, bool]]:
    """Write into locked works what may be done with them now; returns the columns that changed.

    What the file itself forbids, and no statement says yet, becomes one.
    """
    _note_files(session, rows)
    changed: dict[UUID, dict[str, bool]] = {}
    stands = standing_consents(session, rows)
    for row in rows:
        new = {name: is_allowed(one, stands[row.id][one]) for one, name in _NAMED}
        changed[row.id] = {name: may for name, may in new.items() if getattr(row, name) != may}
        for name, may in changed[row.id].items():
            setattr(row, name, may)
    return changed


def due_consents(session: Session, limit: int) -> Sequence[Consent]:
    """Return statements because of which works are to be looked at again, the oldest first."""
    wanted = select(Consent).where(Consent.turns_at <= now()).order_by(Consent.turns_at)
    return session.scalars(wanted.limit(limit)).all()


def count_due_consents(session: Session) -> int:
    """Count them."""
    return session.scalar(select(func.count()).where(Consent.turns_at <= now())) or 0


def note_turned(session: Session, row: Consent) -> None:
    """Note that the works follow a statement, until it begins or ends."""
    turn = update(Consent).where(Consent.id == row.id).values(turns_at=next_turn(row, now()))
    session.execute(turn, execution_options=IN_SQL)


def works_of_artists(
    session: Session, artists: Collection[UUID], at_once: int
) -> Iterator[list[UUID]]:
    """Yield the ids of all works of artists in their order, some at a time."""
    after = None
    wanted = select(Artwork.id).where(Artwork.artist_id.in_(artists)).order_by(Artwork.id)
    while True:
        rest = wanted if after is None else wanted.where(Artwork.id > after)
        few = list(session.scalars(rest.limit(at_once)))
        if not few:
            return
        yield few
        after = few[-1]


def answers_of_artists(
    session: Session, slugs: Collection[str], purpose: ConsentPurpose
) -> dict[str, set[Answer]]:
    """Return which answers are in force now for artists' portfolios, or for works of theirs."""
    at = now()
    in_force = (
        (Consent.purpose == purpose)
        & Consent.ended_at.is_(None)
        & (Consent.valid_from.is_(None) | (Consent.valid_from <= at))
        & (Consent.valid_until.is_(None) | (Consent.valid_until > at))
    )
    theirs = select(Artist.slug, Consent.answer).where(Artist.slug.in_(slugs), in_force)
    of_portfolios = theirs.join(Consent, Consent.artist_id == Artist.id)
    of_works = theirs.join(Artwork, Artwork.artist_id == Artist.id).join(
        Consent, Consent.artwork_id == Artwork.id
    )
    found: dict[str, set[Answer]] = defaultdict(set)
    for slug, answer in session.execute(of_portfolios.union(of_works)):
        found[slug].add(answer)
    return found


def consent_by_id(session: Session, consent_id: UUID) -> Consent:
    """Return a statement with its artist; raises NotFound."""
    row = session.scalar(_with_artist().where(Consent.id == consent_id))
    if row is None:
        raise NotFound(f"no statement {consent_id}", hint=Hint(Way.LIST_CONSENTS))
    return row


def list_consents(
    session: Session,
    which: ConsentsWanted = EVERY_CONSENT,
    *,
    cursor: str | None = None,
    limit: int = 100,
) -> Page[Consent]:
    """Return a page of statements, the newest first."""
    wanted = _with_artist()
    if which.artist_id is not None:
        own = select(Artwork.id).where(Artwork.artist_id == which.artist_id)
        about = or_(Consent.artist_id == which.artist_id, Consent.artwork_id.in_(own))
        wanted = wanted.where(about)
    if which.artwork_id is not None:
        wanted = wanted.where(Consent.artwork_id == which.artwork_id)
    if which.purpose is not None:
        wanted = wanted.where(Consent.purpose == which.purpose)
    if which.source is not None:
        wanted = wanted.where(Consent.source == which.source)
    if cursor is not None:
        wanted = wanted.where(tuple_(Consent.said_at, Consent.id) < moment_key(cursor))
    wanted = wanted.order_by(Consent.said_at.desc(), Consent.id.desc())
    rows = session.scalars(wanted.limit(check_limit(limit))).all()
    return cut(rows, limit, lambda row: (row.said_at, row.id))


def forget_consents(session: Session, which: ColumnElement[bool], removal: Removal) -> int:
    """End statements that a withdrawal is about, and wipe on which papers they stand.

    That something was said stays. Returns how many there were.
    """
    about = which & Consent.ended_at.is_(None)
    forget(session, Consent, about, ["document"], removal.receipt)
    ended = update(Consent).where(about)
    ended = ended.values(document=None, turns_at=None, ended_at=removal.at)
    rows = session.execute(ended.returning(Consent.id, Consent.source), execution_options=IN_SQL)
    sources = dict(rows.all())
    amended(
        session, Consent, [one for one, source in sources.items() if source == ConsentSource.PERSON]
    )
    return len(sources)


def _with_artist() -> Select[Consent]:
    return select(Consent).options(joinedload(Consent.artist))


def _standing(said: Iterable[Any], at: datetime) -> dict[str, Any]:
    by_purpose: dict[str, list[Any]] = defaultdict(list)
    for one in said:
        by_purpose[one.purpose].append(one)
    return {purpose: standing(by_purpose[purpose], at) for purpose in PURPOSES}


def _note_files(session: Session, rows: Collection[Artwork]) -> None:
    """Write what files of works forbid that came before statements were kept."""
    forbidden = {row.id: forbidden_by(row.facts, row.rights) for row in rows}
    silent = {work for work, purposes in forbidden.items() if purposes}
    noted = select(Consent.artwork_id, Consent.purpose).where(
        Consent.artwork_id.in_(silent), Consent.source == ConsentSource.METADATA
    )
    there = {(work, str(purpose)) for work, purpose in session.execute(noted)} if silent else set()
    missing = [
        Statement(
            ConsentPurpose(purpose),
            Answer.DENY,
            ConsentSource.METADATA,
            by="the file",
            artwork_id=row.id,
            document=because,
            said_at=row.created_at,
        )
        for row in rows
        for purpose, because in forbidden[row.id].items()
        if (row.id, purpose) not in there
    ]
    keep_consents(session, missing)
