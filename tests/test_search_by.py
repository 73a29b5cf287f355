"""Search by what is shown, by how it is drawn, or by words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from attribution.config import Settings
from attribution.encoders.encoder import Lane
from attribution.errors import BadInput
from attribution.images import CheckedImage, read_image_file
from attribution.lookup.search_query import SearchBy, SearchQuery
from attribution.services import Services, open_services
from tests.portfolios import ingest


def drawn(subject: int, tint: tuple[float, float, float]) -> Image.Image:
    """Draw a pattern of cells, which is the subject, in the colour of an artist."""
    cells = np.random.default_rng(subject).uniform(30, 255, (8, 8, 1)) * tint
    return Image.fromarray(cells.astype(np.uint8)).resize((64, 64), Image.Resampling.BOX)


RED, GREEN = (1.0, 0.2, 0.2), (0.2, 1.0, 0.2)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Register four subjects by a red artist, and the first two by a green one."""
    home = tmp_path_factory.mktemp("home")
    for artist, tint, subjects in (("Red", RED, range(4)), ("Green", GREEN, range(2))):
        (home / "p" / artist).mkdir(parents=True)
        for subject in subjects:
            drawn(subject, tint).save(home / "p" / artist / f"boat {subject}.png")
    with open_services(Settings(home=home, profile="stub")) as opened:
        ingest(opened, home / "p")
        yield opened


@pytest.fixture
def asked(tmp_path: Path) -> CheckedImage:
    """Draw the first subject in red."""
    drawn(0, RED).save(tmp_path / "asked.png")
    return read_image_file(tmp_path / "asked.png")


@pytest.mark.parametrize(
    ("by", "legs"),
    [
        ((SearchBy.SUBJECT,), {"clip_image", "clip_text"}),
        ((SearchBy.STYLE,), {"vae_style_image"}),
        ((SearchBy.WORDS,), {"text"}),
        (SearchQuery.by, {"clip_image", "clip_text", "text"}),
        (tuple(SearchBy), {"clip_image", "clip_text", "text", "vae_style_image"}),
    ],
)
def test_only_what_is_searched_by_counts(
    services: Services, asked: CheckedImage, by: tuple[SearchBy, ...], legs: set[str]
) -> None:
    """Each hit says what every leg gave; there is none but those of what is searched by."""
    text = None if by == (SearchBy.STYLE,) else "boat"
    image = None if by == (SearchBy.WORDS,) else asked
    hits = services.attributor.search(SearchQuery(text=text, image=image, by=by)).hits

    assert {leg for hit in hits for leg in hit.legs} == legs


def test_by_style_others_by_the_artist_come_before_the_subject(
    services: Services, asked: CheckedImage
) -> None:
    """The red artist's other subjects are nearer in colour than the green one's same subject."""
    hits = services.attributor.search(SearchQuery(image=asked, by=(SearchBy.STYLE,))).hits

    assert [hit.name for hit in hits] == ["Red"] * 4 + ["Green"] * 2
    assert [hit.legs["vae_style_image"].rank for hit in hits] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (SearchQuery(text="boat", by=(SearchBy.STYLE,)), "words have no style; give an image"),
        (SearchQuery(by=(SearchBy.WORDS,)), "nothing to search for"),
    ],
)
def test_what_is_searched_by_has_to_be_given(
    services: Services, query: SearchQuery, message: str
) -> None:
    """Words have no style: the message says what to do."""
    with pytest.raises(BadInput, match=message):
        services.attributor.search(query)


def test_a_profile_without_style_is_told_from_finding_nothing(
    services: Services, asked: CheckedImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no space knows style the message names the profile; beside the subject it is let be."""
    monkeypatch.setattr(services.row, "lanes", {"clip": Lane.CONTENT})

    with pytest.raises(BadInput, match="profile stub has no space of it"):
        services.attributor.search(SearchQuery(image=asked, by=(SearchBy.STYLE,)))
    both = SearchQuery(image=asked, by=(SearchBy.SUBJECT, SearchBy.STYLE))
    assert services.attributor.search(both).hits


@pytest.mark.parametrize(
    ("by", "message"), [("words", "an image has no words"), ("style", "words have no style")]
)
@pytest.mark.parametrize("text", ["boat", None])
def test_nothing_that_is_given_is_left_unused(
    services: Services, asked: CheckedImage, by: str, message: str, text: str | None
) -> None:
    """A picture beside words by which alone is searched, and words beside a style, are refused."""
    query = SearchQuery(text=text, image=asked, by=(SearchBy(by),))
    if by == "style" and text is None:
        assert services.attributor.search(query).hits
        return
    with pytest.raises(BadInput, match=message):
        services.attributor.search(query)


def test_a_blank_image_has_no_style(services: Services, tmp_path: Path) -> None:
    """Nothing is found by it, and the note says why."""
    Image.new("RGB", (64, 64), "white").save(tmp_path / "blank.png")
    image = read_image_file(tmp_path / "blank.png")

    found = services.attributor.search(SearchQuery(image=image, by=(SearchBy.STYLE,)))

    assert found.hits == ()
    assert any("blank" in note for note in found.notes)
