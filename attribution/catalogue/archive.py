"""Answers of long ago, whole in the file store and shortened in their rows; how they are read.

Sessions know the store, so that whatever reads a record reads the whole one. Who moves answers
there, and back, is `upkeep.archiving`.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.orm import Session, sessionmaker

from attribution.errors import NotFound, RecordAltered
from attribution.tenants import within
from attribution.threads import Threads

STORE = "archive"  # in `Session.info`
AT_ONCE = 16  # files that are read side by side: a bucket answers each within tens of milliseconds

Json = dict[str, Any]


class Archive(Protocol):
    """Where the files are."""

    def answer(self, attribution_id: UUID) -> bytes:
        """Return the file of an answer as it was put; raises NotFound."""
        ...


class Row(Protocol):
    """A row of `attributions`, or its columns."""

    id: Any
    answer: Any
    archived: Any
    tenant: Any


def read_from(sessions: sessionmaker[Session], archive: Archive) -> None:
    """Have these sessions read whole answers from there."""
    sessions.configure(info={STORE: archive})


def packed(answer: Mapping[str, Any]) -> bytes:
    """Return the file of an answer: JSON, deflated."""
    said = json.dumps(answer, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return zlib.compress(said.encode(), 9)


def digest(data: bytes) -> str:
    """Return what a row says of its file."""
    return hashlib.sha256(data).hexdigest()


def whole(session: Session, row: Row) -> Json:
    """Return an answer as it was recorded, and as withdrawals since have left it.

    Raises RecordAltered where its file is gone, or is another one than was written.
    """
    return row.answer if not row.archived else _read(session.info[STORE], row)


def whole_ones(session: Session, rows: Sequence[Row]) -> list[Json]:
    """Return answers as `whole` does, many side by side; raises RecordAltered."""
    return _side_by_side(lambda row: whole(session, row), rows)


def what_is_left(session: Session, rows: Sequence[Row]) -> list[Json]:
    """Return answers; of one whose file is lost what its row has, which says less."""

    def left(row: Row) -> Json:
        try:
            return whole(session, row)
        except RecordAltered:
            said: Json = row.answer
            return said

    return _side_by_side(left, rows)


def _side_by_side(read: Callable[[Row], Json], rows: Sequence[Row]) -> list[Json]:
    if not any(row.archived for row in rows):
        return [read(row) for row in rows]
    with Threads(AT_ONCE) as threads:
        return list(threads.map(read, rows))


def _read(archive: Archive, row: Row) -> Json:
    try:
        with within(row.tenant):
            data = archive.answer(row.id)
    except NotFound:
        raise RecordAltered(
            f"attribution {row.id} was archived, and its file is gone from the file store; "
            f"restore it from a backup of the files (`answers/`)"
        ) from None
    if digest(data) != row.archived:
        raise RecordAltered(
            f"attribution {row.id} was archived, and its file in the file store is not the one "
            f"that was written; restore it from a backup of the files (`answers/`)"
        )
    found: Json = json.loads(zlib.decompress(data))
    return found
