"""The report as one self-contained HTML page: it loads nothing from anywhere."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from api.reports.pages import Page
from api.reports.sentences import isolated, say
from api.reports.telling import tell
from attribution.desk.casefile import CaseFile

STYLE = (files(__package__) / "templates" / "report.css").read_text("utf-8")
_STYLE_HASH = base64.b64encode(sha256(STYLE.encode()).digest()).decode("ascii")
SOURCES = f"img-src data:; style-src 'sha256-{_STYLE_HASH}'"
"""What the page is made of, for its Content-Security-Policy: pictures within it, and this style."""


def render_report(
    pages: Sequence[Page],
    *,
    title: str | None = None,
    unreadable: Sequence[str] = (),
    case: CaseFile | None = None,
) -> str:
    """Return the report as HTML; `case` is the one that it is about."""
    environment = Environment(
        loader=PackageLoader("api.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=isolating,
    )
    environment.filters |= {"data_uri": data_uri, "size": size}
    return environment.get_template("report.html").render(
        report=tell(pages, title, unreadable, case),
        say=say,
        style=Markup(STYLE),  # noqa: S704  our own
        sources=SOURCES,
    )


def isolating(value: object) -> object:
    """Isolate what is put into a page; not what is markup already."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return isolated(value)
    return value


def data_uri(webp: bytes) -> str:
    """Return a picture as a URL that holds it."""
    return "data:image/webp;base64," + base64.b64encode(webp).decode("ascii")


def size(webp: bytes) -> tuple[int, int]:
    """Return width and height of a picture."""
    with Image.open(io.BytesIO(webp), formats=("WEBP",)) as opened:
        return opened.size
