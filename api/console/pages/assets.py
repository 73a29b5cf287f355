"""Styles and scripts of the console, from this package."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter, Response

from api.http.pages import KEPT
from attribution.errors import NotFound

router = APIRouter()

MEDIA_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
FOLDER = files("api.console") / "static"
NAMES = frozenset(
    one.name for one in FOLDER.iterdir() if one.name.rpartition(".")[2] in MEDIA_TYPES
)


@router.get("/static/{name}")
def get_static(name: str) -> Response:
    """Return a style, a script or a sign; raises NotFound."""
    if name not in NAMES:
        raise NotFound(f"the console has no file {name!r}")
    media_type = MEDIA_TYPES[name.rpartition(".")[2]]
    return Response((FOLDER / name).read_bytes(), media_type=media_type, headers=KEPT)
