"""Statements about whose works are: moves, splits, merges, and how each is taken back.

A change keeps in rows what it took along. What is taken back is what is still where the change had
put it; everything else stays. Locks are taken in one order by all: works, artists, statistics.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    true,
    union_all,
    update,
)
from sqlalchemy.orm import Session

from attribution.catalogue import chain
from attribution.catalogue.insert import IN_SQL
from attribution.catalogue.lifecycle import change_hands, join_hands
from attribution.catalogue.models import (
    Alias,
    Artist,
    Artwork,
    ArtworkStatus,
    Change,
    ChangeClaim,
    ChangeKind,
    ChangeRow,
    ChangeWork,
    Claim,
    Consent,
    Withdrawal,
)
from attribution.catalogue.names import fold, turned
from attribution.catalogue.queries.artists import artist_by_slug, check_name
from attribution.catalogue.queries.changes import (
    FOLLOWS,
    Origin,
    artists_to_change,
    check_not_undone,
    correct_works,
    new_change,
    works_to_follow,
)
from attribution.catalogue.queries.consents import portfolio_consents, works_of_artists
from attribution.catalogue.queries.jobs import unfinished_jobs
from attribution.chunks import chunks
from attribution.errors import Conflict, Hint, Way

PASSED_ON = (Withdrawal, Change, Consent)  # by an artist who is merged into another
AT_ONCE = 1_000  # works whose vectors are read at a time


def move_work(session: Session, work: Artwork, artist_id: UUID, origin: Origin) -> Change:
    """Give a locked work to another artist, whose claim to it is settled by that."""
    change = give_works(session, [work.id], work.artist_id, artist_id, origin)
    change.kind, change.artwork_id = ChangeKind.MOVE, work.id
    session.flush()
    return change


def give_works(
    session: Session, ids: Sequence[UUID], from_id: UUID, to_id: UUID, origin: Origin
) -> Change:
    """Give locked works of one artist to another, whose claims to them are settled by that."""
    artists = artists_to_change(session, [from_id, to_id])
    old, new = artists[from_id], artists[to_id]
    change = _begin(session, ChangeKind.SPLIT, old, new, origin)
    rows = [{"change_id": change.id, "artwork_id": work} for work in ids]
    session.execute(insert(ChangeWork), rows)
    _transfer(session, change, old, new)
    _follow_portfolios(session, change, [old.id, new.id], _pages(session, change))
    return change


def take_back(session: Session, done: Change, chosen: Sequence[UUID], origin: Origin) -> Change:
    """Give back the works of a move or split that are still where it had put them.

    Raises Conflict where none is.
    """
    old, new = (_as_then(session, side["artist"]) for side in (done.before, done.after))
    _lock_those_left(session, done, new)
    artists = artists_to_change(session, [old.id, new.id])
    check_not_undone(session, done)
    old, new = artists[old.id], artists[new.id]
    change = _begin(session, ChangeKind.UNDO, new, old, origin)
    _choose(session, change, done, new, chosen)
    _transfer(session, change, new, old)
    if not change.works:
        raise Conflict(
            f"no work of change {done.id} belongs to {new.slug!r} any more: all were moved on "
            f"since; nothing to undo"
        )
    _give_claims_back(session, done, new, old)
    _follow_portfolios(session, change, [old.id, new.id], _pages(session, change))
    if done.artwork_id is None:
        _count_rest(session, change, done, new)
    change.artwork_id = done.artwork_id
    return change


def merge_artists(session: Session, gone_id: UUID, into_id: UUID, origin: Origin) -> Change:
    """Make one artist of two: works, names, claims, receipts and statistics go to the second.

    The first one's name becomes an alias, and its slug leads to the second from now on. Raises
    Conflict when somebody has just given the first one works.
    """
    theirs = select(Artwork.id).where(Artwork.artist_id == gone_id)
    _lock_portfolios(session, [gone_id, into_id])
    locked = _lock_all(session, theirs)
    artists = artists_to_change(session, [gone_id, into_id])
    gone, into = artists[gone_id], artists[into_id]
    if session.scalar(select(func.count()).select_from(theirs.subquery())) != locked:
        # To lock those too would be out of order: whoever holds one may wait for the artist.
        raise Conflict(f"works have just come to {gone.slug!r}; ask again")
    own = select(Alias.name).where(Alias.artist_id == gone.id).order_by(Alias.name)
    change = new_change(
        ChangeKind.MERGE,
        into.id,
        origin,
        {
            "slug": gone.slug,
            "name": gone.name,
            "aliases": list(session.scalars(own)),
            "created_at": gone.created_at.isoformat(),
        },
        {"slug": into.slug, "name": into.name},
    )
    change.from_artist_id, change.merged_slug = gone.id, gone.slug
    session.add(change)
    session.flush()
    _keep_works(session, change, Artwork.artist_id == gone.id)
    if into.is_nobody:
        _give_works(session, change, gone, into)
    else:
        join_hands(session, gone, into)
        _note_works(session, change)
    _join_claims(session, change, gone, into)
    _pass_on(session, change, gone, into)
    session.execute(delete(Artist).where(Artist.id == gone.id))
    session.add(Alias(name=gone.name, folded=gone.folded, artist_id=into.id))
    session.flush()
    _follow_portfolios(session, change, [into.id], works_of_artists(session, [into.id], AT_ONCE))
    return change


def part_artists(session: Session, merge: Change, chosen: Sequence[UUID], origin: Origin) -> Change:
    """Take a merge back: the artist returns with its names, claims and receipts.

    Its works return as far as they still belong to the artist who remained, or only the chosen
    ones. Raises Conflict where its name is somebody's by now.
    """
    into = _as_then(session, merge.after["slug"])
    _lock_portfolios(session, [into.id])
    _lock_those_left(session, merge, into)
    into = artists_to_change(session, [into.id])[into.id]
    check_not_undone(session, merge)
    _check_receipts(session, into)
    gone = _restored(session, merge, into)
    change = _begin(session, ChangeKind.UNDO, into, gone, origin)
    change.before = {"slug": into.slug, "name": into.name}
    change.after = {"slug": gone.slug, "name": gone.name}
    _choose(session, change, merge, into, chosen)
    _transfer(session, change, into, gone)
    aliases = Alias.name.in_(merge.before.get("aliases", ()))
    session.execute(
        update(Alias).where(aliases, Alias.artist_id == into.id).values(artist_id=gone.id)
    )
    rows = select(ChangeRow.row_id).where(ChangeRow.change_id == merge.id)
    artist_wide = Withdrawal.artwork_id.is_(None) & Withdrawal.id.in_(rows)
    _give(session, Withdrawal, artist_wide, into, gone)
    _give(session, Change, Change.id.in_(rows), into, gone)
    _give(session, Consent, Consent.id.in_(rows), into, gone)
    _give_claims_back(session, merge, into, gone)
    both = [into.id, gone.id]
    _follow_portfolios(session, change, both, works_of_artists(session, both, AT_ONCE))
    _count_rest(session, change, merge, into)
    return change


def join_again(session: Session, parted: Change, origin: Origin) -> Change:
    """Take an undone merge up again; raises Conflict when the artist has got more since."""
    gone, into = (_as_then(session, side["slug"]) for side in (parted.after, parted.before))
    _check_none_comes(session, Artwork.artist_id == gone.id)
    merge = merge_artists(session, gone.id, into.id, origin)
    returned = select(ChangeWork.artwork_id).where(ChangeWork.change_id == parted.id)
    more = select(func.count()).where(
        ChangeWork.change_id == merge.id, ChangeWork.artwork_id.not_in(returned)
    )
    if count := session.scalar(more):
        raise Conflict(
            f"{gone.slug!r} has {count} works that came since",
            hint=Hint(Way.MERGE, (gone.slug, into.slug)),
        )
    return merge


def _begin(session: Session, kind: ChangeKind, old: Artist, new: Artist, origin: Origin) -> Change:
    change = new_change(kind, new.id, origin, {"artist": old.slug}, {"artist": new.slug})
    change.from_artist_id = old.id
    session.add(change)
    session.flush()
    return change


def _as_then(session: Session, slug: str) -> Artist:
    """Return an artist that a change was about; raises Conflict when it was merged since."""
    artist = artist_by_slug(session, slug)
    if artist.slug != slug:
        later = session.scalar(select(Change.id).where(Change.merged_slug == slug))
        raise Conflict(
            f"{slug!r} has been merged into {artist.slug!r} since; undo that first: {later}"
        )
    return artist


def _restored(session: Session, merge: Change, into: Artist) -> Artist:
    """Make the row of a merged artist again, as it was."""
    name = merge.before["name"]
    if into.name == name:
        raise Conflict(
            f"{into.slug!r} is called {name!r} by now, the name of the artist who would return; "
            f"rename it first"
        )
    check_name(session, into.id, name)
    session.execute(delete(Alias).where(Alias.name == name, Alias.artist_id == into.id))
    made = merge.before.get("created_at")
    gone = Artist(
        id=merge.from_artist_id,
        slug=merge.before["slug"],
        name=name,
        folded=fold(name),
        turned=turned(name),
        created_at=datetime.fromisoformat(made) if made else merge.made_at,
    )
    session.add(gone)
    merge.merged_slug = None
    session.flush()
    return gone


def _lock_those_left(session: Session, done: Change, owner: Artist) -> None:
    """Lock the works of a change that are still its artist's; Conflict for ones on the way."""
    kept = select(ChangeWork.artwork_id).where(ChangeWork.change_id == done.id)
    theirs = Artwork.id.in_(kept) & (Artwork.artist_id == owner.id)
    _lock_all(session, select(Artwork.id).where(theirs))
    _check_none_comes(session, theirs)


def _lock_all(session: Session, works: Select[UUID]) -> int:
    """Lock works, and return how many there are."""
    locked = works.order_by(Artwork.id).with_for_update().subquery()
    return session.scalar(select(func.count()).select_from(locked)) or 0


def _check_none_comes(session: Session, which: ColumnElement[bool]) -> None:
    pending = select(Artwork.id).where(which, Artwork.status == ArtworkStatus.PENDING).limit(1)
    work = session.scalar(pending)
    if work is not None and unfinished_jobs(session):
        raise Conflict(
            f"works are being ingested, such as {work}; try again when the jobs have ended"
        )


def _check_receipts(session: Session, artist: Artist) -> None:
    """Raise Conflict while a withdrawal of the artist is open: it has to find its works."""
    open_one = select(Withdrawal.id).where(
        Withdrawal.artist_id == artist.id,
        Withdrawal.artwork_id.is_(None),
        Withdrawal.completed_at.is_(None),
    )
    if session.scalar(open_one.limit(1)) is not None:
        raise Conflict(
            f"a withdrawal of {artist.slug!r} is not finished; run `lawful reconcile --repair`, "
            f"then try again"
        )


def _choose(
    session: Session, change: Change, done: Change, owner: Artist, chosen: Sequence[UUID]
) -> None:
    """Take the works of an earlier change that are still its artist's, or the chosen of them."""
    kept = select(ChangeWork.artwork_id).where(ChangeWork.change_id == done.id)
    theirs = Artwork.id.in_(kept) & (Artwork.artist_id == owner.id)
    if not chosen:
        _keep_works(session, change, theirs)
        return
    for few in chunks(sorted(set(chosen)), AT_ONCE):
        there = set(session.scalars(select(Artwork.id).where(theirs, Artwork.id.in_(few))))
        if missing := [work for work in few if work not in there]:
            raise Conflict(
                f"artwork {missing[0]} is not one that change {done.id} brought to "
                f"{owner.slug!r}, or was moved on since; leave it out"
            )
        rows = [{"change_id": change.id, "artwork_id": work} for work in few]
        session.execute(insert(ChangeWork), rows)


def _keep_works(session: Session, change: Change, which: ColumnElement[bool]) -> None:
    works = select(literal(change.id, ChangeWork.change_id.type), Artwork.id).where(which)
    session.execute(insert(ChangeWork).from_select(["change_id", "artwork_id"], works))


def _transfer(session: Session, change: Change, old: Artist, new: Artist) -> None:
    """Give the works in a change's rows to another artist, with statistics and receipts."""
    _give_works(session, change, old, new)
    own = select(ChangeWork.artwork_id).where(ChangeWork.change_id == change.id)
    _give(session, Withdrawal, Withdrawal.artwork_id.in_(own), old, new)
    _settle(session, change, Claim.artwork_id.in_(own) & (Claim.artist_id == new.id))


def _give_works(session: Session, change: Change, old: Artist, new: Artist) -> None:
    for few in _pages(session, change):
        change_hands(session, few, old, new)
    _note_works(session, change)


def _pages(session: Session, change: Change) -> Iterator[list[UUID]]:
    """Yield the works of a change, some at a time."""
    after = None
    while few := works_to_follow(session, change, after=after, limit=AT_ONCE):
        yield few
        after = few[-1]


def _lock_portfolios(session: Session, artists: Sequence[UUID]) -> None:
    """Lock all works of artists of whose portfolios somebody has said something."""
    if portfolio_consents(session, artists):
        _lock_all(session, select(Artwork.id).where(Artwork.artist_id.in_(artists)))


def _follow_portfolios(
    session: Session, change: Change, artists: Sequence[UUID], works: Iterator[list[UUID]]
) -> None:
    """Have locked works follow what was said of the portfolios that they came to, or left."""
    if portfolio_consents(session, artists):
        origin = Origin(change.origin, FOLLOWS, change.by)
        for few in works:
            correct_works(session, {work: {} for work in few}, origin)


def _note_works(session: Session, change: Change) -> None:
    """Write into a change how many works it is about."""
    own = select(func.count()).where(ChangeWork.change_id == change.id)
    change.works = session.scalar(own) or 0
    session.flush()


def _give(
    session: Session,
    table: type[Withdrawal | Change | Consent],
    which: ColumnElement[bool],
    old: Artist,
    new: Artist,
) -> None:
    theirs = update(table).where(which, table.artist_id == old.id).values(artist_id=new.id)
    given = session.scalars(theirs.returning(table.id), execution_options=IN_SQL)
    chain.amended(session, table, given.all())


def _pass_on(session: Session, change: Change, gone: Artist, into: Artist) -> None:
    """Give names, receipts, earlier changes and consent to the artist who remains; note which."""
    ids = union_all(
        *(select(table.id).where(table.artist_id == gone.id) for table in PASSED_ON)
    ).subquery()
    noted = select(literal(change.id, ChangeRow.change_id.type), ids.c.id)
    session.execute(insert(ChangeRow).from_select(["change_id", "row_id"], noted))
    for table in PASSED_ON:
        _give(session, table, true(), gone, into)
    theirs = update(Alias).where(Alias.artist_id == gone.id).values(artist_id=into.id)
    session.execute(theirs, execution_options=IN_SQL)


def _join_claims(session: Session, change: Change, gone: Artist, into: Artist) -> None:
    """Drop what an artist would claim from itself, or twice; the rest is the second one's.

    Nobody claims nothing.
    """
    own = select(Artwork.id).where(Artwork.artist_id == into.id)
    twice = select(Claim.artwork_id).where(Claim.artist_id == into.id)
    theirs = Claim.artist_id == gone.id
    from_itself = Claim.artwork_id.in_(own) & Claim.artist_id.in_([gone.id, into.id])
    _settle(session, change, from_itself)
    _settle(session, change, theirs if into.is_nobody else theirs & Claim.artwork_id.in_(twice))
    _keep_claims(session, change, theirs, passed_on=True)
    passed = update(Claim).where(theirs).values(artist_id=into.id)
    session.execute(passed, execution_options=IN_SQL)


def _settle(session: Session, change: Change, which: ColumnElement[bool]) -> None:
    _keep_claims(session, change, which, passed_on=False)
    session.execute(delete(Claim).where(which), execution_options=IN_SQL)


def _keep_claims(
    session: Session, change: Change, which: ColumnElement[bool], *, passed_on: bool
) -> None:
    kept = select(
        literal(change.id, ChangeClaim.change_id.type),
        literal(passed_on),
        Claim.artwork_id,
        Claim.artist_id,
        Claim.path,
        Claim.job_id,
        Claim.created_at,
    )
    names = ["change_id", "passed_on", "artwork_id", "artist_id", "path", "job_id", "created_at"]
    session.execute(insert(ChangeClaim).from_select(names, kept.where(which)))


def _give_claims_back(session: Session, done: Change, owner: Artist, back: Artist) -> None:
    """Take up the claims that a change had settled or passed on, as far as they make sense."""
    passed = select(ChangeClaim.artwork_id).where(
        ChangeClaim.change_id == done.id, ChangeClaim.passed_on
    )
    theirs = update(Claim).where(Claim.artist_id == owner.id, Claim.artwork_id.in_(passed))
    session.execute(theirs.values(artist_id=back.id), execution_options=IN_SQL)
    names = ["artwork_id", "artist_id", "path", "job_id", "created_at"]
    again = exists().where(
        Claim.artwork_id == ChangeClaim.artwork_id, Claim.artist_id == ChangeClaim.artist_id
    )
    settled = (
        select(*(getattr(ChangeClaim, name) for name in names))
        .join(Artwork, Artwork.id == ChangeClaim.artwork_id)
        .join(Artist, Artist.id == ChangeClaim.artist_id)  # gone where it was merged since
        .where(
            ChangeClaim.change_id == done.id,
            ~ChangeClaim.passed_on,
            Artwork.artist_id != ChangeClaim.artist_id,
            ~again,
        )
    )
    session.execute(insert(Claim).from_select(names, settled))


def _count_rest(session: Session, change: Change, done: Change, owner: Artist) -> None:
    """Say how many works an undo left where they are: moved on or not chosen, and come since."""
    came = select(func.count()).where(
        Artwork.artist_id == owner.id, Artwork.created_at > done.made_at
    )
    change.after = change.after | {
        "stayed": done.works - change.works,
        "added_since": session.scalar(came) or 0,
    }
    session.flush()
