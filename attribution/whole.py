"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from uuid import uuid4


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield the path of a file to write, which takes the place of `path` at the end.

    An error or a power cut leaves the old file or the new one; a kill may leave what was begun next
    to it, see `forget_unfinished`. Raises OSError.
    """
    new = path.with_name(f".{path.name}.{uuid4().hex}.new")
    try:
        yield new
        with new.open("rb") as file:
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def forget_unfinished(path: Path) -> None:
    """Delete what killed processes have left of writing a file."""
    for begun in path.parent.glob(f".{escape(path.name)}.*.new"):
        begun.unlink(missing_ok=True)
