"""How much of what two pictures show that lie on one another is the same: strokes, then colours.

Colours are compared by a gain and an offset a channel, and only where there are strokes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from attribution.copies.geometry import Alignment, is_sane
from attribution.copies.laying import Laid, Numbers, reduced
from attribution.copies.sketch import Sketch
from attribution.copies.strokes import FLAT, WINDOW, compare_strokes

STEPS = (3, 25, 1e-4)  # OpenCV's criteria: at most 25, or until hardly better
BLUR_PX = 5
GREY = 6.0  # mean difference of the channels of one pixel
LUMA = np.array([[0.299, 0.587, 0.114]], np.float32)
FAINT = 0.15  # spread of a channel beside that of the strongest
UNCOVERED = 0.75  # of the pixels, those that fit best: what is written over is not among them


@dataclass(frozen=True)
class Likeness:
    """What the comparison of an aligned image and a work found."""

    agreement: float  # part of the strokes of both, by contrast, that are the same; 0 to 1
    windows: float  # how many windows the strokes fill: how much there was to compare
    colours: float  # correlation in the channel where it is least, each by its own gain and offset
    uncovered: float  # the same over the pixels that fit best


def compare(laid: Laid) -> Likeness | None:
    """Compare an image with the work it is laid on; None where both show nothing."""
    strokes = compare_strokes(laid)
    present = strokes.present
    if not present.any():
        return None
    one = np.ascontiguousarray(laid.ours[present].T)
    other = np.ascontiguousarray(laid.theirs[present].T)
    apart = np.abs(_standard(one) - _standard(other)).max(0)
    near = apart <= np.quantile(apart, UNCOVERED)
    return Likeness(
        agreement=strokes.agreement,
        windows=float(present.sum()) / WINDOW**2,
        colours=_channels(one, other),
        uncovered=_channels(one[:, near], other[:, near]),
    )


def refine(query: Sketch, work: Sketch, alignment: Alignment) -> Alignment | None:
    """Move an aligned image a little until its brightness fits the work's best (ECC); or None.

    Features of a cropped image are few, and so place it a pixel or two off.
    """
    import cv2

    small, whole, to_image = reduced(query, work, alignment.matrix)
    grey, theirs = (cv2.cvtColor(one, cv2.COLOR_RGB2GRAY) for one in (small, work.rgb))
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


def correlation(one: Numbers, other: Numbers) -> float:
    """Return the correlation of two rows of numbers; 0 where one does not vary."""
    one, other = one - one.mean(), other - other.mean()
    length = float(np.linalg.norm(one)) * float(np.linalg.norm(other))
    return float((one * other).sum()) / length if length > FLAT * one.size else 0.0


def _channels(one: Numbers, other: Numbers) -> float:
    """Return the least correlation among the channels; that of the brightness for a grey image.

    Shapes (3, pixels). A channel that hardly varies in either is left out: what it shows is left by
    compression.
    """
    if float((one.max(0) - one.min(0)).mean()) < GREY:
        one, other = one.mean(0, keepdims=True), LUMA @ other
    spread = np.maximum(one.std(1), other.std(1))
    telling = np.flatnonzero(spread > max(2 * FLAT, FAINT * float(spread.max())))
    return min((correlation(one[at], other[at]) for at in telling), default=0.0)


def _standard(pixels: Numbers) -> Numbers:
    """Centre each channel and divide all by their common spread."""
    centred = pixels - pixels.mean(1, keepdims=True)
    return np.asarray(centred / max(float(pixels.std()), 1.0), np.float32)
