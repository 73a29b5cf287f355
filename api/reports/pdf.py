"""The report as a PDF that archives and screen readers take: PDF/A-2a and PDF/UA-1, tagged.

Set by Typst with the fonts that come with it. What others wrote is data to it, never markup.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typst

from api.reports.overlay import draw_outline
from api.reports.pages import Page
from api.reports.sentences import isolated
from api.reports.telling import Figure, tell
from attribution.answers import Corner
from attribution.desk.casefile import CaseFile
from attribution.images import read_thumbnail

TEMPLATE = (files(__package__) / "templates" / "report.typ").read_bytes()
# An archived PDF has a shape for every letter, and the fonts have those of these scripts.
LETTERS = (
    "\\n -~\u00a0-\u017f\u0384-\u038a\u038c\u038e-\u03a1\u03a3-\u03ce\u0400-\u045f"
    "\u05be\u05d0-\u05ea\u0621-\u063a\u0641-\u064a–—‘’“”„…·•→≥≤"
)
QUALITY = 85
WITHOUT_BREAK = re.compile(r"\S{24}")
WITHOUT_SHAPE = re.compile(f"[^{LETTERS}]")


def render_pdf(
    pages: Sequence[Page],
    title: str,
    *,
    at: datetime,
    case: CaseFile | None = None,
) -> bytes:
    """Return the report as PDF, with the words of the HTML one; `at` is when it was made."""
    with TemporaryDirectory() as name:
        values = _values(tell(pages, title, case=case), _Pictures(Path(name)))
        (Path(name) / "report.json").write_text(json.dumps(_shaped(values)), encoding="utf-8")
        (Path(name) / "report.typ").write_bytes(TEMPLATE)
        made = typst.compile(
            str(Path(name) / "report.typ"),
            root=name,
            font_paths=_fonts(),
            ignore_system_fonts=True,
            format="pdf",
            pdf_standards=["a-2a", "ua-1"],
            timestamp=at.replace(microsecond=0),
        )
    if not isinstance(made, bytes):
        raise TypeError("Typst made no PDF")
    return made


@cache
def _fonts() -> typst.Fonts:
    """Return the fonts that come with Typst: the same on every machine."""
    return typst.Fonts(include_system_fonts=False)


class _Pictures:
    """Files for Typst, each picture once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[tuple[bytes, tuple[Corner, ...]], str] = {}

    def file(self, webp: bytes | None, outline: Sequence[Corner] = ()) -> str | None:
        """Return the name of the file of a picture, with an outline drawn on it if there is one."""
        if webp is None:
            return None
        key = webp, tuple(outline)
        if key not in self._names:
            picture = read_thumbnail(webp)
            if outline:
                picture = draw_outline(picture, outline)
            self._names[key] = f"{len(self._names)}.jpg"
            # What is not JPEG stands in a PDF without loss, and is ten times as large.
            picture.save(self._folder / self._names[key], "JPEG", quality=QUALITY)
        return self._names[key]


def _values(told: Any, pictures: _Pictures) -> Any:
    """Return what a report says as JSON values, its pictures as names of files."""
    if isinstance(told, Figure):
        file = pictures.file(told.picture, told.outline)
        return {"file": file, "alt": told.alt, "unseen": told.unseen, "lines": list(told.lines)}
    if is_dataclass(told):
        return {one.name: _values(getattr(told, one.name), pictures) for one in fields(told)}
    return [_values(one, pictures) for one in told] if isinstance(told, list | tuple) else told


def _shaped(value: Any) -> Any:
    """Return JSON values with letters that the fonts have; others by their number."""
    if isinstance(value, str):
        text = WITHOUT_SHAPE.sub(lambda one: f"[U+{ord(one[0]):04X}]", value)
        return isolated(WITHOUT_BREAK.sub("\\g<0>\u200b", text))
    if isinstance(value, dict):
        return {name: _shaped(one) for name, one in value.items()}
    return [_shaped(one) for one in value] if isinstance(value, list | tuple) else value
