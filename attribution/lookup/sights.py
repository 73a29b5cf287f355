"""Pictures of works that an answer cites, for whoever looks into it.

A work that may not be displayed can still be evidence: people with the scope `review` see it, where
its consent for evidence says yes, and the audit says who has seen what. Its thumbnail is gone, so
the picture is made from the original, where that is kept.
"""

from __future__ import annotations

from uuid import UUID

from attribution.actors import Scope, who
from attribution.catalogue import queries
from attribution.catalogue.chain import note
from attribution.catalogue.models import Artwork, ArtworkStatus
from attribution.collection import Stores
from attribution.errors import NotAllowed, NotFound
from attribution.images import read_image, thumbnail


def evidence(stores: Stores, attribution_id: UUID, artwork_id: UUID) -> bytes:
    """Return a small WebP of a work that an answer cites; the audit says who has seen it.

    Raises NotFound for a work that the answer does not cite and where no picture is kept,
    NotAllowed where it may be shown to nobody.
    """
    with stores.sessions() as session:
        queries.attributions_by_id(session, [attribution_id])
        if not queries.is_cited(session, attribution_id, artwork_id):
            raise NotFound(f"answer {attribution_id} does not cite artwork {artwork_id}")
        row = queries.artwork_by_id(session, artwork_id)
    if row.status is ArtworkStatus.WITHDRAWN or not (row.consent_display or row.consent_evidence):
        raise NotAllowed(
            f"artwork {artwork_id} may be shown to nobody: it was withdrawn, or its consent for "
            f"the purposes 'display' and 'evidence' is missing"
        )
    if row.consent_display:
        return stores.store.thumbnail(row.sha256)
    return _seen(stores, row, attribution_id)


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


def _seen(stores: Stores, row: Artwork, attribution_id: UUID | None = None) -> bytes:
    picture = thumbnail(read_image(stores.store.original(row.sha256), stores.limits).rgb)
    cited = {"attribution": str(attribution_id)} if attribution_id else {}
    with stores.sessions.begin() as session:
        note(session, "view", f"artwork:{row.id}", **cited)
    return picture
