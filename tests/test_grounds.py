"""Transparent pictures: laid over a ground on which they show, told apart whatever it hides."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from PIL import Image, ImageDraw

from attribution.answers import CopyMatch
from attribution.catalogue import queries
from attribution.config import Settings
from attribution.images import CheckedImage, read_image, read_image_file
from attribution.images.facts import pixel_sha256
from attribution.services import Services, open_services
from attribution.upkeep.withdrawal import withdraw
from tests.portfolios import ingest

WHITE, BLACK, BLUE = (255, 255, 255), (0, 0, 0), (20, 60, 160)
ARTISTS = ("ann", "bob", "cy")


def glyph(seed: int, colour: tuple[int, int, int] = WHITE) -> Image.Image:
    """Return a glyph of one colour on transparency: the same seed, the same glyph."""
    image = Image.new("RGBA", (128, 128), (*colour, 0))
    rng, draw = np.random.default_rng(seed), ImageDraw.Draw(image)
    for number in range(6):
        x, y = (int(at) for at in rng.integers(10, 90, 2))
        w, h = (int(side) for side in rng.integers(10, 35, 2))
        (draw.ellipse, draw.rectangle)[number % 2]((x, y, x + w, y + h), (*colour, 255))
    return image


def on(image: Image.Image, ground: tuple[int, int, int]) -> Image.Image:
    """Return what is seen of a picture on a ground."""
    below = Image.new("RGBA", image.size, (*ground, 255))
    return Image.alpha_composite(below, image.convert("RGBA")).convert("RGB")


def checked(image: Image.Image, kind: str = "PNG", **options: Any) -> CheckedImage:
    """Save a picture and read it as one that came from outside."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return read_image(buffer.getvalue())


def ground_of(image: Image.Image) -> str:
    """Return what a picture was laid over."""
    (note,) = checked(image).facts.notes
    return note.removeprefix("transparency laid over ")


def two_halves(left: tuple[int, int, int], right: tuple[int, int, int]) -> Image.Image:
    """Return two glyphs of one size next to each other, in two colours."""
    image = Image.new("RGBA", (256, 128))
    image.paste(glyph(1, left), (0, 0))
    image.paste(glyph(1, right), (128, 0))
    return image


def badge() -> Image.Image:
    """Return white words within a dark shape."""
    image = Image.new("RGBA", (128, 128))
    draw = ImageDraw.Draw(image)
    draw.ellipse((8, 8, 120, 120), (*BLUE, 255))
    draw.text((24, 54), "a white word", (*WHITE, 255))
    return image


def test_a_picture_lies_on_a_ground_on_which_it_shows() -> None:
    """White where most of it shows there; the ground is noted."""
    assert ground_of(glyph(1, BLACK)) == "white"
    assert ground_of(glyph(1, BLUE)) == "white"
    assert ground_of(badge()) == "white"
    assert ground_of(glyph(1, WHITE)) == "black"
    assert ground_of(glyph(1, (250, 248, 245))) == "black"
    assert ground_of(two_halves(WHITE, BLACK)) == "grey"
    assert ground_of(Image.new("RGBA", (64, 64), (*WHITE, 0))) == "white"


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P", "RGB", "L"])
def test_in_every_mode_a_white_glyph_is_seen(mode: str) -> None:
    """Alpha channels, transparent palette entries, and a colour that counts as transparent."""
    alpha = glyph(1).getchannel("A").point(lambda value: 255 if value > 127 else 0)
    grey = Image.composite(Image.new("L", alpha.size, 255), Image.new("L", alpha.size, 254), alpha)
    options: dict[str, Any] = {}
    match mode:
        case "RGBA" | "LA":
            image = glyph(1).convert(mode)
        case "P" | "PA":
            image, options = (
                alpha.point(lambda value: value and 1).convert("P"),
                {"transparency": 0},
            )
            image.putpalette([*WHITE, *WHITE])
        case _:
            image, options = (
                grey.convert(mode),
                {"transparency": 254 if mode == "L" else (254,) * 3},
            )

    seen = checked(image, **options)

    assert seen.facts.notes == ("transparency laid over black",)
    assert not seen.is_plain


def test_soft_and_large_glyphs_are_seen() -> None:
    """A glow without a sharp edge, and thin lines in a large picture."""
    mask = Image.radial_gradient("L").resize((1_500, 1_500)).point(lambda value: 255 - value)
    glow = Image.new("RGBA", mask.size, WHITE)
    glow.putalpha(mask)
    lines = Image.new("RGBA", (2_400, 1_200), (*WHITE, 0))
    for at in range(50, 1_150, 90):
        ImageDraw.Draw(lines).line((at, 50, 2 * at, 1_150), (*WHITE, 255), 3)

    assert ground_of(glow) == "black"
    assert ground_of(lines) == "black"


def test_what_a_ground_hides_is_told_apart() -> None:
    """A white word next to a dark glyph is hidden by white; the pixels are others all the same."""
    one, other = glyph(1, BLUE), glyph(1, BLUE)
    ImageDraw.Draw(other).text((4, 112), "word", (*WHITE, 255))

    first, second = checked(one), checked(other)

    assert first.facts.notes == second.facts.notes == ("transparency laid over white",)
    assert first.facts.pixel_sha256 != second.facts.pixel_sha256


def test_colours_under_full_transparency_do_not_count() -> None:
    """Programs write what they like there: it is the same picture."""
    pixels = np.asarray(glyph(1, BLUE)).copy()
    pixels[pixels[..., 3] == 0] = (9, 99, 199, 0)

    same = checked(Image.fromarray(pixels))

    assert same.facts.pixel_sha256 == checked(glyph(1, BLUE)).facts.pixel_sha256


def test_an_opaque_picture_keeps_its_hash() -> None:
    """Saved with an alpha channel that hides nothing it is the same, and nothing is noted."""
    opaque = on(badge(), WHITE)

    plain, with_alpha = checked(opaque), checked(opaque.convert("RGBA"))

    assert plain.facts.pixel_sha256 == with_alpha.facts.pixel_sha256 == pixel_sha256(opaque)
    assert with_alpha.facts.notes == ()
    assert len(list(with_alpha.views)) == 1


def test_rounded_corners_are_no_reason_for_more_views() -> None:
    """Where hardly anything is transparent another ground shows the same picture."""
    image = Image.new("RGBA", (200, 200))
    ImageDraw.Draw(image).rounded_rectangle((0, 0, 199, 199), 12, (*BLUE, 255))
    image.alpha_composite(glyph(1, WHITE), (36, 36))

    assert len(list(checked(image).views)) == 1


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Open a collection of white glyphs by three artists, and logos by a fourth."""
    home = tmp_path_factory.mktemp("grounds")
    for number, artist in enumerate(ARTISTS):
        (home / "p" / artist).mkdir(parents=True)
        for at in range(4):
            glyph(10 * number + at).save(home / "p" / artist / f"{artist}-{at}.png")
    (home / "p" / "dee").mkdir()
    logo().save(home / "p" / "dee" / "logo.png")
    with open_services(Settings(home=home / "home", profile="stub")) as opened:
        ingest(opened, home / "p")
        yield opened


def logo() -> Image.Image:
    """Return light and dark shapes that no single ground hides."""
    image = Image.new("RGBA", (200, 200))
    for seed, colour in enumerate([(240, 200, 60), BLUE, (150, 20, 40)]):
        image.alpha_composite(glyph(70 + seed, colour), (25 * seed, 20 * seed))
    return image


def ask(services: Services, image: Image.Image, folder: Path, **options: Any) -> CopyMatch | None:
    """Return the copy finding of a picture."""
    image.save(folder / "question.png", **options)
    return services.attributor.attribute(read_image_file(folder / "question.png")).laid_on


def test_white_glyphs_stay_different_works(services: Services, tmp_path: Path) -> None:
    """Each is its own and its artist's, and a stranger's is nobody's."""
    for number, artist in enumerate(ARTISTS):
        for at in range(4):
            found = ask(services, glyph(10 * number + at), tmp_path, compress_level=1)
            assert found is not None
            assert (found.title, found.match) == (f"{artist}-{at}", "pixels")
    assert ask(services, glyph(500), tmp_path) is None
    assert ask(services, glyph(500, BLACK), tmp_path) is None


@pytest.mark.parametrize("ground", [BLACK, (30, 30, 30), (20, 70, 140), (190, 40, 40)])
def test_a_white_glyph_is_found_on_dark_and_coloured_grounds(
    services: Services, tmp_path: Path, ground: tuple[int, int, int]
) -> None:
    """Wherever it can be seen, it is its artist's."""
    found = ask(services, on(glyph(11), ground), tmp_path)

    assert found is not None
    assert found.title == "bob-1"


@pytest.mark.parametrize("ground", [WHITE, BLACK, (128, 128, 128), (210, 180, 150)])
def test_a_logo_is_found_on_light_and_dark(
    services: Services, tmp_path: Path, ground: tuple[int, int, int]
) -> None:
    """It was registered with transparency, and is seen on a page, a shirt, a screen."""
    found = ask(services, on(logo(), ground), tmp_path)

    assert found is not None
    assert found.title == "logo"
    assert found.content is not None
    assert found.content > 0.8


def test_a_transparent_picture_is_found_by_its_look_on_another_ground(tmp_path: Path) -> None:
    """What was registered on black is found when the logo itself is asked for."""
    (tmp_path / "p" / "ann").mkdir(parents=True)
    on(logo(), BLACK).save(tmp_path / "p" / "ann" / "poster.png")
    with open_services(Settings(home=tmp_path / "home", profile="stub")) as opened:
        ingest(opened, tmp_path / "p")

        found = ask(opened, logo(), tmp_path)

    assert found is not None
    assert found.title == "poster"


def test_a_work_of_an_earlier_version_is_registered_again(tmp_path: Path) -> None:
    """A white glyph that was blank then is seen once it was withdrawn and is reinstated."""
    (tmp_path / "p" / "ann").mkdir(parents=True)
    glyph(1).save(tmp_path / "p" / "ann" / "glyph.png")
    with open_services(Settings(home=tmp_path / "home", profile="stub")) as opened:
        with patch("attribution.images.decode.CheckedImage.is_blank", new=True):
            assert ingest(opened, tmp_path / "p").blank == 1
        assert ingest(opened, tmp_path / "p").blank == 1
        assert ask(opened, on(glyph(1), BLACK), tmp_path) is None

        with opened.sessions() as session:
            (work,) = queries.list_artworks(session, status=None).items
        withdraw(opened, str(work.id), reason="to be registered again")
        again = ingest(opened, tmp_path / "p", reinstate=True)
        found = ask(opened, on(glyph(1), BLACK), tmp_path)

    assert (again.added, again.blank) == (1, 0)
    assert found is not None
    assert found.title == "glyph"
