"""Hugging Face datasets: WikiArt's schema, local and streamed, and what is wrong with others."""

from __future__ import annotations

import json
import sys
from io import BytesIO
from itertools import islice
from pathlib import Path

import datasets
import pytest

from attribution.errors import BadInput
from attribution.images import Limits
from ingest.datasets import (
    DatasetOptions,
    Picture,
    _bytes,
    export,
    is_dataset,
    read_dataset,
)
from ingest.sources import read_source
from tests.commands import lawful
from tests.portfolios import by_hand

ARTISTS = ["Unknown Artist", "vincent-van-gogh", "claude-monet", "edgar-degas"]
EACH = 6


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what `datasets` writes out of the home of whoever runs the tests."""
    datasets.config.HF_DATASETS_CACHE = tmp_path_factory.mktemp("hf")


def rows() -> datasets.Dataset:
    """Return a dataset of the schema of huggan/wikiart: an image and three ClassLabels."""
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "artist": datasets.ClassLabel(names=ARTISTS),
            "genre": datasets.ClassLabel(names=["landscape", "portrait"]),
            "style": datasets.ClassLabel(names=["Impressionism", "Realism"]),
        }
    )
    values = [
        {"image": _png(artist, work), "artist": artist, "genre": work % 2, "style": artist % 2}
        for work in range(EACH)
        for artist in range(len(ARTISTS))
    ]
    return datasets.Dataset.from_list(values, features=features)


def _png(artist: int, work: int) -> dict[str, bytes | None]:
    file = BytesIO()
    by_hand(artist, work).save(file, "png")
    return {"bytes": file.getvalue(), "path": None}


@pytest.fixture(params=["saved", "saved with splits", "parquet"])
def local(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the dataset in each of the forms that lie on disks."""
    folder = tmp_path / "wikiart"
    if request.param == "saved":
        rows().save_to_disk(folder)
    elif request.param == "parquet":
        folder.mkdir()
        rows().to_parquet(folder / "train.parquet")
    else:
        datasets.DatasetDict(train=rows()).save_to_disk(folder)
    return str(folder)


def parquet(folder: Path, made: datasets.Dataset) -> str:
    """Write a dataset as people keep it."""
    folder.mkdir()
    made.to_parquet(folder / "train.parquet")
    return str(folder)


def test_labels_become_names(local: str) -> None:
    """ClassLabels become artists and tags; rows by nobody in particular are left out."""
    assert is_dataset(local)
    pictures = list(read_dataset(local, DatasetOptions()))

    assert {one.artist for one in pictures} == set(ARTISTS[1:])
    assert len(pictures) == EACH * 3
    assert pictures[0].tags == ("Realism", "landscape")
    assert pictures[0].data.startswith(b"\x89PNG")


def test_streamed_rows_are_the_same(tmp_path: Path) -> None:
    """Streaming gives the same rows in the same order, and only as many as are asked for."""
    data = parquet(tmp_path / "d", rows())

    streamed = list(islice(read_dataset(data, DatasetOptions(stream=True)), 5))

    assert streamed == list(read_dataset(data, DatasetOptions()))[:5]


def test_other_columns_are_named(tmp_path: Path) -> None:
    """Without the expected columns the message lists those that there are, and the options."""
    made = rows().rename_columns({"artist": "painter", "image": "picture"})
    data = parquet(tmp_path / "d", made)

    with pytest.raises(BadInput, match=r"no column 'image'; it has picture, painter.*--image-col"):
        read_dataset(data, DatasetOptions())
    with pytest.raises(BadInput, match=r"no column 'artist'.*--artist-column"):
        read_dataset(data, DatasetOptions(image="picture"))
    found = read_dataset(data, DatasetOptions(image="picture", artist="painter"))
    assert len(list(found)) == EACH * 3


def test_text_columns_are_artists_too(tmp_path: Path) -> None:
    """An artist may be text; a row without one, or without a picture, is passed over."""
    values = [
        {"image": _png(0, 1)["bytes"], "artist": "Ann"},
        {"image": _png(0, 2)["bytes"], "artist": None},
        {"image": None, "artist": "Ann"},
    ]
    data = parquet(tmp_path / "d", datasets.Dataset.from_list(values))

    assert [one.artist for one in read_dataset(data, DatasetOptions())] == ["Ann"]


def test_paths_that_lead_out_are_not_followed(tmp_path: Path) -> None:
    """A row that names a file has its bytes from the dataset's own folder alone."""
    (tmp_path / "d").mkdir()
    for name in ("secret.png", "d/own.png"):
        (tmp_path / name).write_bytes(name.encode())

    def found(path: str) -> bytes | None:
        return _bytes({"bytes": None, "path": path}, tmp_path / "d")

    assert found(str(tmp_path / "d" / "own.png")) == b"d/own.png"
    assert found(str(tmp_path / "secret.png")) is None
    assert found(str(tmp_path / "d" / ".." / "secret.png")) is None


def test_splits_that_do_not_exist(tmp_path: Path) -> None:
    """The message names the dataset and the option."""
    datasets.DatasetDict(train=rows()).save_to_disk(tmp_path / "saved")
    for data in (parquet(tmp_path / "d", rows()), str(tmp_path / "saved")):
        with pytest.raises(BadInput, match=f"{data}.*--split"):
            read_dataset(data, DatasetOptions(split="test"))


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("huggan/wikiart", True), ("catalogue", False), ("../up", False), ("a/b/c", False)],
)
def test_names_of_datasets(name: str, is_one: bool) -> None:  # noqa: FBT001  a fact
    """OWNER/NAME that is no path here is an id on the hub."""
    assert is_dataset(name) is is_one


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to install."""
    monkeypatch.setitem(sys.modules, "datasets", None)

    with pytest.raises(BadInput, match=r"pip install 'lawful-diffusion\[datasets\]'"):
        read_dataset("huggan/wikiart", DatasetOptions())


def test_export_is_a_source(tmp_path: Path) -> None:
    """What is exported is a folder per artist with tags; a second run changes nothing."""
    data = parquet(tmp_path / "d", rows())
    out, limits = tmp_path / "out", Limits()
    broken = Picture(b"no image", "edgar-degas", ())

    for _ in range(2):
        pictures = [*read_dataset(data, DatasetOptions()), broken]
        assert export(iter(pictures), out, limits, lambda _: None) == (EACH * 3, 1)

    items = list(read_source(out))
    assert {item.artist for item in items} == set(ARTISTS[1:])
    assert len(items) == EACH * 3
    assert {item.refused for item in items} == {None}
    assert {tag for item in items for tag in item.tags} == {
        *("Impressionism", "Realism"),
        *("landscape", "portrait"),
    }


def test_a_row_that_says_no_trains_nothing(tmp_path: Path) -> None:
    """By the words of tables, under whatever number a label has them; the export says it too."""
    labels = datasets.ClassLabel(names=["yes", "no"])
    answers = ["yes", "no", "yes", "no"]
    table = rows().select(range(4)).add_column("Consent Train", answers)
    numbers = [labels.str2int(one) for one in answers]
    table = table.add_column("consent_display", numbers).cast_column("consent_display", labels)
    table.save_to_disk(tmp_path / "set")

    pictures = list(read_dataset(str(tmp_path / "set"), DatasetOptions()))

    for purpose in ("train", "display"):
        # The first row is by nobody in particular, and left out.
        assert [one.may(purpose) for one in pictures] == [False, True, False]
    export(iter(pictures), tmp_path / "out", Limits(), lambda _: None)
    items = list(read_source(tmp_path / "out", granted=("index", "display", "train")))
    assert ["train" in item.consent for item in items].count(False) == 2
    assert ["display" in item.consent for item in items].count(False) == 2


def test_a_classifier_of_a_dataset(local: str, tmp_path: Path) -> None:
    """The command trains on it, answers scripts, and says how many works a second it learned."""
    words = ("--data", local, "--epochs", "5", "--json")
    done = lawful(tmp_path / "home", "train", "classifier", *words)

    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["artists"] == sorted(ARTISTS[1:])
    assert {one["voter"] for one in answer["compared"]} == {"neighbours", "classifier", "trained"}
    assert answer["works"] + answer["held_out"] == EACH * 3
    assert answer["works_per_s"] > 0
    assert not [path for path in (tmp_path / "home").rglob("*") if path.suffix in {".pkl", ".pt"}]
