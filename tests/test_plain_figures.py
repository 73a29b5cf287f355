"""Figures of few edges, and greys that are nobody's luminance, are no evidence of a copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from attribution.answers import CopyKind, Verdict
from attribution.config import Settings
from attribution.copies.hashes import hashes
from attribution.copies.sketch import Sketch, draw_question, draw_work
from attribution.copies.texture import edges
from attribution.copies.verification import FEW_EDGES, Candidate, verify
from attribution.images import CheckedImage, read_image_file
from attribution.images.facts import perceptual_hash
from attribution.services import Services, open_services
from tests.portfolios import ingest

Colour = str | tuple[int, int, int]

SQUARE = [(-1, -1), (1, -1), (1, 1), (-1, 1)]
DIAMOND = [(0, -1.33), (1.33, 0), (0, 1.33), (-1.33, 0)]
TRIANGLE = [(0, -1.33), (1.33, 1.33), (-1.33, 1.33)]
BAR = [(-1.33, -0.33), (1.33, -0.33), (1.33, 0.33), (-1.33, 0.33)]
ARROW = [(-1.3, -0.3), (0.3, -0.3), (0.3, -1), (1.3, 0), (0.3, 1), (0.3, 0.3), (-1.3, 0.3)]
ARM, END = 0.33, 1.33
CROSS = [
    (-ARM, -END), (ARM, -END), (ARM, -ARM), (END, -ARM), (END, ARM), (ARM, ARM),
    (ARM, END), (-ARM, END), (-ARM, ARM), (-END, ARM), (-END, -ARM), (-ARM, -ARM),
]  # fmt: skip


def polygon(
    corners: Sequence[tuple[float, float]], colour: Colour, *, side: int = 256, scale: float = 0.3
) -> Image.Image:
    """Draw a polygon in the middle of a white square; corners in parts of `scale` of its side."""
    image = Image.new("RGB", (side, side), "white")
    places = [((0.5 + x * scale) * side, (0.5 + y * scale) * side) for x, y in corners]
    ImageDraw.Draw(image).polygon(places, fill=colour)
    return image


def disc(colour: Colour) -> Image.Image:
    """Draw a disc."""
    image = Image.new("RGB", (256, 256), "white")
    ImageDraw.Draw(image).ellipse((50, 50, 206, 206), fill=colour)
    return image


def frame(colour: Colour) -> Image.Image:
    """Draw the outline of a square."""
    image = Image.new("RGB", (256, 256), "white")
    ImageDraw.Draw(image).rectangle((50, 50, 206, 206), outline=colour, width=20)
    return image


def stripes(*colours: Colour, is_upright: bool = False) -> Image.Image:
    """Draw stripes of equal breadth: a flag."""
    image = Image.new("RGB", (300, 200))
    for number, colour in enumerate(colours):
        step = (300 if is_upright else 200) / len(colours)
        start, end = round(number * step), round((number + 1) * step)
        box = (start, 0, end, 200) if is_upright else (0, start, 300, end)
        image.paste(colour, box)
    return image


def candidate(image: Image.Image) -> Candidate:
    """Return a work as it is kept."""
    sketch = Sketch.from_bytes(draw_work(image))
    assert sketch is not None
    return Candidate(sketch, perceptual_hash(image))


def kind(image: Image.Image, work: Image.Image) -> CopyKind | None:
    """Return what an image is found to be of a work."""
    (match,) = verify(draw_question(image), hashes(image), [candidate(work)])
    return match.kind if match else None


FIGURES: dict[str, Callable[[Colour], Image.Image]] = {
    "square": lambda colour: polygon(SQUARE, colour),
    "diamond": lambda colour: polygon(DIAMOND, colour),
    "triangle": lambda colour: polygon(TRIANGLE, colour),
    "bar": lambda colour: polygon(BAR, colour),
    "arrow": lambda colour: polygon(ARROW, colour),
    "cross": lambda colour: polygon(CROSS, colour),
    "disc": disc,
    "frame": frame,
    "two stripes": lambda colour: stripes("white", colour),
    "three stripes": lambda colour: stripes(colour, "white", colour),
    "upright stripes": lambda colour: stripes(colour, "white", colour, is_upright=True),
}


@pytest.fixture(scope="module")
def works() -> dict[str, Candidate]:
    """Return every figure in four colours, as works."""
    return {
        f"{name}, {colour}": candidate(draw(colour))
        for name, draw in FIGURES.items()
        for colour in ("orange", "black", "blue", "grey")
    }


@pytest.mark.parametrize("colour", ["black", "blue"])
@pytest.mark.parametrize("name", FIGURES)
def test_no_figure_of_few_edges_is_a_copy_of_another(
    works: dict[str, Candidate], name: str, colour: str
) -> None:
    """In the same colour or another one: what agrees is in every picture of its kind."""
    image = FIGURES[name](colour).resize((320, 320))
    matches = verify(draw_question(image), hashes(image), list(works.values()))

    copies = [
        work
        for work, match in zip(works, matches, strict=True)
        if match and match.kind is CopyKind.ALTERED_COPY
    ]
    assert copies == []


@pytest.mark.parametrize(
    ("image", "work", "found"),
    [
        (
            polygon(SQUARE, "black", side=400, scale=0.143),
            polygon(DIAMOND, "green", side=800, scale=0.252),
            None,
        ),
        (polygon(ARROW, "black", side=320), polygon(ARROW, "orange"), None),
        (polygon(CROSS, "black", side=320), polygon(CROSS, "orange"), None),
        (polygon(CROSS, "red", side=320), polygon(CROSS, "orange"), None),
        (polygon(CROSS, "blue", side=320), polygon(CROSS, "blue"), CopyKind.NEAR_IDENTICAL),
        (
            stripes("black", "red", "gold").resize((240, 160)),
            stripes("black", "red", "gold"),
            CopyKind.NEAR_IDENTICAL,
        ),
    ],
    ids=["square on diamond", "grey arrow", "grey cross", "red cross", "same cross", "same flag"],
)
def test_a_plain_figure_is_related_at_most_and_in_other_colours_nothing(
    image: Image.Image, work: Image.Image, found: CopyKind | None
) -> None:
    """The same figure in the same colours may be the work or any other such figure."""
    assert kind(image, work) is found


def colourful(*, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Return a drawing of many shapes in muted colours, whose channels are much alike."""
    rng = np.random.default_rng(5)
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    for number in range(40):
        x, y, w, h = (int(one) for one in rng.integers((0, 0, 8, 8), (*size, 60, 60)))
        shape = (draw.ellipse, draw.rectangle)[number % 2]
        colour = rng.integers(0, 160) + rng.integers(0, 96, 3)
        shape((x, y, x + w, y + h), tuple(colour.tolist()))
    return image


def test_greys_are_of_a_coloured_work_only_as_its_luminance() -> None:
    """Brighter or paler they still are; one channel, or a film's negative, is another picture."""
    work = colourful()
    grey = ImageOps.grayscale(work)
    paler = grey.point([30 + round(0.85 * level) for level in range(256)])
    channel = work.getchannel("B")

    assert kind(grey.convert("RGB"), work) is CopyKind.ALTERED_COPY
    assert kind(paler.convert("RGB"), work) is CopyKind.ALTERED_COPY
    assert kind(channel.convert("RGB"), work) is not CopyKind.ALTERED_COPY
    assert kind(ImageOps.invert(grey).convert("RGB"), work) is not CopyKind.ALTERED_COPY
    assert kind(channel.convert("RGB"), channel.convert("RGB").resize((300, 225))) is (
        CopyKind.ALTERED_COPY
    )


def test_edges_are_counted_whatever_their_length() -> None:
    """A square has four, a disc one for each direction, a drawing more than any figure."""

    def counted(image: Image.Image) -> float:
        picture = np.asarray(image.resize((128, 128)), np.float32)
        return edges(picture, np.ones((128, 128), bool))

    assert counted(Image.new("RGB", (256, 256), "white")) == 0
    assert counted(polygon(SQUARE, "black")) == pytest.approx(4, abs=1)
    assert counted(disc("black")) == pytest.approx(12, abs=1.5)
    assert counted(polygon(CROSS, "orange")) < FEW_EDGES < counted(colourful())


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Open a collection of a green diamond and a flag."""
    home = tmp_path_factory.mktemp("figures")
    own = home / "p" / "ann"
    own.mkdir(parents=True)
    polygon(DIAMOND, "green", side=800, scale=0.252).save(own / "diamond.png")
    stripes("black", "red", "gold").save(own / "flag.png")
    with open_services(Settings(home=home / "home", profile="stub")) as opened:
        ingest(opened, home / "p")
        yield opened


def read(image: Image.Image, path: Path) -> CheckedImage:
    """Save and read an image."""
    image.save(path)
    return read_image_file(path)


def test_the_lane_names_no_figure_a_copy_but_the_very_image(
    services: Services, tmp_path: Path
) -> None:
    """A black square is nothing to a green diamond; the diamond's own pixels still are it."""
    square = polygon(SQUARE, "black", side=400, scale=0.143)
    diamond = polygon(DIAMOND, "green", side=800, scale=0.252)
    flag = stripes("black", "red", "gold").resize((240, 160))

    nothing = services.attributor.attribute(read(square, tmp_path / "square.png"))
    same = services.attributor.attribute(read(diamond, tmp_path / "diamond.bmp"))
    smaller = services.attributor.attribute(read(flag, tmp_path / "flag.png"))

    assert nothing.laid_on is None
    assert same.laid_on is not None
    assert same.laid_on.kind is CopyKind.SAME_IMAGE
    assert smaller.verdict is Verdict.RELATED
    assert smaller.copy_of is None
