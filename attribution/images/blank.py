"""Whether a picture shows anything: a blank page is no work that could be recognised.

Noise is averaged away and slow shading tolerated. What is left must be larger than a speck of
dust: a thin line, a small mark or a word on an empty page is something to see. The thresholds are
stated in docs/images.md.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

CONTRAST = 12  # levels of 255 by which a mark, averaged over 3 × 3 pixels, leaves its surroundings
NOISE = 16  # standard deviation in levels: beyond it, it is a texture
SHADING = 24  # levels between the lightest and the darkest part of an empty page
SPECK = 1 / 128  # of the longer side: what is no longer than this is dust,
SPECK_PX = 5  # and so is what is no longer than this many pixels
SPECKS = 0.001  # of the area: with more of it covered it is no dust
PARTS = 16  # along each side: their means tell the shading of the page


def is_blank(rgb: Image.Image) -> bool:
    """Whether an RGB picture of working size shows nothing."""
    import cv2

    pixels = np.asarray(rgb)
    smooth = cv2.blur(pixels, (3, 3))
    shading = _shading(cv2.resize(smooth, (PARTS, PARTS), interpolation=cv2.INTER_AREA))
    if np.ptp(shading, axis=(0, 1)).max() > SHADING:
        return False
    page = cv2.resize(shading, rgb.size, interpolation=cv2.INTER_LINEAR)
    if (pixels - page).std(axis=(0, 1)).max() > NOISE:
        return False
    marks = (np.abs(smooth - page) > CONTRAST).any(axis=2).astype(np.uint8)
    if marks.mean() > SPECKS:
        return False
    _, _, found, _ = cv2.connectedComponentsWithStats(marks, connectivity=8)
    sides = found[1:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]  # the first one is the page
    return not (sides > max(SPECK_PX, SPECK * max(rgb.size))).any()


def _shading(parts: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return the quadratic surface that is nearest to the means of the parts, by channel."""
    y, x = np.mgrid[-1 : 1 : PARTS * 1j, -1 : 1 : PARTS * 1j].reshape(2, -1)
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    found, *_ = np.linalg.lstsq(terms, parts.reshape(PARTS * PARTS, -1).astype(float))
    return np.asarray((terms @ found).reshape(parts.shape), np.float32)
