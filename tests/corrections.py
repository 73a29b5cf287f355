"""Corrections as tests make and undo them, and what they leave."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select

from attribution.catalogue import queries
from attribution.catalogue.models import (
    Alias,
    Artist,
    Artwork,
    Base,
    Change,
    Claim,
    KeptCollection,
    Withdrawal,
)
from attribution.catalogue.queries import Origin
from attribution.services import Services
from attribution.upkeep import correction
from attribution.upkeep.rebuilding import rebuild_sums
from attribution.upkeep.undoing import undo

US = Origin("test", "a mistake")


def merge(services: Services, slug: str = "artist-1", into: str = "artist-2") -> Change:
    """Merge two artists."""
    return correction.merge(services, slug, into, US, is_confirmed=True)


def take_back(services: Services, change: Change, *works: UUID) -> Change:
    """Undo a change."""
    return undo(services, change.id, US, works=works)


def changes(services: Services) -> list[Change]:
    """Return the record, the newest first."""
    with services.sessions() as session:
        return list(queries.list_changes(session).items)


def state(services: Services) -> dict[str, Any]:
    """Return all that the catalogue and the classifier say, but the record of changes."""
    tables = (Artist, Alias, Artwork, Claim, Withdrawal, KeptCollection)
    with services.sessions() as session:
        rows: dict[str, Any] = {
            table.__tablename__: sorted(map(str, session.execute(select(*_said(table))).all()))
            for table in tables
        }
        kept = select(Change.id, Change.artist_id).order_by(Change.made_at)
        rows["whose changes"] = [tuple(row) for row in session.execute(kept)]
    return rows | {"sums": rebuild_sums(services, services.row).digest}


def _said(table: type[Base]) -> list[ColumnElement[Any]]:
    """Return the columns of a table, but its seals: they change with every record."""
    return [one for one in table.__table__.columns if one.name not in {"seal", "sealed"}]
