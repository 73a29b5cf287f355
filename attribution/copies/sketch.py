"""What is kept of a work so that copies of it are verified: local features and a small picture.

SIFT features of the picture, at most 320 pixels a side, and a WebP of 128 pixels: 20 kB at most. A
descriptor is RootSIFT in 4 bits a number: the root of a SIFT number, 0 to 255, is 0 to 15. Places
and descriptors are deflated, by a quarter; what version 1 kept is the same, not deflated.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from PIL import Image

from attribution.images import thumbnail

VERSION, NOT_DEFLATED = 2, 1
KEPT_SIDE_PX = 320  # of the picture in which features are looked for
ASKED_SIDE_PX = 512  # of an image in question, where a work may be a small part of it
SMALL_PX = 128  # of the picture that is compared
KEPT_FEATURES = 200
ASKED_FEATURES = 600
PLAIN_FEATURES = 300  # of an image in question that is compared as a whole, as large as a kept one
MOST_ENLARGED = 4.0
# Drawings are flat: little more than half of what SIFT asks of photographs. Below 0.0236 OpenCV
# rounds what it asks of a pixel (0.5 · contrast / 3 layers · 255) down to nothing: it then looks
# closely at every extreme, twice as long in all, for three features in a hundred more.
MIN_CONTRAST = 0.0237
SPOT_PX = 4  # features nearer than this are one corner
HEADER = struct.Struct("<BHHH")  # version, width, height, features
PLACE = np.dtype("<u2")
FINE = np.array([64, 64, 64, 128], np.float32)  # parts of a pixel, of a pixel, of size, of a degree

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Sketch:
    """One picture, ready to be compared."""

    size: tuple[int, int]  # width and height of the picture that `places` refer to
    places: Floats  # (n, 4): x, y from the upper left corner, diameter; degrees
    levels: Pixels  # (n, 128): descriptors, 0 to 15
    rgb: Pixels  # the picture itself, small when it is a kept one

    @cached_property
    def descriptors(self) -> Floats:
        """The descriptors as unit vectors, shape (n, 128)."""
        rows = self.levels.astype(np.float32)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.maximum(lengths, 1e-6), np.float32)

    @cached_property
    def same_spot(self) -> npt.NDArray[np.bool_]:
        """Which features share a place, shape (n, n): directions of one corner are no rivals."""
        apart = np.abs(self.places[:, None, :2] - self.places[None, :, :2]).max(2)
        return np.asarray(apart < SPOT_PX)

    def to_bytes(self) -> bytes:
        """Return what is kept."""
        places = np.rint(self.places * FINE).clip(0, 65_535).astype(PLACE)
        packed = (self.levels[:, 0::2] << 4) | self.levels[:, 1::2]
        picture = thumbnail(Image.fromarray(self.rgb), max_px=SMALL_PX)
        head = HEADER.pack(VERSION, *self.size, len(self.places))
        return b"".join([head, zlib.compress(places.tobytes() + packed.tobytes()), picture])

    @classmethod
    def from_bytes(cls, data: bytes) -> Sketch | None:
        """Return what was kept; None for what another version has written."""
        version, width, height, count = HEADER.unpack_from(data)
        if version not in (VERSION, NOT_DEFLATED):
            return None
        kept = data[HEADER.size :]
        if version == VERSION:
            features = zlib.decompressobj()
            kept = features.decompress(kept) + features.unused_data
        at = count * PLACE.itemsize * 4
        places = np.frombuffer(kept, PLACE, count * 4).reshape(count, 4) / FINE
        packed = np.frombuffer(kept, np.uint8, count * 64, at).reshape(count, 64)
        levels = np.stack([packed >> 4, packed & 15], 2).reshape(count, 128)
        with Image.open(io.BytesIO(kept[at + count * 64 :]), formats=("WEBP",)) as small:
            rgb = np.asarray(small.convert("RGB"))
        return cls((width, height), places.astype(np.float32), levels, rgb)

    def mirrored(self) -> Sketch:
        """Return the sketch of the mirrored picture, without looking for features again.

        Across a mirror the rows of a descriptor (4 × 4 cells of 8 directions, upright by the
        feature's own direction) change places and its directions their sign.
        """
        places = self.places.copy()
        places[:, 0] = self.size[0] - places[:, 0]
        places[:, 3] = (180 - places[:, 3]) % 360
        cells = self.levels.reshape(-1, 4, 4, 8)[:, ::-1][..., (-np.arange(8)) % 8]
        rgb = np.ascontiguousarray(self.rgb[:, ::-1])
        return Sketch(self.size, places, np.ascontiguousarray(cells.reshape(-1, 128)), rgb)


def draw_work(image: Image.Image) -> bytes:
    """Return what is kept of a work, an RGB image."""
    return _draw(image, KEPT_SIDE_PX, KEPT_FEATURES).to_bytes()


def draw_question(image: Image.Image, *, is_thorough: bool = True) -> Sketch:
    """Return the sketch of an RGB image in question; one that is not thorough takes a third."""
    if is_thorough:
        return _draw(image, ASKED_SIDE_PX, ASKED_FEATURES)
    return _draw(image, KEPT_SIDE_PX, PLAIN_FEATURES)


def _draw(image: Image.Image, side_px: int, features: int) -> Sketch:
    """Find the features of an RGB image; a blank one has none."""
    import cv2

    cv2.setNumThreads(1)  # several are drawn at a time, while models have the other cores
    # Small pictures are enlarged: SIFT finds little in them, and less in a part of them.
    scale = min(side_px / max(image.size), MOST_ENLARGED)
    size = max(8, round(image.width * scale)), max(8, round(image.height * scale))
    small = image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    rgb = np.asarray(small)
    detector = cv2.SIFT.create(
        nfeatures=features, contrastThreshold=MIN_CONTRAST, enable_precise_upscale=True
    )
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    points, found = detector.detectAndCompute(grey, None)
    points = points[:features]  # equal contrasts come along otherwise
    places = np.array([(*one.pt, one.size, one.angle) for one in points], np.float32).reshape(-1, 4)
    places[:, :2] += 0.5  # a pixel's middle: OpenCV counts from there
    numbers = np.zeros((0, 128), np.float32) if found is None else found[:features]
    levels = np.rint(np.sqrt(numbers)).clip(0, 15).astype(np.uint8)
    return Sketch(small.size, places, levels, rgb)
