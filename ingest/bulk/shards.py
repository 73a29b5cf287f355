"""What a bulk job leaves: a folder of Parquet files, whole or not there, and a list of them.

A row is a file of the source, refused ones too: what its source says, what was found in it, a
column of float32 for each named vector, sketches, the vectors of parts, a thumbnail. Which encoders
made the vectors stands in the list, and in each file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from attribution.catalogue.models import artwork_id
from attribution.catalogue.queries import KeptSketch, NewItem
from attribution.errors import BadInput
from attribution.types import Part
from attribution.whole import written_whole
from ingest.bulk.rows import AT_ONCE, Row, denied_of, unit_rows
from ingest.listing import Listed, new_item, source_item
from ingest.picture import Looked, Picture
from ingest.sources import SourceItem

FORMAT = 1
LIST = "shards.json"
KEY = b"lawful"  # of what a file says about itself
SAYS = ("path", "artist", "details", "sha256")  # columns that are read before anything is taken
FOUND = ("pixel_sha256", "phash", "facts", "rights", "is_blank")  # fields of a picture, as JSON


@dataclass(frozen=True)
class Made:
    """By what the vectors of shards were made."""

    fingerprint: str  # of the encoders
    dims: Mapping[str, int]
    parts_in: str | None  # the space of the vectors of parts

    @property
    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"format": FORMAT, **vars(self), "dims": dict(self.dims)}


def write_shard(path: Path, rows: Sequence[Row], made: Made) -> None:
    """Write the rows of a shard, whole or not at all; raises OSError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    said = [new_item(Listed(row.item, str(row.item.path))) for row in rows]
    columns: dict[str, Any] = {
        "path": pa.array([one.path for one in said], pa.string()),
        "artist": pa.array([one.artist for one in said], pa.string()),
        "details": pa.array([json.dumps(one.details) for one in said], pa.string()),
        "sha256": pa.array([row.sha256 for row in rows], pa.string()),
        "fault": pa.array([row.fault for row in rows], pa.string()),
        "found": pa.array([_found(row.looked) for row in rows], pa.string()),
        "thumbnail": pa.array(
            [row.looked and row.looked.picture.thumbnail for row in rows], pa.binary()
        ),
        "sketches": pa.array([_sketches(row.looked) for row in rows], _sketch_type()),
        "parts": pa.array(
            [None if row.parts is None else row.parts.astype("<f4").tobytes() for row in rows],
            pa.binary(),
        ),
        "original": pa.array([row.original or None for row in rows], pa.binary()),
    }
    vectors = {
        name: pa.array(
            [row.vectors[name] if row.vectors else None for row in rows],
            pa.list_(pa.float32(), dim),
        )
        for name, dim in made.dims.items()
    }
    table = pa.table({**columns, **{_column(name): one for name, one in vectors.items()}})
    table = table.replace_schema_metadata({KEY: json.dumps(made.as_dict)})
    with written_whole(path) as new:
        pq.write_table(table, new, compression="zstd", use_dictionary=["artist"])


def write_list(folder: Path, names: Sequence[str], remarks: Sequence[str], made: Made) -> None:
    """Note which files are the shards of a source: it is finished now."""
    said = {**made.as_dict, "shards": list(names), "remarks": list(remarks)}
    with written_whole(folder / LIST) as new:
        new.write_text(json.dumps(said, indent=1), encoding="utf-8")


def is_shards(folder: Path) -> bool:
    """Tell whether a folder was written by a bulk job that came to its end."""
    return (folder / LIST).is_file()


class Shards:
    """The shards in a folder, as rows to be taken in."""

    def __init__(self, folder: Path, made: Made) -> None:
        said = _listed(folder / LIST)
        self._paths = [folder / name for name in said["shards"]]
        self.remarks: Sequence[str] = said["remarks"]
        self._made = made
        _check_made(folder / LIST, said, made)
        self.total = sum(_opened(path, made).metadata.num_rows for path in self._paths)

    @cached_property
    def denied(self) -> dict[str, set[str]]:
        """The purposes that any row denies of a file, by its hash."""
        return denied_of(
            (row["sha256"], _item(row))
            for path in self._paths
            for batch in _batches(path, self._made, list(SAYS))
            for row in batch.to_pylist()
        )

    def batches(self) -> Iterator[list[Row]]:
        """Yield the rows in their order, some at a time; raises BadInput."""
        rows = (
            row
            for path in self._paths
            for batch in _batches(path, self._made)
            for row in self._rows(batch)
        )
        while few := list(islice(rows, AT_ONCE)):
            yield few

    def _rows(self, batch: Any) -> list[Row]:
        spaces = {name: batch.column(_column(name)) for name in self._made.dims}
        has_vectors = next(iter(spaces.values())).is_valid().to_numpy(zero_copy_only=False)
        at = np.cumsum(has_vectors) - 1
        matrices, faults = {}, dict[int, str]()
        for name, column in spaces.items():
            numbers = column.flatten().to_numpy().reshape(-1, self._made.dims[name])
            matrices[name], wrong = unit_rows(numbers, name)
            faults |= wrong
        rest = batch.drop_columns([_column(name) for name in spaces]).to_pylist()
        rows = []
        for number, one in enumerate(rest):
            vectors = {}
            if has_vectors[number]:
                vectors = {name: rows[at[number]] for name, rows in matrices.items()}
                one["fault"] = one["fault"] or faults.get(int(at[number]))
            rows.append(_row(one, vectors, self._made))
        return rows


def _column(space: str) -> str:
    return f"vector:{space}"


def _sketch_type() -> Any:
    import pyarrow as pa

    fields = {
        "part": pa.int32(),
        "phash": pa.string(),
        "box": pa.list_(pa.float64(), 4),
        "data": pa.binary(),
    }
    return pa.list_(pa.struct(fields))


def _found(looked: Looked | None) -> str | None:
    if looked is None:
        return None
    return json.dumps({name: getattr(looked.picture, name) for name in FOUND})


def _sketches(looked: Looked | None) -> list[dict[str, Any]] | None:
    if looked is None:
        return None
    return [
        {"part": part.number, "phash": one.phash, "box": list(one.box), "data": one.data}
        for part, one in looked.sketches.items()
    ]


def _item(row: Mapping[str, Any]) -> SourceItem:
    return source_item(NewItem(row["path"], row["artist"], json.loads(row["details"])))


def _row(one: Mapping[str, Any], vectors: Mapping[str, Any], made: Made) -> Row:
    looked, sha256 = None, one["sha256"]
    if one["found"] and sha256:
        picture = Picture(sha256, **json.loads(one["found"]), thumbnail=one["thumbnail"])
        work = artwork_id(sha256)
        sketches = {
            Part(work, kept["part"]): KeptSketch(kept["phash"], kept["data"], tuple(kept["box"]))
            for kept in one["sketches"] or ()
        }
        looked = Looked(picture, sketches)
    parts = None
    if one["parts"] and made.parts_in:
        numbers = np.frombuffer(one["parts"], "<f4").astype(np.float32)
        parts = numbers.reshape(-1, made.dims[made.parts_in])
    return Row(_item(one), sha256, looked, one["fault"], vectors, parts, one["original"] or b"")


def _listed(path: Path) -> dict[str, Any]:
    try:
        said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        names = said["shards"]
        if any(Path(name).name != name for name in names):
            raise ValueError("it names files elsewhere")  # noqa: TRY301  said in one place
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path} is no list of shards: {error}; run the bulk job again") from None
    return said


def _check_made(path: Path, said: Mapping[str, Any], made: Made) -> None:
    """Raise BadInput for shards of another version, or of other encoders than the collection's."""
    if said.get("format") != FORMAT:
        raise BadInput(
            f"{path} has format {said.get('format')}, this program reads {FORMAT}; run the bulk "
            f"job again"
        )
    if said.get("fingerprint") != made.fingerprint:
        raise BadInput(
            f"{path}: its vectors were made by the encoders {str(said.get('fingerprint'))[:12]}, "
            f"the collection has {made.fingerprint[:12]}; encode it again with this LAWFUL_PROFILE"
        )


def _opened(path: Path, made: Made) -> Any:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    try:
        file = ParquetFile(path)
        said = json.loads((file.schema_arrow.metadata or {}).get(KEY, b"{}"))
    except (OSError, pa.ArrowException, ValueError) as error:
        raise BadInput(f"{path} cannot be read: {error}; run the bulk job again") from None
    _check_made(path, said, made)
    return file


def _batches(path: Path, made: Made, columns: list[str] | None = None) -> Iterator[Any]:
    import pyarrow as pa

    with _opened(path, made) as file:
        try:
            yield from file.iter_batches(AT_ONCE, columns=columns, use_threads=False)
        except (OSError, pa.ArrowException) as error:
            raise BadInput(f"{path} cannot be read: {error}; run the bulk job again") from None
