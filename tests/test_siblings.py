"""Works of one series are no copies of each other; what was made from one of them is."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from PIL import Image, ImageDraw, ImageOps

from attribution.answers import CopyKind
from attribution.copies.hashes import hashes
from attribution.copies.sketch import Sketch, draw_question, draw_work
from attribution.copies.verification import Candidate, Match, verify
from attribution.images.facts import perceptual_hash
from tests.series import SERIES, card, cross, flag, sign
from tests.test_copies import drawing


def kept(image: Image.Image) -> Candidate:
    """Return a work as it is compared."""
    sketch = Sketch.from_bytes(draw_work(image))
    assert sketch is not None
    return Candidate(sketch, perceptual_hash(image))


def laid(image: Image.Image, works: Sequence[Image.Image]) -> list[Match | None]:
    """Compare an image with some works."""
    return verify(draw_question(image), hashes(image), [kept(work) for work in works])


def kinds(image: Image.Image, works: Sequence[Image.Image]) -> list[CopyKind | None]:
    """Return what is claimed of an image and each of some works."""
    return [match.kind if match else None for match in laid(image, works)]


def as_jpeg(image: Image.Image) -> Image.Image:
    """Save an image with loss."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=50)
    return Image.open(buffer).convert("RGB")


ALTERED: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG": as_jpeg,
    "smaller": lambda image: image.resize((image.width * 2 // 3, image.height * 2 // 3)),
    "mirrored": ImageOps.mirror,
    "turned": lambda image: image.rotate(15, expand=True, fillcolor="white"),
    "grey": lambda image: ImageOps.grayscale(image).convert("RGB"),
    "too bright": lambda image: image.point(lambda level: min(255, level * 5 // 4)),
    "framed": lambda image: ImageOps.expand(image, 30, "black"),
}


@pytest.mark.parametrize("name", SERIES)
def test_siblings_are_no_copies(name: str) -> None:
    """Whatever they share, an altered copy of one work is not claimed of another."""
    works = SERIES[name]
    for number, image in enumerate(works):
        others = works[:number] + works[number + 1 :]

        assert CopyKind.ALTERED_COPY not in kinds(image, others)


def test_siblings_are_still_found() -> None:
    """A person is shown the work that it may have been made from, if there is enough to see."""
    works = SERIES["cards with one frame"]

    assert set(kinds(works[0], works[1:])) == {CopyKind.NEAR_IDENTICAL}


@pytest.mark.parametrize("change", ALTERED)
@pytest.mark.parametrize("work", [flag(2), sign(1), card(4)], ids=["flag", "sign", "card"])
def test_an_altered_copy_of_one_of_a_series_is_a_copy_of_that_one(
    work: Image.Image, change: str
) -> None:
    """Its siblings are registered, too, and none of them is named."""
    series = [flag(number) for number in range(4)] + [sign(0), sign(2), card(1), card(6)]
    others = [one for one in series if one.tobytes() != work.tobytes()]

    first, *rest = kinds(ALTERED[change](work), [work, *others])

    assert first is CopyKind.ALTERED_COPY
    assert CopyKind.ALTERED_COPY not in rest


def test_what_several_works_share_is_no_copy_of_any() -> None:
    """The crosses alone: cut from one flag for all that is known, or from none of three."""
    element = cross(300, 180)

    assert kinds(element, [flag(0)]) == [CopyKind.ALTERED_COPY]
    assert set(kinds(element, [flag(number) for number in range(3)])) == {CopyKind.NEAR_IDENTICAL}


def test_a_pasted_work_is_found_beside_its_siblings() -> None:
    """Of the frame that all cards have, this one alone has these pips in it."""
    scene = drawing(99, size=(640, 480))
    scene.paste(card(4).resize((270, 384)), (200, 40))

    first, *rest = kinds(scene, [card(4), card(1), card(3), card(6)])

    assert first is CopyKind.ALTERED_COPY
    assert CopyKind.ALTERED_COPY not in rest


def speck() -> Image.Image:
    """Return a sheet with one dot on it."""
    image = Image.new("RGB", (300, 180), "white")
    ImageDraw.Draw(image).ellipse((140, 80, 160, 100), "black")
    return image


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGB", (300, 180), (0, 0, 102)),
        Image.linear_gradient("L").convert("RGB"),
        ImageOps.expand(Image.new("RGB", (280, 160), "white"), 10, "black"),
        speck(),
    ],
    ids=["plain ground", "gradient", "border", "near blank"],
)
def test_what_shows_nothing_of_its_own_is_no_copy(image: Image.Image) -> None:
    """Neither of works with that ground, nor of works with that border."""
    bordered = [ImageOps.expand(drawing(seed, size=(280, 160)), 10, "black") for seed in (1, 2)]
    grounded = [flag(0), flag(1)]

    assert CopyKind.ALTERED_COPY not in kinds(image, bordered + grounded)


def lopsided() -> Image.Image:
    """Return a work that is drawn on its left third, and white otherwise."""
    image = Image.new("RGB", (320, 240), "white")
    image.paste(drawing(5, size=(100, 240)), (0, 0))
    ImageDraw.Draw(image).ellipse((250, 100, 290, 140), "black")
    return image


def test_how_much_of_a_work_is_shown_is_measured_by_what_is_drawn() -> None:
    """Half of a sheet may have most of it, a quarter of another one a quarter."""
    (half,) = laid(lopsided().crop((0, 0, 160, 240)), [lopsided()])
    assert half is not None
    assert half.evidence is not None
    assert half.evidence.of_work > 0.75
    assert half.evidence.of_image > 0.95

    (quarter,) = laid(drawing(5).crop((0, 0, 160, 120)), [drawing(5)])
    assert quarter is not None
    assert quarter.evidence is not None
    assert quarter.evidence.of_work == pytest.approx(0.25, abs=0.08)


def test_a_tile_of_a_strip_goes_on_outside() -> None:
    """That an image shows a part of a tile, and more than it, is no sign of a sibling."""
    long = drawing(7, size=(320, 480))
    image, tile = long.crop((0, 140, 320, 480)), long.crop((0, 0, 320, 320))
    whole = kept(tile)
    asked = draw_question(image), hashes(image)

    (as_whole,), (as_cut,) = verify(*asked, [whole]), verify(*asked, [replace(whole, is_cut=True)])

    assert as_whole is not None
    assert as_cut is not None
    assert as_whole.kind is CopyKind.NEAR_IDENTICAL
    assert as_cut.kind is CopyKind.ALTERED_COPY
