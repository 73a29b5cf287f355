"""Uploaded images that are looked at and not kept; what is kept goes through `ingest.uploads`."""

from __future__ import annotations

from typing import IO

from attribution.errors import TooLarge
from attribution.images import CheckedImage, Limits, read_image


def read_upload(file: IO[bytes], limits: Limits) -> CheckedImage:
    """Decode an uploaded image; raises TooLarge, BadImage."""
    data = file.read(limits.max_bytes + 1)
    if len(data) > limits.max_bytes:
        raise TooLarge(
            f"the image has more than {limits.max_bytes / 2**20:.1f} MiB; make it smaller, "
            f"or raise LAWFUL_MAX_IMAGE_MB"
        )
    return read_image(data, limits)
