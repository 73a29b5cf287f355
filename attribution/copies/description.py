"""What is kept of a work so that its copies are recognised, whole and in parts.

The whole is described by its sketch, and found by the vectors that the index has of it. Every other
view of it (`images.views`) has a sketch and a vector of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from PIL.Image import Image
from sqlalchemy.orm import Session

from attribution.catalogue import queries
from attribution.catalogue.models import Artwork, ArtworkStatus
from attribution.catalogue.queries import KeptSketch
from attribution.copies.sketch import draw_work
from attribution.encoders.encoder import space_of_parts
from attribution.encoders.encoder_set import EncoderSet
from attribution.images import CheckedImage
from attribution.images.facts import perceptual_hash
from attribution.images.views import is_strip
from attribution.types import Matrix, Part


def describe(work: UUID, image: CheckedImage) -> dict[Part, KeptSketch]:
    """Draw the sketches of a work: part 0 is the whole."""
    return {
        Part(work, view.part): KeptSketch(
            perceptual_hash(view.rgb) if view.part else image.facts.phash,
            draw_work(view.rgb),
            view.box,
        )
        for view in image.views
    }


def untiled(session: Session, rows: Iterable[Artwork]) -> set[UUID]:
    """Return those of these works that are strips by their recorded size, and have no tiles.

    A version that did not know strips took them in. Other parts cannot be told from what is
    recorded: many a transparent work has none.
    """
    strips = {
        row.id
        for row in rows
        if row.status is ArtworkStatus.INDEXED
        and is_strip(row.facts.get("width", 0), row.facts.get("height", 0))
    }
    return strips - queries.with_parts(session, strips) if strips else strips


def encode_parts(encoders: EncoderSet, image: CheckedImage) -> Matrix | None:
    """Encode the parts of a work, from part 1 on; None where it has none."""
    return encode_pictures(encoders, [view.rgb for view in image.views if view.part])


def encode_pictures(encoders: EncoderSet, pictures: Sequence[Image]) -> Matrix | None:
    """Encode pictures in the space of parts; None without pictures, or where there is none."""
    space = space_of_parts(encoders.lanes)
    return encoders.encode(pictures, [space])[space] if pictures and space else None
