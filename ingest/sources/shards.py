"""Output of img2dataset, webdataset and clip-retrieval: understood, or refused by name.

img2dataset writes folders of pictures (`00000/000000012.jpg`) with a `.json` and a `.txt` for each,
and a Parquet file for each folder; an unpacked tar shard is such a folder without its number. What
these say is handed on as rows, field by field, for the reader of rows to judge.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attribution.errors import BadInput
from ingest.sources import cells
from ingest.sources.parquet import parquet_rows

NO_ARTIST = (
    "this is output of img2dataset, which names no artists: give --artist, or add an `artist` "
    "column to its input and write it again with --save_additional_columns '[\"artist\"]'"
)
NUMBER = re.compile(r"\d{3,}")
SHARD_FILE = re.compile(r"\d{3,}(_stats)?\.(json|parquet)")  # beside the folders of pictures
LARGEST_JSON = 4 << 20  # bytes about one picture; img2dataset puts all EXIF data into it
TECHNICAL = frozenset(  # what img2dataset and LAION say that no row of ours asks for
    """key status error_message width height original_width original_height exif sha256 md5 sha512
    similarity hash punsafe pwatermark aesthetic uid face_bboxes""".split()  # noqa: SIM905  prose
)
NO_PICTURES = {"json", "txt", "parquet", "npy", "cls"}


@dataclass(frozen=True)
class ShardRow:
    """What img2dataset says about one picture; `file_name` is below the root."""

    where: str  # for people
    values: Mapping[str, Any]
    refused: str | None = None  # why it cannot be read: it may forbid anything


def is_img2dataset(root: Path) -> bool:
    """Tell whether a folder is output of img2dataset, as files: it has at least one shard."""
    return next(_shards(root), None) is not None


def shard_rows(root: Path) -> Iterator[ShardRow]:
    """Yield what img2dataset says about the pictures in a folder.

    Where the `.json` and the Parquet row of a picture differ, both are rows. Raises BadInput for a
    Parquet file that cannot be read.
    """
    for shard in _shards(root):
        pictures = _pictures(shard)
        told = _parquet_rows(root, shard)
        for key, picture in pictures.items():
            file_name = picture.relative_to(root).as_posix()
            row = _json_row(root, shard, key, file_name)
            where, said = told.get(key, ("", {}))
            if row is not None:
                yield row
            if said and (row is None or _differ(row.values, said)):
                yield ShardRow(where, said | {"file_name": file_name})


def check_readable(root: Path) -> None:
    """Raise BadInput for shards that are no folders of pictures, and for embeddings."""
    names = sorted(path.name for path in root.iterdir())
    if embeddings := next(root.glob("img_emb/*.npy"), None) or next(
        root.glob("img_emb_*.npy"), None
    ):
        raise BadInput(
            f"{embeddings.relative_to(root).as_posix()} holds embeddings of clip-retrieval and no "
            f"pictures; ingest the pictures that they were made from"
        )
    packed = [one for one in names if re.fullmatch(r"\d{3,}\.(tar|tfrecord)", one)]
    if packed:
        more = f" and {len(packed) - 1} more" if len(packed) > 1 else ""
        raise BadInput(
            f"{packed[0]}{more} are packed shards of a data set; ingest each tar by itself, "
            f"or write them as folders (img2dataset --output_format files)"
        )
    tables = [one for one in names if re.fullmatch(r"\d{3,}\.parquet", one)]
    if tables and not is_img2dataset(root):
        raise BadInput(
            f"{tables[0]} lies here without a folder of its pictures; write them as files "
            f"(img2dataset --output_format files), or as a folder with `lawful export-dataset` "
            f"where they are within the table"
        )


def _shards(root: Path) -> Iterator[Path]:
    """Yield the folders of a source that img2dataset wrote, in order: the root, or those in it."""
    folders = (path for path in root.iterdir() if NUMBER.fullmatch(path.name) and path.is_dir())
    for folder in (root, *sorted(folders)):
        if folder != root and (root / f"{folder.name}_stats.json").is_file():
            yield folder
        elif sidecar := _first_sidecar(folder):
            row = _json_object(sidecar)
            if isinstance(row, dict) and {"key", "url"} <= row.keys():
                yield folder


def _first_sidecar(folder: Path) -> Path | None:
    found = (path for path in folder.iterdir() if path.suffix == ".json")
    return min((path for path in found if NUMBER.fullmatch(path.stem)), default=None)


def _pictures(shard: Path) -> dict[str, Path]:
    files = sorted(path for path in shard.iterdir() if not path.name.startswith("."))
    return {path.stem: path for path in files if path.suffix[1:].lower() not in NO_PICTURES}


def _json_row(root: Path, shard: Path, key: str, file_name: str) -> ShardRow | None:
    sidecar = shard / f"{key}.json"
    if not sidecar.is_file():
        return None
    where = sidecar.relative_to(root).as_posix()
    row = _json_object(sidecar)
    if isinstance(row, str):
        return ShardRow(where, {"file_name": file_name}, f"{where} cannot be read: {row}")
    values = _said(row)
    caption = shard / f"{key}.txt"
    if not values.get("caption") and caption.is_file():
        with caption.open("rb") as file:
            values["caption"] = file.read(LARGEST_JSON).decode("utf-8", "replace")
    return ShardRow(where, values | {"file_name": file_name})


def _json_object(path: Path) -> dict[str, Any] | str:
    """Return a JSON object, or why there is none."""
    try:
        if path.stat().st_size > LARGEST_JSON:
            return f"it has more than {LARGEST_JSON >> 20} MiB"
        row = json.loads(path.read_bytes())
    except OSError as error:
        return error.strerror or type(error).__name__
    except (ValueError, RecursionError):
        return "it is not JSON"
    return row if isinstance(row, dict) else "it is not a JSON object"


def _parquet_rows(root: Path, shard: Path) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return what the Parquet file of a shard says, by key, with its row."""
    table = shard.with_name(f"{shard.name}.parquet")
    if shard == root or not table.is_file():
        return {}
    return {
        str(row.get("key")): (f"{table.name}, row {number}", _said(row))
        for number, row in parquet_rows(table, table.name)
    }


def _said(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a row says of a picture that is no technical detail; its address is a source."""
    said = {
        name: value
        for name, value in row.items()
        if name.casefold() not in TECHNICAL or cells.forbids_training(value)
    }
    url = said.pop("url", None)
    return said if said.get("source") else said | {"source": url}


def _differ(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether the second row says anything that the first does not."""
    return any(value not in (None, "") and one.get(name) != value for name, value in other.items())
