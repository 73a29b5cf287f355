"""What is looked for after a withdrawal, in files and tables: words, hashes, vectors, pictures."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.catalogue import queries
from attribution.catalogue.models import Artwork, Base
from attribution.services import Services
from attribution.types import Part

Needles = Mapping[str, Sequence[bytes]]
"""Name -> the ways in which it may be written down."""

ENOUGH = 8  # numbers of a vector that no other vector begins with
FILLERS = (bytes(1024), b"0" * 1024)
PIECE = 64  # bytes of a file that no other file has


def of_words(words: Iterable[str]) -> dict[str, list[bytes]]:
    """Return words as UTF-8; case does not matter to whoever looks."""
    return {word: [word.lower().encode()] for word in words}


def of_works(services: Services, ids: Sequence[UUID]) -> dict[str, list[bytes]]:
    """Return what the stores hold of works that can be found: read it before they are withdrawn."""
    found: dict[str, list[bytes]] = {}
    with services.sessions() as session:
        rows = queries.artworks_by_id(session, ids)
        sketches = queries.kept_sketches(session, {Part(one, 0) for one in ids})
    for number, row in enumerate(rows.values()):
        found |= {
            f"{number} {name}": _hash(value)
            for name, value in (("pixel hash", row.pixel_sha256), ("phash", row.phash))
        }
        found[f"{number} thumbnail"] = _piece(services.store.thumbnail(row.sha256))
        found[f"{number} original"] = _piece(services.store.original(row.sha256))
    for part, kept in sketches.items():
        found[f"{part} sketch"] = _piece(kept.data)
    for work, named in services.index.vectors(list(rows)).items():
        for name, vector in named.items():
            numbers = vector[:ENOUGH].tolist()
            raw = struct.pack(f"<{ENOUGH}f", *numbers)
            as_cbor = b"".join(b"\xfa" + struct.pack(">f", one) for one in numbers)
            found[f"{work} {name}"] = [raw, raw.hex().encode(), as_cbor]
    return found


def in_files(folder: Path, needles: Needles) -> dict[str, list[str]]:
    """Return which needles the files below a folder hold, and where; names of files count too."""
    found: dict[str, list[str]] = {}
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        where = str(path.relative_to(folder))
        data = path.read_bytes()
        for filler in FILLERS:  # most of a log is either
            data = data.replace(filler, b"")
        for name in _held(data + where.encode(), needles):
            found.setdefault(name, []).append(where)
    return found


def in_tables(session: Session, needles: Needles) -> dict[str, list[str]]:
    """Return which needles the rows of all tables hold: a full dump, as PostgreSQL writes one."""
    found: dict[str, list[str]] = {}
    cursor = session.connection().connection.cursor()
    for table in Base.metadata.sorted_tables:
        with cursor.copy(f"COPY {table.name} TO STDOUT") as copy:
            dumped = b"".join(bytes(chunk) for chunk in copy)
        for name in _held(dumped, needles):
            found.setdefault(name, []).append(table.name)
    return found


def works_of(session: Session, slug: str) -> list[Artwork]:
    """Return the works of an artist that can be found."""
    artist = queries.artist_by_slug(session, slug)
    return list(queries.list_artworks(session, artist_id=artist.id).items)


def _held(data: bytes, needles: Needles) -> list[str]:
    lower = data.lower()  # also of numbers in hexadecimal
    return [
        name
        for name, forms in needles.items()
        if any(form in data or form in lower for form in forms)
    ]


def _hash(value: str) -> list[bytes]:
    raw = bytes.fromhex(value)
    return [value.encode(), raw, raw[::-1]]


def _piece(data: bytes) -> list[bytes]:
    middle = data[len(data) // 2 - PIECE // 2 :][:PIECE]
    return [middle, middle.hex().encode()]
