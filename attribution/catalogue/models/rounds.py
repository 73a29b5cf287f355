"""How far the comparison of catalogue and index has got."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from attribution.catalogue.columns import now
from attribution.catalogue.models.base import Base, OfTenantByKey


class Round(OfTenantByKey, Base):
    """One comparison of everything a tenant has, a range at a time: the last that was begun."""

    __tablename__ = "rounds"

    door: Mapped[str] = mapped_column(String(16), primary_key=True)  # who goes round
    step: Mapped[str | None] = mapped_column(String(16))  # what is compared; none: it has ended
    after: Mapped[str | None]  # up to where, within the step; none: from the beginning
    repair: Mapped[bool]
    found: Mapped[dict[str, Any]] = mapped_column(default=dict)  # a `Report`, so far
    began_at: Mapped[datetime] = mapped_column(default=now)
