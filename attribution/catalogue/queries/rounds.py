"""Statements about how far the comparison of catalogue and index has got."""

from __future__ import annotations

from sqlalchemy.orm import Session

from attribution import tenants
from attribution.catalogue.models import Round


def last_round(session: Session, door: str) -> Round | None:
    """Return the tenant's last comparison through this door, ended or not; None before any."""
    return session.get(Round, {"tenant": tenants.current(), "door": door})


def keep_round(session: Session, new: Round) -> None:
    """Keep how far a comparison has got, in the place of the one before."""
    session.merge(new)
