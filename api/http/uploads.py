"""Uploads on their way through this process: where large ones lie, and images that are looked at.

What is kept goes through `ingest.uploads`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from attribution.errors import TooLarge
from attribution.images import CheckedImage, Limits, read_image
from attribution.temporary import temporary_folder


def read_upload(file: IO[bytes], limits: Limits) -> CheckedImage:
    """Decode an uploaded image; raises TooLarge, BadImage, BackendUnavailable."""
    return read_image(upload_bytes(file, limits), limits)


def upload_bytes(file: IO[bytes], limits: Limits) -> bytes:
    """Return the bytes of an uploaded image; raises TooLarge."""
    data = file.read(limits.max_bytes + 1)
    if len(data) > limits.max_bytes:
        raise TooLarge(
            f"the image has more than {limits.max_bytes / 2**20:.1f} MiB; make it smaller, "
            f"or raise LAWFUL_MAX_IMAGE_MB"
        )
    return data


def again(file: IO[bytes]) -> bytes:
    """Return an uploaded image once more: form parsers put large ones down on the disk."""
    file.seek(0)
    return file.read()


@contextmanager
def spooled_below(home: Path) -> Iterator[None]:
    """Have the form parser put large uploads down below `home`, where there is room for them.

    It takes the folder for temporary files of the whole process, and lets nobody choose another.
    """
    before = tempfile.tempdir
    with temporary_folder(home) as folder:
        tempfile.tempdir = str(folder)
        try:
            yield
        finally:
            # That of another application in this process may have gone before ours
            tempfile.tempdir = before if before and Path(before).is_dir() else None
