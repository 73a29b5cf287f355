"""Answers with the pictures that a report shows of them, and what is known now of the works.

Made from recorded answers at any time. The image in question is shown where it is given again, and
where it is kept and whoever asks may see it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from api.reports.overlay import draw_overlay
from api.reports.sentences import say
from attribution.answers import Attribution
from attribution.catalogue import queries
from attribution.catalogue.chain import note
from attribution.catalogue.models import Artwork, ArtworkStatus
from attribution.catalogue.queries import Standing
from attribution.collection import Stores
from attribution.errors import BadInput
from attribution.images import CheckedImage, show_image, showing, thumbnail
from attribution.lookup import wording
from attribution.lookup.regions import Regions
from attribution.lookup.sights import exhibit
from attribution.lookup.subjects import said_of, shown

EXHIBIT_PX = 640  # the longer side of the image in question


@dataclass(frozen=True)
class Exhibit:
    """What is known now of a work that an answer names."""

    picture: bytes | None  # WebP
    unseen: str | None  # why there is no picture
    licence: str | None = None
    registered: datetime | None = None
    sha256: str | None = None
    artist: str | None = None  # slug, as it is now: the work may have been moved or merged since
    name: str | None = None
    consent: Sequence[str] = ()  # what was said of it, purpose by purpose, by whom and where


UNKNOWN = Exhibit(None, say("rights", "gone"))


@dataclass(frozen=True)
class Page:
    """One answer with the pictures that it shows."""

    name: str  # how the user calls the image
    picture: bytes | None  # WebP; None: not given again, and not kept or not to be seen
    kept: str  # what is kept of the image
    answer: Attribution
    works: Mapping[UUID, Exhibit]
    overlays: Mapping[str, bytes]  # by slug: the image, with what speaks for the artist

    @property
    def laid_on(self) -> Exhibit:
        """What is known of the work that the image lies on."""
        work = self.answer.laid_on
        return self.works.get(work.id, UNKNOWN) if work else UNKNOWN


def make_page(
    stores: Stores,
    name: str,
    image: CheckedImage | None,
    answer: Attribution,
    regions: Regions | None = None,
    *,
    action: str = "report",
) -> Page:
    """Collect the pictures of one answer; works that the caller may not see stay unseen.

    The audit records it as `action`. Raises BadInput for an image that the answer is not about.
    """
    if image is not None and image.facts.sha256 != answer.image_sha256:
        raise BadInput(
            f"{name} is not the image of answer {answer.id}: its SHA-256 is "
            f"{image.facts.sha256}, that of the answer {answer.image_sha256}"
        )
    works = [work.id for artist in answer.artists for work in artist.works]
    works += [answer.laid_on.id] if answer.laid_on else []
    with stores.sessions.begin() as session:
        rows = queries.artworks_by_id(session, works)
        stands = queries.standing_consents(session, rows.values())
        note(session, action, f"attribution:{answer.id}")
    exhibits = {row.id: _exhibit(stores, row, answer.id, stands[row.id]) for row in rows.values()}
    if image is None:
        data, kept = shown(stores, answer.id)
        picture = data and show_image(data, stores.limits, max_px=EXHIBIT_PX)
        return Page(name, picture, kept, answer, exhibits, {})
    with showing():
        picture = thumbnail(image.rgb, max_px=EXHIBIT_PX)
        overlays = {
            one.slug: thumbnail(draw_overlay(image.rgb, one))
            for one in (regions.artists if regions else ())
        }
    return Page(name, picture, said_of(stores, answer.id), answer, exhibits, overlays)


def _exhibit(stores: Stores, row: Artwork, answer: UUID, stands: Standing) -> Exhibit:
    known = Exhibit(None, None, row.licence_id or row.licence, row.created_at, row.sha256)
    if row.status is not ArtworkStatus.INDEXED:
        when = f" on {row.withdrawn_at:%Y-%m-%d}" if row.withdrawn_at else ""
        return replace(known, unseen=f"{row.status.value}{when}")
    known = replace(known, artist=row.artist.slug, name=row.artist.name)
    picture, unseen = exhibit(stores, row, answer)
    consent = tuple(wording.consent_said(purpose, said) for purpose, said in stands.items() if said)
    return replace(known, picture=picture, unseen=unseen, consent=consent)
