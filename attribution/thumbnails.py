"""Thumbnails in a folder, named by the content of the original and by nothing a client sends."""

from __future__ import annotations

from pathlib import Path
from tempfile import NamedTemporaryFile

from attribution.errors import NotFound


class ThumbnailStore:
    """Small WebP pictures under `folder`, one per content hash."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, sha256: str, webp: bytes) -> None:
        """Store a picture; the same hash again replaces it, atomically."""
        path = self._path(sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(webp)
        Path(file.name).replace(path)

    def get(self, sha256: str) -> bytes:
        """Return a picture; raises NotFound."""
        try:
            return self._path(sha256).read_bytes()
        except FileNotFoundError:
            raise NotFound(f"no thumbnail of {sha256[:12]}…; ingest the work again") from None

    def _path(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / f"{sha256}.webp"
