"""Answers as one self-contained HTML page: an image beside the works that speak for each artist."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from api.overlay import draw_overlay
from api.wording import (
    REASONS,
    VERDICTS,
    by_whom,
    claim,
    how_copied,
    registered_once,
    removed,
)
from attribution.catalog import queries
from attribution.errors import NotFound
from attribution.images import CheckedImage, thumbnail
from attribution.regions import Regions
from attribution.services import Services
from attribution.types import Attribution


@dataclass(frozen=True)
class Page:
    """One answer with the pictures that it shows, as WebP bytes."""

    image: str  # how the user calls it
    picture: bytes
    answer: Attribution
    works: Mapping[UUID, bytes | None]  # None: no picture was kept; missing: not to be shown
    overlays: Mapping[str, bytes]  # by slug: the image, with what speaks for the artist

    @property
    def sizes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """The sides of the image and of the work that it copies, in pixels as shown."""
        copied = self.works.get(self.answer.copy_of.id) if self.answer.copy_of else None
        return _size(self.picture), _size(copied or self.picture)


def make_page(
    services: Services,
    name: str,
    image: CheckedImage,
    answer: Attribution,
    regions: Regions | None = None,
) -> Page:
    """Collect the pictures of one answer; works without display consent stay unseen."""
    works = [work.id for artist in answer.artists for work in artist.works]
    works += [answer.copy_of.id] if answer.copy_of else []
    with services.sessions() as session:
        rows = queries.artworks_by_id(session, works)
    pictures = {
        row.id: _thumbnail(services, row.sha256) for row in rows.values() if row.consent_display
    }
    overlays = {
        one.slug: thumbnail(draw_overlay(image.rgb, one))
        for one in (regions.artists if regions else ())
    }
    return Page(name, thumbnail(image.rgb), answer, pictures, overlays)


def render_report(pages: Sequence[Page], *, title: str = "Attribution report") -> str:
    """Return the report as HTML; it loads nothing from anywhere."""
    environment = Environment(
        loader=PackageLoader("api"), autoescape=True, undefined=StrictUndefined
    )
    environment.filters |= {
        "data_uri": _data_uri,
        "claim": claim,
        "by_whom": by_whom,
        "how_copied": how_copied,
        "registered_once": registered_once,
        "removed": removed,
    }
    return environment.get_template("report.html").render(
        pages=pages, title=title, verdicts=VERDICTS, reasons=REASONS
    )


def _thumbnail(services: Services, sha256: str) -> bytes | None:
    try:
        return services.store.thumbnail(sha256)
    except NotFound:
        return None


def _data_uri(webp: bytes) -> str:
    return "data:image/webp;base64," + base64.b64encode(webp).decode("ascii")


def _size(picture: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(picture), formats=("WEBP",)) as opened:
        return opened.size
