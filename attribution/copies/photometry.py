"""Whether two aligned pictures are one picture, or two that merely share a drawing.

The image is laid on the work and what both show is compared: the same strokes in the same places,
and colours that follow from each other. Another flag of the series fails the one or the other.
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
STEPS = (3, 25, 1e-4)  # OpenCV's criteria: at most 25, or until hardly better
BLUR_PX = 5
GREY = 6.0  # mean difference of the channels of one pixel
LUMA = np.array([[0.299], [0.587], [0.114]], np.float32)
FLAT = 4.0  # standard deviation of a window without strokes

Numbers = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Likeness:
    """What the comparison of an aligned image and a work found; all but `pixels` about 0 to 1."""

    share: float  # of the smaller picture that both show
    pixels: int  # that were compared
    colours: float  # correlation of colours, of all channels at once
    channels: float  # the same of the channel where it is least, each by its own gain and offset
    mapped: float  # part of the image's colours that an affine map of the work's colours explains
    strokes: float  # mean correlation of brightness in windows that hold strokes
    strangers: float  # part of those windows in which one shows what the other does not
    detail: float  # how much of the area holds strokes
    shades: float  # how many colours there are, as entropy over 64: a flag is near 0.25


def compare(query: Sketch, work: Sketch, alignment: Alignment) -> Likeness | None:
    """Compare an image with the work it is laid on; None where both show too little, or nothing."""
    import cv2

    theirs = work.rgb.astype(np.float32)
    ours, mask = _lay(query, work, alignment.matrix)
    pixels = int(mask.sum())
    smaller = min(mask.size, _area(query, work, alignment.matrix))
    if pixels < LEAST_PIXELS or pixels < LEAST_SHARE * smaller:
        return None
    ours, theirs = cv2.blur(ours, (3, 3)), cv2.blur(theirs, (3, 3))
    one, other = ours[mask], theirs[mask]
    strokes, strangers, detail = _strokes(ours, theirs, mask)
    if not detail:
        return None
    return Likeness(
        share=min(1.0, pixels / smaller),
        pixels=pixels,
        colours=_correlation(one - one.mean(0), other - other.mean(0)),
        channels=_channels(one, other),
        mapped=_mapped(one, other),
        strokes=strokes,
        strangers=strangers,
        detail=detail,
        shades=_shades(other),
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


def _lay(query: Sketch, work: Sketch, matrix: Homography) -> tuple[Numbers, npt.NDArray[np.bool_]]:
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

    A channel that is flat in both is left out.
    """
    if float(np.ptp(one, axis=1).mean()) < GREY:
        one, other = one.mean(1, keepdims=True), other @ LUMA
    one, other = one - one.mean(0), other - other.mean(0)
    found = [
        _correlation(one[:, channel], other[:, channel])
        for channel in range(one.shape[1])
        if max(float(one[:, channel].std()), float(other[:, channel].std())) > 2 * FLAT
    ]
    return min(found, default=0.0)


def _mapped(one: Numbers, other: Numbers) -> float:
    basis = np.column_stack([other, np.ones(len(other), np.float32)])
    gram = basis.T @ basis + np.eye(4, dtype=np.float32) * len(other) * 1e-2
    rest = one - basis @ np.linalg.solve(gram, basis.T @ one)
    spread = float(((one - one.mean(0)) ** 2).sum())
    return 1 - float((rest**2).sum()) / spread if spread > FLAT * one.size else 0.0


def _strokes(
    ours: Numbers, theirs: Numbers, mask: npt.NDArray[np.bool_]
) -> tuple[float, float, float]:
    """Correlate brightness window by window, weighted by contrast; the sign does not count."""
    import cv2

    one, other = ours.mean(2), theirs.mean(2)
    inside = cv2.blur(mask.astype(np.float32), (WINDOW, WINDOW))

    def local(values: Numbers) -> Numbers:
        blurred = cv2.blur(np.where(mask, values, 0), (WINDOW, WINDOW))
        return np.asarray(blurred / np.maximum(inside, 1e-3), np.float32)

    mean_one, mean_other = local(one), local(other)
    one_spread = np.sqrt(np.maximum(local(one**2) - mean_one**2, 0))
    other_spread = np.sqrt(np.maximum(local(other**2) - mean_other**2, 0))
    shared = local(one * other) - mean_one * mean_other
    # Contrast may be weaker as a whole, so each is measured by its own.
    floor_one = FLAT + 0.1 * float(one_spread[mask].max())
    floor_other = FLAT + 0.1 * float(other_spread[mask].max())
    agreement = shared / np.maximum(one_spread, floor_one) / np.maximum(other_spread, floor_other)
    strong = mask & ((one_spread > floor_one) | (other_spread > floor_other))
    if not strong.any():
        return 0.0, 1.0, 0.0
    weight = np.maximum(one_spread / floor_one, other_spread / floor_other)[strong].clip(0, 4)
    values = np.abs(agreement[strong])
    total = float(weight.sum())
    return (
        float((values * weight).sum()) / total,
        float(weight[values < 0.4].sum()) / total,
        float(strong.sum() / mask.sum()),
    )


def _shades(pixels: Numbers) -> float:
    levels: Pixels = (pixels / 32).astype(np.uint8)
    counts = np.bincount(levels.astype(np.intp) @ np.array([64, 8, 1]), minlength=512)
    parts = counts[counts > 0] / counts.sum()
    return float(-(parts * np.log2(parts)).sum() / 6)
