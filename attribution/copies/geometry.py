"""Where a work lies in an image: features matched, and the one movement that most of them share.

A feature has a place, a size and a direction, so each match alone proposes how the image must be
moved, turned and scaled to lie on the work; the proposal that most other matches agree with wins
(Lowe 2004, without his grid). It is then refined to a homography by MAGSAC.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from attribution.copies.sketch import Floats, Sketch

Homography = npt.NDArray[np.float64]

RATIO = 0.85  # of the distances to the best and the second best feature
FEWEST = 4  # features that must agree; two agree by chance
NEAR = 0.035  # of the work's longer side: how far a feature may be from where it should be
SCALES = (1 / 12, 12.0)
MOST_SHEAR = 2.5  # longest to shortest stretch of a homography, over its whole area
REFINED_FROM = 8  # features that agree, from which a homography can be trusted
CORNERS = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float64)


@dataclass(frozen=True)
class Alignment:
    """How an image is laid on a work."""

    matrix: Homography  # pixels of the image's sketch -> pixels of the work's sketch
    agreeing: int  # features that support it; 0 where none were asked


def align(query: Sketch, work: Sketch) -> list[Alignment]:
    """Return the movements that matched features agree on, at most two, the plainer first."""
    ours, theirs = _matched(query, work)
    if len(ours) < FEWEST:
        return []
    proposals = _proposals(ours, theirs)
    near = NEAR * max(work.size)
    moved = np.einsum("kab,nb->kna", proposals[:, :, :2], ours[:, :2])
    apart = np.linalg.norm(moved + proposals[:, None, :, 2] - theirs[None, :, :2], axis=2)
    votes = (apart < near).sum(1)
    best = int(votes.argmax())
    if votes[best] < FEWEST:
        return []
    inside = apart[best] < near
    found = [_similarity(ours[inside, :2], theirs[inside, :2], near)]
    if votes[best] >= REFINED_FROM:
        wide = apart[best] < 4 * near
        found.append(_homography(ours[wide, :2], theirs[wide, :2], near))
    return [one for one in found if one is not None and is_sane(one.matrix, query.size)]


def is_sane(matrix: Homography, size: tuple[int, int]) -> bool:
    """Tell whether an image of this size stays a picture: not mirrored, folded, or a sliver."""
    corners = project(matrix, CORNERS * size)
    if not np.isfinite(corners).all():
        return False
    edges = np.roll(corners, -1, axis=0) - corners
    after = np.roll(edges, -1, axis=0)
    turns = edges[:, 0] * after[:, 1] - edges[:, 1] * after[:, 0]
    lengths = np.linalg.norm(edges, axis=1) / np.array([size[0], size[1]] * 2)
    scale = float(np.sqrt(turns.mean() / (size[0] * size[1]))) if (turns > 0).all() else 0
    return SCALES[0] < scale < SCALES[1] and bool(lengths.max() < MOST_SHEAR * lengths.min())


def project(matrix: Homography, points: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Map points, shape (n, 2); what lies behind the horizon becomes NaN."""
    moved = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    depth = np.where(moved[:, 2:] > 1e-9, moved[:, 2:], np.nan)
    return np.asarray(moved[:, :2] / depth, np.float64)


def _matched(query: Sketch, work: Sketch) -> tuple[Floats, Floats]:
    """Return the places of paired features in the image and in the work.

    A feature counts when its best partner is clearly nearer than the next elsewhere in the work;
    each feature of a work keeps its best partner alone.
    """
    if not len(work.places) or not len(query.places):
        return query.places[:0], work.places[:0]
    near = query.descriptors @ work.descriptors.T
    best = near.argmax(1)
    first = near[np.arange(len(near)), best]
    second = np.where(work.same_spot[best], -1, near).max(1)
    clear = np.flatnonzero((1 - first).clip(0) < RATIO**2 * (1 - second).clip(1e-9))
    clear = clear[np.argsort(-first[clear], kind="stable")]
    _, earliest = np.unique(best[clear], return_index=True)
    chosen = clear[earliest]
    return query.places[chosen], work.places[best[chosen]]


def _proposals(ours: Floats, theirs: Floats) -> npt.NDArray[np.float64]:
    scale = (theirs[:, 2] / ours[:, 2]).clip(*SCALES)
    angle = np.deg2rad(theirs[:, 3] - ours[:, 3])
    a, b = scale * np.cos(angle), scale * np.sin(angle)
    x, y = ours[:, 0], ours[:, 1]
    rows = [a, -b, theirs[:, 0] - (a * x - b * y), b, a, theirs[:, 1] - (b * x + a * y)]
    return np.stack(rows, 1).astype(np.float64).reshape(-1, 2, 3)


def _similarity(ours: Floats, theirs: Floats, near: float) -> Alignment | None:
    import cv2

    matrix, inside = cv2.estimateAffinePartial2D(
        ours, theirs, method=cv2.RANSAC, ransacReprojThreshold=near / 2
    )
    if matrix is None or not np.isfinite(matrix).all():
        return None
    return Alignment(np.vstack([matrix, [0, 0, 1]]), int(inside.sum()))


def _homography(ours: Floats, theirs: Floats, near: float) -> Alignment | None:
    import cv2

    matrix, inside = cv2.findHomography(ours, theirs, cv2.USAC_MAGSAC, near / 4, maxIters=500)
    if matrix is None or inside.sum() < REFINED_FROM or not np.isfinite(matrix).all():
        return None
    return Alignment(np.asarray(matrix, np.float64), int(inside.sum()))
