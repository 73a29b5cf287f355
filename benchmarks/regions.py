"""Do regions light up where they should? `python benchmarks/regions.py DATA`.

Composites of two artists' works, side by side or one pasted on the other, from the half of the data
that the starter models never saw. Every artist brings the three works nearest to the composite by
CLIP, as an answer does, without the two works in it and their near-duplicates; beside the artist in
question stand the four nearest others. Over the cells where something is drawn: the area under the
ROC curve of inside against outside, how often the strongest cell is inside, how many of the glowing
cells are; beside a cell drawn by lot, and local contrast in place of margins.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from attribution.arithmetic import patches
from attribution.config import Settings
from attribution.encoders.encoder_set import EncoderSet
from attribution.encoders.profiles import load_encoders
from attribution.images import read_image_file, read_thumbnail, thumbnail
from attribution.laboratory.metrics import auroc
from attribution.laboratory.works import Labelled, Works, choose_half, embed
from attribution.types import PATCHES, Matrix
from ingest.sources import read_source

Mask = npt.NDArray[np.bool_]
HALF_PX = 160
WORKS, OTHERS, FEWEST = 3, 4, 6


@dataclass(frozen=True)
class Composite:
    """An image of two works, and where the first one is."""

    rgb: Image.Image
    inside: Mask  # by pixel
    works: tuple[int, int]


def compose(works: Works, count: int, seed: int) -> Iterator[Composite]:
    """Yield composites, by turns side by side and pasted."""
    rng = np.random.default_rng(seed)
    able = np.flatnonzero(np.bincount(works.artist) >= FEWEST)
    for number in range(count):
        artists = rng.choice(able, 2, replace=False)
        pair = tuple(int(rng.choice(np.flatnonzero(works.artist == one))) for one in artists)
        own, other = (read_image_file(works.paths[one]).rgb for one in pair)
        rgb, box = (pasted if number % 2 else beside)(own, other, rng)
        inside = np.zeros((rgb.height, rgb.width), dtype=bool)
        inside[box[1] : box[3], box[0] : box[2]] = True
        yield Composite(rgb, inside, (pair[0], pair[1]))


Box = tuple[int, int, int, int]


def beside(
    own: Image.Image, other: Image.Image, rng: np.random.Generator
) -> tuple[Image.Image, Box]:
    """Put two works side by side or one above the other."""
    wide, first = bool(rng.integers(2)), int(rng.integers(2))
    rgb = Image.new("RGB", (2 * HALF_PX, HALF_PX) if wide else (HALF_PX, 2 * HALF_PX))
    for work, place in ((own, first), (other, 1 - first)):
        fitted = ImageOps.pad(work, (HALF_PX, HALF_PX), color="white")
        rgb.paste(fitted, (place * HALF_PX * wide, place * HALF_PX * (not wide)))
    x, y = first * HALF_PX * wide, first * HALF_PX * (not wide)
    return rgb, (x, y, x + HALF_PX, y + HALF_PX)


def pasted(
    own: Image.Image, other: Image.Image, rng: np.random.Generator
) -> tuple[Image.Image, Box]:
    """Paste a work without its margin on another, half as long as its shorter side."""
    rgb = ImageOps.contain(other, (2 * HALF_PX, 2 * HALF_PX))
    frame = ImageOps.invert(own.convert("L")).point(lambda value: 255 * (value > 5)).getbbox()
    side = max(8, min(rgb.size) // 2)
    piece = ImageOps.contain(own.crop(frame) if frame else own, (side, side))
    x, y = (int(rng.integers(0, free + 1)) for free in np.subtract(rgb.size, piece.size))
    rgb.paste(piece, (x, y))
    return rgb, (x, y, x + piece.width, y + piece.height)


def contrast(image: Image.Image, is_drawn: Mask) -> npt.NDArray[np.float64]:
    """Return the deviation of grey in every drawn cell."""
    grey, cell = np.asarray(image.convert("L"), dtype=float), max(image.size) / PATCHES
    ends = [round(cell * n) for n in range(PATCHES + 1)]
    return np.array(
        [grey[ends[r] : ends[r + 1], ends[c] : ends[c + 1]].std() for r, c in np.argwhere(is_drawn)]
    )


def within(mask: Mask, size: tuple[int, int], is_drawn: Mask) -> Mask:
    """Return which drawn cells have their middle inside."""
    small = np.asarray(Image.fromarray(mask).resize(size))
    middles = (np.argwhere(is_drawn) + 0.5) * max(size) / PATCHES
    rows, columns = np.minimum(middles.astype(int), np.subtract(size[::-1], 1)).T
    found: Mask = small[rows, columns]
    return found


class Bench:
    """Works with their places, described once."""

    def __init__(self, works: Works, encoder: EncoderSet) -> None:
        self.works, self.encoder = works, encoder
        self.known = cache(self._known)

    def places(self, picture: Image.Image, is_drawn: Mask) -> Matrix:
        """Return the descriptors of the drawn cells of a thumbnail."""
        grid = self.encoder.encode_patches([patches.squared(picture)])[0]
        rows, columns = is_drawn.shape
        found: Matrix = grid[:rows, :columns][is_drawn]
        return found

    def _known(self, work: int) -> Matrix:
        picture = read_thumbnail(thumbnail(read_image_file(self.works.paths[work]).rgb))
        return self.places(picture, patches.drawn(picture))

    def measure(self, composite: Composite) -> dict[str, float] | None:
        """Return the measures of one composite; None where one side has nothing to compare."""
        picture = read_thumbnail(thumbnail(composite.rgb))
        is_drawn = patches.drawn(picture)
        truth = within(composite.inside, picture.size, is_drawn)
        artists = self._artists(composite)
        if truth.all() or not truth.any() or not artists[0]:
            return None
        margin = patches.margins(self.places(picture, is_drawn), list(filter(None, artists)))[0]
        plain, glowing = contrast(picture, is_drawn), margin > 0
        return {
            "AUROC": auroc(margin[truth], margin[~truth]),
            "AUROC of contrast": auroc(plain[truth], plain[~truth]),
            "pointing": truth[margin.argmax()],
            "pointing by contrast": truth[plain.argmax()],
            "pointing by lot": truth.mean(),
            "glowing cells inside": truth[glowing].mean() if glowing.any() else np.nan,
            "inside cells glowing": glowing[truth].mean(),
        }

    def _artists(self, composite: Composite) -> list[list[Matrix]]:
        """Return the places of the works an answer would show, the artist in question first."""
        works = self.works
        near = works.vectors["clip"] @ self.encoder.encode([composite.rgb])["clip"][0]
        near[np.isin(works.group, works.group[list(composite.works)])] = -2
        order = np.argsort(-near)
        order = order[near[order] > -2]
        artist = int(works.artist[composite.works[0]])
        others = [one for one in dict.fromkeys(works.artist[order].tolist()) if one != artist]
        shown = [order[works.artist[order] == one][:WORKS] for one in (artist, *others[:OTHERS])]
        found = [[self.known(int(work)) for work in own] for own in shown]
        return [[one for one in own if len(one)] for own in found]


def main() -> None:
    """Print the mean of every measure with its 95 % interval over composites."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("data", type=Path)
    arguments.add_argument("--composites", type=int, default=160)
    arguments.add_argument("--seed", type=int, default=2)
    given = arguments.parse_args()
    found = (Labelled(one.path, one.artist) for one in read_source(given.data) if one.path)
    items, _ = choose_half(found, given.data, "evaluation")
    encoder = EncoderSet([next(iter(load_encoders(Settings())))])
    works = embed(items, encoder, lambda *_: None)
    bench = Bench(works, encoder)
    measured = [bench.measure(one) for one in compose(works, given.composites, given.seed)]
    kept = [one for one in measured if one]
    print(f"{len(kept)} composites from {len(works.paths)} works by {len(works.names)} artists")
    for name in kept[0]:
        values = np.array([one[name] for one in kept], dtype=float)
        values = values[np.isfinite(values)]
        spread = 1.96 * values.std() / len(values) ** 0.5
        print(f"{name:24s} {values.mean():.3f} ± {spread:.3f}")


if __name__ == "__main__":
    main()
