"""Going round everything a tenant has, a range at a time: how far it got is kept after each.

So no snapshot of the whole is held, a process may be killed, and another goes on. Works come, go
and change meanwhile: each range is compared as it is when its turn comes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from attribution import tenants
from attribution.catalogue import lifecycle, queries
from attribution.catalogue.columns import now
from attribution.catalogue.models import Artwork, ArtworkStatus, Round
from attribution.catalogue.queries import KeptSketch
from attribution.chunks import chunks
from attribution.collection import Collection, Stores, check_database
from attribution.copies.description import describe
from attribution.errors import BadImage, Conflict, NotFound
from attribution.images import read_image
from attribution.parts import rewrite_parts, surplus_parts
from attribution.types import Part
from attribution.upkeep.archiving import compare_part
from attribution.upkeep.comparison import compare_range, follow_catalogue
from attribution.upkeep.recovery import Recovered, recover
from attribution.upkeep.report import Report, examples

SKETCHES = 100  # drawn at once
STALE = timedelta(days=1)  # after which an interrupted round is begun again

Progress = Callable[[int, int], None]
"""Called with (works compared, works in all)."""


class Door(StrEnum):
    """Who goes round; each has a round of its own."""

    BEAT = "beat"
    HAND = "hand"


def go_round(collection: Collection, *, repair: bool, progress: Progress) -> Report:
    """Compare all ranges of the tenant; a round that was interrupted goes on.

    Raises Conflict while another process does the same, DatabaseLost.
    """
    check_database(collection)
    with collection.sessions() as session:
        total = queries.findable(session)
    with collection.sessions() as holder:
        if not queries.take_turn(holder, f"round {Door.HAND} {tenants.current()}"):
            raise Conflict("another process compares the two stores; wait for it")
        at = _begun(collection, Door.HAND, repair=repair)
        while at.step is not None:
            at = _on(collection, at)
            progress(at.found["works"], total)
    return Report(**at.found)


def go_on(collection: Collection, *, until: float, every: timedelta) -> Report | None:
    """Compare and repair the next ranges of the tenant until a moment of `time.monotonic`.

    At least one range; a round begins `every` so often. Returns the report of a round that has
    ended; None where it has not, and while another process is at it. Raises DatabaseLost.
    """
    with collection.sessions() as holder:
        last = queries.last_round(holder, Door.BEAT)
        if last is not None and last.step is None and now() - last.began_at < every:
            return None
        if not queries.take_turn(holder, f"round {Door.BEAT} {tenants.current()}"):
            return None
        check_database(collection)
        at = _on(collection, _begun(collection, Door.BEAT, repair=True))
        while at.step is not None and time.monotonic() < until:
            at = _on(collection, at)
    return Report(**at.found) if at.step is None else None


def _begun(stores: Stores, door: Door, *, repair: bool) -> Round:
    """Return the round that was interrupted, or a new one."""
    with stores.sessions() as session:
        last = queries.last_round(session, door)
    goes_on = last is not None and last.step is not None and last.repair == repair
    if last is not None and goes_on and now() - last.began_at < STALE:
        return last
    return Round(
        door=door,
        tenant=tenants.current(),
        step=next(iter(STEPS)),
        repair=repair,
        found=asdict(Report()),
        began_at=now(),
    )


def _on(collection: Collection, at: Round) -> Round:
    """Compare the next range, and keep how far the round has got then."""
    found, after = STEPS[at.step or ""](collection, at.after, repair=at.repair)
    order = list(STEPS)
    behind = order[order.index(at.step or "") + 1 :]
    following = Round(
        door=at.door,
        tenant=at.tenant,
        step=at.step if after is not None else next(iter(behind), None),
        after=after,
        repair=at.repair,
        found=asdict(Report(**at.found) + found),
        began_at=at.began_at,
    )
    with collection.sessions.begin() as session:
        queries.keep_round(session, following)
    return following


def _works(collection: Collection, after: str | None, *, repair: bool) -> tuple[Report, str | None]:
    found, end = compare_range(collection, UUID(after) if after else None)
    recovered, drawn = Recovered(), 0
    if repair:
        recovered = recover(collection, follow_catalogue(collection, found))
        drawn = sum(_draw_sketches(collection, few) for few in chunks(found.unsketched, SKETCHES))
    report = Report(
        works=found.works,
        points=found.points,
        missing=len(found.missing),
        orphaned=len(found.orphaned),
        stale=len(found.stale),
        wrong_parts=len(found.wrong_parts),
        unsketched=len(found.unsketched) - drawn,
        untiled=found.untiled,
        **asdict(recovered),
        examples=examples(
            missing=found.missing,
            orphaned=found.orphaned,
            stale=found.stale,
            wrong_parts=found.wrong_parts,
        ),
    )
    return report, str(end) if end else None


def _parts(collection: Collection, after: str | None, *, repair: bool) -> tuple[Report, str | None]:
    work, _, number = (after or "").partition("/")
    surplus, last = surplus_parts(collection, Part(UUID(work), int(number)) if after else None)
    if repair:
        rewrite_parts(collection, surplus)
    report = Report(wrong_parts=len(surplus), examples=examples(wrong_parts=surplus))
    return report, f"{last.work}/{last.number}" if last else None


def _artists(
    collection: Collection, after: str | None, *, repair: bool
) -> tuple[Report, str | None]:
    with collection.sessions() as session:
        wrong, last = queries.miscounted(session, after=UUID(after) if after else None)
    if repair and wrong:
        with collection.sessions.begin() as session:
            lifecycle.recount(session, wrong)
    return Report(miscounted=len(wrong)), str(last) if last else None


def _answers(stores: Stores, after: str | None, *, repair: bool) -> tuple[Report, str | None]:
    surplus, part = compare_part(stores, after or "", repair=repair)
    return Report(surplus_answers=surplus), part


STEPS = {"works": _works, "parts": _parts, "artists": _artists, "answers": _answers}


def _draw_sketches(stores: Stores, works: Sequence[UUID]) -> int:
    """Draw the sketches of works from their originals or thumbnails; returns how many."""
    with stores.sessions() as session:
        rows = queries.artworks_by_id(session, works, status=ArtworkStatus.INDEXED)
    seen = [row for row in rows.values() if not row.is_unseen]  # of the others no file is kept
    made = {part: kept for row in seen for part, kept in _drawn(stores, row).items()}
    with stores.sessions.begin() as session:
        drawn = {part.work for part in made}
        found = queries.artworks_by_id(session, drawn, status=ArtworkStatus.INDEXED)
        queries.keep_sketches(session, made)
    return len(found)


def _drawn(stores: Stores, row: Artwork) -> dict[Part, KeptSketch]:
    """Describe a work by what is kept of it; a thumbnail may show no parts."""
    for picture in (stores.store.original, stores.store.thumbnail):
        try:
            drawn = describe(row.id, read_image(picture(row.sha256), stores.limits))
        except (BadImage, NotFound):
            continue
        whole = Part(row.id, 0)
        return drawn | {whole: replace(drawn[whole], phash=row.phash)}
    return {}
