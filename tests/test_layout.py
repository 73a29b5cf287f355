"""Which level of folders names the artists: certain, or asked for; never guessed."""

from __future__ import annotations

from pathlib import PurePath

import pytest

from attribution.errors import BadInput
from ingest.sources.layout import Level, is_generic, is_series, layout_of


def artists(*pictures: str, level: Level | None = None) -> list[str | None]:
    """Return the artist of every picture."""
    paths = [PurePath(one) for one in pictures]
    layout = layout_of(paths, level=level)
    return [layout.artist(path) for path in paths]


@pytest.mark.parametrize(
    ("pictures", "expected"),
    [
        (["Ann/1.png", "Bob/1.png"], ["Ann", "Bob"]),
        (["Ann/1.png"], ["Ann"]),
        (["1.png", "Ann/1.png"], [None, "Ann"]),
        (["Ann/2019/1.png", "Ann/2020/1.png"], ["Ann", "Ann"]),
        (["Ann/Sketches/1.png", "Ann/Boats/1.png"], ["Ann", "Ann"]),
        (["Ann/1.png", "Ann/2.png", "Ann/Boats/1.png"], ["Ann"] * 3),
        (["Ann/Boats/1.png", "Bob/Dogs/1.png"], ["Ann", "Bob"]),
        (["2019/1.png", "Ann/1.png"], [None, "Ann"]),
        (["works/2019/1.png", "works/Ann/1.png"], [None, "Ann"]),
        (["Winter/1.png", "Ann/1.png"], ["Winter", "Ann"]),
        (["🎨/1.png"], ["🎨"]),
        ([], []),
    ],
)
def test_the_first_folder_is_the_artist(pictures: list[str], expected: list[str | None]) -> None:
    """Whatever lies below, and with series that are plainly series."""
    assert artists(*pictures) == expected


@pytest.mark.parametrize(
    "outer",
    [
        "portfolios",
        "Portfolios 2024",
        "my_works",
        "dataset-v2/images",
        "Künstler",
        "Œuvres",
        "作品",
        "train",
        "batch 1/export (2)/artists",
    ],
)
def test_a_folder_around_artists_is_passed_over(outer: str) -> None:
    """One level or several, where their names are no artist's."""
    found = artists(f"{outer}/Ann/1.png", f"{outer}/Ann/2019/2.png", f"{outer}/Bob/1.png")

    assert found == ["Ann", "Ann", "Bob"]


def test_parts_of_a_data_set_are_passed_over() -> None:
    """The same artist may be in several of them."""
    assert artists("train/Ann/1.png", "test/Ann/2.png", "val/Bob/3.png") == ["Ann", "Ann", "Bob"]


def test_an_index_of_letters_is_passed_over() -> None:
    """A folder a letter, or a few of them."""
    assert artists("A/Ann/1.png", "B - F/Bob/1.png") == ["Ann", "Bob"]
    assert artists("A/1.png", "B/1.png") == ["A", "B"]
    assert artists("A/Ann/1.png", "A/Abe/1.png", "Zoe King/1.png") == ["Ann", "Abe", "Zoe King"]
    assert artists("A/Sea/1.png", "A/Hills/1.png", "Zoe King/1.png") == ["A", "A", "Zoe King"]


def test_a_wrapper_is_nobodys_name() -> None:
    """Pictures that lie in it directly have no artist, and it stays one with artists beside."""
    assert artists("images/1.png", "images/2.png") == [None, None]
    assert artists("works/cover.png", "works/Ann/1.png", "Bob/1.png") == [None, "Ann", "Bob"]


@pytest.mark.parametrize(
    "pictures",
    [
        ["Gallery Smith/Ann/1.png", "Gallery Smith/Bob/1.png"],
        ["Gallery Smith/Ann/1.png", "Gallery Smith/Bob/1.png", "Gallery Smith/cover.png"],
        ["portfolios/Gallery Smith/Ann/1.png", "portfolios/Gallery Smith/Bob/1.png"],
        ["Gallery Smith/Ann/1.png"],
    ],
)
def test_a_single_folder_of_folders_is_asked_about(pictures: list[str]) -> None:
    """It may be an artist with series or hold artists: the message names both ways out."""
    with pytest.raises(BadInput, match=r"Gallery Smith' is an artist or holds.*Ann.*--layout wrap"):
        artists(*pictures)


def test_folders_called_like_series_are_asked_about() -> None:
    """Years are no artists, and nobody says whose pictures they are."""
    with pytest.raises(BadInput, match="'2019', '2020' look like series"):
        artists("2019/1.png", "2020/1.png")
    with pytest.raises(BadInput, match="'00000' look like series"):
        artists("00000/000000001.jpg")


def test_a_person_decides() -> None:
    """The outermost folders are the artists, or hold them; deeper wrappers are seen as ever."""
    pictures = ["Gallery Smith/Ann/1.png", "Gallery Smith/Bob/1.png"]

    assert artists(*pictures, level=Level.ARTIST) == ["Gallery Smith"] * 2
    assert artists(*pictures, level=Level.WRAPPED) == ["Ann", "Bob"]
    assert artists("London/Ann/1.png", "Rome/works/Bob/1.png", level=Level.WRAPPED) == [
        "Ann",
        "Bob",
    ]
    assert artists("2019/1.png", level=Level.ARTIST) == ["2019"]


def test_names_that_are_no_text_can_be_asked_about() -> None:
    """The message can be printed and stored."""
    with pytest.raises(BadInput) as asked:
        artists("Jos\udce9 X/a\udce8/1.png")
    assert r"Jos\xe9" in str(asked.value)
    str(asked.value).encode()


def test_words_of_names() -> None:
    """Numbers, case and accents do not count; one word of a person does."""
    assert is_generic("NewWorks_03")
    assert is_generic("Œuvres")
    assert not is_generic("Works of Ann")
    assert not is_generic("The New")
    assert is_series("1999-2003")
    assert is_series("Vol. 3")
    assert not is_series("Boats")
    assert not is_series("!!!")
