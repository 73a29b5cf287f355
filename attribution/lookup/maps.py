"""The map of a catalogue: which works lie within a part of it, and where an image would lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from attribution.arithmetic.layout import NEAREST, between, tiles_of
from attribution.catalogue import queries
from attribution.catalogue.models import CatalogueMap
from attribution.catalogue.queries import Placed
from attribution.collection import Collection, Stores
from attribution.encoders.encoder_set import EncoderSet
from attribution.errors import BadInput, NotFound
from attribution.images import CheckedImage
from attribution.index.points import Probe
from attribution.types import WHOLE, Box

MOST = 2_000  # works of one view
ASKED = 4 * NEAREST  # neighbours looked at: the newest works have no place yet


@dataclass(frozen=True)
class MapView:
    """What lies within a box of the map."""

    map: CatalogueMap | None  # None: there is none yet
    works: Sequence[Placed] = ()
    is_sample: bool = False  # there are more than were asked for: look closer


@dataclass(frozen=True)
class Landing:
    """Where an image lies on the map: between the works it is nearest to."""

    x: float
    y: float
    nearest: Sequence[tuple[Placed, float]]  # with their cosines, the nearest first


def view(stores: Stores, fingerprint: str, box: Box = WHOLE, *, limit: int = MOST) -> MapView:
    """Return the works within a box, at most `limit`: the same ones every time.

    The box in parts of the map's sides: left, top, right, bottom. Raises BadInput for an empty one.
    """
    left, top, right, bottom = box
    if not (left < right and top < bottom):
        raise BadInput(
            f"a box of {left:g},{top:g},{right:g},{bottom:g} holds nothing: give left, top, right "
            f"and bottom, in parts of the map's sides"
        )
    with stores.sessions() as session:
        made = queries.map_of(session, fingerprint)
        if made is None:
            return MapView(None)
        found = queries.placed_within(session, made.id, tiles_of(box), box, limit + 1)
    return MapView(made, found[:limit], len(found) > limit)


def land(collection: Collection, encoders: EncoderSet, image: CheckedImage) -> Landing:
    """Return where an image lies; raises NotFound without a map, BadInput for a blank image."""
    if image.is_blank:
        raise BadInput("the image is blank: it has no place on the map")
    with collection.sessions() as session:
        made = queries.map_of(session, collection.row.fingerprint)
    if made is None:
        raise NotFound("there is no map yet: it is laid out after the first works were taken in")
    vectors = encoders.encode_one(image.rgb, [made.space])
    hits = collection.index.neighbours(Probe(vectors), limit=ASKED)[made.space]
    with collection.sessions() as session:
        placed = queries.placed_by_id(session, made.id, [hit.id for hit in hits])
    nearest = [(placed[hit.id], hit.score) for hit in hits if hit.id in placed][:NEAREST]
    if not nearest:
        raise NotFound("nothing near the image is on the map yet: it is put there within the hour")
    cosines = np.array([[score for _, score in nearest]], np.float32)
    ((x, y),) = between(cosines, np.array([(one.x, one.y) for one, _ in nearest])).tolist()
    return Landing(x, y, nearest)
