"""The colours that a hand chooses: a histogram of what is not ground. No model, no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from attribution.encoders.encoder import Lane, ModelInfo
from attribution.encoders.spec import Spec, VectorName
from attribution.encoders.tuned import Tuned
from attribution.types import Matrix

if TYPE_CHECKING:
    from PIL.Image import Image

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

SIDE_PX = 128  # the longer side of what is looked at
LEVELS = 5  # of each channel; a colour between two levels counts for both, by its nearness
COARSE = 32  # of 256: colours of the border this alike are one
NEAR_GROUND = 24  # of 255: what differs from the ground by less in all channels belongs to it
FEWEST = 20  # pixels; with fewer besides the ground everything is looked at
# Of each of the 256 values of a channel: the levels below and above it, and how near it is to each.
VALUES = np.arange(256, dtype=np.float32)
_SCALED = VALUES / 255 * (LEVELS - 1)
_LOW = np.minimum(_SCALED.astype(int), LEVELS - 2)
LEVEL = (_LOW, _LOW + 1)
NEAR = (1 - (_SCALED - _LOW), _SCALED - _LOW)
METHOD = f"{SIDE_PX} px, {LEVELS} levels, ground {COARSE} {NEAR_GROUND} {FEWEST}, square root"


class PaletteSpec(Spec):
    """The histogram has no weights: nothing is chosen but its name."""

    has_runtimes: ClassVar[bool] = False
    kind: Literal["palette"]
    model: Literal["palette"] = "palette"
    license: Literal["Apache-2.0"] = "Apache-2.0"
    revision: None = None
    vector: VectorName = "palette"

    @property
    def lanes(self) -> Mapping[str, Lane]:
        """The one vector."""
        return {self.vector: Lane.STYLE}

    def encoder(self, device: str, tuned: Tuned | None = None) -> PaletteEncoder:
        """Return the encoder, which needs no device and no model."""
        del device, tuned
        return PaletteEncoder(self)


class PaletteEncoder:
    """Encodes images by the colours of what stands on their ground."""

    def __init__(self, spec: PaletteSpec) -> None:
        self._vector = spec.vector
        self.info = ModelInfo(
            model=spec.name,
            vectors={spec.vector: LEVELS**3},
            lanes=spec.lanes,
            revision=hashlib.sha256(METHOD.encode()).hexdigest(),
            preprocessing=METHOD,
            license=spec.license,
        )

    def encode(self, images: Sequence[Image]) -> Mapping[str, Matrix]:
        """Encode RGB images of any size; see `encoder.Encoder`."""
        return {self._vector: np.stack([_histogram(image) for image in images])}


def _histogram(image: Image) -> Floats:
    """Return the square roots of the parts of each colour (Bhattacharyya): a unit vector."""
    small = image.copy()
    small.thumbnail((SIDE_PX, SIDE_PX))
    pixels = np.asarray(small)
    colours = pixels.reshape(-1, 3)
    away = _differs(colours, _ground(pixels))
    if np.count_nonzero(away) >= FEWEST:
        colours = colours[away]
    return np.sqrt(_soft_counts(colours) / len(colours)).astype(np.float32)


def _ground(pixels: Pixels) -> Floats:
    """Return the mean of the most frequent of the border's colours, coarsely taken."""
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    coarse = (border // COARSE).astype(int) @ np.array([64, 8, 1])
    ground: Floats = border[coarse == np.bincount(coarse).argmax()].mean(0, np.float32)
    return ground


def _differs(colours: Pixels, ground: Floats) -> npt.NDArray[np.bool_]:
    """Return which colours are no ground; a channel has 256 values, so each is judged once."""
    is_far = np.abs(VALUES[:, None] - ground) >= NEAR_GROUND
    red, green, blue = colours.T
    return np.asarray(is_far[red, 0] | is_far[green, 1] | is_far[blue, 2])


def _soft_counts(colours: Pixels) -> npt.NDArray[np.float64]:
    """Count colours at the corners of the cells of a grid, by their nearness to each corner."""
    red, green, blue = colours.T
    counts = np.zeros(LEVELS**3)
    for r, g, b in np.ndindex(2, 2, 2):
        near = NEAR[r][red] * NEAR[g][green] * NEAR[b][blue]
        place = (LEVEL[r] * LEVELS**2)[red] + (LEVEL[g] * LEVELS)[green] + LEVEL[b][blue]
        counts += np.bincount(place, near, LEVELS**3)
    return counts
