"""Withdrawal: a work, or all works of an artist, is forgotten everywhere, with a receipt.

SQL first, in one transaction: from then on nothing shows the work. Then what lies elsewhere:
points, thumbnails, originals. Every step may be repeated; a request that was interrupted is
finished by asking again, or by `reconcile`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.audit import audit
from attribution.catalog import queries
from attribution.catalog.columns import now
from attribution.catalog.models import ArtworkStatus, Withdrawal
from attribution.errors import BadInput, Conflict
from attribution.index.vector_index import VectorIndex
from attribution.services import Stores
from attribution.training.cache import CACHE, forget
from attribution.training.checkpoint import read_facts
from attribution.types import Where

AT_ONCE = 1_000  # works in one statement
REBUILT = 10_000  # works up to which a receipt compares the classifier with a rebuild: a second

T = TypeVar("T")


def withdraw(stores: Stores, index: VectorIndex, what: str, *, reason: str) -> Withdrawal:
    """Forget an artwork (by id) or an artist (by slug) with all works; returns the receipt.

    Asked again, it finishes what is left and returns the receipt of the first time. Raises NotFound
    for what does not exist, Conflict for all works of nobody, BadInput without a reason.
    """
    if not reason.strip():
        raise BadInput("a withdrawal needs a reason, for the receipt: say why")
    with stores.sessions.begin() as session:
        artist_id, artwork_id = _target(session, what)
        request = _request(session, index, artist_id, artwork_id, reason.strip())
    return finish(stores, index, request.id)


def finish(stores: Stores, index: VectorIndex, withdrawal_id: UUID) -> Withdrawal:
    """Remove what lies outside SQL, look that nothing is left, and complete the receipt."""
    with stores.sessions() as session:
        request = queries.withdrawal_by_id(session, withdrawal_id)
        works = queries.buried_works(session, request)
    if request.completed_at is not None:
        return request
    points, parts, originals, thumbnails = 0, 0, 0, 0
    for few in _few(list(works.items())):
        ids = [work for work, _ in few]
        points, parts = points + len(index.vectors(ids)), parts + index.parts.count(ids)
        index.delete(ids)
        for _, sha256 in few:
            kept = stores.store.forget(sha256)
            originals, thumbnails = originals + kept[0], thumbnails + kept[1]
    cached = forget(stores.settings.trained / CACHE, set(works.values()))
    index.flush()
    left = {
        "points": sum(len(index.vectors(few)) for few in _few(list(works))),
        "points of parts": sum(index.parts.count(few) for few in _few(list(works))),
        "files": sum(
            stores.store.has_original(one) + stores.store.has_thumbnail(one)
            for one in works.values()
        ),
    }
    statistics = request.receipt.get("statistics", {}) | _proof(stores)
    with stores.sessions.begin() as session:
        request = queries.withdrawal_by_id(session, withdrawal_id)
        removed: dict[str, int] = dict(request.receipt["removed"])
        for name, count in (
            ("points", points),
            ("points of parts", parts),
            ("originals", originals),
            ("thumbnails", thumbnails),
            ("cached vectors", cached),
        ):
            removed[name] = removed.get(name, 0) + count
        after = _counts(session, index, request.artist_id)
        request.receipt = request.receipt | {
            "removed": removed,
            "after": after,
            "left": left,
            "statistics": statistics,
            "trained": _seen(stores, works),
        }
        if not any(left.values()):
            request.completed_at = now()
    return request


def _target(session: Session, what: str) -> tuple[UUID, UUID | None]:
    try:
        artwork_id = UUID(what)
    except ValueError:
        artist = queries.artist_by_slug(session, what)
        if artist.is_nobody:
            raise Conflict(
                f"{artist.slug!r} stands for works by nobody in particular: nobody can withdraw "
                f"for all of them; withdraw the works by their ids, which `lawful works --artist "
                f"{artist.slug}` lists"
            ) from None
        return artist.id, None
    queries.artwork_by_id(session, artwork_id)
    work = queries.works_to_change(session, [artwork_id])[artwork_id]  # nobody moves it meanwhile
    return work.artist_id, artwork_id


def _request(
    session: Session, index: VectorIndex, artist_id: UUID, artwork_id: UUID | None, reason: str
) -> Withdrawal:
    """Turn the works into tombstones and open a receipt; an earlier one when nothing is left."""
    states = queries.works_to_withdraw(session, artist_id, artwork_id)
    earlier = queries.last_withdrawal(session, artist_id, artwork_id)
    if not states and earlier is not None:
        return earlier
    before, statistics = _counts(session, index, artist_id), _digest(session)
    removed = _bury(session, states, reason)
    if artwork_id is None:
        queries.close_artist(session, artist_id)
        late = queries.works_to_withdraw(session, artist_id, None)  # that somebody gave them since
        removed.update(_bury(session, late, reason))
        states |= late
    request = Withdrawal(
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


def _bury(session: Session, works: Collection[UUID], reason: str) -> Counter[str]:
    """Turn works into tombstones; returns what was wiped where."""
    removed = Counter[str]()
    for few in _few(list(works)):
        removed.update(queries.bury_works(session, few, reason))
    return removed


def _counts(session: Session, index: VectorIndex, artist_id: UUID) -> dict[str, Any]:
    """Count works and points, of all artists and of this one."""
    _, works = queries.searchable(session)
    return {
        "works": works,
        "works of the artist": queries.portfolio_sizes(session, [artist_id]).get(artist_id, 0),
        "points": index.count(),
        "points of the artist": index.count(Where(artist_ids=(artist_id,))),
    }


def _digest(session: Session) -> str | None:
    """Return the digest of the classifier's statistics; None where there are none."""
    live = queries.live_collection(session)
    if live is None or not queries.times_mended(session, live.fingerprint):
        return None
    return queries.statistics_of(session, live.fingerprint, sum(live.dims.values())).digest()


def _proof(stores: Stores) -> dict[str, Any]:
    """Return what the receipt says of the classifier: its sums, and whether a rebuild has the same.

    A rebuild adds up the vectors of all works that are left. Among very many works that takes
    too long to wait for: there it is done by the next `reconcile`, and None stands here.
    """
    with stores.sessions() as session:
        live = queries.live_collection(session)
        works = queries.searchable(session)[1]
        if live is None or works > REBUILT:
            return {"after": _digest(session), "equals a rebuild": None}
    found = audit(stores, live)
    return {"after": found.digest, "works": found.works, "equals a rebuild": not found.differences}


def _seen(stores: Stores, works: Collection[UUID]) -> dict[str, Any] | None:
    """Return how many of the works the trained classifier has seen, which it cannot forget."""
    try:
        facts = read_facts(stores.settings.trained)
    except BadInput as error:
        return {"unreadable": str(error)}
    if facts is None:
        return None
    return {"weights": facts.weights, "works seen": facts.has_seen(works)}


def _few(rows: Sequence[T]) -> list[Sequence[T]]:
    return [rows[start : start + AT_ONCE] for start in range(0, len(rows), AT_ONCE)]
