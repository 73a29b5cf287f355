"""How much of what two aligned pictures show is the same: strokes, then colours.

The image is laid on the work, and the sharper of the two is blurred until both are as sharp.
Strokes are compared window by window, whatever their colour; colours by a gain and an offset a
channel. White paper, and anything else without strokes, counts for nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from attribution.copies.geometry import Alignment, Homography, is_sane, project
from attribution.copies.sketch import Pixels, Sketch

LEAST_PIXELS = 250  # of the work's small picture, or there is nothing to compare
LEAST_SHARE = 0.5  # of the smaller of both pictures
WINDOW = 9  # pixels a side, in which strokes are compared
AGREES = 0.6  # correlation of a window, of either sign, from which it shows the same strokes
MOST_WEIGHT = 4.0  # of a window with strong strokes, where faint ones weigh 1
BLURS_PX = (1, 3, 5, 7, 9)  # 1: not at all
STEPS = (3, 25, 1e-4)  # OpenCV's criteria: at most 25, or until hardly better
BLUR_PX = 5
GREY = 6.0  # mean difference of the channels of one pixel
LUMA = np.array([[0.299, 0.587, 0.114]], np.float32)
FLAT = 4.0  # standard deviation of a window without strokes
FAINT = 0.15  # spread of a channel beside that of the strongest
UNCOVERED = 0.75  # of the pixels, those that fit best: what is written over is not among them

Numbers = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Likeness:
    """What the comparison of an aligned image and a work found."""

    agreement: float  # part of the strokes of both, by contrast, that are the same; 0 to 1
    windows: float  # how many windows the strokes fill: how much there was to compare
    colours: float  # correlation in the channel where it is least, each by its own gain and offset
    uncovered: float  # the same over the pixels that fit best


def compare(query: Sketch, work: Sketch, alignment: Alignment) -> Likeness | None:
    """Compare an image with the work it is laid on; None where both show too little, or nothing."""
    import cv2

    ours, mask = _lay(query, work, alignment.matrix)
    pixels = int(mask.sum())
    smaller = min(mask.size, _area(query, work, alignment.matrix))
    if pixels < LEAST_PIXELS or pixels < LEAST_SHARE * smaller:
        return None
    theirs = cv2.blur(work.rgb.astype(np.float32), (3, 3))
    ours, theirs = _as_sharp(cv2.blur(ours, (3, 3)), theirs, mask)
    agreement, strong = _strokes(_grey(ours), _grey(theirs), mask)
    if not strong.any():
        return None
    one, other = np.ascontiguousarray(ours[strong].T), np.ascontiguousarray(theirs[strong].T)
    apart = np.abs(_standard(one) - _standard(other)).max(0)
    near = apart <= np.quantile(apart, UNCOVERED)
    return Likeness(
        agreement=agreement,
        windows=float(strong.sum()) / WINDOW**2,
        colours=_channels(one, other),
        uncovered=_channels(one[:, near], other[:, near]),
    )


def refine(query: Sketch, work: Sketch, alignment: Alignment) -> Alignment | None:
    """Move an aligned image a little until its brightness fits the work's best (ECC); or None.

    Features of a cropped image are few, and so place it a pixel or two off.
    """
    import cv2

    reduced, whole, to_image = _reduced(query, work, alignment.matrix)
    grey, theirs = (cv2.cvtColor(one, cv2.COLOR_RGB2GRAY) for one in (reduced, work.rgb))
    try:
        start = np.linalg.inv(whole)
        start = (start / start[2, 2]).astype(np.float32)
        _, found = cv2.findTransformECC(
            theirs, grey, start, cv2.MOTION_HOMOGRAPHY, STEPS, None, BLUR_PX
        )
        matrix = to_image(np.linalg.inv(found.astype(np.float64)))
    except (cv2.error, np.linalg.LinAlgError):  # nothing in common
        return None
    return replace(alignment, matrix=matrix) if is_sane(matrix, query.size) else None


def _lay(query: Sketch, work: Sketch, matrix: Homography) -> tuple[Numbers, Mask]:
    """Return the image as it lies on the work's small picture, and where it does."""
    import cv2

    height, width = work.rgb.shape[:2]
    reduced, whole, _ = _reduced(query, work, matrix)
    laid = cv2.warpPerspective(
        reduced.astype(np.float32), whole, (width, height), borderMode=cv2.BORDER_REPLICATE
    )
    ones = np.ones(reduced.shape[:2], np.float32)
    mask = cv2.warpPerspective(ones, whole, (width, height)) > 0.9
    return laid, mask


def _reduced(
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
    reduced: Pixels = cv2.resize(query.rgb, size, interpolation=cv2.INTER_AREA)
    from_reduced = np.diag([query.size[0] / size[0], query.size[1] / size[1], 1]) @ _shift(0.5)

    def back(whole: Homography) -> Homography:
        found = np.linalg.inv(to_small) @ whole @ np.linalg.inv(from_reduced)
        return np.asarray(found / found[2, 2], np.float64)

    return reduced, to_small @ matrix @ from_reduced, back


def _shift(by: float) -> Homography:
    return np.array([(1, 0, by), (0, 1, by), (0, 0, 1)], np.float64)


def _area(query: Sketch, work: Sketch, matrix: Homography) -> float:
    """Return the area of the image in pixels of the work's small picture."""
    w, h = query.size
    x, y = project(matrix, np.array([(0, 0), (w, 0), (w, h), (0, h)], np.float64)).T
    area = float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    unit = work.rgb.shape[0] * work.rgb.shape[1] / (work.size[0] * work.size[1])
    return abs(area) * unit if np.isfinite(area) else 0.0


def _correlation(one: Numbers, other: Numbers) -> float:
    """Return the correlation of centred numbers; 0 where one does not vary."""
    length = float(np.linalg.norm(one)) * float(np.linalg.norm(other))
    return float((one * other).sum()) / length if length > FLAT * one.size else 0.0


def _channels(one: Numbers, other: Numbers) -> float:
    """Return the least correlation among the channels; that of the brightness for a grey image.

    Shapes (3, pixels). A channel that hardly varies in either is left out: what it shows is left by
    compression.
    """
    if float((one.max(0) - one.min(0)).mean()) < GREY:
        one, other = one.mean(0, keepdims=True), LUMA @ other
    one, other = one - one.mean(1, keepdims=True), other - other.mean(1, keepdims=True)
    spread = np.maximum(one.std(1), other.std(1))
    telling = np.flatnonzero(spread > max(2 * FLAT, FAINT * float(spread.max())))
    return min((_correlation(one[at], other[at]) for at in telling), default=0.0)


def _standard(pixels: Numbers) -> Numbers:
    """Centre each channel and divide all by their common spread."""
    centred = pixels - pixels.mean(1, keepdims=True)
    return np.asarray(centred / max(float(pixels.std()), 1.0), np.float32)


def _grey(picture: Numbers) -> Numbers:
    """Return the mean of the channels."""
    import cv2

    return np.asarray(cv2.transform(picture, np.full((1, 3), 1 / 3)), np.float32)


def _as_sharp(one: Numbers, other: Numbers, mask: Mask) -> tuple[Numbers, Numbers]:
    """Blur the sharper of two pictures until it is about as sharp as the other."""
    import cv2

    grey, wanted = _grey(one), _sharpness(_grey(other), mask)
    if _sharpness(grey, mask) < wanted:
        return _as_sharp(other, one, mask)[::-1]
    side = min(
        BLURS_PX, key=lambda side: abs(_sharpness(cv2.blur(grey, (side, side)), mask) - wanted)
    )
    return np.asarray(cv2.blur(one, (side, side)), np.float32), other


def _sharpness(grey: Numbers, mask: Mask) -> float:
    """Return the steepness of brightness over its spread."""
    across, down = np.diff(grey, axis=1)[:-1], np.diff(grey, axis=0)[:, :-1]
    steep = float((across**2 + down**2)[mask[1:, 1:]].sum())
    return float(np.sqrt(steep / max(float(grey[mask].var()) * mask.sum(), 1.0)))


def _strokes(one: Numbers, other: Numbers, mask: Mask) -> tuple[float, Mask]:
    """Return the part of the strokes that agree, by contrast, and where there are any."""
    import cv2

    inside = np.maximum(cv2.blur(mask.astype(np.float32), (WINDOW, WINDOW)), 1e-3)

    def local(values: Numbers) -> Numbers:
        return np.asarray(cv2.blur(np.where(mask, values, 0), (WINDOW, WINDOW)) / inside)

    mean_one, mean_other = local(one), local(other)
    spread_one = np.sqrt(np.maximum(local(one**2) - mean_one**2, 0))
    spread_other = np.sqrt(np.maximum(local(other**2) - mean_other**2, 0))
    # Contrast may be weaker as a whole, so each is measured by its own.
    floor_one = FLAT + 0.1 * float(spread_one[mask].max())
    floor_other = FLAT + 0.1 * float(spread_other[mask].max())
    shared = np.abs(local(one * other) - mean_one * mean_other)
    limit = AGREES * np.maximum(spread_one, floor_one) * np.maximum(spread_other, floor_other)
    contrast = np.maximum(spread_one / floor_one, spread_other / floor_other)
    strong = mask & (contrast > 1)
    weight = contrast[strong].clip(0, MOST_WEIGHT)
    agreement = float(weight[(shared > limit)[strong]].sum()) / max(float(weight.sum()), 1.0)
    return agreement, strong
