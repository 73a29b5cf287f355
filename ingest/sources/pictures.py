"""Which names are those of pictures, by their endings alone."""

from __future__ import annotations

import re
from pathlib import PurePath

SUFFIXES = {
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".tif", ".tiff"),
    *(".avif", ".bmp", ".heic", ".heif"),
}
NAMES_PICTURE = re.compile(
    rf"\.(?:{'|'.join(sorted(one[1:] for one in SUFFIXES))})(?![\w.])", re.IGNORECASE
)


def is_picture(path: PurePath) -> bool:
    """Tell whether a file is called as a picture."""
    return path.suffix.lower() in SUFFIXES
