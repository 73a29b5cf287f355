"""Vectors that others made: Parquet with a column for each space, or the layout of clip-retrieval.

clip-retrieval writes `img_emb/img_emb_0.npy` and `metadata/metadata_0.parquet`, row by row the same
works. Their rows are read as those of any table, before the first vector is: every no is heard.
"""

from __future__ import annotations

import pickle
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from attribution.arithmetic.halves import rounded
from attribution.errors import BadInput
from attribution.types import Matrix
from ingest.bulk.rows import AT_ONCE, Row, denied_of, unit_rows
from ingest.picture import Looked, Picture
from ingest.sources import GRANTED_BY_DEFAULT, SourceItem
from ingest.sources.columns import FILE_COLUMNS, KNOWN, fold
from ingest.sources.making import make_item
from ingest.sources.raw import Raw
from ingest.sources.tables import rows_of

SHA256 = re.compile(r"[0-9a-f]{64}")
HASH, URL = "sha256", "url"
NO_HASH = (
    "it has no sha256 of its file, by which a work is known; img2dataset writes that column "
    "(--compute_hash sha256), and clip-retrieval keeps it (--enable_metadata True)"
)
CLIP = "clip"  # the space of clip-retrieval's img_emb


@dataclass(frozen=True)
class _File:
    """A table with the vectors of its works."""

    table: Path
    columns: Mapping[str, str]  # space -> column of the table
    array: Path | None = None  # of the vectors of CLIP

    def spaces(self) -> set[str]:
        """Return which vectors its works have."""
        return {*self.columns, *([CLIP] if self.array else [])}


def is_foreign(path: Path) -> bool:
    """Tell whether a path may be vectors of others."""
    return path.is_dir() or path.suffix.lower() == ".parquet"


class Foreign:
    """Works with vectors that others made, as rows to be taken in.

    `folder` is where what the tables say is kept meanwhile. Raises BadInput for files that do not
    belong together, a table that cannot be understood, and spaces that are not the collection's.
    """

    remarks: Sequence[str]

    def __init__(
        self, path: Path, dims: Mapping[str, int], folder: Path, *, artist: str | None = None
    ) -> None:
        self._dims = dims
        self._files = _files(path, dims)
        self._kept = folder / "rows"
        unused: dict[str, None] = {}
        self.total = 0
        with self._kept.open("wb") as out:
            for file in self._files:
                rows = _understood(file, artist, unused)
                self.total += _keep(out, rows)
                _check_length(file, dims)
        self.remarks = [f"not used: {', '.join(unused)}"] if unused else []

    @cached_property
    def denied(self) -> dict[str, set[str]]:
        """The purposes that any row denies of a file, by its hash."""
        return denied_of(pair for batch in self._items() for pair in batch)

    def batches(self) -> Iterator[list[Row]]:
        """Yield the rows in their order, some at a time; raises BadInput."""
        items = self._items()
        for file in self._files:
            for vectors in _vectors(file, self._dims):
                yield [_row(*pair, vectors, at) for at, pair in enumerate(next(items))]

    def _items(self) -> Iterator[list[tuple[str | None, SourceItem]]]:
        with self._kept.open("rb") as kept:
            while kept.peek(1):
                yield pickle.load(kept)  # noqa: S301  this process wrote it into a folder of its own


@dataclass(frozen=True)
class _Vectors:
    """The vectors of some rows, by space, and by row why they cannot be used."""

    matrices: Mapping[str, Matrix]
    faults: Mapping[int, str]


def check_model(said: str | None, fingerprint: str) -> None:
    """Raise BadInput unless vectors are said to be of the collection's encoders."""
    if said is None:
        raise BadInput(
            f"nothing says which model made these vectors; if they are by the encoders of this "
            f"collection, and prepared as it does, say so: --model {fingerprint[:12]}"
        )
    if len(said) < 12 or not fingerprint.startswith(said.lower()):
        raise BadInput(
            f"the vectors are by {said}, the collection has the encoders {fingerprint[:12]} "
            f"(`lawful info` shows them); vectors of two models are never mixed"
        )


def _files(path: Path, dims: Mapping[str, int]) -> list[_File]:
    arrays = sorted((path / "img_emb").glob("img_emb_*.npy"), key=_number)
    if arrays:
        files = [
            _File(path / "metadata" / f"metadata_{_number(array)}.parquet", {}, array)
            for array in arrays
        ]
    else:
        tables = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
        files = [_File(table, {name: name for name in dims}) for table in tables]
    if not files:
        raise BadInput(
            f"{path} has neither *.parquet files nor img_emb/img_emb_*.npy; give a folder of "
            f"vectors, or what `lawful bulk` has written to its end"
        )
    for file in files:
        if not file.table.is_file():
            raise BadInput(f"{file.array} has no {file.table}; both are needed")
        _check_spaces(file, dims)
    return files


def _number(path: Path) -> int:
    found = re.search(r"(\d+)$", path.stem)
    if found is None:
        raise BadInput(f"{path} has no number; its metadata cannot be found")
    return int(found[1])


def _check_spaces(file: _File, dims: Mapping[str, int]) -> None:
    missing = dims.keys() - file.spaces()
    if not missing and file.columns:
        with _opened(file.table) as opened:
            missing = dims.keys() - set(opened.schema_arrow.names)
    if missing:
        raise BadInput(
            f"{file.table} has no vectors {', '.join(sorted(missing))}; a work of this collection "
            f"has {', '.join(f'{name} ({dim})' for name, dim in sorted(dims.items()))}: give each "
            f"a column so called, or a collection of other encoders (LAWFUL_PROFILE)"
        )


def _check_length(file: _File, dims: Mapping[str, int]) -> None:
    if file.array is None:
        return
    array = _array(file.array)
    with _opened(file.table) as opened:
        rows = opened.metadata.num_rows
    if array.shape != (rows, dims[CLIP]):
        raise BadInput(
            f"{file.array} has the shape {array.shape}, {file.table} has {rows} rows, and a vector "
            f"{CLIP!r} of this collection {dims[CLIP]} numbers; they do not belong together"
        )


def _understood(
    file: _File, artist: str | None, unused: dict[str, None]
) -> Iterator[tuple[str | None, SourceItem]]:
    """Yield the hash and the item of every row of a table."""
    shown = file.table.name
    with _opened(file.table) as opened:
        names = opened.schema_arrow.names
        headers = [name for name in names if name not in file.columns.values()]
        hashes: deque[str | None] = deque()
        named = any(KNOWN.get(fold(header)) in FILE_COLUMNS for header in headers)

        def raws() -> Iterator[Raw]:
            number = 0
            for batch in _read(opened, file.table, headers):
                for row in batch.to_pylist():
                    number += 1
                    hashes.append(_hash(row))
                    yield _raw(f"{shown}, row {number}", row, is_named=named)

        own = [] if named else [FILE_COLUMNS[0]]
        for row in rows_of(shown, [*headers, *own], raws()):
            sha256 = hashes.popleft()
            if row is None:  # nothing stands in it
                yield None, SourceItem(file.table, "", "", refused=f"{shown}: an empty row")
                continue
            item = make_item(Path(row.name), row, artist, None, None, GRANTED_BY_DEFAULT)
            if sha256 is None and item.refused is None:
                item = replace(item, refused=f"{row.where}: {NO_HASH}")
            yield sha256, item
        known = {header for header in headers if fold(header) in KNOWN} | {HASH, URL}
        unused |= dict.fromkeys(header for header in headers if header not in known)


def _hash(row: Mapping[str, Any]) -> str | None:
    said = row.get(HASH)
    text = said.strip().lower() if isinstance(said, str) else ""
    return text if SHA256.fullmatch(text) else None


def _raw(where: str, row: Mapping[str, Any], *, is_named: bool) -> Raw:
    """Return a row as tables have them: where it is found stands for the name of its file."""
    cells = dict(row)
    url = cells.pop(URL, None)
    cells.pop(HASH, None)
    if url and not cells.get("source"):
        cells["source"] = url
    if not is_named:
        cells[FILE_COLUMNS[0]] = url or row.get(HASH) or where
    return Raw(where, list(cells.items()))


def _keep(out: IO[bytes], rows: Iterator[tuple[str | None, SourceItem]]) -> int:
    """Keep rows as portions that `_vectors` keeps step with; returns how many there were."""
    total, portion = 0, list[tuple[str | None, SourceItem]]()
    for row in rows:
        portion.append(row)
        if len(portion) == AT_ONCE:
            pickle.dump(portion, out)
            total, portion = total + len(portion), []
    if portion:
        pickle.dump(portion, out)
    return total + len(portion)


def _vectors(file: _File, dims: Mapping[str, int]) -> Iterator[_Vectors]:
    """Yield the vectors of a file, AT_ONCE rows at a time."""
    if file.array is not None:
        array = _array(file.array)
        for first in range(0, len(array), AT_ONCE):
            matrix, faults = unit_rows(array[first : first + AT_ONCE], CLIP)
            yield _Vectors({CLIP: rounded(matrix)}, faults)
        return
    left: list[Any] = []
    with _opened(file.table) as opened:
        import pyarrow as pa

        columns = list(file.columns.values())
        for batch in _read(opened, file.table, columns):
            left.append(batch)
            while sum(one.num_rows for one in left) >= AT_ONCE:
                table = pa.Table.from_batches(left).combine_chunks()
                yield _of_table(table.slice(0, AT_ONCE), file, dims)
                left = table.slice(AT_ONCE).to_batches()
        if left and sum(one.num_rows for one in left):
            yield _of_table(pa.Table.from_batches(left).combine_chunks(), file, dims)


def _of_table(table: Any, file: _File, dims: Mapping[str, int]) -> _Vectors:
    matrices, faults = dict[str, Matrix](), dict[int, str]()
    for space, column in file.columns.items():
        matrix, wrong = _matrix(table.column(column).combine_chunks(), space, dims[space])
        unit, zero = unit_rows(matrix, space)
        matrices[space] = rounded(unit)  # here, where they become vectors of ours
        faults |= zero | wrong
    return _Vectors(matrices, faults)


def _matrix(column: Any, space: str, dim: int) -> tuple[npt.NDArray[np.float32], dict[int, str]]:
    """Return a column of lists as a matrix, with zeros where a row is no list of that length."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks)
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if not (is_list or pa.types.is_fixed_size_list(kind)) or not pa.types.is_floating(
        kind.value_type
    ):
        raise BadInput(f"the column {space!r} is {kind}; a vector is a list of floating numbers")
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    fits = lengths == dim
    numbers = column.filter(pa.array(fits)).flatten()
    matrix = np.zeros((len(column), dim), np.float32)
    matrix[fits] = numbers.to_numpy(zero_copy_only=False).reshape(-1, dim)
    wrong = {
        int(row): f"its vector {space!r} has {lengths[row]} numbers, not {dim}"
        for row in np.flatnonzero(~fits)
    }
    return matrix, wrong


def _row(sha256: str | None, item: SourceItem, vectors: _Vectors, at: int) -> Row:
    if sha256 is None:
        return Row(item)
    looked = Looked(Picture(sha256), {})
    if fault := vectors.faults.get(at):
        return Row(item, sha256, fault=fault)
    named = {space: rows[at] for space, rows in vectors.matrices.items()}
    return Row(item, sha256, looked, vectors=named)


def _array(path: Path) -> npt.NDArray[np.floating]:
    try:
        array: npt.NDArray[np.floating] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BadInput(f"{path} cannot be read: {error}") from None
    if not np.issubdtype(array.dtype, np.floating):
        raise BadInput(f"{path} holds {array.dtype}; vectors are of floating numbers")
    return array


def _opened(path: Path) -> Any:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    try:
        return ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise BadInput(f"{path} cannot be read: {error}") from None


def _read(opened: Any, path: Path, columns: list[str]) -> Iterator[Any]:
    import pyarrow as pa

    try:
        yield from opened.iter_batches(AT_ONCE, columns=columns, use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise BadInput(f"{path} cannot be read: {error}") from None
