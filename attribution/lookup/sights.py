"""Pictures of works that an answer cites, for whoever looks into it.

A work that may not be displayed can still be evidence: people with the scope `review` see it, where
its consent for evidence says yes, and the audit says who has seen what. Its thumbnail is gone, so
the picture is made from the original, where that is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from attribution.actors import Scope, who
from attribution.catalogue import queries
from attribution.catalogue.chain import note
from attribution.catalogue.models import Artwork, ArtworkStatus
from attribution.collection import Stores
from attribution.errors import NotAllowed, NotFound
from attribution.images import show_image

SMALL_PX, LARGE_PX = 256, 1_600  # the longer side


@dataclass(frozen=True)
class Sight:
    """How a work that an answer cites can be looked at."""

    is_large: bool = False  # made from the kept original; otherwise the thumbnail is all there is
    unseen: str | None = None  # why there is no picture


def evidence(stores: Stores, attribution_id: UUID, artwork_id: UUID) -> bytes:
    """Return a small WebP of a work that an answer cites; the audit says who has seen it.

    Raises NotFound for a work that the answer does not cite and where no picture is kept,
    NotAllowed where it may be shown to nobody.
    """
    row = _to_show(stores, attribution_id, artwork_id)
    if row.consent_display:
        return stores.store.thumbnail(row.sha256)
    return _seen(stores, row, attribution_id)


def sight(stores: Stores, attribution_id: UUID, artwork_id: UUID) -> Sight:
    """Tell how `large_evidence` shows a work; raises NotFound where the answer does not cite it."""
    try:
        row = _to_show(stores, attribution_id, artwork_id)
    except NotAllowed as error:
        return Sight(unseen=f"{error}.")
    if row.consent_evidence and stores.store.has_original(row.sha256):
        return Sight(is_large=True)
    if row.consent_display and stores.store.has_thumbnail(row.sha256):
        return Sight()
    return Sight(unseen="Its original was not kept, so there is no picture of it to show.")


def large_evidence(stores: Stores, attribution_id: UUID, artwork_id: UUID) -> bytes:
    """Return a WebP of a work that an answer cites, of LARGE_PX at most, for close comparison.

    From the original, and the audit says who has seen it; where that is not kept, or may not be
    shown as evidence, the thumbnail.
    Raises as `evidence` does.
    """
    row = _to_show(stores, attribution_id, artwork_id)
    is_small = not (row.consent_evidence and stores.store.has_original(row.sha256))
    if row.consent_display and is_small:
        return stores.store.thumbnail(row.sha256)
    return _seen(stores, row, attribution_id, LARGE_PX)


def _to_show(stores: Stores, attribution_id: UUID, artwork_id: UUID) -> Artwork:
    """Return a work that an answer cites and that may be shown; raises NotFound, NotAllowed."""
    with stores.sessions() as session:
        queries.attributions_by_id(session, [attribution_id])
        if not queries.is_cited(session, attribution_id, artwork_id):
            raise NotFound(
                f"answer {attribution_id} does not cite artwork {artwork_id}, or not any more: "
                f"what is withdrawn is taken out of answers, and a case that holds it has a sealed "
                f"exhibit"
            )
        row = queries.artwork_by_id(session, artwork_id)
    if row.status is ArtworkStatus.WITHDRAWN:
        raise NotAllowed(f"artwork {artwork_id} was withdrawn: it may be shown to nobody")
    if not (row.consent_display or row.consent_evidence):
        raise NotAllowed(
            f"artwork {artwork_id} may be shown to nobody: its consent for the purposes 'display' "
            f"and 'evidence' is missing"
        )
    return row


def may_see(row: Artwork) -> bool:
    """Tell whether the caller may see a work as evidence that may not be displayed."""
    return row.consent_evidence and Scope.REVIEW in who().scopes


def exhibit(stores: Stores, row: Artwork, attribution_id: UUID) -> tuple[bytes | None, str | None]:
    """Return the picture of a work for a report on an answer, or why there is none."""
    if not (row.consent_display or may_see(row)):
        return None, "may not be displayed"
    try:
        if row.consent_display:
            return stores.store.thumbnail(row.sha256), None
        return _seen(stores, row, attribution_id), None
    except NotFound:
        if row.consent_display:
            return None, "no picture kept"
        return None, "may not be displayed, and no original is kept to show it as evidence"


def registered(stores: Stores, artwork_id: UUID) -> bytes:
    """Return a small WebP of a registered work; the audit says who has seen it as evidence.

    Raises NotFound where no picture is kept, NotAllowed where the caller may not see it.
    """
    with stores.sessions() as session:
        row = queries.artwork_by_id(session, artwork_id)
    if row.status is ArtworkStatus.WITHDRAWN or not (row.consent_display or may_see(row)):
        raise NotAllowed(f"artwork {artwork_id} may not be shown to you")
    if row.consent_display:
        return stores.store.thumbnail(row.sha256)
    return _seen(stores, row)


def _seen(
    stores: Stores, row: Artwork, attribution_id: UUID | None = None, max_px: int = SMALL_PX
) -> bytes:
    data = stores.store.original(row.sha256)
    picture = show_image(data, stores.limits, max_px=max_px)
    cited = {"attribution": str(attribution_id)} if attribution_id else {}
    with stores.sessions.begin() as session:
        note(session, "view", f"artwork:{row.id}", **cited)
    return picture
