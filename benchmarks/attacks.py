"""What is done to copied pictures: the attacks and strengths of the protocols, by name.

Each takes an RGB image and a `random.Random`, and gives an RGB image that follows from both.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from random import Random

import numpy as np
from PIL import Image as Images
from PIL import ImageChops, ImageDraw, ImageFilter, ImageFont, ImageOps
from PIL.Image import Image, Resampling, Transform

Attack = Callable[[Image, Random], Image]


def attacks(others: Sequence[Image] = ()) -> Mapping[str, Attack]:
    """Return every attack by name; pictures are pasted into, and set beside, some of `others`."""
    found: dict[str, Attack] = {f"jpeg {quality}": _jpeg(quality) for quality in (95, 75, 50, 30)}
    found |= {f"resize {part}": _resize(part) for part in (0.5, 0.25)}
    found |= {"blur 2 px": lambda image, _: image.filter(ImageFilter.GaussianBlur(2))}
    found |= {"noise": _noise, "grey": lambda image, _: ImageOps.grayscale(image).convert("RGB")}
    found |= {"colour shift": _colour_shift, "hue swap": _hue_swap}
    found |= {"flip": lambda image, _: ImageOps.mirror(image)}
    found |= {f"rotation {angle}": _rotation(angle) for angle in (5, 15, 45, 90, 180)}
    found |= {f"crop {side}": _crop(side) for side in (0.9, 0.7, 0.5, 0.3)}
    found |= {"text": _text, "emoji": _emoji, "border": _border, "screenshot": _screenshot}
    found |= {f"pasted {part}": _pasted(part, others) for part in (0.5, 0.3)}
    found |= {"collage": _collage(others), "perspective": _perspective}
    return found


def _jpeg(quality: int) -> Attack:
    def attack(image: Image, _: Random) -> Image:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        return Images.open(buffer).convert("RGB")

    return attack


def _resize(part: float) -> Attack:
    def attack(image: Image, _: Random) -> Image:
        return image.resize((max(8, int(image.width * part)), max(8, int(image.height * part))))

    return attack


def _noise(image: Image, random: Random) -> Image:
    rng = np.random.default_rng(random.getrandbits(32))
    values = np.asarray(image, np.float32)
    noisy = values + rng.normal(0, 16, values.shape)
    return Images.fromarray(noisy.clip(0, 255).astype(np.uint8))


def _colour_shift(image: Image, random: Random) -> Image:
    """Give every channel a gain of 0.75 to 1.25 and an offset of up to 24."""
    gains = np.array([random.uniform(0.75, 1.25) for _ in range(3)])
    offsets = np.array([random.uniform(-24, 24) for _ in range(3)])
    values = np.asarray(image, np.float64) * gains + offsets
    return Images.fromarray(values.clip(0, 255).astype(np.uint8))


def _hue_swap(image: Image, random: Random) -> Image:
    """Turn the hues by a quarter to three quarters of the circle."""
    hue, saturation, value = image.convert("HSV").split()
    by = random.randint(64, 192)
    turned = hue.point([(level + by) % 256 for level in range(256)])
    return Images.merge("HSV", (turned, saturation, value)).convert("RGB")


def _rotation(angle: int) -> Attack:
    def attack(image: Image, _: Random) -> Image:
        return image.rotate(angle, Resampling.BICUBIC, expand=True, fillcolor="white")

    return attack


def _crop(side: float) -> Attack:
    def attack(image: Image, random: Random) -> Image:
        width, height = max(8, int(image.width * side)), max(8, int(image.height * side))
        left, top = random.randint(0, image.width - width), random.randint(0, image.height - height)
        return image.crop((left, top, left + width, top + height))

    return attack


def _text(image: Image, random: Random) -> Image:
    """Write three lines across the picture."""
    done = image.copy()
    draw = ImageDraw.Draw(done)
    for _ in range(3):
        size = max(10, min(image.size) // 8)
        at = random.uniform(0, 0.5) * image.width, random.uniform(0, 0.85) * image.height
        colour = random.choice(("black", "white", "red", "blue"))
        draw.text(at, "for sale now", colour, font=ImageFont.load_default(size))
    return done


def _emoji(image: Image, random: Random) -> Image:
    """Put a yellow face on the picture, a third of its shorter side wide."""
    done = image.copy()
    draw = ImageDraw.Draw(done)
    size = min(image.size) / 3
    x, y = (random.uniform(0, side - size) for side in image.size)
    draw.ellipse((x, y, x + size, y + size), "gold", "black", max(1, int(size / 30)))
    for left in (0.3, 0.6):
        draw.ellipse((x + left * size, y + size * 0.3, x + (left + 0.1) * size, y + size * 0.45), 0)
    draw.arc((x + size * 0.25, y + size * 0.3, x + size * 0.75, y + size * 0.8), 20, 160, 0, 3)
    return done


def _border(image: Image, random: Random) -> Image:
    colour = random.choice(("black", "white", "gold", "navy"))
    return ImageOps.expand(image, max(2, max(image.size) // 10), colour)


def _screenshot(image: Image, _: Random) -> Image:
    """Show the picture in a window with a title bar and a margin."""
    side = max(image.size)
    bar, margin = max(4, side // 10), max(4, side // 6)
    done = Images.new("RGB", (image.width + 2 * margin, image.height + bar + 2 * margin), "#eceff4")
    draw = ImageDraw.Draw(done)
    draw.rectangle((0, 0, done.width, bar), "#3b4252")
    for number, colour in enumerate(("#bf616a", "#ebcb8b", "#a3be8c")):
        x = bar * (0.5 + number)
        draw.ellipse((x, bar * 0.3, x + bar * 0.4, bar * 0.7), colour)
    done.paste(image, (margin, bar + margin))
    return done


def _pasted(part: float, others: Sequence[Image]) -> Attack:
    """Paste the picture into another one, `part` of its sides."""

    def attack(image: Image, random: Random) -> Image:
        ground = _other(others, image, random)
        small = _within(image, int(ground.width * part), int(ground.height * part))
        x = random.randint(0, ground.width - small.width)
        y = random.randint(0, ground.height - small.height)
        ground.paste(small, (x, y))
        return ground

    return attack


def _collage(others: Sequence[Image]) -> Attack:
    """Set the picture beside three others, two by two."""

    def attack(image: Image, random: Random) -> Image:
        done, own = Images.new("RGB", (800, 800), "white"), random.randrange(4)
        for place in range(4):
            shown = image if place == own else _other(others, image, random)
            tile = _within(shown, 390, 390)
            corner = place % 2 * 400 + 5, place // 2 * 400 + 5
            done.paste(tile, corner)
        return done

    return attack


def _perspective(image: Image, random: Random) -> Image:
    """Move every corner inwards by up to an eighth."""
    width, height = image.size
    corners = [(0, 0), (width, 0), (width, height), (0, height)]
    moved = [
        (abs(x - random.uniform(0, width / 8)), abs(y - random.uniform(0, height / 8)))
        for x, y in corners
    ]
    rows, right = [], []
    for (x, y), (u, v) in zip(moved, corners, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right += [u, v]
    numbers = np.linalg.solve(np.array(rows, float), np.array(right, float))
    return image.transform(
        image.size, Transform.PERSPECTIVE, numbers.tolist(), Resampling.BICUBIC, fillcolor="white"
    )


def _other(others: Sequence[Image], image: Image, random: Random) -> Image:
    """Return another picture, 640 pixels wide; noise where there is none."""
    for _ in range(8 if others else 0):
        other = random.choice(others)
        is_same = other.size == image.size and not ImageChops.difference(other, image).getbbox()
        if not is_same and max(other.size) < 3 * min(other.size):
            return other.resize((640, math.ceil(other.height * 640 / other.width)))
    return Images.effect_noise((640, 480), 60).convert("RGB")


def _within(image: Image, width: int, height: int) -> Image:
    scale = min(width / image.width, height / image.height)
    return image.resize((max(8, int(image.width * scale)), max(8, int(image.height * scale))))
