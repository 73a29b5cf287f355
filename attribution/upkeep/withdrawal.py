"""Withdrawal: a work, or all works of an artist, is forgotten everywhere, with a receipt.

SQL first, in one transaction: from then on nothing shows the work. Then what lies elsewhere:
points, thumbnails, originals. Then the index's files and the database's log are written anew, which
hold what was deleted until then. Every step may be repeated; a request that was interrupted is
finished by asking again, or by `reconcile`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Collection as Several
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from attribution import tenants
from attribution.answers import Removal
from attribution.catalogue import queries
from attribution.catalogue.columns import now
from attribution.catalogue.database import empty_log, snapshot
from attribution.catalogue.models import ArtworkStatus, Withdrawal
from attribution.catalogue.queries.holds import held_images, held_under
from attribution.chunks import chunks
from attribution.collection import Collection, Stores
from attribution.errors import BadInput, Conflict, Hint, Way
from attribution.events import Event
from attribution.index.points import Where
from attribution.index.vector_index import VectorIndex
from attribution.training.cache import CACHE, forget
from attribution.training.checkpoint import own_folder, read_facts
from attribution.upkeep import archiving, holds, subjects
from attribution.upkeep.ledger import Lost, live_works, note_beside
from attribution.upkeep.rebuilding import rebuild_sums

AT_ONCE = 1_000  # works in one statement
REWRITTEN = 20_000  # points up to which the index's files are written anew at once: seconds
REBUILT = 10_000  # works up to which a receipt compares the classifier with a rebuild: a second


def withdraw(collection: Collection, what: str, *, reason: str) -> Withdrawal:
    """Forget an artwork (by id) or an artist (by slug) with all works; returns the receipt.

    Asked again, it finishes what is left and returns the receipt of the first time. Raises NotFound
    for what does not exist, Conflict for all works of nobody, BadInput without a reason.
    """
    if not reason.strip():
        raise BadInput("a withdrawal needs a reason, for the receipt: say why")
    (request,) = withdraw_all(collection, [what], reason=reason.strip())
    return request


def withdraw_all(collection: Collection, whats: Sequence[str], *, reason: str) -> list[Withdrawal]:
    """Forget several at once, each with a receipt of its own."""
    about = [partial(_target, what=what) for what in whats]
    return finish(collection, [_requested(collection, one, reason) for one in about])


def finish(
    collection: Collection, requests: Sequence[UUID], *, has_time: bool = False
) -> list[Withdrawal]:
    """Remove what lies outside SQL, check that nothing is left, and complete the receipts.

    The files of a large index are written anew only where the caller `has_time`: until then a
    receipt is not complete. They are written once for all requests.
    """
    with tenants.across():
        rewrite = has_time or collection.index.points() <= REWRITTEN
    removed = {one: found for one in requests if (found := _remove(collection, one)) is not None}
    collection.index.flush()
    for one, counts in removed.items():
        _complete(collection, one, counts, rewrite=rewrite)
    with collection.sessions() as session:
        return [queries.withdrawal_by_id(session, one) for one in requests]


def _remove(collection: Collection, request_id: UUID) -> dict[str, int] | None:
    """Remove what a request is about; returns how much of what. None where that was done."""
    with collection.sessions() as session:
        request = queries.withdrawal_by_id(session, request_id)
        works = queries.buried_works(session, request)
        asked_about = queries.subjects_under(session, request_id)
    if request.completed_at is not None:
        return None
    note_beside(collection.store, request)
    counts: Counter[str] = Counter()
    for few in chunks(list(works.items()), AT_ONCE):
        ids = [work for work, _ in few]
        counts["points"] += len(collection.index.held(ids))
        counts["points of parts"] += collection.index.parts.count(ids)
        collection.index.delete(ids)
        for _, sha256 in few:
            originals, thumbnails = collection.store.forget(sha256)
            counts["originals"] += originals
            counts["thumbnails"] += thumbnails
    counts["files of images asked about"] += subjects.delete_files(collection, list(asked_about))
    counts["files of recorded answers"] += archiving.delete_surplus(collection)
    counts["files of failed jobs"] += _forget_incoming(collection, works.values())
    cache = own_folder(collection.settings.trained) / CACHE
    counts["cached vectors"] += forget(cache, set(works.values()))
    if request.artwork_id is None:
        with collection.sessions.begin() as session:
            counts["other lines of ingest jobs"] += queries.wipe_lines_under(
                session, request.artist_id
            )
            counts["prompts"] += queries.wipe_prompts(session, request.artist_id)
            counts["lookup batches"] += queries.wipe_lookups(session, request.artist_id)
    return dict(counts)


def _forget_incoming(stores: Stores, hashes: Several[str]) -> int:
    """Delete files that wait for jobs that failed or were cancelled; others do it themselves."""
    jobs = stores.store.jobs_with_incoming()
    with stores.sessions() as session:
        ended = queries.jobs_over(session, jobs, now()) if jobs else []
    return sum(stores.store.forget_incoming(job, one) for job in ended for one in hashes)


def _complete(
    collection: Collection,
    request_id: UUID,
    counts: Mapping[str, int],
    *,
    rewrite: bool,
) -> None:
    """Check what is left of a request's works and write it into the receipt."""
    with collection.sessions() as session:
        request = queries.withdrawal_by_id(session, request_id)
        works = queries.buried_works(session, request)
    left, proof = _left(collection, request, works, rewrite=rewrite), _proof(collection)
    points = _points(collection.index, request.artist_id)
    with collection.sessions.begin() as session:
        request = queries.withdrawal_to_change(session, request_id)
        removed: dict[str, int] = dict(request.receipt["removed"])
        for name, count in counts.items():
            removed[name] = removed.get(name, 0) + count
        request.receipt = request.receipt | {
            "removed": removed,
            "after": _works(session, request.artist_id) | points,
            "left": left,
            "statistics": request.receipt.get("statistics", {}) | proof,
            "trained": _seen(collection, works),
        }
        if (held := held_under(session, request_id))["cases"]:
            request.receipt = request.receipt | {"held": held}
        if not any(left.values()):
            request.completed_at = now()
            queries.announce(session, Event.WITHDRAWN, {"withdrawal": str(request_id)})


def _left(
    collection: Collection,
    request: Withdrawal,
    works: Mapping[UUID, str],
    *,
    rewrite: bool,
) -> dict[str, int | None]:
    """Write anew the files that keep what was deleted; return what there still is, and where.

    None for files that cannot be looked at: those of a Qdrant server.
    """
    ids = list(works)
    rows: Counter[str] = Counter()
    with collection.sessions() as session:
        for few in chunks(ids, AT_ONCE):
            rows.update(queries.left_of_works(session, few))
        rows["files of recorded answers"] = queries.count_surplus_answers(session)
        if request.artwork_id is None:
            rows["prompts"] = queries.prompts_naming(session, request.artist_id)
            rows["lookup batches"] = queries.lookups_naming(session, request.artist_id)
    return {
        **rows,
        "points": sum(len(collection.index.held(few)) for few in chunks(ids, AT_ONCE)),
        "points of parts": sum(collection.index.parts.count(few) for few in chunks(ids, AT_ONCE)),
        "files": sum(
            collection.store.has_original(one) + collection.store.has_thumbnail(one)
            for one in works.values()
        ),
        **_images_left(collection, request.id, works.values()),
        "files of the index": collection.index.scrub(ids, rewrite=rewrite),
        "log of the database": int(not empty_log(collection.sessions)),
    }


def _images_left(stores: Stores, request_id: UUID, hashes: Several[str]) -> dict[str, int]:
    """Count what is kept of images that were asked about and show the works: rows, files.

    Without the images on hold, which the receipt lists.
    """
    with stores.sessions() as session:
        kept = sum(queries.kept_of_works(session, few) for few in chunks(list(hashes), AT_ONCE))
        shown = {*hashes, *queries.subjects_under(session, request_id).values()}
        workings = 0
        for few in chunks([*shown], AT_ONCE):
            workings += queries.workings_about(session, few)
            shown -= held_images(session, few)
    files = sum(map(stores.store.has_subject, shown))
    return {"images asked about": kept + files, "workings of answers": workings}


def do_again(collection: Collection, lost: Lost) -> None:
    """Withdraw what a catalogue has again that was restored from a backup of before.

    Under the receipt of then; works that were another artist's in the backup get one of their own.
    """
    reason = f"withdrawn on {lost.at:%Y-%m-%d}; done again, as a backup from before was restored"
    requests = []
    if lost.is_known:
        about = lost.artist_id, lost.artwork_id
        requests.append(_requested(collection, lambda _: about, reason, lost.receipt))
    with collection.sessions() as session:
        left = live_works(session, lost)
    requests += [_requested(collection, partial(_target, what=str(one)), reason) for one in left]
    finish(collection, requests, has_time=True)


def _requested(
    collection: Collection,
    target: Callable[[Session], tuple[UUID, UUID | None]],
    reason: str,
    receipt: UUID | None = None,
) -> UUID:
    """Open a request, with the points that there were before it; returns its id.

    They are counted outside of the transaction, and again when the work is another artist's by
    then.
    """
    while True:
        with collection.sessions() as session:
            counted, _ = target(session)
        points = _points(collection.index, counted)
        with collection.sessions.begin() as session:
            artist_id, artwork_id = target(session)
            if artwork_id is not None:  # nobody moves it from here on
                artist_id = queries.works_to_change(session, [artwork_id])[artwork_id].artist_id
            if artist_id == counted:
                about = artist_id, artwork_id
                return _request(collection, session, points, about, reason, receipt).id


def _target(session: Session, what: str) -> tuple[UUID, UUID | None]:
    try:
        artwork_id = UUID(what)
    except ValueError:
        artist = queries.artist_by_slug(session, what)
        if artist.is_nobody:
            raise Conflict(
                f"{artist.slug!r} stands for works by nobody in particular: nobody can withdraw "
                f"for all of them; withdraw the works by their ids",
                hint=Hint(Way.LIST_WORKS_OF, (artist.slug,)),
            ) from None
        return artist.id, None
    return queries.artwork_by_id(session, artwork_id).artist_id, artwork_id


def _request(
    stores: Stores,
    session: Session,
    points: dict[str, int],
    about: tuple[UUID, UUID | None],
    reason: str,
    receipt: UUID | None,
) -> Withdrawal:
    """Turn the works into tombstones and open a receipt; an earlier one when nothing is left.

    With `receipt`, which the catalogue has lost, it is that one again.
    """
    artist_id, artwork_id = about
    states = queries.works_to_withdraw(session, artist_id, artwork_id)
    earlier = queries.last_withdrawal(session, artist_id, artwork_id)
    if receipt is None and not states and earlier is not None:
        return earlier
    before, statistics = _works(session, artist_id) | points, _digest(session)
    removal = Removal(now(), receipt or uuid4())
    removed = _bury(stores, session, states, reason, removal)
    if artwork_id is None:
        queries.close_artist(session, artist_id, removal)
        late = queries.works_to_withdraw(session, artist_id, None)  # that somebody gave them since
        removed.update(_bury(stores, session, late, reason, removal))
        states |= late
    request = Withdrawal(
        id=removal.receipt,
        requested_at=removal.at,
        kind="artist" if artwork_id is None else "artwork",
        artist_id=artist_id,
        artwork_id=artwork_id,
        reason=reason,
        receipt={
            "works": [str(work) for work in states],
            "indexed": sum(status is ArtworkStatus.INDEXED for status in states.values()),
            "before": before,
            "removed": dict(removed),
            "statistics": {"before": statistics},
        },
    )
    session.add(request)
    session.flush()
    return request


def _bury(
    stores: Stores, session: Session, works: Several[UUID], reason: str, removal: Removal
) -> Counter[str]:
    """Turn works into tombstones; returns what was wiped where."""
    removed = Counter[str]()
    for few in chunks(list(works), AT_ONCE):
        holds.seal(stores, session, few, removal)
        earlier = queries.earlier_receipts(session, few, removal.receipt)
        removed.update(queries.bury_works(session, few, reason, removal))
        holds.tell(session, earlier, later=str(removal.receipt))
    return removed


def _works(session: Session, artist_id: UUID) -> dict[str, int]:
    """Count works, of all artists and of this one."""
    works = queries.findable(session)
    theirs = queries.portfolio_sizes(session, [artist_id]).get(artist_id, 0)
    return {"works": works, "works of the artist": theirs}


def _points(index: VectorIndex, artist_id: UUID) -> dict[str, int]:
    """Count points of this artist; those of all would take as long as there are works."""
    return {"points of the artist": index.count(Where(artist_ids=(artist_id,)))}


def _digest(session: Session) -> str | None:
    """Return the digest of the classifier's statistics; None where there are none."""
    live = queries.live_collection(session)
    if live is None or not queries.times_mended(session, live.fingerprint):
        return None
    return queries.statistics_of(session, live.fingerprint, sum(live.voting.values())).digest()


def _proof(stores: Stores) -> dict[str, Any]:
    """Return what the receipt says of the classifier: its sums, and whether a rebuild has the same.

    A rebuild adds up the vectors of all works that are left. Among very many works that takes
    too long to wait for: there it is done by the next `reconcile`, and None stands here.
    """
    with snapshot(stores.sessions) as session:  # the digest is of several statements
        live = queries.live_collection(session)
        works = queries.findable(session)
        if live is None or works > REBUILT:
            return {"after": _digest(session), "equals a rebuild": None}
    found = rebuild_sums(stores, live)
    return {"after": found.digest, "works": found.works, "equals a rebuild": not found.differences}


def _seen(stores: Stores, works: Several[UUID]) -> dict[str, Any] | None:
    """Return how many of the works the trained classifier has seen, which it cannot forget."""
    try:
        facts = read_facts(own_folder(stores.settings.trained))
    except BadInput as error:
        return {"unreadable": str(error)}
    if facts is None:
        return None
    return {"weights": facts.weights, "works seen": facts.has_seen(works)}
