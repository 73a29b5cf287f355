"""Which parts of an image speak for the artists of its answer.

Found when asked for, by comparing the image's places with those of the works that the answer shows,
from their kept thumbnails. Nothing is stored, so there is nothing to withdraw: a work that is gone,
or that may not be displayed, is not compared.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from logging import getLogger
from uuid import UUID

import numpy as np
from PIL.Image import Image
from pydantic import TypeAdapter

from attribution.answers import Attribution
from attribution.arithmetic import patches
from attribution.catalogue import queries
from attribution.catalogue.models import ArtworkStatus
from attribution.collection import Stores
from attribution.encoders.encoder_set import EncoderSet
from attribution.errors import BadImage, BadInput, NotFound
from attribution.images import CheckedImage, read_thumbnail, thumbnail
from attribution.types import PATCHES, Matrix

log = getLogger(__name__)

MEANING = (
    "By how much a cell of the image matches this artist's shown works better than those of the "
    "best other artist of the answer, a difference of cosines; positive speaks for the artist, "
    "null: nothing is drawn there. Rows from the top; cells are squares. It ranks the cells of one "
    "image; it is no probability."
)


@dataclass(frozen=True)
class ArtistRegions:
    """What the cells of an image say for one artist."""

    slug: str
    name: str
    works: int  # of this artist, compared
    cells: tuple[tuple[float | None, ...], ...]  # see MEANING


@dataclass(frozen=True)
class Regions:
    """What the cells of an image say, for every artist of an answer who could be compared."""

    artists: tuple[ArtistRegions, ...]  # in the order of the answer
    notes: tuple[str, ...]  # what was left out, and why there is nothing
    cell: float = 1 / PATCHES  # side of a cell as a part of the image's longer side
    meaning: str = MEANING


REGIONS = TypeAdapter(Regions)
"""Regions to JSON."""


def find_regions(
    stores: Stores, encoders: EncoderSet, image: CheckedImage, answer: Attribution
) -> Regions:
    """Compare the parts of an image with the works that its answer shows.

    At least two artists need a work with a picture. Raises BadInput for another image than the
    answer's.
    """
    if image.facts.sha256 != answer.image_sha256:
        raise BadInput(
            f"answer {answer.id} is about another image, SHA-256 {answer.image_sha256[:12]}…, not "
            f"{image.facts.sha256[:12]}…; send the file that was attributed"
        )
    query = read_thumbnail(thumbnail(image.rgb))  # as sharp as what it is compared with
    if not patches.drawn(query).any():
        return Regions((), ("nothing is drawn on the image: no part of it supports an artist",))
    pictures, notes = _pictures(stores, answer)
    if len(pictures) < 2:
        why = "regions need works with pictures by two artists or more; ask for more artists"
        return Regions((), (*notes, why))
    started = time.monotonic()
    try:
        found = _compare(encoders, query, answer, pictures)
    except BadInput as error:  # a model without a map of places
        return Regions((), (*notes, str(error)))
    log.info("regions for %d artists in %.3f s", len(found), time.monotonic() - started)
    return Regions(found, notes)


def _pictures(
    stores: Stores, answer: Attribution
) -> tuple[dict[str, list[Image]], tuple[str, ...]]:
    """Return the pictures to compare with by slug, and a note about works that have none."""
    shown = {work.id: artist.slug for artist in answer.artists for work in artist.works}
    with stores.sessions() as session:
        rows = queries.artworks_by_id(session, list(shown), status=ArtworkStatus.INDEXED)
        kept = {row.id: row.sha256 for row in rows.values() if row.consent_display}
    pictures: dict[str, list[Image]] = {}
    for work, slug in shown.items():
        picture = _picture(stores, kept, work)
        if picture and patches.drawn(picture).any():
            pictures.setdefault(slug, []).append(picture)
    missing = len(shown) - sum(map(len, pictures.values()))
    note = f"not compared for regions: {missing} of {len(shown)} works, without display consent, "
    return pictures, (note + "without a kept picture, or blank",) if missing else ()


def _picture(stores: Stores, kept: Mapping[UUID, str], work: UUID) -> Image | None:
    try:
        return read_thumbnail(stores.store.thumbnail(kept[work])) if work in kept else None
    except (BadImage, NotFound):
        return None


def _compare(
    encoders: EncoderSet,
    query: Image,
    answer: Attribution,
    pictures: Mapping[str, Sequence[Image]],
) -> tuple[ArtistRegions, ...]:
    is_drawn = patches.drawn(query)
    values = patches.margins(
        _places(encoders, [query])[0],
        [_places(encoders, works) for works in pictures.values()],
    )
    found = {}
    for slug, said in zip(pictures, values, strict=True):
        grid = np.full(is_drawn.shape, np.nan)
        grid[is_drawn] = said
        found[slug] = tuple(tuple(_value(one) for one in row) for row in grid.tolist())
    return tuple(
        ArtistRegions(artist.slug, artist.name, len(pictures[artist.slug]), found[artist.slug])
        for artist in answer.artists
        if artist.slug in found
    )


def _places(encoders: EncoderSet, pictures: Sequence[Image]) -> list[Matrix]:
    """Return the descriptors of the places where something is drawn, one row each."""
    grids = encoders.encode_patches([patches.squared(picture) for picture in pictures])
    return [
        grid[: rows.shape[0], : rows.shape[1]][rows]
        for grid, rows in zip(grids, map(patches.drawn, pictures), strict=True)
    ]


def _value(margin: float) -> float | None:
    return round(margin, 4) if np.isfinite(margin) else None
