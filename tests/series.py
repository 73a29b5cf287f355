"""Series as artists draw them: works that share a canton, a border, a frame, a ground, a figure."""

from __future__ import annotations

from math import cos, pi, sin

import numpy as np
from PIL import Image, ImageDraw

SIGN_RED = (204, 0, 0)
NAVY = (0, 0, 102)


def cross(width: int, height: int) -> Image.Image:
    """Return a flag of crosses, which others have in their corner."""
    flag = Image.new("RGB", (width, height), NAVY)
    draw = ImageDraw.Draw(flag)
    for colour, part in (("white", 5), (SIGN_RED, 12)):
        draw.line((0, 0, width, height), colour, height // part)
        draw.line((0, height, width, 0), colour, height // part)
    for colour, part in (("white", 3), (SIGN_RED, 5)):
        draw.line((width // 2, 0, width // 2, height), colour, height // part)
        draw.line((0, height // 2, width, height // 2), colour, height // part)
    return flag


def flag(number: int) -> Image.Image:
    """Return a flag with the crosses in its corner: with a badge, or with stars."""
    image = Image.new("RGB", (300, 180), NAVY)
    image.paste(cross(150, 90), (0, 0))
    draw, rng = ImageDraw.Draw(image), np.random.default_rng(number)
    if number % 2:
        for _ in range(5):
            _star(draw, *rng.integers((170, 15, 8), (290, 165, 18)).tolist())
        return image
    draw.ellipse((185, 50, 265, 130), "white")
    for _ in range(4):
        left, top = rng.integers((195, 60), (220, 90)).tolist()
        right, bottom = rng.integers((225, 95), (250, 120)).tolist()
        draw.rectangle((left, top, right, bottom), tuple(rng.integers(0, 255, 3).tolist()))
    return image


def sign(number: int) -> Image.Image:
    """Return a road sign: a figure within a red triangle."""
    image = Image.new("RGB", (256, 230), "white")
    draw = ImageDraw.Draw(image)
    draw.polygon([(128, 8), (248, 218), (8, 218)], SIGN_RED)
    draw.polygon([(128, 52), (210, 196), (46, 196)], "white")
    if number == 0:
        draw.rectangle((118, 100, 138, 160), "black")
        draw.ellipse((118, 168, 138, 188), "black")
    elif number == 1:
        draw.line([(128, 100), (128, 185)], "black", 10)
        draw.line([(95, 150), (160, 130)], "black", 10)
        draw.ellipse((112, 85, 144, 112), "black")
    else:
        draw.rectangle((95, 140, 165, 185), "black")
        draw.rectangle((110, 110, 130, 140), "black")
    return image


def card(number: int) -> Image.Image:
    """Return a playing card of this number of pips, of six at most, in an ornate frame."""
    image = Image.new("RGB", (180, 256), "white")
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((4, 4, 176, 252), 14, outline="black", width=3)
    draw.rectangle((26, 30, 154, 226), outline=(30, 60, 160), width=2)
    rng = np.random.default_rng(1)
    for x in (16, 144):
        for _ in range(24):
            left, top, side, kind = rng.integers((x, 30, 4, 0), (x + 12, 210, 12, 2)).tolist()
            shape = (draw.ellipse, draw.rectangle)[kind]
            shape((left, top, left + side, top + side * 2), (30, 60, 160), "white")
    for pip in range(number):
        x, y = 90 + (pip % 2 * 2 - 1) * 24, 60 + pip // 2 * 60
        draw.ellipse((x - 14, y - 14, x + 14, y + 14), "black")
    return image


def sky(number: int) -> Image.Image:
    """Return the one field of stars, with something else in front of it."""
    image = Image.new("RGB", (300, 200), (0, 0, 70))
    draw = ImageDraw.Draw(image)
    for row in range(8):
        for column in range(12):
            _star(draw, 12 + column * 25 + row % 2 * 12, 14 + row * 24, 7)
    if number:
        x, y = 60 * number, 50 + 30 * (number % 3)
        shape = (draw.ellipse, draw.rectangle)[number % 2]
        shape((x - 40, y - 40, x + 40, y + 40), ((255, 120, 60), (120, 220, 120))[number % 2])
        _star(draw, x, y, 28, points=4 + number)
    return image


def rosette(number: int) -> Image.Image:
    """Return a star of many fine lines, each thicker than those of the one before."""
    image = Image.new("RGB", (512, 512), "white")
    turns = [2 * pi * corner * 18 / 53 for corner in range(54)]
    points = [(256 + 243 * sin(turn), 256 - 243 * cos(turn)) for turn in turns]
    ImageDraw.Draw(image).line(points, "black", 2 * number)
    return image.resize((256, 256), Image.Resampling.LANCZOS)


def arrow(number: int) -> Image.Image:
    """Return the one arrow, in a colour of its own."""
    image = Image.new("RGB", (256, 128), "white")
    shape = [(8, 44), (160, 44), (160, 8), (248, 64), (160, 120), (160, 84), (8, 84)]
    colour = ((190, 0, 110), (20, 190, 170), (30, 40, 190))[number]
    draw = ImageDraw.Draw(image)
    draw.polygon(shape, colour)
    gloss = tuple((level + 255) // 2 for level in colour)
    for x in range(24, 150, 28):
        draw.rectangle((x, 56, x + 16, 60 + x // 10), gloss)
    return image


def _star(draw: ImageDraw.ImageDraw, x: int, y: int, radius: int, *, points: int = 5) -> None:
    corners = []
    for corner in range(2 * points):
        reach = radius * (0.4 if corner % 2 else 1)
        turn = pi * corner / points
        corners.append((x + reach * sin(turn), y - reach * cos(turn)))
    draw.polygon(corners, "white")


SERIES = {
    "flags with one canton": [flag(number) for number in range(4)],
    "signs with one border": [sign(number) for number in range(3)],
    "cards with one frame": [card(number) for number in (4, 5, 6)],
    "one field of stars": [sky(number) for number in range(4)],
    "rosettes of thicker lines": [rosette(number) for number in (1, 2, 4, 5)],
    "one arrow in many colours": [arrow(number) for number in range(3)],
}
