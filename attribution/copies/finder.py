"""The copy lane: exact bytes, exact pixels, then candidates that geometry and colours verify.

Candidates come from perceptual hashes in all eight positions, from the works and the parts of works
nearest to the image, and, while nothing is found, from those nearest to its parts. A strip is asked
for tile by tile in the end, a transparent image over other grounds. At most `MOST` works are
compared, so that a lookup stays fast. Nearness alone is no finding.

What costs most is left to thorough lookups: the parts of the image, each of which is encoded, and
the works that are no nearer than others. The image's features are looked for once there is a
candidate.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol
from uuid import UUID

import numpy as np
from PIL.Image import Image
from sqlalchemy.orm import Session, sessionmaker

from attribution.answers import CopyKind, Overlap
from attribution.catalogue import queries
from attribution.catalogue.models import NonCopy
from attribution.copies.description import encode_pictures
from attribution.copies.hashes import Position, hashes
from attribution.copies.overlap import IDENTITY, of_the_whole, overlap
from attribution.copies.sketch import Sketch, draw_question
from attribution.copies.verification import Candidate, Match, verify
from attribution.encoders.encoder import Lane, space_of_parts
from attribution.encoders.encoder_set import EncoderSet
from attribution.images import CheckedImage, ImageFacts, View, hamming
from attribution.index.points import NearPart, Probe
from attribution.types import WHOLE, Box, Neighbour, Part, Vector

NEAR_HASH = 6  # works and parts with a similar perceptual hash that are compared at most
NEAREST = 10  # works compared of those nearest in content: turned, mirrored, framed, cut out
BACKGROUND = 50  # nearest works among which some stand out
NEAREST_COPIES = 2  # and of those nearest in each space of copies: recoloured, written over
NEAREST_TO_PART = 3  # and of those nearest to each part of it
NEAREST_PARTS = 4  # parts of works compared of those nearest to the image, and to its parts
MOST = 24  # works; of a strip in question, pairs of tiles
OUTSTANDING = 2.5  # standard deviations above their mean from which one of them stands out
WINDOW = 0.6  # of both sides: what is looked at of each corner and of the middle
SAME_IMAGE_BITS = 2  # hashes this near are one image to the bank of non-copies


class NearbyParts(Protocol):
    """Finds the nearest parts of works; `PartIndex` does."""

    def nearest(
        self, vectors: Mapping[str, Vector], *, limit: int
    ) -> Mapping[str, Sequence[NearPart]]:
        """Return the parts nearest to every vector, by its name, the nearest first."""
        ...


class Nearby(Protocol):
    """Finds the nearest works; `VectorIndex` does."""

    @property
    def parts(self) -> NearbyParts:
        """What finds parts of works."""
        ...

    def neighbours(self, probe: Probe, *, limit: int) -> Mapping[str, Sequence[Neighbour]]:
        """Return the nearest works of every leg of the probe, the nearest first."""
        ...


@dataclass(frozen=True)
class FoundCopy:
    """A work that an image lies on, as `attribution.answers.CopyMatch` without the catalogue."""

    work: UUID
    match: str
    kind: CopyKind | None  # None: it can be laid on the work, which is no finding
    agreement: float = 1.0
    distance: int = 0
    overlap: Overlap = IDENTITY
    content: float | None = None  # part of the work's strokes that it shows; of findings
    declared: UUID | None = None  # the declared non-copy that silences it

    @property
    def is_finding(self) -> bool:
        """Whether it may be said: it claims something, and nobody has declared that it is none."""
        return self.kind is not None and self.declared is None


@dataclass(frozen=True)
class Finding:
    """What an image was found to show, and what would have been said if nobody had objected."""

    copied: FoundCopy | None
    silenced: tuple[FoundCopy, ...]  # each by a declared non-copy


class CopyFinder:
    """Finds the indexed work that an image is, or was made from.

    The one door for "was this image, or a near copy of it, in the index?": `find` answers, and
    `observed` tells how often such an answer was wrong.
    """

    def __init__(
        self, sessions: sessionmaker[Session], encoders: EncoderSet, index: Nearby
    ) -> None:
        self._sessions = sessions
        self._encoders = encoders
        self._index = index
        self._space = space_of_parts(encoders.lanes)

    @property
    def _nearest_in(self) -> dict[str, int]:
        """How many of the nearest works are compared, by space."""
        lanes = self._encoders.lanes.items()
        of_copies = {space: NEAREST_COPIES for space, lane in lanes if lane == Lane.COPY}
        return of_copies | ({self._space: NEAREST} if self._space else {})

    def find(
        self,
        image: CheckedImage,
        vectors: Mapping[str, Vector] | None = None,
        neighbours: Mapping[str, Sequence[Neighbour]] | None = None,
        *,
        is_thorough: bool = True,
    ) -> Finding:
        """Return the work that an image copies, or none, and what declarations silence.

        `vectors` are its own by space, `neighbours` the works nearest to it by space, where they
        are known already. A lookup that is not thorough compares what stands out alone.
        """
        found = self.ranked(image, vectors, neighbours, is_thorough=is_thorough)
        silenced = [one for one in found if one.kind and one.declared]
        return Finding(found[0] if _has_finding(found) else None, tuple(silenced))

    def ranked(
        self,
        image: CheckedImage,
        vectors: Mapping[str, Vector] | None = None,
        neighbours: Mapping[str, Sequence[Neighbour]] | None = None,
        *,
        is_thorough: bool = True,
    ) -> list[FoundCopy]:
        """Return the works that the image can be laid on, findings first, the surest of all."""
        with self._sessions() as session:
            if exact := _exact(session, image.facts):
                return [exact]
        whole, *others = image.views
        asked = _Asked.of(image.facts, whole, is_thorough=is_thorough)
        found = self._of_the_whole(asked, vectors, neighbours)
        if not _has_finding(found):
            found += self._of_others(image.facts, others, is_thorough=is_thorough)
        return _surest(found)

    def compared(self, phash: str, vectors: Mapping[str, Vector]) -> set[UUID]:
        """Return the works that an image would be compared with first, as it is.

        Those nearest by its perceptual hash and by its vectors: the image itself is not needed.
        """
        with self._sessions() as session:
            near = queries.parts_near_hash(session, [phash], limit=NEAR_HASH)
        works, parts = self._nearest_by(vectors, self._nearest(vectors), is_thorough=True)
        return {part.work for part in [*near, *works, *parts]}

    def _of_the_whole(
        self,
        asked: _Asked,
        vectors: Mapping[str, Vector] | None,
        neighbours: Mapping[str, Sequence[Neighbour]] | None,
    ) -> list[FoundCopy]:
        """Return what an image can be laid on as it is."""
        with self._sessions() as session:
            hashed = set(asked.positions.values())
            near = queries.parts_near_hash(session, hashed, limit=NEAR_HASH)
        found = self._verified(asked, near)
        if _has_finding(found) and found[0].kind is CopyKind.ALTERED_COPY:
            return found
        if vectors is None:
            vectors = self._encoders.encode_one(asked.view.rgb, self._nearest_in)
        if neighbours is None:
            neighbours = self._nearest(vectors)
        works, parts = self._nearest_by(vectors, neighbours, is_thorough=asked.is_thorough)
        second = [work for work in works if work not in near]
        second_parts = [part for part in parts if part not in near]
        found = _ordered(found + self._verified(asked, second + second_parts))
        if _has_finding(found) or not asked.is_thorough:
            return found
        seen = {*near, *second, *second_parts}
        works, parts = self._nearest_to(_windows(asked.view.rgb))
        third = [work for work in works if work not in seen]
        third = third[: MOST - len({*near, *second})]
        third += [part for part in parts if part not in seen][:NEAREST_PARTS]
        return _ordered(found + self._verified(asked, third))

    def _of_others(
        self, facts: ImageFacts, views: Sequence[View], *, is_thorough: bool
    ) -> list[FoundCopy]:
        """Return what the tiles of a strip, or a transparent image over another ground, lie on."""
        legs = self._legs([view.rgb for view in views])
        works = self._index.neighbours(legs, limit=NEAREST_TO_PART) if legs else {}
        parts = self._index.parts.nearest(legs.vectors, limit=NEAREST_TO_PART) if legs else {}
        pairs = sorted(
            [
                (hit.rank, -hit.score, leg, Part(hit.id, 0))
                for leg, hits in works.items()
                for hit in hits
            ]
            + [(hit.rank, -hit.score, leg, hit.part) for leg, hits in parts.items() for hit in hits]
        )
        candidates: dict[str, list[Part]] = {}
        for _, _, leg, part in pairs[:MOST]:
            candidates.setdefault(leg, []).append(part)
        found: list[FoundCopy] = []
        for leg, few in candidates.items():
            asked = _Asked.of(facts, views[int(leg)], is_thorough=is_thorough)
            found += self._verified(asked, few)
        return found

    def _nearest(self, vectors: Mapping[str, Vector]) -> Mapping[str, Sequence[Neighbour]]:
        """Return the works nearest to an image, by space."""
        if not vectors:
            return {}
        return self._index.neighbours(Probe(vectors), limit=BACKGROUND)

    def _nearest_by(
        self,
        vectors: Mapping[str, Vector],
        neighbours: Mapping[str, Sequence[Neighbour]],
        *,
        is_thorough: bool,
    ) -> tuple[list[Part], list[Part]]:
        """Return the works, and the parts of works, that are compared with an image as near."""
        least = {
            space: -1.0 if is_thorough else _outstanding(neighbours.get(space, ()))
            for space in self._nearest_in
        }
        works = {
            space: [hit for hit in neighbours.get(space, ())[:most] if hit.score >= least[space]]
            for space, most in self._nearest_in.items()
        }
        own = {space: row for space, row in vectors.items() if space == self._space}
        parts = self._index.parts.nearest(own, limit=NEAREST_PARTS)
        near = {
            space: [hit for hit in hits if hit.score >= least[space]]
            for space, hits in parts.items()
        }
        return _by_rank(works), _parts_by_rank(near)

    def _nearest_to(self, pictures: Sequence[Image]) -> tuple[list[Part], list[Part]]:
        """Return the works, and the parts of works, nearest to any of some pictures."""
        legs = self._legs(pictures)
        if legs is None:
            return [], []
        works = self._index.neighbours(legs, limit=NEAREST_TO_PART)
        parts = self._index.parts.nearest(legs.vectors, limit=NEAREST_TO_PART)
        return _by_rank(works), _parts_by_rank(parts)

    def _legs(self, pictures: Sequence[Image]) -> Probe | None:
        """Return one query for several pictures, a leg each, by number."""
        rows = encode_pictures(self._encoders, pictures)
        if rows is None or self._space is None:
            return None
        vectors = {str(number): row for number, row in enumerate(rows)}
        return Probe(vectors, using=dict.fromkeys(vectors, self._space))

    def _verified(self, asked: _Asked, parts: Collection[Part]) -> list[FoundCopy]:
        if not parts:
            return []
        with self._sessions() as session:
            kept = queries.kept_sketches(session, parts)
        candidates = {
            part: Candidate(sketch, one.phash, is_cut=(one.box, asked.view.box) != (WHOLE, WHOLE))
            for part, one in sorted(kept.items())
            if (sketch := Sketch.from_bytes(one.data))
        }
        if not candidates:
            return []
        verified = verify(asked.sketch, asked.positions, list(candidates.values()))
        matches = {part: one for part, one in zip(candidates, verified, strict=True) if one}
        if not matches:
            return []
        with self._sessions() as session:
            declared = queries.non_copies_in_force(session, {part.work for part in matches})
        found = [
            replace(
                _found(part, match, asked, candidates[part].sketch, kept[part].box),
                declared=_silencing(asked.facts, kept[part].phash, declared.get(part.work, [])),
            )
            for part, match in matches.items()
        ]
        return _ordered(found)


@dataclass(frozen=True)
class _Asked:
    """An image in question, or a part of it, as it is compared."""

    facts: ImageFacts
    view: View
    positions: Mapping[Position, str]
    is_thorough: bool

    @classmethod
    def of(cls, facts: ImageFacts, view: View, *, is_thorough: bool) -> _Asked:
        """Hash what is compared."""
        return cls(facts, view, hashes(view.rgb), is_thorough)

    @cached_property
    def sketch(self) -> Sketch:
        """What is laid on works: drawn for the first of them, as features take long to find."""
        return draw_question(self.view.rgb, is_thorough=self.is_thorough)


def _ordered(found: Sequence[FoundCopy]) -> list[FoundCopy]:
    kinds = [*CopyKind, None]
    return sorted(
        found,
        key=lambda one: (not one.is_finding, kinds.index(one.kind), -one.agreement, one.work),
    )


def _surest(found: Sequence[FoundCopy]) -> list[FoundCopy]:
    """Return each work once, however many of its parts were found."""
    surest: dict[UUID, FoundCopy] = {}
    for one in _ordered(found):
        surest.setdefault(one.work, one)
    return list(surest.values())


def _has_finding(ordered: Sequence[FoundCopy]) -> bool:
    return bool(ordered) and ordered[0].is_finding


def _outstanding(hits: Sequence[Neighbour]) -> float:
    """Return the cosine from which a work is compared in a lookup that is not thorough.

    Of altered copies that comparing all would find, 93 % stand out; of 12 works that would be
    compared with an image, 3 do (docs/benchmarks.md). Among few works nothing can: any is compared.
    """
    if len(hits) < 2 * NEAREST:
        return -1.0
    scores = np.array([hit.score for hit in hits])
    return float(scores.mean() + OUTSTANDING * scores.std())


def _by_rank(legs: Mapping[str, Sequence[Neighbour]]) -> list[Part]:
    """Return the works of all legs, the first of each leg first, among them the nearest first."""
    hits = [hit for found in legs.values() for hit in found]
    ordered = sorted(hits, key=lambda hit: (hit.rank, -hit.score, hit.id))
    return list(dict.fromkeys(Part(hit.id, 0) for hit in ordered))


def _parts_by_rank(legs: Mapping[str, Sequence[NearPart]]) -> list[Part]:
    """Return the parts of all legs in the same order."""
    hits = [hit for found in legs.values() for hit in found]
    ordered = sorted(hits, key=lambda hit: (hit.rank, -hit.score, hit.part))
    return list(dict.fromkeys(hit.part for hit in ordered))


def _exact(session: Session, facts: ImageFacts) -> FoundCopy | None:
    work = queries.same_image(session, facts.sha256, facts.pixel_sha256)
    if work is None:
        return None
    match = "bytes" if work.sha256 == facts.sha256 else "pixels"
    return FoundCopy(work.id, match, CopyKind.SAME_IMAGE, content=1.0)


def _silencing(facts: ImageFacts, phash: str, declared: Sequence[NonCopy]) -> UUID | None:
    """Return the declaration about this very image, or else about the one that is nearest to it.

    One about another image holds only where that is nearer to this one than the work is.
    """
    for one in declared:
        if one.image_sha256 == facts.sha256:
            return one.id
    bits = {one.id: hamming(one.image_phash, facts.phash) for one in declared}
    reach = min(SAME_IMAGE_BITS, hamming(phash, facts.phash) - 1)
    nearest = min(bits, key=lambda one: (bits[one], one), default=None)
    return nearest if nearest and bits[nearest] <= reach else None


def _windows(image: Image) -> list[Image]:
    """Cut out the four corners and the middle."""
    width, height = (max(8, round(side * WINDOW)) for side in image.size)
    right, bottom = image.width - width, image.height - height
    corners = [(0, 0), (right, 0), (0, bottom), (right, bottom), (right // 2, bottom // 2)]
    return [image.crop((x, y, x + width, y + height)) for x, y in corners]


def _found(part: Part, match: Match, asked: _Asked, sketch: Sketch, box: Box) -> FoundCopy:
    matrix, is_mirrored = match.alignment.matrix, match.is_mirrored
    laid = overlap(matrix, asked.sketch.size, sketch.size, is_mirrored=is_mirrored)
    return FoundCopy(
        part.work,
        match="perceptual" if match.is_whole else "geometric",
        kind=match.kind,
        agreement=round(match.likeness.agreement, 4),
        distance=match.distance,
        overlap=of_the_whole(laid, image=asked.view.box, work=box),
        # Of a strip only the tile was compared.
        content=round(match.evidence.of_work, 4) if match.evidence and box == WHOLE else None,
    )
