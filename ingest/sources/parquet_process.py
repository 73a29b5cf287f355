"""Tries one Parquet file in a process of its own, which may die of it.

A file of three kilobytes can stand for gigabytes, and its reader then makes room for all of them at
once. So it is read here first, with little memory and processor time: in the portions in which it
is read later, and all of its columns. Run as a script with the path of a file; prints what is wrong
with it, or nothing.
"""

from __future__ import annotations

import os
import sys

from attribution.confined import confine

MEMORY_BYTES = 2 * 2**30  # of address space
CPU_S = 120
PORTION = 100  # rows that are held at once


def main() -> None:
    """Read the file that the first argument names."""
    confine(MEMORY_BYTES, CPU_S)
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"  # others reserve more than they use
    from pyarrow.parquet import ParquetFile

    where = " is not a Parquet file"
    try:
        with ParquetFile(sys.argv[1]) as file:
            number = 0
            for batch in file.iter_batches(batch_size=PORTION, use_threads=False):
                where = f", from row {number + 1} on"
                number += len(batch.to_pylist())
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001  of whatever kind, it is about this file
        sys.stdout.write(f"{where}: {error or type(error).__name__}")


if __name__ == "__main__":
    main()
