"""How much there is to recognise in strokes: the straight edges that they are made of.

Two figures of few edges can always be laid on one another: a square on a diamond, one flag of three
stripes on another. That they agree says nothing about where either comes from.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from attribution.copies.laying import Mask, Numbers, grey

DIRECTIONS = 12  # of gradients, over the full turn: dark to light is not light to dark
APART_PX = 8  # parallel edges nearer than this are one
FAINTEST = 32.0  # gradient of an edge, as Sobel's filter has it: 8 times the difference of a pixel


def edges(picture: Numbers, where: Mask) -> float:
    """Return how many straight edges the strokes of a picture amount to.

    Each pixel votes by its gradient for a line, as in a Hough transform; the number is the
    perplexity of the votes. A square has about 4, a disc 12, most clip art more than 30.
    """
    import cv2

    shades = grey(picture)
    across, down = cv2.Sobel(shades, cv2.CV_32F, 1, 0), cv2.Sobel(shades, cv2.CV_32F, 0, 1)
    steepness = np.hypot(across, down)
    rows, columns = np.nonzero(where & (steepness > FAINTEST))
    if not len(rows):
        return 0.0
    weight = steepness[rows, columns]
    angle = np.arctan2(down[rows, columns], across[rows, columns])
    # Counted from the middle of the strokes, the edge of a disc is at one distance all around.
    x, y = columns - np.average(columns, weights=weight), rows - np.average(rows, weights=weight)
    distance = np.rint((x * np.cos(angle) + y * np.sin(angle)) / APART_PX)
    direction = np.rint(angle * (DIRECTIONS / (2 * np.pi))) % DIRECTIONS
    lines = (distance - distance.min()) * DIRECTIONS + direction
    return _perplexity(np.asarray(np.bincount(lines.astype(int), weight), np.float64))


def _perplexity(votes: npt.NDArray[np.float64]) -> float:
    share = votes[votes > 0] / votes.sum()
    return float(np.exp(-(share * np.log(share)).sum()))
