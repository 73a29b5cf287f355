"""The catalogue as tables that ingest reads: every field, so that nothing is lost on the way back.

`rows` says what a row holds, `files` where the file of a work is, `formats` how a table is written.
`reservations` is what crawlers read of consent. All of it goes through a page of works at a time,
however many there are.
"""

from ingest.exports.files import AsSent, Copied, Files, InFolder
from ingest.exports.formats import FORMATS, Format
from ingest.exports.reservations import RESERVATIONS, publish
from ingest.exports.rows import Row, read_pages

__all__ = [
    "FORMATS",
    "RESERVATIONS",
    "AsSent",
    "Copied",
    "Files",
    "Format",
    "InFolder",
    "Row",
    "publish",
    "read_pages",
]
