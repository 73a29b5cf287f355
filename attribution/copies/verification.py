"""An image against candidate works: geometry first, then strokes and colours, then what is claimed.

The limits were chosen by looking at pairs of different works of the training half of the artists.
What they let through on the other half is in `observed`; no limit stands for a rate by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from attribution.answers import CopyKind
from attribution.copies.evidence import GRID, Cells, Evidence, examine
from attribution.copies.geometry import Alignment, align
from attribution.copies.hashes import Position
from attribution.copies.laying import Laid, lay
from attribution.copies.photometry import Likeness, compare, refine
from attribution.copies.sketch import Sketch
from attribution.images import hamming

SAME_FRAME_BITS = 14  # hashes this near: the whole image may lie on the whole work
NEAR_HASH_BITS = 6  # hashes this near speak for a copy by themselves
REFINED = (0.4, 0.97)  # agreement between which a better place is looked for

# A drawing of few strokes agrees with many others: so much must be there to be compared.
PLENTY = 25.0  # windows with strokes, and two for each feature that agrees
FEW_WINDOWS = 20.0  # for a hash alone: a small thing amid white has fewer

COPIED, SAME_COLOURS = 0.93, 0.9  # agreement and colours of an altered copy
SAME_DRAWING, FEATURES = 0.9, 8  # agreement and features of a drawing in other colours
MOSTLY, MANY_FEATURES = 0.6, 20  # of a drawing that was written over, or of which a part differs
HASHED, WHOLLY = 0.55, 0.95  # agreement that bears a near hash out: with plenty to see, with little

# What a sibling does not have in common with the work, and an altered copy has.
MOST_DISPUTE = 0.5  # windows of one patch in which the strokes differ
SAME_HUES = 0.85
RECURRING = 0.1  # of the features: fine lines agree window by window, and never in their crossings
FEW_EDGES = 18.0  # of a figure that any other of few edges can be laid on
CONTAINED = 0.9  # of the strokes of the image, or of those of the work: one has all of the other
ALL_SHARED = 0.99  # of a shared part, from which another work has it, too
SHARED_BY = 2  # other works with the shared part, which is an element of many then
SAME_WORK_BITS = 2  # hashes this near are one work, registered twice


@dataclass(frozen=True)
class Candidate:
    """A work that an image may be a copy of."""

    sketch: Sketch
    phash: str
    is_cut: bool = False  # it, or the image, is a tile of a strip: what they show goes on outside


@dataclass(frozen=True)
class Match:
    """The best way in which an image lies on a work, and what it amounts to."""

    alignment: Alignment  # of the image, mirrored first where `is_mirrored`
    likeness: Likeness
    is_mirrored: bool
    is_whole: bool  # the whole image on the whole work, as the perceptual hashes propose
    distance: int  # of the perceptual hashes in the position where they are nearest
    kind: CopyKind | None = None  # None: no finding
    evidence: Evidence | None = None  # of findings

    def shared(self) -> Cells:
        """Return where the image, as it was asked for, shows strokes of the work."""
        if self.evidence is None:
            return np.zeros((GRID, GRID), bool)
        cells = self.evidence.cells
        return cells[:, ::-1] if self.is_mirrored else cells


def verify(
    query: Sketch, hashes: Mapping[Position, str], works: Sequence[Candidate]
) -> list[Match | None]:
    """Compare an image with every candidate; None for one that it cannot be laid on."""
    mirrored = query.mirrored()
    matches = [_best(_ways(query, mirrored, hashes, work)) for work in works]
    return [_without_common(n, matches, works) for n in range(len(works))]


def _best(matches: Iterator[Match]) -> Match | None:
    """Return the first altered copy, which ends the search, or else the best match."""
    found = []
    for match in matches:
        if match.kind is CopyKind.ALTERED_COPY:
            return match
        found.append(match)
    return max(found, key=lambda one: (one.kind is not None, one.likeness.agreement), default=None)


def judge(like: Likeness, agreeing: int, distance: int, *, is_whole: bool) -> CopyKind | None:
    """Say what a comparison amounts to; `agreeing` features, `distance` of the hashes in bits."""
    is_plenty = like.windows + 2 * agreeing >= PLENTY
    if is_plenty and like.agreement >= COPIED and like.colours >= SAME_COLOURS:
        return CopyKind.ALTERED_COPY
    # What is written over does not count, where features show that it is written over a drawing.
    colours = max(like.colours, like.uncovered) if agreeing >= FEATURES else like.colours
    by_hash = is_whole and distance <= NEAR_HASH_BITS and colours >= SAME_COLOURS
    needed = HASHED if like.windows >= FEW_WINDOWS else WHOLLY
    is_recoloured = is_plenty and agreeing >= FEATURES and like.agreement >= SAME_DRAWING
    is_changed = agreeing >= MANY_FEATURES and like.agreement >= MOSTLY and colours >= SAME_COLOURS
    if is_recoloured or is_changed or (by_hash and like.agreement >= needed):
        return CopyKind.NEAR_IDENTICAL
    return None


def weigh(kind: CopyKind, like: Likeness, evidence: Evidence, *, is_cut: bool) -> CopyKind | None:
    """Say what is left of a finding, given what speaks against it."""
    if evidence.edges < FEW_EDGES:
        is_same = like.colours >= SAME_COLOURS and evidence.hues >= SAME_HUES
        return CopyKind.NEAR_IDENTICAL if is_same else None
    return CopyKind.NEAR_IDENTICAL if is_sibling(evidence, is_cut=is_cut) else kind


def is_sibling(evidence: Evidence, *, is_cut: bool) -> bool:
    """Tell whether what agrees in strokes and colours may be another work of the series."""
    is_contained = is_cut or max(evidence.of_work, evidence.of_image) >= CONTAINED
    return (
        evidence.dispute > MOST_DISPUTE
        or evidence.hues < SAME_HUES
        or evidence.features < RECURRING
        or not is_contained
    )


def _without_common(
    number: int, matches: Sequence[Match | None], works: Sequence[Candidate]
) -> Match | None:
    """Return a match; where it rests on an element of several works, it is no altered copy."""
    match = matches[number]
    if match is None or match.kind is not CopyKind.ALTERED_COPY or match.evidence is None:
        return match
    if min(match.evidence.of_work, match.evidence.of_image) >= CONTAINED:
        return match  # either is the whole of the other
    shared = match.shared()
    others = [
        works[at].phash
        for at, other in enumerate(matches)
        if other and (shared & other.shared()).sum() >= ALL_SHARED * shared.sum()
    ]
    unlike = [one for one in others if hamming(one, works[number].phash) > SAME_WORK_BITS]
    return match if len(unlike) < SHARED_BY else replace(match, kind=CopyKind.NEAR_IDENTICAL)


def _ways(
    query: Sketch, mirrored: Sketch, hashes: Mapping[Position, str], work: Candidate
) -> Iterator[Match]:
    """Yield all ways to lay an image on a work."""
    distances = {position: hamming(phash, work.phash) for position, phash in hashes.items()}
    nearest = min(distances, key=lambda position: distances[position])
    distance = distances[nearest]
    for is_mirrored, sketch in ((False, query), (True, mirrored)):
        proposals = [(one, False) for one in align(sketch, work.sketch)]
        if distance <= SAME_FRAME_BITS and nearest.is_mirrored == is_mirrored:
            agreeing = max((one.agreeing for one, _ in proposals), default=0)
            whole = nearest.matrix(sketch.size, work.sketch.size)
            proposals.append((Alignment(whole, agreeing), True))
        for proposal, is_whole in proposals:
            for alignment, laid, like in _likenesses(sketch, work.sketch, proposal):
                kind = judge(like, alignment.agreeing, distance, is_whole=is_whole)
                evidence = examine(sketch, work.sketch, alignment, laid) if kind else None
                if kind and evidence:
                    kind = weigh(kind, like, evidence, is_cut=work.is_cut)
                evidence = evidence if kind else None
                yield Match(alignment, like, is_mirrored, is_whole, distance, kind, evidence)


def _likenesses(
    query: Sketch, work: Sketch, alignment: Alignment
) -> Iterator[tuple[Alignment, Laid, Likeness]]:
    """Yield the alignment with its likeness, and where it is promising the refined one with its."""
    laid = lay(query, work, alignment.matrix)
    like = compare(laid) if laid else None
    if laid is None or like is None:
        return
    yield alignment, laid, like
    refined = None
    if REFINED[0] < like.agreement < REFINED[1]:
        refined = refine(query, work, alignment)
    laid = lay(query, work, refined.matrix) if refined else None
    closer = compare(laid) if laid else None
    if refined and laid and closer:
        yield refined, laid, closer
