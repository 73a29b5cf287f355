"""What all tables have in common, and what those have that the audit vouches for."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Enum,
    MetaData,
    String,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from attribution import tenants
from attribution.catalogue.columns import CleanJson, CleanText, UtcDateTime

WIPED = "withdrawn"  # what stands in place of a path, of a source, of a prompt


class Base(DeclarativeBase):
    """Every constraint has a predictable name, so that migrations can drop it on any database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - how declarative mapping is configured
        datetime: UtcDateTime,
        str: CleanText,
        dict[str, Any]: CleanJson,
        dict[str, str]: CleanJson,
        dict[str, int]: CleanJson,
        list[str]: CleanJson,
        StrEnum: Enum(StrEnum, native_enum=False, length=16, values_callable=list),
    }


class OfTenant:
    """What is one tenant's: `tenancy` has every statement about it see only that tenant's rows."""

    tenant: Mapped[str] = mapped_column(
        String(40), default=tenants.current, server_default=tenants.DEFAULT
    )


class OfTenantByKey(OfTenant):
    """What may be there once for each tenant under the same key."""

    tenant: Mapped[str] = mapped_column(
        String(40), primary_key=True, default=tenants.current, server_default=tenants.DEFAULT
    )


class Sealed(OfTenant):
    """What an entry of the audit vouches for: an answer, a change, a receipt, a key and others."""

    id: Mapped[UUID]
    # `commitments.Seal`
    seal: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    # The entry; none: made before the audit.
    sealed: Mapped[int | None] = mapped_column(BigInteger, index=True)


def one_of(column: str, kind: type[StrEnum]) -> CheckConstraint:
    """Return the constraint that a column has one of these values."""
    values = ", ".join(f"'{value}'" for value in kind)
    return CheckConstraint(f"{column} IN ({values})", name=column)
