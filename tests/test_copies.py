"""The copy lane: what is a copy, where, by which change; and what is none."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from attribution.answers import CopyKind, CopyMatch, Overlap
from attribution.catalogue import queries
from attribution.catalogue.queries import KeptSketch
from attribution.config import Settings
from attribution.copies import finder, sketch
from attribution.copies.finder import CopyFinder
from attribution.copies.geometry import project
from attribution.copies.hashes import POSITIONS, hashes
from attribution.copies.membership import membership
from attribution.copies.observed import Observed
from attribution.copies.overlap import onto_image
from attribution.copies.sketch import Sketch, draw_question, draw_work
from attribution.copies.verification import NEAR_HASH_BITS, Candidate, Match, verify
from attribution.images import CheckedImage, hamming, read_image_file
from attribution.images.facts import perceptual_hash
from attribution.services import Services, open_services
from attribution.types import Part
from attribution.upkeep.reconcile import reconcile
from attribution.upkeep.withdrawal import withdraw
from tests.portfolios import ingest

ARTIST = "ann"


def drawing(seed: int, *, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Return a drawing of many shapes: the same seed, the same drawing."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", size, tuple(rng.integers(160, 256, 3).tolist()))
    draw = ImageDraw.Draw(image)
    for number in range(40):
        x, y = rng.integers(0, size[0]), rng.integers(0, size[1])
        w, h = rng.integers(8, 60, 2)
        shape = (draw.ellipse, draw.rectangle)[number % 2]
        shape((int(x), int(y), int(x + w), int(y + h)), tuple(rng.integers(0, 256, 3).tolist()), 0)
    return image


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Open a collection of eight drawings and odd pictures."""
    home = tmp_path_factory.mktemp("copies")
    with open_services(Settings(home=home / "home", profile="stub")) as opened:
        ingest(opened, portfolio(home / "p"))
        yield opened


def portfolio(folder: Path) -> Path:
    """Write a folder with one artist's drawings, a blank picture and one of 8 pixels."""
    own = folder / ARTIST
    own.mkdir(parents=True)
    for seed in range(8):
        drawing(seed).save(own / f"drawing-{seed}.png")
    Image.new("RGB", (100, 100), "white").save(own / "blank.png")
    drawing(3, size=(8, 8)).save(own / "tiny.png")
    return folder


def ask(services: Services, image: Image.Image, folder: Path) -> CopyMatch | None:
    """Return the copy finding of an image."""
    return services.attributor.attribute(checked(image, folder)).laid_on


def checked(image: Image.Image, folder: Path) -> CheckedImage:
    """Save and read an image."""
    image.save(folder / "question.png")
    return read_image_file(folder / "question.png")


def cropped(image: Image.Image) -> Image.Image:
    """Cut out the right lower part, 0.7 of both sides."""
    return image.crop((96, 72, 320, 240))


def pasted(image: Image.Image) -> Image.Image:
    """Paste an image, half as large, into another."""
    ground = drawing(99, size=(640, 480))
    ground.paste(image.resize((320, 240)), (200, 100))
    return ground


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "smaller": lambda image: image.resize((240, 180)),
    "grey": lambda image: ImageOps.grayscale(image).convert("RGB"),
    "mirrored": ImageOps.mirror,
    "upside down": lambda image: image.rotate(180),
    "turned": lambda image: image.rotate(15, expand=True, fillcolor="white"),
    "on its side": lambda image: image.rotate(90, expand=True),
    "cropped": cropped,
    "pasted": pasted,
    "framed": lambda image: ImageOps.expand(image, 40, "black"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_work_is_a_copy(services: Services, tmp_path: Path, name: str) -> None:
    """Whatever was done to it, the work is found, as an altered copy."""
    found = ask(services, CHANGES[name](drawing(5)), tmp_path)

    assert found is not None
    assert found.title == "drawing-5"
    assert found.match in {"perceptual", "geometric"}
    assert found.kind is CopyKind.ALTERED_COPY
    assert found.agreement is not None
    assert found.agreement > 0.9


def test_exact_copies_are_the_same_image(services: Services, tmp_path: Path) -> None:
    """The same file, and the same pixels in another file, are copies as a whole."""
    path = tmp_path / "same.bmp"
    drawing(5).save(path)
    pixels = services.attributor.attribute(read_image_file(path)).laid_on
    same = ask(services, drawing(5), tmp_path)

    assert pixels is not None
    assert same is not None
    assert (same.match, pixels.match) == ("bytes", "pixels")
    assert same.kind is CopyKind.SAME_IMAGE
    assert same.content == 1


def test_the_change_and_the_place_are_told(services: Services, tmp_path: Path) -> None:
    """Turned, mirrored, cropped, pasted: the outlines lie where the change put them."""
    turned = ask(services, drawing(5).rotate(15, expand=True, fillcolor="white"), tmp_path)
    mirrored = ask(services, ImageOps.mirror(drawing(5)), tmp_path)
    part = ask(services, cropped(drawing(5)), tmp_path)
    inside = ask(services, pasted(drawing(5)), tmp_path)

    assert turned is not None
    assert turned.overlap is not None
    assert turned.overlap.turned_degrees == pytest.approx(15, abs=1)
    assert mirrored is not None
    assert mirrored.overlap is not None
    assert mirrored.overlap.is_mirrored
    assert part is not None
    assert part.overlap is not None
    assert np.min(part.overlap.work, 0) == pytest.approx([0.3, 0.3], abs=0.02)
    assert np.min(part.overlap.image, 0) == pytest.approx([0, 0], abs=0.02)
    assert inside is not None
    assert inside.overlap is not None
    assert np.min(inside.overlap.image, 0) == pytest.approx([200 / 640, 100 / 480], abs=0.02)
    assert np.max(inside.overlap.image, 0) == pytest.approx([520 / 640, 340 / 480], abs=0.02)


def test_outlines_say_where_a_work_lies_on_an_image() -> None:
    """However it was turned, mirrored and cut; three corners are too few to tell."""
    work = ((0.024, 0.1315), (0.8909, 0.0696), (0.9478, 0.8671), (0.0809, 0.929))
    image = ((1.0, 0.0), (0.0, 0.0), (0.0, 1.0), (1.0, 1.0))
    outlines = Overlap(image, work, is_mirrored=True, turned_degrees=-4.1)

    matrix = onto_image(outlines)

    assert matrix is not None
    assert project(matrix, np.array(work)) == pytest.approx(np.array(image), abs=1e-3)
    assert onto_image(replace(outlines, image=image[:3], work=work[:3])) is None


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGB", (100, 100), "white").resize((99, 99)),
        Image.new("RGB", (300, 200), "black"),
        Image.new("RGB", (8, 8), "red"),
        drawing(4, size=(8, 9)),
        Image.linear_gradient("L").convert("RGB"),
        drawing(77),
    ],
    ids=["blank", "black", "one colour, 8 px", "8 px", "without a feature", "a stranger"],
)
def test_strangers_and_blank_pictures_are_no_copies(
    services: Services, tmp_path: Path, image: Image.Image
) -> None:
    """What shows nothing, or nothing of ours, is no copy of anything."""
    assert ask(services, image, tmp_path) is None


def test_a_blank_picture_is_no_copy_of_a_blank_work(services: Services, tmp_path: Path) -> None:
    """Empty pages are equal, and nobody's."""
    assert ask(services, Image.new("RGB", (100, 100), "white"), tmp_path) is None


def test_another_of_the_series_is_no_copy() -> None:
    """Flags of the same size in other colours are two works."""
    flags = []
    for colours in (("red", "white", "green"), ("blue", "white", "red"), ("black", "gold", "red")):
        flag = Image.new("RGB", (300, 200))
        for stripe, colour in enumerate(colours):
            flag.paste(colour, (stripe * 100, 0, stripe * 100 + 100, 200))
        flags.append(flag)
    candidates = [Candidate(kept(flag), perceptual_hash(flag)) for flag in flags]

    for number, flag in enumerate(flags):
        matches = verify(draw_question(flag), hashes(flag), candidates)
        others = [one for at, one in enumerate(matches) if at != number and one]
        assert all(one.kind is None for one in others)


def test_a_recoloured_or_overwritten_work_is_it_or_its_series() -> None:
    """Features show the drawing; that it is this very one cannot be told, and is not claimed."""
    work = Candidate(kept(drawing(5)), perceptual_hash(drawing(5)))
    red, green, blue = drawing(5).split()
    recoloured = Image.merge("RGB", (blue, red, green))
    written = drawing(5)
    ImageDraw.Draw(written).rectangle((40, 60, 200, 120), "white")

    for image in (recoloured, written):
        (found,) = verify(draw_question(image), hashes(image), [work])

        assert found is not None
        assert found.kind is CopyKind.NEAR_IDENTICAL


def test_small_things_amid_white_do_not_match_through_the_white() -> None:
    """Their hashes are near, for all a hash sees is the blank around them."""
    things = []
    for seed in range(4):
        thing = Image.new("RGB", (300, 300), "white")
        thing.paste(drawing(seed, size=(30, 30)), (135, 135))
        things.append(thing)
    candidates = [Candidate(kept(one), perceptual_hash(one)) for one in things]
    distances = [hamming(one.phash, other.phash) for one in candidates for other in candidates]
    assert sorted(distances)[len(things)] <= NEAR_HASH_BITS

    for number, thing in enumerate(things):
        found = verify(draw_question(thing), hashes(thing), candidates)
        others = [one for at, one in enumerate(found) if at != number and one]
        assert all(one.kind is None for one in others)


def test_at_most_so_many_works_are_compared(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many are near: a stranger, of which nothing is verified, costs the most."""
    asked: list[int] = []

    def counted(*given: Any) -> list[Match | None]:
        asked.append(len(given[2]))
        return verify(*given)

    monkeypatch.setattr(finder, "MOST", 6)
    monkeypatch.setattr(finder, "NEAREST", 4)
    monkeypatch.setattr(finder, "NEAREST_COPIES", 0)
    monkeypatch.setattr(finder, "verify", counted)

    assert ask(services, drawing(77), tmp_path) is None
    assert sum(asked) <= 6


def test_one_work_alone(tmp_path: Path) -> None:
    """A catalogue of one work knows its copies, and no others."""
    own = tmp_path / "p" / ARTIST
    own.mkdir(parents=True)
    drawing(1).save(own / "only.png")
    with open_services(Settings(home=tmp_path / "home", profile="stub")) as services:
        ingest(services, tmp_path / "p")

        found = ask(services, ImageOps.flip(drawing(1)), tmp_path)
        assert found is not None
        assert found.title == "only"
        assert ask(services, drawing(2), tmp_path) is None


def test_missing_sketches_are_drawn_from_thumbnails(tmp_path: Path) -> None:
    """A catalogue from before the copy lane is mended by reconcile."""
    with open_services(Settings(home=tmp_path / "home", profile="stub")) as services:
        ingest(services, portfolio(tmp_path / "p"))
        with services.sessions.begin() as session:
            session.connection().exec_driver_sql("DELETE FROM copy_sketches")

        drawn = 9  # and one is blank
        assert reconcile(services, repair=False).unsketched == drawn
        assert reconcile(services, repair=True).unsketched == 0
        assert ask(services, cropped(drawing(5)), tmp_path) is not None


def test_works_from_before_get_their_sketch_when_ingested_again(tmp_path: Path) -> None:
    """Also where no picture of them was kept to draw it from."""
    with open_services(Settings(home=tmp_path / "home", profile="stub")) as services:
        ingest(services, portfolio(tmp_path / "p"))
        with services.sessions.begin() as session:
            session.connection().exec_driver_sql("DELETE FROM copy_sketches")
        assert ask(services, cropped(drawing(5)), tmp_path) is None

        ingest(services, tmp_path / "p")

        assert reconcile(services, repair=False).unsketched == 0
        assert ask(services, cropped(drawing(5)), tmp_path) is not None


def test_membership_is_answered_with_counts(services: Services, tmp_path: Path) -> None:
    """Found, with how often absent works had such a finding; not found, without a rate."""
    copies = CopyFinder(services.sessions, services.encoders, services.index)
    there = membership(copies, checked(cropped(drawing(5)), tmp_path))
    absent = membership(copies, checked(drawing(77), tmp_path))

    assert there.finding.copied is not None
    assert there.finding.copied.kind is CopyKind.ALTERED_COPY
    assert there.wrong is not None
    assert there.wrong.rate < there.wrong.upper < 1
    assert (absent.finding.copied, absent.wrong) == (None, None)


def test_the_upper_bound_is_of_clopper_and_pearson() -> None:
    """None of n leaves 1 - 0.05^(1/n); all of them leave everything."""
    assert Observed(400, 0).upper == pytest.approx(1 - 0.05 ** (1 / 400))
    assert Observed(20, 1).upper == pytest.approx(0.2161, abs=1e-4)
    assert Observed(3, 3).upper == 1


def kept(image: Image.Image) -> Sketch:
    """Return what is kept of a work, read again."""
    sketch = Sketch.from_bytes(draw_work(image))
    assert sketch is not None
    return sketch


def test_what_is_kept_is_small_and_reads_the_same() -> None:
    """At most 200 features, in less than 20 kB; bytes of another version are nothing."""
    data = draw_work(drawing(1))
    sketch = kept(drawing(1))

    assert len(sketch.places) <= 200
    assert len(data) < 20_000
    assert replace(sketch).to_bytes()[:7] == data[:7]
    assert Sketch.from_bytes(b"\xff" + data[1:]) is None


def test_what_was_kept_with_another_contrast_is_still_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sketches of before have features of less contrast; a copy is found all the same."""
    monkeypatch.setattr(sketch, "MIN_CONTRAST", 0.02)
    work = Candidate(kept(drawing(5)), perceptual_hash(drawing(5)))
    monkeypatch.undo()
    image = cropped(drawing(5))

    (found,) = verify(draw_question(image), hashes(image), [work])

    assert found is not None
    assert found.kind is CopyKind.ALTERED_COPY


def test_flat_ground_is_not_looked_at_closely() -> None:
    """What OpenCV asks of a pixel is cut to a whole number: it has to be 1 or more."""
    assert int(0.5 * sketch.MIN_CONTRAST / 3 * 255) >= 1


def test_what_an_earlier_version_kept_reads_the_same() -> None:
    """It did not deflate."""
    data = draw_work(drawing(1))
    features = zlib.decompressobj()
    plain = features.decompress(data[7:])
    earlier = Sketch.from_bytes(b"\1" + data[1:7] + plain + features.unused_data)
    now = Sketch.from_bytes(data)

    assert earlier is not None
    assert now is not None
    assert earlier.size == now.size
    for name in ("places", "levels", "rgb"):
        assert np.array_equal(getattr(earlier, name), getattr(now, name))
    assert len(data) < len(plain) + len(features.unused_data)
    assert kept(Image.new("RGB", (64, 64))).places.shape == (0, 4)


def test_a_mirrored_sketch_is_the_sketch_of_the_mirrored_picture() -> None:
    """Features of the mirror image need not be looked for again."""
    mirrored, looked = kept(drawing(1)).mirrored(), kept(ImageOps.mirror(drawing(1)))

    near = (mirrored.descriptors @ looked.descriptors.T).max(1)
    assert np.median(near) > 0.97


def test_hashes_of_all_positions() -> None:
    """One of the eight is the hash of the picture that was turned and mirrored."""
    image = drawing(4)
    for position in POSITIONS:
        shown = ImageOps.mirror(image) if position.is_mirrored else image
        turned = shown.rotate(90 * position.quarter_turns, expand=True)

        assert hamming(hashes(image)[position], perceptual_hash(turned)) <= 2


def test_nothing_is_kept_of_a_withdrawn_work(tmp_path: Path) -> None:
    """A sketch that was drawn before the withdrawal, and would be written after it, is not."""
    with open_services(Settings(home=tmp_path / "home", profile="stub")) as own:
        ingest(own, portfolio(tmp_path / "p"))
        with own.sessions() as session:
            rows = queries.indexed_artworks(session, after=None, limit=9)
        parts = [Part(row.id, number) for row in rows for number in range(2)]
        withdraw(own, ARTIST, reason="asked for")
        with own.sessions.begin() as session:
            drawn = KeptSketch("0" * 16, draw_work(drawing(1)))
            queries.keep_sketches(session, dict.fromkeys(parts, drawn))

            assert queries.kept_sketches(session, parts) == {}
            assert queries.parts_near_hash(session, ["0" * 16], limit=9) == []
