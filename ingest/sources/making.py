"""A row and a file become an item; what is wrong with the row is the item's refusal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attribution.catalogue.models import PURPOSES
from attribution.catalogue.names import tidy, visible
from attribution.consents import LONGEST_DOCUMENT
from attribution.errors import BadInput
from ingest.sources import cells
from ingest.sources.columns import CONSENTS, DOCUMENT
from ingest.sources.item import SourceItem
from ingest.sources.tables import Row
from ingest.sources.unforeseen import unforeseen

NAMELESS = (
    "it has no artist; name one for all files, or put them into one folder per artist, or give an "
    "artist column"
)
LEADS_OUT = "leads out of the folder of its source; put the source above all its files"


def make_item(
    path: Path,
    row: Row,
    artist: str | None,
    folder: str | None,
    refused: str | None,
    granted: Sequence[str],
) -> SourceItem:
    """Make the item of a file; `folder` names its artist where neither option nor row does.

    An item that is refused for its row keeps every no of it. One that is refused for its path says
    nothing: its file must not be read.
    """
    title = visible(path.stem) or "untitled"
    if refused:
        return SourceItem(path, artist_of(row, artist, folder), title, refused=refused)
    name = ""
    try:
        name = _artist(artist or cells.text(row.values, "artist") or folder or "")
        year, dated = cells.dated(row.values)
        return SourceItem(
            path=path,
            artist=name,
            title=cells.text(row.values, "title", "text") or title,
            caption=cells.text(row.values, "caption"),
            tags=cells.tags(row.values),
            year=year,
            dated=dated,
            licence=cells.text(row.values, "licence"),
            source=cells.text(row.values, "source"),
            consent=cells.consent(row.values, granted),
            said=_said(row.values),
            asks=tuple(one for one in PURPOSES if cells.asks(row.values.get(f"consent_{one}"))),
            heard=row.heard,
            document=_document(row),
            refused=row.refused,
        )
    except BadInput as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001  whatever it is, it is about this row
        reason = unforeseen(row.where or path.name, error)
    denied = [one for one in PURPOSES if cells.denies(row.values.get(f"consent_{one}"))]
    return SourceItem(
        path,
        name,
        title,
        consent=tuple(one for one in granted if one not in denied),
        said=tuple(f"consent_{one}" for one in denied),
        heard=row.heard,
        refused=row.refused or reason,
    )


def artist_of(row: Row, artist: str | None, folder: str | None) -> str:
    """Return the artist of a file, refused or not; empty where there is none."""
    try:
        return _artist(artist or cells.text(row.values, "artist") or folder or "")
    except BadInput:
        return ""


def _artist(name: str) -> str:
    if not visible(name):
        raise BadInput(NAMELESS)
    return tidy(name)


def _document(row: Row) -> str | None:
    """Return where the consent of a row is written: as it says, else where it stands itself."""
    if not any(name in row.values for name in CONSENTS):
        return None
    written = cells.text(row.values, DOCUMENT) or row.where
    return written[:LONGEST_DOCUMENT] or None


def _said(values: cells.Values) -> tuple[str, ...]:
    """Return what a row says something about; an empty cell says nothing."""
    year, dated = cells.dated(values)
    found: dict[str, Any] = {
        "title": cells.text(values, "title", "text"),
        "caption": cells.text(values, "caption"),
        "tags": cells.tags(values),
        "year": year is not None,
        "dated": dated,
        "licence": cells.text(values, "licence"),
        "source": cells.text(values, "source"),
    }
    consents = {f"consent_{one}": values.get(f"consent_{one}") for one in PURPOSES}
    said = [name for name, value in found.items() if value]
    return tuple(said + [name for name, value in consents.items() if cells.says(value) is not None])
