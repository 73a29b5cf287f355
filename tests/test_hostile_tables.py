"""Tables that stand for many times their bytes: refused, at no cost to whoever reads them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pyarrow as pa
import pytest
from pyarrow import parquet

from attribution.errors import BadInput
from ingest.sources.tables import read_table

MORE_KILOBYTES = 160 * 1024  # that the reader may take for all; each would take 0.4 to 9 GB
READ = """
import json, resource, sys
from pathlib import Path
import pyarrow.parquet
from attribution.errors import BadInput
from ingest.sources.tables import read_table

before, said = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, {}
for path in map(Path, sys.argv[1:]):
    try:
        said[path.name] = f"{len(read_table(path, 'the table').rows)} rows"
    except BadInput as error:
        said[path.name] = str(error)
print(json.dumps([said, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before]))
"""


def one_text_many_times(path: Path) -> None:
    """Have a hundred rows of Parquet share a text of 24 MiB; a reader writes it out for each."""
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 100), pa.array(["x" * (24 << 20)]))
    table = pa.table({"file_name": [f"{n}.png" for n in range(100)], "title": texts})
    parquet.write_table(
        table, path, compression="zstd", store_schema=False, dictionary_pagesize_limit=1 << 30
    )


def merged_cells(path: Path) -> None:
    """Merge ten thousand cells over a long text, which counts for each of them."""
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for cell, text in (("A1", "file_name"), ("A2", "x" * 30_000), ("CV101", "z")):
        sheet[cell] = text
    sheet.merged_cells.add("A2:CV101")
    book.save(path)


def wide_row(path: Path) -> None:
    """Have one row go on over many lines, within quotation marks, with millions of cells."""
    path.write_text("file_name\n" + '"\n",ab,' * 3_000_000, encoding="utf-8")


def many_lists(path: Path) -> None:
    """Write millions of lists into one line."""
    path.write_text('{"tags":[' + "[]," * 17_000_000 + "1]}", encoding="utf-8")


HOSTILE: dict[str, tuple[Callable[[Path], None], str]] = {
    "a.parquet": (one_text_many_times, "takes more memory or time than a table may; split it"),
    "a.xlsx": (merged_cells, "it holds more than 128 MiB of text; save it as CSV"),
    "a.csv": (wide_row, "line 2: a row of more than 16777216 characters"),
    "a.jsonl": (many_lists, "holds more than 32 million values; split it"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="limits as Linux has them")
def test_are_refused_within_little_memory(tmp_path: Path) -> None:
    """Each with words that say what to do; one process reads them all."""
    for name, (make, _) in HOSTILE.items():
        make(tmp_path / name)
    assert (tmp_path / "a.parquet").stat().st_size < 10_000
    assert (tmp_path / "a.xlsx").stat().st_size < 10_000

    done = subprocess.run(
        [sys.executable, "-c", READ, *(tmp_path / name for name in HOSTILE)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )

    said, kilobytes = json.loads(done.stdout)
    for name, (_, words) in HOSTILE.items():
        assert words in said[name]
    assert kilobytes < MORE_KILOBYTES


def test_a_head_without_end(tmp_path: Path) -> None:
    """Is refused before it is taken for columns."""
    table = tmp_path / "wide.csv"
    table.write_text("file_name," + "ab," * 6_000_000, encoding="utf-8")

    with pytest.raises(BadInput, match="line 1: a row of more than 16777216 characters"):
        read_table(table, "the table")
