"""The report as a PDF that archives and screen readers take: PDF/A-2a and PDF/UA-1, tagged.

Set by Typst with the fonts that come with it. What others wrote is data to it, never markup.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typst

from api.reports.overlay import draw_outline
from api.reports.report import UNKNOWN, Exhibit, Page, rests_on
from attribution.answers import Candidate, Corner
from attribution.images import read_thumbnail
from attribution.lookup import wording
from attribution.lookup.findings import find_ours

TEMPLATE = (files(__package__) / "templates" / "report.typ").read_bytes()
# An archived PDF has a shape for every letter, and the fonts have those of these scripts.
LETTERS = (
    "\\n -~\u00a0-\u017f\u0384-\u038a\u038c\u038e-\u03a1\u03a3-\u03ce\u0400-\u045f"
    "\u05d0-\u05ea\u0621-\u063a\u0641-\u064a–—‘’“”„…·•→≥≤"
)
QUALITY = 85
WITHOUT_SHAPE = re.compile(f"[^{LETTERS}]")


def render_pdf(pages: Sequence[Page], title: str, *, at: datetime) -> bytes:
    """Return the report as PDF, with the words of the HTML one; `at` is when it was made."""
    findings = find_ours([page.answer for page in pages])
    with TemporaryDirectory() as name:
        pictures = _Pictures(Path(name))
        data = {
            "title": title,
            "together": wording.together(findings),
            "pages": [_page(page, pictures) for page in pages],
            "rests_on": _pairs(rests_on(findings)),
        }
        (Path(name) / "report.json").write_text(json.dumps(_shaped(data)), encoding="utf-8")
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


def _page(page: Page, pictures: _Pictures) -> dict[str, Any]:
    answer, work = page.answer, page.answer.laid_on
    overlap = work.overlap if work else None
    asked = {
        "file": pictures.file(page.picture, overlap.image if overlap else ()),
        "alt": "the image in question",
        "unseen": page.kept,
        "lines": [wording.IMAGE, page.kept, f"SHA-256 {answer.image_sha256}"],
    }
    pair = [asked]
    if work:
        exhibit, outline = page.laid_on, overlap.work if overlap else ()
        lines = [f"{wording.titled(work)}{wording.by_whom(work)}."]
        if overlap and exhibit.picture and page.picture:
            lines.append(wording.OUTLINED)
        lines.append(exhibit.facts(work.id, work.slug))
        pair.append(_work(exhibit, pictures.file(exhibit.picture, outline), *lines))
    notes = [wording.removed(one) for one in answer.removed]
    notes += [f"Note: {note}." for note in answer.notes]
    return {
        "name": page.name,
        "verdict": wording.VERDICTS[answer.verdict],
        "headline": wording.headline(answer),
        "reasons": [wording.REASONS[one] for one in answer.reasons],
        "pair": pair,
        "lanes": _pairs(wording.lanes(answer)),
        "artists": [_artist(page, one, pictures) for one in answer.artists],
        "notes": [*notes, wording.recorded(answer)],
    }


def _artist(page: Page, artist: Candidate, pictures: _Pictures) -> dict[str, Any]:
    works = []
    if overlay := page.overlays.get(artist.slug):
        alt, lines = f"what speaks for {artist.name}", [wording.REGIONS]
        file = pictures.file(overlay)
        works.append({"file": file, "alt": alt, "unseen": None, "lines": lines})
    for one in artist.works:
        exhibit = page.works.get(one.id, UNKNOWN)
        near = wording.similar(one.similarity)
        facts = exhibit.facts(one.id, artist.slug)
        file = pictures.file(exhibit.picture)
        works.append(_work(exhibit, file, one.title or wording.UNTITLED, near, facts))
    return {"name": artist.name, "said": wording.votes(artist), "works": works}


def _work(exhibit: Exhibit, file: str | None, *lines: str) -> dict[str, Any]:
    unseen = exhibit.unseen
    hidden = [] if file else [wording.hidden(unseen)]
    said = [*lines, *exhibit.consent, *hidden]
    return {"file": file, "alt": lines[0], "unseen": unseen, "lines": said}


def _pairs(said: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name.capitalize(), says) for name, says in said.items()]


def _shaped(value: Any) -> Any:
    """Return JSON values with letters that the fonts have; others by their number."""
    if isinstance(value, str):
        return WITHOUT_SHAPE.sub(lambda one: f"[U+{ord(one[0]):04X}]", value)
    if isinstance(value, dict):
        return {name: _shaped(one) for name, one in value.items()}
    return [_shaped(one) for one in value] if isinstance(value, list | tuple) else value
