"""Which ground a transparent picture is laid over: one on which it can be seen.

White where most of the picture shows on it. A white glyph is blank there: it is laid over black. A
picture half white, half black shows on neither: it is laid over grey.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

WHITE, BLACK, GREY = "white", "black", "grey"
GROUNDS = {  # in the order in which they are preferred
    WHITE: (255, 255, 255),
    BLACK: (0, 0, 0),
    GREY: (128, 128, 128),
}
LOOKED_AT_PX = 256  # a side of what the choice is made by
VISIBLE = 16.0  # difference of neighbouring pixels, of 255 in any channel, that is seen
ENOUGH = 0.7  # of the edges that show on the best ground
WORTH_A_VIEW = 0.1  # the same, from which another ground shows something
SEEN_THROUGH = 0.02  # of the picture's area, from which another ground changes the picture

Pixels = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Grounds:
    """What a transparent picture is laid over."""

    shown: str  # what it is mostly seen on, a key of GROUNDS
    others: tuple[str, ...] = ()  # white and black, where it shows something on them as well; grey
    # too then, for a picture of several tones looks another way on a coloured ground


def choose_grounds(small: Image.Image) -> Grounds:
    """Choose by the edges that can be seen; `small` is a reduced picture of mode RGBa."""
    pixels = np.asarray(small, np.float32)
    edges = {name: _edges(_laid(pixels, colour)) for name, colour in GROUNDS.items()}
    best = max(edges.values())
    shown = next(name for name in GROUNDS if edges[name] >= ENOUGH * best)
    if 1 - float(pixels[..., 3].mean()) / 255 < SEEN_THROUGH:
        return Grounds(shown)
    extremes = [one for one in (WHITE, BLACK) if edges[one] > WORTH_A_VIEW * best]
    worth = [*extremes, GREY] if len(extremes) > 1 else extremes
    return Grounds(shown, tuple(one for one in worth if one != shown))


def lay_over(picture: Image.Image, ground: str) -> Image.Image:
    """Return the RGB picture that is seen where an RGBA picture lies on a ground."""
    below = Image.new("RGBA", picture.size, GROUNDS[ground])
    return Image.alpha_composite(below, picture).convert("RGB")


def _laid(pixels: Pixels, colour: tuple[int, int, int]) -> Pixels:
    """Lay premultiplied pixels over a colour."""
    below = np.array(colour, np.float32)
    return np.asarray(pixels[..., :3] + (1 - pixels[..., 3:] / 255) * below, np.float32)


def _edges(picture: Pixels) -> float:
    """Return the length of the edges, sharp and soft: at full size, at half of it, and so on."""
    length, scale = 0.0, 1
    while True:
        for axis in (0, 1):
            steps = np.abs(np.diff(picture, axis=axis)).max(2, initial=0)
            length += scale * int((steps >= VISIBLE).sum())
        height, width = (side // 2 for side in picture.shape[:2])
        if min(height, width) < 4:
            return length
        pairs = picture[: height * 2, : width * 2].reshape(height, 2, width, 2, 3)
        picture, scale = pairs.mean((1, 3)), scale * 2
