"""Answers as one self-contained HTML page: what they say first, then the evidence, image by image.

Made from recorded answers at any time. The image in question is shown where it is given again, and
where it is kept and whoever asks may see it.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from uuid import UUID

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from api.reports.overlay import draw_overlay
from attribution.answers import Attribution
from attribution.catalogue import queries
from attribution.catalogue.chain import note
from attribution.catalogue.models import Artwork, ArtworkStatus
from attribution.catalogue.queries import Standing
from attribution.collection import Stores
from attribution.errors import BadInput
from attribution.images import CheckedImage, read_image, thumbnail
from attribution.lookup import wording
from attribution.lookup.findings import find_ours
from attribution.lookup.regions import Regions
from attribution.lookup.results import Findings
from attribution.lookup.sights import exhibit
from attribution.lookup.subjects import said_of, shown

EXHIBIT_PX = 640  # the longer side of the image in question

STYLE = (files(__package__) / "templates" / "report.css").read_text("utf-8")
_STYLE_HASH = base64.b64encode(sha256(STYLE.encode()).digest()).decode("ascii")
SOURCES = f"img-src data:; style-src 'sha256-{_STYLE_HASH}'"
"""What the page is made of, for its Content-Security-Policy: pictures within it, and this style."""


@dataclass(frozen=True)
class Exhibit:
    """What is known now of a work that an answer names."""

    picture: bytes | None  # WebP
    unseen: str | None  # why there is no picture
    licence: str | None = None
    registered: datetime | None = None
    sha256: str | None = None
    artist: str | None = None  # slug, as it is now: the work may have been moved or merged since
    name: str | None = None
    consent: Sequence[str] = ()  # what was said of it, purpose by purpose, by whom and where

    def facts(self, work: UUID, slug: str) -> str:
        """Say what is known of a work that an answer names as one by `slug`."""
        facts = [self.licence] if self.licence else []
        facts += [f"registered {self.registered:%Y-%m-%d}"] if self.registered else []
        facts += [str(work), *([f"SHA-256 {self.sha256}"] if self.sha256 else [])]
        moved = self.artist and self.artist != slug
        whose = f"Now registered under {self.name} ({self.artist}). " if moved else ""
        return whose + " · ".join(facts)


UNKNOWN = Exhibit(None, "no longer registered")


@dataclass(frozen=True)
class Page:
    """One answer with the pictures that it shows."""

    name: str  # how the user calls the image
    picture: bytes | None  # WebP; None: not given again, and not kept or not to be seen
    kept: str  # what is kept of the image
    answer: Attribution
    works: Mapping[UUID, Exhibit]
    overlays: Mapping[str, bytes]  # by slug: the image, with what speaks for the artist

    @property
    def laid_on(self) -> Exhibit:
        """What is known of the work that the image lies on."""
        work = self.answer.laid_on
        return self.works.get(work.id, UNKNOWN) if work else UNKNOWN


def make_page(
    stores: Stores,
    name: str,
    image: CheckedImage | None,
    answer: Attribution,
    regions: Regions | None = None,
) -> Page:
    """Collect the pictures of one answer; works that the caller may not see stay unseen.

    Raises BadInput for an image that the answer is not about.
    """
    if image is not None and image.facts.sha256 != answer.image_sha256:
        raise BadInput(
            f"{name} is not the image of answer {answer.id}: its SHA-256 is "
            f"{image.facts.sha256}, that of the answer {answer.image_sha256}"
        )
    works = [work.id for artist in answer.artists for work in artist.works]
    works += [answer.laid_on.id] if answer.laid_on else []
    with stores.sessions.begin() as session:
        rows = queries.artworks_by_id(session, works)
        stands = queries.standing_consents(session, rows.values())
        note(session, "report", f"attribution:{answer.id}")
    exhibits = {row.id: _exhibit(stores, row, answer.id, stands[row.id]) for row in rows.values()}
    if image is None:
        data, kept = shown(stores, answer.id)
        picture = data and _picture(read_image(data, stores.limits))
        return Page(name, picture, kept, answer, exhibits, {})
    overlays = {
        one.slug: thumbnail(draw_overlay(image.rgb, one))
        for one in (regions.artists if regions else ())
    }
    kept = said_of(stores, answer.id)
    return Page(name, _picture(image), kept, answer, exhibits, overlays)


def render_report(
    pages: Sequence[Page], *, title: str = "Attribution report", unreadable: Sequence[str] = ()
) -> str:
    """Return the report as HTML; it loads nothing from anywhere."""
    environment = Environment(
        loader=PackageLoader("api.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"data_uri": _data_uri, "size": _size, "percent": _percent}
    findings = find_ours([page.answer for page in pages])
    return environment.get_template("report.html").render(
        pages=pages,
        title=title,
        unreadable=unreadable,
        together=wording.together(findings, unreadable=len(unreadable)),
        rests_on=rests_on(findings, unreadable=len(unreadable)),
        words=wording,
        unknown=UNKNOWN,
        style=Markup(STYLE),  # noqa: S704  our own
        sources=SOURCES,
    )


def rests_on(findings: Findings, *, unreadable: int = 0) -> dict[str, str]:
    """Return what a report rests on by heading, and by which doors its answers are read again."""
    return {
        **wording.rests_on(findings, unreadable=unreadable),
        "to verify": "sha256sum FILE gives the SHA-256 of an image; lawful show ID and "
        "GET /v1/attributions/ID give a recorded answer again.",
        "program": f"Lawful Diffusion {version('lawful-diffusion')}",
    }


def _picture(image: CheckedImage) -> bytes:
    return thumbnail(image.rgb, max_px=EXHIBIT_PX)


def _exhibit(stores: Stores, row: Artwork, answer: UUID, stands: Standing) -> Exhibit:
    known = Exhibit(None, None, row.licence_id or row.licence, row.created_at, row.sha256)
    if row.status is not ArtworkStatus.INDEXED:
        when = f" on {row.withdrawn_at:%Y-%m-%d}" if row.withdrawn_at else ""
        return replace(known, unseen=f"{row.status.value}{when}")
    known = replace(known, artist=row.artist.slug, name=row.artist.name)
    picture, unseen = exhibit(stores, row, answer)
    consent = tuple(wording.consent_said(purpose, said) for purpose, said in stands.items() if said)
    return replace(known, picture=picture, unseen=unseen, consent=consent)


def _data_uri(webp: bytes) -> str:
    return "data:image/webp;base64," + base64.b64encode(webp).decode("ascii")


def _size(webp: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(webp), formats=("WEBP",)) as opened:
        return opened.size


def _percent(part: float) -> str:
    return f"{part:.0%}"
