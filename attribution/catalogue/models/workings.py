"""What answers were computed from, for as long as it is kept."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from attribution.catalogue.columns import now
from attribution.catalogue.models.base import Base, OfTenant, OfTenantByKey


class Workings(OfTenant, Base):
    """What one answer was computed from; its digest is in the answer's pins.

    It goes with the image that was asked about, for its vectors are made of it.
    """

    __tablename__ = "workings"

    attribution_id: Mapped[UUID] = mapped_column(ForeignKey("attributions.id"), primary_key=True)
    data: Mapped[bytes]  # `lookup.workings.packed`
    calibration: Mapped[str | None] = mapped_column(String(64))  # of `used_calibrations`
    until: Mapped[datetime]

    __table_args__ = (
        Index(None, "until", "tenant"),
        Index(None, "calibration", "tenant"),
    )


class UsedCalibration(OfTenantByKey, Base):
    """The numbers of a calibration that an answer rests on; `calibrations` has the last ones."""

    __tablename__ = "used_calibrations"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    voices: Mapped[list[str]]
    numbers: Mapped[dict[str, Any]]  # `attribution.arithmetic.calibration.Calibration`
    used_at: Mapped[datetime] = mapped_column(default=now)  # the last time, to half an hour
