"""The copy lane: exact bytes, exact pixels, then candidates that geometry and colours must verify.

Candidates come from perceptual hashes in all eight positions, from the works nearest to the image,
and from those nearest to its mirror image and to its parts, in this order; the first finding ends
it. At most `MOST` works are compared, so that a lookup stays fast. Nearness alone is no finding.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from PIL import ImageOps
from PIL.Image import Image
from sqlalchemy.orm import Session, sessionmaker

from attribution.catalog import queries
from attribution.catalog.models import ArtworkStatus, NonCopy
from attribution.copies.hashes import Position, hashes
from attribution.copies.overlap import WHOLE, overlap
from attribution.copies.sketch import Sketch, draw_question
from attribution.copies.verification import Candidate, Match, least_score, verify
from attribution.errors import Conflict, NotFound
from attribution.images import CheckedImage, ImageFacts, hamming
from attribution.index.vector_index import VectorIndex
from attribution.ports import Encoder
from attribution.types import Neighbour, Overlap, Probe, Vector

SPACES = ("clip", "vae_layout")
PART_SPACE = "clip"  # the layout of a part says little about the whole
NEAR_HASH = 4  # works with a similar perceptual hash that are compared at most
MOST_BEFORE_PARTS = 7  # and with the works nearest to the image
MOST = 12  # and with those nearest to its mirror image and its parts
NEAREST_TO_PART = 4  # of each such view
WINDOW = 0.6  # of both sides: what is looked at of each corner and of the middle
SAME_IMAGE_BITS = 2  # hashes this near are one image to the bank of non-copies


@dataclass(frozen=True)
class FoundCopy:
    """The work that an image copies, as `attribution.types.CopyMatch` without the catalogue."""

    work: UUID
    match: str
    distance: int = 0
    overlap: Overlap = WHOLE
    score: float | None = None


class CopyFinder:
    """Finds the indexed work that an image is, or was made from."""

    def __init__(
        self, sessions: sessionmaker[Session], encoders: Sequence[Encoder], index: VectorIndex
    ) -> None:
        self._sessions = sessions
        self._encoders = encoders
        self._index = index

    def find(
        self, image: CheckedImage, neighbours: Mapping[str, Sequence[Neighbour]]
    ) -> FoundCopy | None:
        """Return the work that an image copies; `neighbours` are the works nearest to it."""
        found = self.ranked(image, neighbours)
        return found[0] if _is_copy(found) else None

    def ranked(
        self, image: CheckedImage, neighbours: Mapping[str, Sequence[Neighbour]]
    ) -> list[FoundCopy]:
        """Return the works that the image can be laid on, best first, whatever their score."""
        with self._sessions() as session:
            if exact := _exact(session, image.facts):
                return [exact]
            positions = hashes(image.rgb)
            near = queries.works_near_hash(session, set(positions.values()), limit=NEAR_HASH)
        query = draw_question(image.rgb)
        found = self._verified(image.facts, query, positions, near)
        if _is_copy(found):
            return found
        nearest = _by_rank({space: neighbours.get(space, ()) for space in SPACES})
        second = _others(nearest, near)[: MOST_BEFORE_PARTS - len(near)]
        found = _ordered(found + self._verified(image.facts, query, positions, second))
        if _is_copy(found):
            return found
        seen = [*near, *second]
        third = _others(self._near_parts(image.rgb), seen)[: MOST - len(seen)]
        return _ordered(found + self._verified(image.facts, query, positions, third))

    def _near_parts(self, image: Image) -> list[UUID]:
        """Return the works nearest to the mirrored image and to parts of it: one query for all."""
        vectors: dict[str, Vector] = {}
        views = [ImageOps.mirror(image), *_windows(image)]
        for encoder in self._encoders:
            if PART_SPACE in encoder.info.vectors:
                rows = encoder.encode(views)[PART_SPACE]
                vectors = {f"view {number}": row for number, row in enumerate(rows)}
        if not vectors:
            return []
        using = dict.fromkeys(vectors, PART_SPACE)
        return _by_rank(self._index.neighbours(Probe(vectors, using=using), limit=NEAREST_TO_PART))

    def _verified(
        self,
        facts: ImageFacts,
        query: Sketch,
        positions: Mapping[Position, str],
        works: Collection[UUID],
    ) -> list[FoundCopy]:
        with self._sessions() as session:
            kept = queries.kept_sketches(session, works)
            silent = queries.non_copies(session, kept)
        candidates = {
            work: Candidate(sketch, one.phash)
            for work, one in sorted(kept.items())
            if (sketch := Sketch.from_bytes(one.data))
            and not _is_declared(facts, one.phash, silent.get(work, []))
        }
        matches = verify(query, positions, list(candidates.values()))
        found = [
            _found(work, match, query, candidates[work].sketch)
            for work, match in zip(candidates, matches, strict=True)
            if match
        ]
        return _ordered(found)


def declare_non_copy(session: Session, facts: ImageFacts, work: UUID) -> None:
    """Note that an image is no copy of a work: it stays silent about it from now on.

    Raises NotFound, and Conflict when bytes or pixels are the same: that is no matter of judgement.
    """
    row = queries.artwork_by_id(session, work)
    if row.status is not ArtworkStatus.INDEXED:
        raise NotFound(f"artwork {work} is {row.status.value}: no image is called a copy of it")
    if facts.sha256 == row.sha256 or facts.pixel_sha256 == row.pixel_sha256:
        raise Conflict(
            f"the image has the very pixels of artwork {work}; if the work should not be found, "
            f"withdraw it: `lawful withdraw {work} --reason …`"
        )
    queries.declare_non_copy(session, work, sha256=facts.sha256, phash=facts.phash)


def _is_copy(found: Sequence[FoundCopy]) -> bool:
    """Whether the best of these is a copy; one without a score is exact."""
    return bool(found) and (found[0].score is None or found[0].score >= least_score())


def _ordered(found: Sequence[FoundCopy]) -> list[FoundCopy]:
    return sorted(found, key=lambda one: (-(one.score or 0), one.work))


def _by_rank(legs: Mapping[str, Sequence[Neighbour]]) -> list[UUID]:
    """Return the works of all legs, the first of each leg first, among them the nearest first."""
    hits = [hit for found in legs.values() for hit in found]
    ordered = sorted(hits, key=lambda hit: (hit.rank, -hit.score, hit.id))
    return list(dict.fromkeys(hit.id for hit in ordered))


def _others(works: Sequence[UUID], seen: Collection[UUID]) -> list[UUID]:
    return [work for work in works if work not in seen]


def _exact(session: Session, facts: ImageFacts) -> FoundCopy | None:
    indexed = ArtworkStatus.INDEXED
    if rows := queries.artworks_by_sha256(session, [facts.sha256], status=indexed):
        return FoundCopy(rows[0].id, "bytes")
    if rows := queries.artworks_by_pixel_sha256(session, [facts.pixel_sha256], status=indexed):
        return FoundCopy(rows[0].id, "pixels")
    return None


def _is_declared(facts: ImageFacts, phash: str, declared: Sequence[NonCopy]) -> bool:
    """Whether this very image was declared, or one that is nearer to it than the work is."""
    return any(
        one.image_sha256 == facts.sha256
        or (
            hamming(one.image_phash, facts.phash) <= SAME_IMAGE_BITS
            and hamming(one.image_phash, facts.phash) < hamming(phash, facts.phash)
        )
        for one in declared
    )


def _windows(image: Image) -> list[Image]:
    """Cut out the four corners and the middle."""
    width, height = (max(8, round(side * WINDOW)) for side in image.size)
    right, bottom = image.width - width, image.height - height
    corners = [(0, 0), (right, 0), (0, bottom), (right, bottom), (right // 2, bottom // 2)]
    return [image.crop((x, y, x + width, y + height)) for x, y in corners]


def _found(work: UUID, match: Match, query: Sketch, sketch: Sketch) -> FoundCopy:
    return FoundCopy(
        work,
        "perceptual" if match.is_whole else "geometric",
        match.distance,
        overlap(match.alignment.matrix, query.size, sketch.size, is_mirrored=match.is_mirrored),
        match.score,
    )
