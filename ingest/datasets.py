"""Hugging Face datasets as sources of works: `huggan/wikiart`, or anything of a like schema.

A row has an image column and one that names the artist, text or ClassLabel; `style` and `genre`
become tags. Pictures stay bytes until our own reader has checked them. By id from the hub, streamed
or downloaded once into the Hugging Face cache; or from a local folder, as `save_to_disk` writes it
or of Parquet files. `export` makes a folder of it that every command takes.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from attribution.catalogue.names import slugify, visible
from attribution.catalogue.nobody import is_nobody
from attribution.errors import BackendUnavailable, BadImage, BadInput
from attribution.images import Limits, read_image
from attribution.whole import written_whole
from ingest.sources import cells
from ingest.sources.tables import row_of

log = logging.getLogger(__name__)

HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
SAVED = ("dataset_dict.json", "dataset_info.json", "state.json")
TAGS = ("style", "genre")


@dataclass(frozen=True)
class DatasetOptions:
    """How to read a dataset."""

    split: str = "train"
    image: str = "image"  # columns
    artist: str = "artist"
    stream: bool = False  # from the hub, without keeping it


@dataclass(frozen=True)
class Picture:
    """One row: the bytes of a picture, still unchecked, and what the row says."""

    data: bytes
    artist: str
    tags: tuple[str, ...]
    said: Mapping[str, Any] = field(
        default_factory=dict
    )  # title, licence, consents, … as they stand

    def may(self, purpose: str) -> bool:
        """Tell whether nothing in its row speaks against a purpose; what cannot be read does."""
        try:
            return purpose in cells.consent(self.said, (purpose,))
        except BadInput:
            return False


def is_dataset(name: str) -> bool:
    """Whether a name is that of a dataset: an id on the hub, or a folder that holds one."""
    path = Path(name)
    if path.is_dir():
        files = chain.from_iterable(map(path.glob, ("*.parquet", "data/*.parquet", "*.arrow")))
        return any((path / one).is_file() for one in SAVED) or any(
            one.stem.casefold() != "metadata"
            for one in files  # that is a table about pictures
        )
    return not path.exists() and HUB_ID.fullmatch(name) is not None


def read_dataset(name: str, options: DatasetOptions) -> Iterator[Picture]:
    """Return the rows that name an artist, in the dataset's order.

    Raises BadInput for a dataset or split that does not exist, for missing columns, and where the
    package `datasets` is not installed; BackendUnavailable when the hub does not answer.
    """
    rows = _opened(name, options)
    features: Mapping[str, Any] | None = rows.features
    first = None if features else next(iter(rows), None)
    columns = list(features or first or {})
    missing = [one for one in (options.image, options.artist) if one not in columns]
    if missing:
        raise BadInput(
            f"the dataset {name} has no column {missing[0]!r}; it has {', '.join(columns)}: "
            f"name them with --image-column and --artist-column"
        )
    return _pictures(name, rows, options)


def export(
    pictures: Iterator[Picture], folder: Path, limits: Limits, progress: Callable[[int], None]
) -> tuple[int, int]:
    """Write pictures as an imagefolder, with metadata.jsonl; returns (works, left out).

    Files are called by their hashes, so a second run writes only what is missing. Left out is what
    is no image.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows, left_out = {}, 0
    for number, picture in enumerate(pictures, 1):
        progress(number)
        try:
            image_format = read_image(picture.data, limits).facts.format
        except BadImage as error:
            log.warning("row %d: %s", number, error)
            left_out += 1
            continue
        name = f"{hashlib.sha256(picture.data).hexdigest()}.{image_format.lower()}"
        path = folder / slugify(picture.artist) / name
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            with written_whole(path) as new:
                new.write_bytes(picture.data)
        rows[path.relative_to(folder).as_posix()] = picture
    lines = [
        json.dumps(
            {**one.said, "file_name": name, "artist": one.artist, "tags": list(one.tags)},
            ensure_ascii=False,
            default=str,
        )
        for name, one in rows.items()
    ]
    with written_whole(folder / "metadata.jsonl") as new:
        new.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return len(rows), left_out


def _opened(name: str, options: DatasetOptions) -> Any:
    try:
        import datasets
    except ImportError:
        raise BadInput(
            f"to read the dataset {name}, install pip install 'lawful-diffusion[datasets]'"
        ) from None
    try:
        if any((Path(name) / one).is_file() for one in SAVED):
            rows = datasets.load_from_disk(name)
            if isinstance(rows, datasets.DatasetDict):
                rows = rows[options.split]
        else:
            rows = datasets.load_dataset(name, split=options.split, streaming=options.stream)
        if isinstance((rows.features or {}).get(options.image), datasets.Image):
            rows = rows.cast_column(options.image, datasets.Image(decode=False))
    except KeyError:
        raise BadInput(f"the dataset {name} has no split {options.split!r}; give --split") from None
    except ConnectionError as error:
        raise BackendUnavailable(f"the hub does not answer for {name}: {error}") from error
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BadInput(
            f"{name} cannot be read as a dataset: {reason}; check its name and --split"
        ) from None
    return rows


def _pictures(name: str, rows: Any, options: DatasetOptions) -> Iterator[Picture]:
    artists = _names(rows, options.artist)
    labels = {tag: _names(rows, tag) for tag in TAGS if tag in (rows.features or {})}
    own = {options.image, options.artist, *labels}
    for row in rows:
        artist = visible(artists(row[options.artist]))
        data = _bytes(row[options.image], Path(name))
        if data is None or is_nobody(artist):
            continue
        told = row_of(
            name, {one: row[one] for one in row if one not in own} | _named(rows, row, own)
        )
        tags = (*(labels[tag](row[tag]) for tag in labels), *cells.tags(told.values))
        yield Picture(data, artist, tags, told.values)


def _named(rows: Any, row: Mapping[str, Any], own: set[str]) -> dict[str, str]:
    """Return the names behind the numbers of other ClassLabels: a 1 may stand for no."""
    features = rows.features or {}
    labelled = [one for one in features if one not in own and hasattr(features[one], "int2str")]
    return {one: _names(rows, one)(row[one]) for one in labelled}


def _names(rows: Any, column: str) -> Callable[[Any], str]:
    """Return what makes a text of a value: a ClassLabel's number becomes its name."""
    feature: Any = (rows.features or {}).get(column)
    if hasattr(feature, "int2str"):
        return lambda value: "" if value is None or value < 0 else str(feature.int2str(value))
    return lambda value: "" if value is None else str(value)


def _bytes(value: Any, root: Path) -> bytes | None:
    """Return the bytes of a picture; of a file only where it lies in the dataset's own folder."""
    if isinstance(value, bytes):
        return value
    if not isinstance(value, Mapping):
        return None
    if value.get("bytes"):
        return bytes(value["bytes"])
    path = Path(str(value.get("path"))).resolve()
    return path.read_bytes() if path.is_relative_to(root.resolve()) and path.is_file() else None
