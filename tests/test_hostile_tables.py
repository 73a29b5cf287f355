"""Tables of a few kilobytes that stand for gigabytes: refused, at no cost to whoever reads them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import openpyxl
import pyarrow as pa
import pytest
from pyarrow import parquet

MORE_KILOBYTES = 64 * 1024  # that the reader may take; that of a bomb alone would take 2 GiB
READ = """
import json, resource, sys
from pathlib import Path
import pyarrow.parquet
from attribution.errors import BadInput
from ingest.sources.tables import read_table

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    said = f"{len(read_table(Path(sys.argv[1]), 'the table').rows)} rows"
except BadInput as error:
    said = str(error)
print(json.dumps([said, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before]))
"""


def read(table: Path) -> tuple[str, int]:
    """Read a table in a process of its own; return what it says, and the memory that it took."""
    done = subprocess.run(
        [sys.executable, "-c", READ, table], capture_output=True, text=True, check=True, timeout=120
    )
    said, kilobytes = json.loads(done.stdout)
    return said, kilobytes


@pytest.mark.skipif(sys.platform != "linux", reason="limits as Linux has them")
def test_a_parquet_file_of_one_text_many_times(tmp_path: Path) -> None:
    """A hundred rows share a text of 24 MiB, which its reader would write out for each."""
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 100), pa.array(["x" * (24 << 20)]))
    table = pa.table({"file_name": [f"{n}.png" for n in range(100)], "title": texts})
    path = tmp_path / "metadata.parquet"
    parquet.write_table(
        table, path, compression="zstd", store_schema=False, dictionary_pagesize_limit=1 << 30
    )

    said, kilobytes = read(path)

    assert path.stat().st_size < 10_000
    assert said.startswith("the table takes more memory or time than a table may; split it")
    assert kilobytes < MORE_KILOBYTES


def test_merged_cells_of_a_long_text(tmp_path: Path) -> None:
    """What stands in merged cells stands in each of them: here nine gigabytes of it."""
    path = tmp_path / "metadata.xlsx"
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for cell, text in (("A1", "file_name"), ("A2", "x" * 30_000), ("CV3000", "z")):
        sheet[cell] = text
    sheet.merged_cells.add("A2:CV3000")
    book.save(path)

    said, kilobytes = read(path)

    assert path.stat().st_size < 10_000
    assert "takes more memory or time than a spreadsheet may" in said
    assert kilobytes < MORE_KILOBYTES
