"""What speaks for an altered copy, and against it, beyond strokes and colours that agree.

Works of one series share most of what they show. A sibling gives itself away by strokes that differ
in one place, by other hues, by features that do not recur, or by a shared part that is the whole of
neither picture. Figures of few edges are no evidence at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from attribution.copies.geometry import Alignment, project
from attribution.copies.laying import Laid, Mask, Numbers, grey, reduced, soften
from attribution.copies.photometry import GREY, LUMA, correlation
from attribution.copies.sketch import Sketch
from attribution.copies.strokes import FLAT, WINDOW, Strokes, compare_strokes, contrast
from attribution.copies.texture import edges

GRID = 32  # cells a side, in which the shared part of an image is kept
SLIVER_PX = 3  # breadth of what a place that is a pixel off leaves along an edge
ODD = 0.6  # of the spread of the image's colours: a window that is so far off shows another thing
LUMINANCE = 0.97  # correlation of the greys of an image with it
MOST_GAIN = 1.25  # contrast of a grey image beside that of the luminance, either way

Cells = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Evidence:
    """What an image and a work that it lies on have in common; parts are 0 to 1."""

    of_work: float  # part of the work's strokes, by contrast, that the image shows
    of_image: float  # part of the image's strokes that the work shows
    dispute: float  # windows of the largest patch in which strokes or colours differ
    hues: float  # how far hues agree, -1 to 1; 1 for a work without its colours
    features: float  # features that agree, of those that could
    edges: float  # straight edges that the shared strokes amount to, in the plainer of both
    cells: Cells  # (GRID, GRID): where the image, as it was laid, shows the work's strokes


def examine(query: Sketch, work: Sketch, alignment: Alignment, laid: Laid) -> Evidence:
    """Examine an image, mirrored already where it has to be, as it lies on a work."""
    import cv2

    strokes = compare_strokes(laid)
    shared = strokes.agree & laid.mask
    on_work = contrast(grey(soften(work.rgb)))
    small, whole, _ = reduced(query, work, alignment.matrix)
    on_image = contrast(grey(soften(small)))
    size = small.shape[1], small.shape[0]
    back = cv2.warpPerspective(shared.astype(np.float32), np.linalg.inv(whole), size) > 0.5
    shown = np.where(back, on_image, np.float32(0))
    return Evidence(
        of_work=_part(np.where(shared, on_work, np.float32(0)), on_work),
        of_image=_part(shown, on_image),
        dispute=_dispute(laid, strokes),
        hues=_hues(laid, strokes.present),
        features=_features(query, work, alignment),
        edges=min(edges(one, shared) for one in (laid.ours, laid.theirs)),
        cells=np.asarray(cv2.resize(shown, (GRID, GRID), interpolation=cv2.INTER_AREA) > 0),
    )


def _part(some: Numbers, of_all: Numbers) -> float:
    return float(some.sum()) / max(float(of_all.sum()), 1.0)


def _dispute(laid: Laid, strokes: Strokes) -> float:
    """Return the size of the largest patch in which strokes or colours differ, in windows.

    Strokes that too bright or too dark a copy has lost are no contradiction.
    """
    import cv2

    expected = _in_its_colours(laid)
    level = grey(expected)
    mean = cv2.blur(level, (WINDOW, WINDOW))
    is_plain = cv2.blur(level**2, (WINDOW, WINDOW)) - mean**2 < FLAT**2
    apart = cv2.blur(np.abs(laid.ours - expected).mean(2), (WINDOW, WINDOW))
    is_odd = apart > ODD * float(laid.ours[strokes.present].std())
    differ = laid.mask & ((strokes.present & ~strokes.agree & ~is_plain) | is_odd)
    kernel = np.ones((SLIVER_PX, SLIVER_PX), np.uint8)
    differ = cv2.morphologyEx(differ.astype(np.uint8), cv2.MORPH_OPEN, kernel)
    _, _, patches, _ = cv2.connectedComponentsWithStats(differ)
    return max((int(patch[cv2.CC_STAT_AREA]) for patch in patches[1:]), default=0) / WINDOW**2


def _in_its_colours(laid: Laid) -> Numbers:
    """Return the work in the colours of the image, however these were changed as a whole."""
    ours = laid.ours[laid.mask]
    ones = np.ones((*laid.mask.shape, 1), np.float32)
    known = np.concatenate([laid.theirs, ones], axis=2)
    change = np.linalg.lstsq(known[laid.mask], ours, rcond=1e-3)[0]
    return np.asarray((known @ change).clip(ours.min(0), ours.max(0)), np.float32)


def _hues(laid: Laid, present: Mask) -> float:
    """Return the correlation of the colours of both, taken without brightness."""
    ours, theirs = (_colour(one)[present] for one in (laid.ours, laid.theirs))
    if _strength(ours) < GREY:
        return 1.0 if _strength(theirs) < GREY or _is_greyed(laid, present) else 0.0
    lengths = float(np.linalg.norm(ours)) * float(np.linalg.norm(theirs))
    return float((ours * theirs).sum()) / max(lengths, 1.0)


def _colour(picture: Numbers) -> Numbers:
    """Return what the channels of each window differ from their mean."""
    import cv2

    return np.asarray(cv2.blur(picture - grey(picture)[..., None], (WINDOW, WINDOW)))


def _strength(colour: Numbers) -> float:
    return float(np.linalg.norm(colour, axis=1).mean())


def _is_greyed(laid: Laid, present: Mask) -> bool:
    """Tell whether the greys of an image are the luminance of a work, and not merely its outline.

    Any two shades follow from any two colours, so that the contrast has to be nearly the same.
    """
    greys, luminance = grey(laid.ours)[present], laid.theirs[present] @ LUMA[0]
    gain = (float(greys.std()) + 1) / (float(luminance.std()) + 1)
    return 1 / MOST_GAIN < gain < MOST_GAIN and correlation(greys, luminance) >= LUMINANCE


def _features(query: Sketch, work: Sketch, alignment: Alignment) -> float:
    """Return the part of the features that agree, of those of the picture with fewer of them."""
    ours = _inside(project(alignment.matrix, query.places[:, :2]), work.size)
    back = np.asarray(np.linalg.inv(alignment.matrix), np.float64)
    theirs = _inside(project(back, work.places[:, :2]), query.size)
    return alignment.agreeing / max(1, min(ours, theirs))


def _inside(points: npt.NDArray[np.float64], size: tuple[int, int]) -> int:
    return int(((points > 0) & (points < size)).all(1).sum())
