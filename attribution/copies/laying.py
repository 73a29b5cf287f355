"""An image laid on a work: both as small pictures, pixel on pixel and equally sharp."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from attribution.copies.geometry import Homography, project
from attribution.copies.sketch import Pixels, Sketch

LEAST_PIXELS = 250  # of the work's small picture, or there is nothing to compare
LEAST_SHARE = 0.5  # of the smaller of both pictures
BLURS_PX = (1, 3, 5, 7, 9)  # 1: not at all

Numbers = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Laid:
    """An image and a work on one another, in the frame of the work's small picture."""

    ours: Numbers  # (height, width, 3): the image
    theirs: Numbers  # the work
    mask: Mask  # (height, width): where the image lies


def lay(query: Sketch, work: Sketch, matrix: Homography) -> Laid | None:
    """Lay an image on a work; None where they share too little to be compared."""
    ours, mask = _warp(query, work, matrix)
    pixels = int(mask.sum())
    smaller = min(mask.size, _area(query, work, matrix))
    if pixels < LEAST_PIXELS or pixels < LEAST_SHARE * smaller:
        return None
    return Laid(*_as_sharp(soften(ours), soften(work.rgb), mask), mask)


def reduced(
    query: Sketch, work: Sketch, matrix: Homography
) -> tuple[Pixels, Homography, Callable[[Homography], Homography]]:
    """Return the image as large as it will lie, its way to the work's small picture, and back.

    Reduced by averaging, so that fine strokes do not flicker. OpenCV counts from the middle of the
    first pixel, we from its corner.
    """
    import cv2

    height, width = work.rgb.shape[:2]
    to_small = _shift(-0.5) @ np.diag([width / work.size[0], height / work.size[1], 1])
    scale = np.sqrt(max(_area(query, work, matrix), 1) / (query.size[0] * query.size[1]))
    size = tuple(max(8, round(side * min(1.0, float(scale)))) for side in query.size)
    small: Pixels = cv2.resize(query.rgb, size, interpolation=cv2.INTER_AREA)
    from_reduced = np.diag([query.size[0] / size[0], query.size[1] / size[1], 1]) @ _shift(0.5)

    def back(whole: Homography) -> Homography:
        found = np.linalg.inv(to_small) @ whole @ np.linalg.inv(from_reduced)
        return np.asarray(found / found[2, 2], np.float64)

    return small, to_small @ matrix @ from_reduced, back


def soften(picture: Pixels | Numbers) -> Numbers:
    """Blur a picture by a pixel: neither was sampled at the other's places."""
    import cv2

    return np.asarray(cv2.blur(picture.astype(np.float32), (3, 3)), np.float32)


def grey(picture: Numbers) -> Numbers:
    """Return the mean of the channels."""
    import cv2

    return np.asarray(cv2.transform(picture, np.full((1, 3), 1 / 3)), np.float32)


def _warp(query: Sketch, work: Sketch, matrix: Homography) -> tuple[Numbers, Mask]:
    """Return the image as it lies on the work's small picture, and where it does."""
    import cv2

    height, width = work.rgb.shape[:2]
    small, whole, _ = reduced(query, work, matrix)
    laid = cv2.warpPerspective(
        small.astype(np.float32), whole, (width, height), borderMode=cv2.BORDER_REPLICATE
    )
    ones = np.ones(small.shape[:2], np.float32)
    mask = cv2.warpPerspective(ones, whole, (width, height)) > 0.9
    return laid, mask


def _shift(by: float) -> Homography:
    return np.array([(1, 0, by), (0, 1, by), (0, 0, 1)], np.float64)


def _area(query: Sketch, work: Sketch, matrix: Homography) -> float:
    """Return the area of the image in pixels of the work's small picture."""
    w, h = query.size
    x, y = project(matrix, np.array([(0, 0), (w, 0), (w, h), (0, h)], np.float64)).T
    area = float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    unit = work.rgb.shape[0] * work.rgb.shape[1] / (work.size[0] * work.size[1])
    return abs(area) * unit if np.isfinite(area) else 0.0


def _as_sharp(one: Numbers, other: Numbers, mask: Mask) -> tuple[Numbers, Numbers]:
    """Blur the sharper of two pictures until it is about as sharp as the other."""
    import cv2

    shades, wanted = grey(one), _sharpness(grey(other), mask)
    if _sharpness(shades, mask) < wanted:
        return _as_sharp(other, one, mask)[::-1]
    side = min(
        BLURS_PX, key=lambda side: abs(_sharpness(cv2.blur(shades, (side, side)), mask) - wanted)
    )
    return np.asarray(cv2.blur(one, (side, side)), np.float32), other


def _sharpness(shades: Numbers, mask: Mask) -> float:
    """Return the steepness of brightness over its spread."""
    across, down = np.diff(shades, axis=1)[:-1], np.diff(shades, axis=0)[:, :-1]
    steep = float((across**2 + down**2)[mask[1:, 1:]].sum())
    return float(np.sqrt(steep / max(float(shades[mask].var()) * mask.sum(), 1.0)))
