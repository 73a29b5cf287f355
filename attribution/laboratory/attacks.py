"""What is done to a picture before it turns up elsewhere: the attacks of the copy protocol.

The list is DISC21's (Douze et al. 2021) with the strengths of docs/evaluation.md. Random places,
colours and pictures come from the `Random` that is passed, so that a seed repeats them.
"""

from __future__ import annotations

import colorsys
import io
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

Attack = Callable[[Image.Image, Random], Image.Image]

WHITE = (255, 255, 255)
WORDS = ("SAMPLE", "sale", "50%", "new!", "the", "end", "@home", "www")
SMALLEST = 8  # pixels a side: what is smaller shows nothing


def attacks(scenes: Sequence[Image.Image] = ()) -> Mapping[str, Attack]:
    """Return every attack by its name, such as "jpeg-30" or "crop-0.7"; RGB in, RGB out.

    `scenes` are the pictures to paste into and to put beside; without any, scenes are drawn.
    """
    pick = partial(_scene, scenes)
    return {
        **{f"jpeg-{quality}": partial(_jpeg, quality) for quality in (95, 75, 50, 30)},
        **{f"resize-{scale}": partial(_resize, scale) for scale in (0.5, 0.25)},
        **{f"blur-{radius}": partial(_blur, radius) for radius in (1, 2)},
        **{f"noise-{spread}": partial(_noise, spread) for spread in (8, 24)},
        "grey": lambda image, _: ImageOps.grayscale(image).convert("RGB"),
        **{f"colour-{strength}": partial(_colour, strength) for strength in (0.2, 0.5)},
        "hue-swap": _hue_swap,
        "flip": lambda image, _: ImageOps.mirror(image),
        "flip-vertical": lambda image, _: ImageOps.flip(image),
        **{f"rotate-{degrees}": partial(_rotate, degrees) for degrees in (5, 15, 45, 90, 180)},
        **{f"crop-{side}": partial(_crop, side) for side in (0.9, 0.7, 0.5, 0.3)},
        "text": _text,
        "emoji": _emoji,
        "border": _border,
        "screenshot": _screenshot,
        **{f"pasted-{scale}": partial(_pasted, scale, pick) for scale in (0.5, 0.3)},
        "collage": partial(_collage, pick),
        "perspective": _perspective,
    }


def _jpeg(quality: int, image: Image.Image, _: Random) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def _resize(scale: float, image: Image.Image, _: Random) -> Image.Image:
    return image.resize([max(SMALLEST, round(side * scale)) for side in image.size])


def _blur(radius: float, image: Image.Image, _: Random) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(radius))


def _noise(spread: float, image: Image.Image, random: Random) -> Image.Image:
    """Add Gaussian noise of this deviation, of 255 levels."""
    noise = np.random.default_rng(random.getrandbits(32)).normal(0, spread, (*image.size[::-1], 3))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def _colour(strength: float, image: Image.Image, random: Random) -> Image.Image:
    """Change brightness, contrast and saturation by up to this part, either way."""
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = enhance(image).enhance(1 + random.choice((-1, 1)) * strength)
    return image


def _hue_swap(image: Image.Image, random: Random) -> Image.Image:
    """Turn the circle of hues by a third to two thirds."""
    hue, saturation, value = image.convert("HSV").split()
    turn = random.randint(85, 170)
    turned = hue.point([(level + turn) % 256 for level in range(256)])
    return Image.merge("HSV", (turned, saturation, value)).convert("RGB")


def _rotate(degrees: int, image: Image.Image, _: Random) -> Image.Image:
    return image.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=WHITE)


def _crop(side: float, image: Image.Image, random: Random) -> Image.Image:
    """Keep this part of each side, anywhere."""
    width, height = (max(SMALLEST, round(one * side)) for one in image.size)
    left = random.randint(0, max(0, image.width - width))
    top = random.randint(0, max(0, image.height - height))
    return image.crop((left, top, min(left + width, image.width), min(top + height, image.height)))


def _text(image: Image.Image, random: Random) -> Image.Image:
    """Write two lines over the picture, each about a sixth of its height."""
    image = image.copy()
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(max(SMALLEST, image.height // 6))
    for _ in range(2):
        place = random.uniform(0, 0.4) * image.width, random.uniform(0, 0.8) * image.height
        words = " ".join(random.sample(WORDS, 2))
        draw.text(place, words, fill=_colour_of(random), font=font, stroke_width=1)
    return image


def _emoji(image: Image.Image, random: Random) -> Image.Image:
    """Put a smiling face of a third of the shorter side somewhere."""
    image = image.copy()
    draw, side = ImageDraw.Draw(image), max(SMALLEST, min(image.size) // 3)
    x, y = (random.randint(0, max(0, one - side)) for one in image.size)
    part = side / 10
    draw.ellipse((x, y, x + side, y + side), fill=(255, 204, 51), outline=(120, 80, 0))
    for eye in (3, 6):
        left, top = x + eye * part, y + 3 * part
        draw.ellipse((left, top, left + part, top + 1.5 * part), fill=(60, 40, 0))
    draw.arc((x + 2 * part, y + 3 * part, x + 8 * part, y + 8 * part), 20, 160, (60, 40, 0), 2)
    return image


def _border(image: Image.Image, random: Random) -> Image.Image:
    """Add a border of a tenth of the longer side."""
    return ImageOps.expand(image, max(image.size) // 10, fill=_colour_of(random))


def _screenshot(image: Image.Image, random: Random) -> Image.Image:
    """Show the picture in an application: bars above and below, a margin, a little smaller."""
    width, height = round(image.width * 1.3) + 40, round(image.height * 1.25) + 80
    screen = Image.new("RGB", (width, height), (240, 240, 242))
    draw = ImageDraw.Draw(screen)
    draw.rectangle((0, 0, width, 36), fill=(52, 58, 70))
    for number, colour in enumerate(((237, 106, 94), (245, 191, 79), (98, 197, 84))):
        draw.ellipse((10 + 18 * number, 12, 22 + 18 * number, 24), fill=colour)
    draw.text((80, 10), random.choice(WORDS), fill=WHITE, font=ImageFont.load_default(14))
    draw.rectangle((0, height - 24, width, height), fill=(220, 222, 226))
    screen.paste(image, ((width - image.width) // 2, 36 + (height - 60 - image.height) // 2))
    return screen


def _pasted(
    scale: float, pick: Callable[[Random], Image.Image], image: Image.Image, random: Random
) -> Image.Image:
    """Paste the picture at this part of the longer side of another one."""
    scene = pick(random).copy()
    small = ImageOps.contain(image, (max(SMALLEST, round(max(scene.size) * scale)),) * 2)
    small = small.crop((0, 0, min(small.width, scene.width), min(small.height, scene.height)))
    place = tuple(
        random.randint(0, room - side) for room, side in zip(scene.size, small.size, strict=True)
    )
    scene.paste(small, (place[0], place[1]))
    return scene


def _collage(
    pick: Callable[[Random], Image.Image], image: Image.Image, random: Random
) -> Image.Image:
    """Put the picture into one of four fields, other pictures into the rest."""
    side = max(image.size)
    sheet, own = Image.new("RGB", (2 * side, 2 * side), WHITE), random.randrange(4)
    for field in range(4):
        tile = ImageOps.contain(image if field == own else pick(random), (side, side))
        sheet.paste(tile, (field % 2 * side, field // 2 * side))
    return sheet


def _perspective(image: Image.Image, random: Random) -> Image.Image:
    """Move each corner inwards by up to a sixth of each side."""
    width, height = image.size
    corners = [(0, 0), (width, 0), (width, height), (0, height)]
    moved = [
        (
            abs(x - random.uniform(0, width / 6)),
            abs(y - random.uniform(0, height / 6)),
        )
        for x, y in corners
    ]
    rows, targets = [], []
    for (x, y), (u, v) in zip(moved, corners, strict=True):  # output corner -> input corner
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        targets += [u, v]
    terms = np.linalg.solve(np.array(rows, dtype=float), np.array(targets, dtype=float))
    return image.transform(
        image.size,
        Image.Transform.PERSPECTIVE,
        terms.tolist(),
        Image.Resampling.BICUBIC,
        fillcolor=WHITE,
    )


def _scene(scenes: Sequence[Image.Image], random: Random) -> Image.Image:
    return random.choice(scenes) if scenes else _drawn_scene(random)


def _drawn_scene(random: Random) -> Image.Image:
    """Draw a sky, a ground and a dozen shapes."""
    scene = Image.new("RGB", (320, 240), _colour_of(random))
    draw = ImageDraw.Draw(scene)
    draw.rectangle((0, random.randint(100, 200), 320, 240), fill=_colour_of(random))
    for _ in range(12):
        x, y, side = random.randint(0, 300), random.randint(0, 220), random.randint(10, 80)
        shape = random.choice((draw.ellipse, draw.rectangle))
        shape((x, y, x + side, y + side // 2 + 5), fill=_colour_of(random))
    return scene


def _colour_of(random: Random) -> tuple[int, int, int]:
    """Return a strong colour of any hue."""
    red, green, blue = colorsys.hsv_to_rgb(
        random.random(), random.uniform(0.5, 1), random.uniform(0.3, 0.9)
    )
    return round(255 * red), round(255 * green), round(255 * blue)
