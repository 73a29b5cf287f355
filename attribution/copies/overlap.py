"""What an image and a work both show, as outlines on both pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from attribution.answers import Corner, Overlap
from attribution.copies.geometry import CORNERS, Homography, project
from attribution.types import Box

FULL: tuple[Corner, ...] = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
IDENTITY = Overlap(FULL, FULL, is_mirrored=False, turned_degrees=0.0)  # the whole on the whole


def overlap(
    matrix: Homography, size: tuple[int, int], work: tuple[int, int], *, is_mirrored: bool
) -> Overlap:
    """Return what both show: the image, laid on the work by `matrix`, cut to the work's frame.

    `matrix` maps pixels of an image of `size`, mirrored already, to pixels of a work of size
    `work`. The outlines have four corners, more where a turned frame cuts them.
    """
    import cv2

    laid = project(matrix, CORNERS * size)
    frame = CORNERS * work
    _, outline = cv2.intersectConvexConvex(laid.astype(np.float32), frame.astype(np.float32))
    on_work = np.asarray(outline, np.float64).reshape(-1, 2)
    on_image = project(np.asarray(np.linalg.inv(matrix), np.float64), on_work) / size
    if is_mirrored:
        on_image[:, 0] = 1 - on_image[:, 0]
    x, y = size[0] / 2, size[1] / 2
    ends = project(matrix, np.array([(x, y), (x + 1, y)]))
    across = ends[1] - ends[0]
    return Overlap(
        image=_corners(on_image),
        work=_corners(on_work / work),
        is_mirrored=is_mirrored,
        turned_degrees=round(float(np.degrees(np.arctan2(across[1], across[0]))), 1),
    )


def onto_image(outlines: Overlap) -> Homography | None:
    """Return what lays the work on the image, from parts of its sides to parts of the image's.

    A homography (3, 3) of column vectors (x, y, 1); None where the outlines do not determine one.
    """
    import cv2

    work, image = (np.array(one, np.float32) for one in (outlines.work, outlines.image))
    if len(work) < len(CORNERS):
        return None
    matrix, _ = cv2.findHomography(work, image)
    return None if matrix is None else np.asarray(matrix, np.float64)


def of_the_whole(one: Overlap, *, image: Box, work: Box) -> Overlap:
    """Return what two parts both show, as outlines on the whole image and the whole work.

    The boxes say where the parts lie in the wholes.
    """
    return replace(one, image=_placed(one.image, image), work=_placed(one.work, work))


def _placed(corners: Sequence[Corner], box: Box) -> tuple[Corner, ...]:
    left, top, right, bottom = box
    return _corners(np.array(corners) * (right - left, bottom - top) + (left, top))


def _corners(points: npt.NDArray[np.float64]) -> tuple[Corner, ...]:
    return tuple((round(float(x), 4), round(float(y), 4)) for x, y in points.clip(0, 1))
