"""The copy lane: exact bytes, exact pixels, then candidates that geometry and colours verify.

Candidates come from perceptual hashes in all eight positions, from the works nearest to the image,
and, while nothing is found, from those nearest to its parts. At most `MOST` works are compared, so
that a lookup stays fast. Nearness alone is no finding.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from PIL.Image import Image
from sqlalchemy.orm import Session, sessionmaker

from attribution.catalog import queries
from attribution.catalog.models import ArtworkStatus, NonCopy
from attribution.copies.hashes import Position, hashes
from attribution.copies.overlap import WHOLE, overlap
from attribution.copies.sketch import Sketch, draw_question
from attribution.copies.verification import Candidate, Match, verify
from attribution.errors import Conflict, NotFound
from attribution.images import CheckedImage, ImageFacts, hamming
from attribution.ports import Encoder
from attribution.types import CopyKind, Neighbour, Overlap, Probe

SPACE = "clip"  # in which a work is near to what was turned, mirrored, framed or cut from it
LAYOUT = "vae_layout"  # in which it is near to what was recoloured or written over
NEAR_HASH = 6  # works with a similar perceptual hash that are compared at most
NEAREST = {SPACE: 10, LAYOUT: 2}  # works compared of those nearest to the image
NEAREST_TO_PART = 3  # and of those nearest to each part of it
MOST = 24
WINDOW = 0.6  # of both sides: what is looked at of each corner and of the middle
SAME_IMAGE_BITS = 2  # hashes this near are one image to the bank of non-copies


class Nearby(Protocol):
    """Finds the nearest works; `VectorIndex` does."""

    def neighbours(self, probe: Probe, *, limit: int) -> Mapping[str, Sequence[Neighbour]]:
        """Return the nearest works of every leg of the probe, the nearest first."""
        ...


@dataclass(frozen=True)
class FoundCopy:
    """A work that an image lies on, as `attribution.types.CopyMatch` without the catalogue."""

    work: UUID
    match: str
    kind: CopyKind | None  # None: it can be laid on the work, which is no finding
    agreement: float = 1.0
    distance: int = 0
    overlap: Overlap = WHOLE


class CopyFinder:
    """Finds the indexed work that an image is, or was made from.

    The one door for "was this image, or a near copy of it, in the index?": `find` answers, and
    `observed` tells how often such an answer was wrong.
    """

    def __init__(
        self, sessions: sessionmaker[Session], encoders: Sequence[Encoder], index: Nearby
    ) -> None:
        self._sessions = sessions
        self._encoders = encoders
        self._index = index

    def find(
        self,
        image: CheckedImage,
        neighbours: Mapping[str, Sequence[Neighbour]] | None = None,
    ) -> FoundCopy | None:
        """Return the work that an image copies, or None.

        `neighbours` are the works nearest to it by space, where they are known already.
        """
        found = self.ranked(image, neighbours)
        return found[0] if found and found[0].kind else None

    def ranked(
        self,
        image: CheckedImage,
        neighbours: Mapping[str, Sequence[Neighbour]] | None = None,
    ) -> list[FoundCopy]:
        """Return the works that the image can be laid on, findings first, the surest of all."""
        with self._sessions() as session:
            if exact := _exact(session, image.facts):
                return [exact]
            positions = hashes(image.rgb)
            near = queries.works_near_hash(session, set(positions.values()), limit=NEAR_HASH)
        asked = _Asked(image.facts, draw_question(image.rgb), positions)
        found = self._verified(asked, near)
        if found and found[0].kind is CopyKind.ALTERED_COPY:
            return found
        if neighbours is None:
            neighbours = self._nearest(image.rgb)
        nearest = _by_rank({space: neighbours.get(space, ())[:n] for space, n in NEAREST.items()})
        second = [work for work in nearest if work not in near]
        found = _ordered(found + self._verified(asked, second))
        if found and found[0].kind:
            return found
        seen = {*near, *second}
        parts = _by_rank(self._nearest_to_parts(image.rgb))
        third = [work for work in parts if work not in seen][: MOST - len(seen)]
        return _ordered(found + self._verified(asked, third))

    def _nearest(self, image: Image) -> Mapping[str, Sequence[Neighbour]]:
        """Return the works nearest to an image, by space."""
        vectors = {
            space: rows[0]
            for encoder in self._encoders
            if NEAREST.keys() & encoder.info.vectors.keys()
            for space, rows in encoder.encode([image]).items()
            if space in NEAREST
        }
        if not vectors:
            return {}
        return self._index.neighbours(Probe(vectors), limit=max(NEAREST.values()))

    def _nearest_to_parts(self, image: Image) -> Mapping[str, Sequence[Neighbour]]:
        """Return the works nearest to parts of an image, by part: one query for all."""
        for encoder in self._encoders:
            if SPACE in encoder.info.vectors:
                rows = encoder.encode(_windows(image))[SPACE]
                parts = {f"part {number}": row for number, row in enumerate(rows)}
                probe = Probe(parts, using=dict.fromkeys(parts, SPACE))
                return self._index.neighbours(probe, limit=NEAREST_TO_PART)
        return {}

    def _verified(self, asked: _Asked, works: Collection[UUID]) -> list[FoundCopy]:
        with self._sessions() as session:
            kept = queries.kept_sketches(session, works)
            silent = queries.non_copies(session, kept)
        candidates = {
            work: Candidate(sketch, one.phash)
            for work, one in sorted(kept.items())
            if (sketch := Sketch.from_bytes(one.data))
            and not _is_declared(asked.facts, one.phash, silent.get(work, []))
        }
        matches = verify(asked.sketch, asked.positions, list(candidates.values()))
        found = [
            _found(work, match, asked.sketch, candidates[work].sketch)
            for work, match in zip(candidates, matches, strict=True)
            if match
        ]
        return _ordered(found)


@dataclass(frozen=True)
class _Asked:
    """An image in question, as it is compared."""

    facts: ImageFacts
    sketch: Sketch
    positions: Mapping[Position, str]


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


def _ordered(found: Sequence[FoundCopy]) -> list[FoundCopy]:
    kinds = [*CopyKind, None]
    return sorted(found, key=lambda one: (kinds.index(one.kind), -one.agreement, one.work))


def _by_rank(legs: Mapping[str, Sequence[Neighbour]]) -> list[UUID]:
    """Return the works of all legs, the first of each leg first, among them the nearest first."""
    hits = [hit for found in legs.values() for hit in found]
    ordered = sorted(hits, key=lambda hit: (hit.rank, -hit.score, hit.id))
    return list(dict.fromkeys(hit.id for hit in ordered))


def _exact(session: Session, facts: ImageFacts) -> FoundCopy | None:
    indexed = ArtworkStatus.INDEXED
    if rows := queries.artworks_by_sha256(session, [facts.sha256], status=indexed):
        return FoundCopy(rows[0].id, "bytes", CopyKind.SAME_IMAGE)
    if rows := queries.artworks_by_pixel_sha256(session, [facts.pixel_sha256], status=indexed):
        return FoundCopy(rows[0].id, "pixels", CopyKind.SAME_IMAGE)
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
    matrix, is_mirrored = match.alignment.matrix, match.is_mirrored
    return FoundCopy(
        work,
        match="perceptual" if match.is_whole else "geometric",
        kind=match.kind,
        agreement=round(match.likeness.agreement, 4),
        distance=match.distance,
        overlap=overlap(matrix, query.size, sketch.size, is_mirrored=is_mirrored),
    )
