"""The copy lane of `lawful attribute` over a catalogue of its own, which is thrown away after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import numpy as np
from sqlalchemy.orm import Session

from attribution.answers import CopyKind
from attribution.arithmetic.voting import NEAREST
from attribution.catalogue import lifecycle, queries
from attribution.catalogue.database import connect
from attribution.catalogue.models import artwork_id
from attribution.catalogue.queries import NewArtwork
from attribution.copies.description import describe, encode_parts
from attribution.copies.finder import CopyFinder, FoundCopy
from attribution.encoders.encoder_set import EncoderSet
from attribution.images import CheckedImage, read_image_file
from attribution.index.points import NearPart, Probe
from attribution.laboratory.copies import SHOWN, Match
from attribution.laboratory.works import BATCH, Ints, Progress, Works
from attribution.types import Matrix, Neighbour, Part, Vector

CERTAINTY = {CopyKind.SAME_IMAGE: 2.0, CopyKind.ALTERED_COPY: 1.0, CopyKind.NEAR_IDENTICAL: 0.0}


class CatalogueLane:
    """Finds copies as the product does.

    A score is the share of what is drawn that agrees, and more for a surer kind of finding; what is
    no finding has one below 0.
    """

    def __init__(self, finder: CopyFinder, index: ExactIndex, rows: Mapping[UUID, int]) -> None:
        self._finder, self._index, self._rows = finder, index, rows

    def find(self, images: Sequence[CheckedImage]) -> list[list[Match]]:
        """Return the works that each image can be laid on, the best first."""
        return [
            [self._match(one) for one in self._finder.ranked(image)[:SHOWN]] for image in images
        ]

    def find_encoded(self, image: CheckedImage, vectors: Mapping[str, Vector]) -> FoundCopy | None:
        """Return the finding of an image whose vectors are known, as in `lawful attribute`."""
        neighbours = self._index.neighbours(Probe(vectors), limit=NEAREST)
        return self._finder.find(image, vectors, neighbours).copied

    def row(self, found: FoundCopy) -> int:
        """Return the row of a found work among all works."""
        return self._rows[found.work]

    def _match(self, found: FoundCopy) -> Match:
        if found.kind is None:
            return Match(self.row(found), found.agreement - 1, is_claimed=False, is_copy=False)
        is_copy = found.kind is not CopyKind.NEAR_IDENTICAL
        score = found.agreement + CERTAINTY[found.kind]
        return Match(self.row(found), score, is_claimed=True, is_copy=is_copy)


class ExactIndex:
    """The nearest of a few thousand works, by comparing with all of them."""

    def __init__(self, ids: Sequence[UUID], vectors: Mapping[str, Matrix]) -> None:
        self._ids, self._vectors = ids, vectors
        self.parts = ExactParts()

    def neighbours(self, probe: Probe, *, limit: int) -> dict[str, list[Neighbour]]:
        """Return the nearest works of every leg, as `VectorIndex.neighbours`."""
        found = {}
        for leg, vector in probe.vectors.items():
            cosines = self._vectors[probe.using.get(leg, leg)] @ vector
            order = np.argsort(-cosines, kind="stable")[:limit]
            found[leg] = [
                Neighbour(self._ids[row], UUID(int=0), float(cosines[row]), rank)
                for rank, row in enumerate(order.tolist(), 1)
            ]
        return found


class ExactParts:
    """The nearest of a few parts of works, by comparing with all of them."""

    def __init__(self) -> None:
        self._vectors: dict[Part, Vector] = {}

    def add(self, work: UUID, rows: Matrix) -> None:
        """Add the parts of a work, from part 1 on."""
        self._vectors |= {Part(work, number): row for number, row in enumerate(rows, 1)}

    def nearest(self, vectors: Mapping[str, Vector], *, limit: int) -> dict[str, list[NearPart]]:
        """Return the nearest parts of every leg, as `PartIndex.nearest`."""
        if not self._vectors:
            return {}
        parts, rows = list(self._vectors), np.stack(list(self._vectors.values()))
        found = {}
        for leg, vector in vectors.items():
            cosines = rows @ vector
            order = np.argsort(-cosines, kind="stable")[:limit].tolist()
            found[leg] = [
                NearPart(parts[row], float(cosines[row]), rank) for rank, row in enumerate(order, 1)
            ]
        return found


@contextmanager
def open_lane(
    works: Works, registered: Ints, encoders: EncoderSet, progress: Progress
) -> Iterator[CatalogueLane]:
    """Register works in an empty catalogue, and delete it in the end."""
    ids = [artwork_id(works.sha256[row]) for row in registered.tolist()]
    index = ExactIndex(ids, {name: rows[registered] for name, rows in works.vectors.items()})
    with TemporaryDirectory() as folder:
        database = connect(f"sqlite:///{Path(folder) / 'catalogue.db'}")
        database.upgrade()
        for start in range(0, len(registered), BATCH):
            with database.sessions.begin() as session:
                parts = _register(session, works, registered[start : start + BATCH], encoders)
            for work, rows in parts.items():
                index.parts.add(work, rows)
            progress("sketches", min(start + BATCH, len(registered)), len(registered))
        finder = CopyFinder(database.sessions, encoders, index)
        yield CatalogueLane(finder, index, dict(zip(ids, registered.tolist(), strict=True)))
        database.dispose()


def _register(
    session: Session, works: Works, rows: Ints, encoders: EncoderSet
) -> dict[UUID, Matrix]:
    """Register works; returns the vectors of the parts of those that have any."""
    artist = queries.get_or_create_artist(session, "everybody")
    images = [read_image_file(works.paths[row]) for row in rows.tolist()]
    new = {
        one.facts.sha256: NewArtwork(
            artist.id, one.facts.sha256, one.facts.pixel_sha256, one.facts.phash
        )
        for one in images
    }
    added = queries.add_artworks(session, list(new.values()))
    lifecycle.become_indexed(session, [row.id for row in added.values()])
    parts: dict[UUID, Matrix] = {}
    for one in images:
        work = added[one.facts.sha256].id
        queries.keep_sketches(session, describe(work, one))
        if (encoded := encode_parts(encoders, one)) is not None:
            parts[work] = encoded
    return parts
