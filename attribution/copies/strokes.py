"""Strokes, whatever their colour: where a picture has any, and where two have the same.

They are looked at window by window. White paper, and anything else without strokes, counts for
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attribution.copies.laying import Laid, Mask, Numbers, grey

WINDOW = 9  # pixels a side, in which strokes are compared
AGREES = 0.6  # correlation of a window, of either sign, from which it shows the same strokes
MOST_WEIGHT = 4.0  # of a window with strong strokes, where faint ones weigh 1
FLAT = 4.0  # standard deviation of a window without strokes
FAINTEST = 0.1  # deviation of a window with strokes, beside that of the strongest


@dataclass(frozen=True)
class Strokes:
    """The strokes of an image and a work that are laid on one another."""

    present: Mask  # where either has any
    agree: Mask  # where they are the same
    weight: Numbers  # how much each window counts, by contrast

    @property
    def agreement(self) -> float:
        """The part of the strokes that are the same, by contrast."""
        weight = self.weight[self.present]
        return float(weight[self.agree[self.present]].sum()) / max(float(weight.sum()), 1.0)


def compare_strokes(laid: Laid) -> Strokes:
    """Find the strokes of an image and a work, and compare them."""
    import cv2

    mask, one, other = laid.mask, grey(laid.ours), grey(laid.theirs)
    inside = np.maximum(cv2.blur(mask.astype(np.float32), (WINDOW, WINDOW)), 1e-3)

    def local(values: Numbers) -> Numbers:
        return np.asarray(cv2.blur(np.where(mask, values, 0), (WINDOW, WINDOW)) / inside)

    mean_one, mean_other = local(one), local(other)
    spread_one = np.sqrt(np.maximum(local(one**2) - mean_one**2, 0))
    spread_other = np.sqrt(np.maximum(local(other**2) - mean_other**2, 0))
    # Contrast may be weaker as a whole, so each is measured by its own.
    floor_one = FLAT + FAINTEST * float(spread_one[mask].max())
    floor_other = FLAT + FAINTEST * float(spread_other[mask].max())
    shared = np.abs(local(one * other) - mean_one * mean_other)
    limit = AGREES * np.maximum(spread_one, floor_one) * np.maximum(spread_other, floor_other)
    contrast = np.maximum(spread_one / floor_one, spread_other / floor_other)
    return Strokes(
        present=mask & (contrast > 1),
        agree=shared > limit,
        weight=contrast.clip(0, MOST_WEIGHT),
    )


def contrast(shades: Numbers) -> Numbers:
    """Return how much each pixel of a picture counts: 0 without strokes, more with contrast."""
    import cv2

    mean = cv2.blur(shades, (WINDOW, WINDOW))
    spread = np.sqrt(np.maximum(cv2.blur(shades**2, (WINDOW, WINDOW)) - mean**2, 0))
    relative = spread / (FLAT + FAINTEST * float(spread.max()))
    return np.where(relative > 1, relative.clip(0, MOST_WEIGHT), np.float32(0))
