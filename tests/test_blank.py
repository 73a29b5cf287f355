"""Blank pictures: told from drawings, registered as what they are, never found."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from PIL import Image, ImageDraw
from sqlalchemy import update

from attribution.answers import Reason, Verdict
from attribution.catalogue import queries
from attribution.catalogue.models import Artwork, ArtworkStatus
from attribution.config import Settings
from attribution.images import CheckedImage, read_image, read_image_file
from attribution.images.blank import is_blank
from attribution.lookup.attributor import BLANK
from attribution.lookup.search_query import SearchQuery
from attribution.services import Services, open_services
from attribution.upkeep.correction import correct
from attribution.upkeep.reconcile import reconcile
from attribution.upkeep.withdrawal import withdraw
from ingest.preview import preview
from ingest.sources import read_source
from tests.portfolios import ingest, picture, portfolio
from tests.test_images import encoded

Draw = Callable[[ImageDraw.ImageDraw, int, int], object]
PAGES = ((1024, 724), (300, 400), (181, 256), (64, 64))


def page(
    width: int, height: int, *, level: int = 245, noise: float = 3, shade: float = 0
) -> Image.Image:
    """Return an empty page, as a scanner sees it."""
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    paper = level - shade * (x + y) / (x + y).max()
    grain = np.random.default_rng(0).normal(0, noise, (height, width, 3))
    return Image.fromarray((paper[:, :, None] + grain).clip(0, 255).astype(np.uint8))


def as_jpeg(image: Image.Image, quality: int) -> Image.Image:
    """Return what compression makes of an image."""
    return Image.open(io.BytesIO(encoded(image, "JPEG", quality=quality))).convert("RGB")


@pytest.mark.parametrize("size", PAGES)
def test_an_empty_page_is_blank(size: tuple[int, int]) -> None:
    """White, black or coloured; with grain, shading and the dirt of compression."""
    for colour in ("white", "black", "#f4e7c3", "#102040"):
        assert is_blank(Image.new("RGB", size, colour))
    for noise in (3, 6, 10):
        assert is_blank(page(*size, noise=noise))
    assert is_blank(page(*size, shade=20))
    for quality in (10, 40):
        assert is_blank(as_jpeg(page(*size, noise=6), quality))


def test_dust_on_a_scan_is_nothing() -> None:
    """A few specks, each smaller than a hundredth of the page."""
    scan = page(1024, 724)
    rng = np.random.default_rng(1)
    for _ in range(30):
        x, y = int(rng.integers(0, 1000)), int(rng.integers(0, 700))
        ImageDraw.Draw(scan).ellipse([x, y, x + 2, y + 2], fill=(60, 60, 60))

    assert is_blank(scan)


DRAWN: dict[str, Draw] = {
    "a hairline": lambda draw, w, h: draw.line([w * 0.2, h * 0.2, w * 0.8, h * 0.7], "black"),
    "a faint line": lambda draw, w, h: draw.line([w * 0.2, h * 0.2, w * 0.8, h * 0.7], "#c8c8c8"),
    "a yellow line": lambda draw, w, h: draw.line([w * 0.2, h * 0.2, w * 0.8, h * 0.7], "#fafa96"),
    "a dot": lambda draw, w, h: draw.ellipse(
        [w / 2, h / 2, w / 2 + max(5, w / 80), h / 2 + max(5, w / 80)], "black"
    ),
    "a word": lambda draw, w, h: draw.text((w * 0.4, h * 0.4), "ab", "black"),
    "a signature": lambda draw, w, h: draw.arc(
        [w * 0.8, h * 0.8, w * 0.9, h * 0.9], 0, 200, "#777"
    ),
    "a pale square": lambda draw, w, h: draw.rectangle(
        [w * 0.4, h * 0.4, w * 0.6, h * 0.6], "#e4e4e4"
    ),
}


@pytest.mark.parametrize("size", PAGES)
@pytest.mark.parametrize("drawn", DRAWN)
def test_a_drawing_is_not_blank(drawn: str, size: tuple[int, int]) -> None:
    """However little of the page it covers."""
    image = page(*size)
    DRAWN[drawn](ImageDraw.Draw(image), *size)

    assert not is_blank(image)


def test_textures_and_gradients_are_pictures() -> None:
    """What has no line may still show something."""
    stripes = np.zeros((300, 300, 3), np.uint8)
    stripes[:, ::3] = 255
    stars = Image.new("RGB", (1000, 1000), "black")
    rng = np.random.default_rng(2)
    for x, y in rng.integers(0, 998, (1_000, 2)):
        stars.paste("white", (int(x), int(y), int(x) + 2, int(y) + 2))

    assert not is_blank(Image.fromarray(stripes))
    assert not is_blank(stars)
    assert not is_blank(Image.linear_gradient("L").convert("RGB"))


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Open a collection with three artists, the first of whom brings a blank page too."""
    white(tmp_path / "p" / "artist-0" / "blank.png")
    portfolio(tmp_path / "more", artists=3)
    for own in (tmp_path / "more").iterdir():
        (tmp_path / "p" / own.name).mkdir(parents=True, exist_ok=True)
        for work in own.iterdir():
            work.rename(tmp_path / "p" / own.name / work.name)
    settings = Settings(home=tmp_path / "home", profile="stub", keep_originals=True)
    with open_services(settings) as opened:
        yield opened


def white(path: Path) -> Path:
    """Write a white page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (181, 256), "white").save(path)
    return path


def asked() -> CheckedImage:
    """Return the same page from another file."""
    return read_image(encoded(Image.new("RGB", (181, 256), "white"), "BMP"))


def blank_work(services: Services) -> Artwork:
    """Return the work that is blank, and check that there is one."""
    with services.sessions() as session:
        (work,) = queries.list_artworks(session, status=ArtworkStatus.BLANK).items
    return work


def test_a_blank_picture_is_registered_as_blank(services: Services, tmp_path: Path) -> None:
    """Added and counted apart, known when it comes again; neither index nor counts hold it."""
    would = preview(services, read_source(tmp_path / "p", artist=None))
    first = ingest(services, tmp_path / "p")
    again = ingest(services, tmp_path / "p")

    assert (would.added, would.blank) == (13, 1)
    assert (first.added, first.blank, first.refused) == (13, 1, 0)
    assert (again.added, again.known, again.blank) == (0, 13, 1)
    assert [one.reason for one in again.items if one.is_blank] == [
        "it is blank: registered, and never found"
    ]
    assert first.as_json(seconds=1)["blank"] == 1
    work = blank_work(services)
    assert services.index.count() == 12
    assert not services.index.vectors([work.id])
    with services.sessions() as session:
        counts = queries.counts(session)
        assert (counts.indexed, counts.blank) == (12, 1)
        assert queries.artist_by_slug(session, "artist-0").works == 4
    assert reconcile(services, repair=False).is_clean


def test_a_blank_image_is_nobodys(services: Services, tmp_path: Path) -> None:
    """No copy, no artist, no member, no hits, and the reason is said."""
    ingest(services, tmp_path / "p")
    nothing_is_said(services)


def test_blank_works_of_earlier_versions_are_not_found(services: Services, tmp_path: Path) -> None:
    """They were indexed then; a blank image is still nobody's."""
    ingest(services, tmp_path / "p")
    work = blank_work(services)
    with services.sessions.begin() as session:
        session.execute(
            update(Artwork).where(Artwork.id == work.id).values(status=ArtworkStatus.INDEXED)
        )
    nothing_is_said(services)


def nothing_is_said(services: Services) -> None:
    """Check every answer about a blank image."""
    answer = services.attributor.attribute(asked())
    member = services.attributor.member(asked())
    found = services.attributor.search(SearchQuery(image=asked()))

    assert (answer.verdict, answer.reasons) == (Verdict.ABSTAIN, (Reason.LOW_QUALITY,))
    assert (answer.copy_of, answer.artists, answer.confidence) == (None, (), None)
    assert answer.notes == (BLANK,)
    assert services.attributor.recall(answer.id) == answer
    assert (member.copy_of, member.is_blank, member.notes) == (None, True, (BLANK,))
    assert (found.hits, found.notes) == ((), (BLANK,))
    words = services.attributor.search(SearchQuery(text="work", image=asked()))
    assert words.hits
    assert words.notes == (BLANK,)
    assert {leg for hit in words.hits for leg in hit.legs} <= {"text", "clip_text"}


def test_blank_images_do_not_speak_in_a_set(services: Services, tmp_path: Path) -> None:
    """They are answered, and left out of what is said of all together."""
    ingest(services, tmp_path / "p")
    work = read_image_file(tmp_path / "p" / "artist-1" / "work-1.png")

    mixed = services.attributor.attribute_set([asked(), work])
    empty = services.attributor.attribute_set([asked(), asked()])

    assert (len(mixed.answers), mixed.pictures) == (2, 1)
    assert (empty.pictures, empty.verdict, empty.reasons) == (
        0,
        Verdict.ABSTAIN,
        (Reason.LOW_QUALITY,),
    )


def state(services: Services, work: UUID) -> ArtworkStatus:
    """Return where a work stands."""
    with services.sessions() as session:
        return queries.artwork_by_id(session, work).status


def test_a_blank_work_can_be_corrected_and_withdrawn(services: Services, tmp_path: Path) -> None:
    """It leaves like any other, and comes back as blank when it is reinstated."""
    source = tmp_path / "p"
    ingest(services, source)
    work = blank_work(services)

    correct(services, work.id, {"title": "Empty"}, queries.Origin("command line"))
    receipt = withdraw(services, str(work.id), reason="asked for").receipt
    assert state(services, work.id) is ArtworkStatus.WITHDRAWN
    assert receipt["indexed"] == 0
    assert not any(receipt["left"].values())
    assert ingest(services, source).refused == 1
    back = ingest(services, source, reinstate=True)

    assert (back.added, back.known, back.blank) == (1, 12, 1)
    assert state(services, work.id) is ArtworkStatus.BLANK
    assert reconcile(services, repair=True).is_clean


def test_another_artist_may_claim_a_blank_page(services: Services, tmp_path: Path) -> None:
    """The same bytes are one work, blank or not."""
    ingest(services, tmp_path / "p")
    white(tmp_path / "other" / "Zoe" / "empty.png")

    summary = ingest(services, tmp_path / "other")

    assert (summary.conflicts, summary.blank) == (1, 1)


def test_an_ordinary_image_is_not_blank() -> None:
    """Neither as a picture nor as an answer."""
    assert not read_image(encoded(picture(1))).is_blank
