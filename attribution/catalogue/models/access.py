"""Who shares the deployment and may call, and what was answered to calls that may come again."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    String,
)
from sqlalchemy.orm import Mapped, mapped_column

from attribution.actors import ROLES, Role, Scope
from attribution.catalogue.columns import now
from attribution.catalogue.models.base import Base, OfTenantByKey, Sealed, one_of


class Tenant(Base):
    """An organisation that shares the deployment."""

    __tablename__ = "tenants"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    # The work up to which `reconcile` has compared stored vectors with the kept ones; none: begin.
    compared_to: Mapped[UUID | None]
    last_lookup: Mapped[datetime | None]  # when a worker last took a task of its lookup batches
    # Works that are not withdrawn, and the bytes of their files, kept or not: counted along in the
    # transactions that change them (`lifecycle`).
    held_works: Mapped[int] = mapped_column(default=0, server_default="0")
    held_bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    # The SHA-256 up to which it has compared kept images with their files; none: begin.
    subjects_to: Mapped[str | None] = mapped_column(String(64))


class KeyState(StrEnum):
    """Whether a key opens anything; only `ACTIVE` ones do."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


class ApiKey(Sealed, Base):
    """A key to the HTTP API, known by the hash of its token. A row is never deleted."""

    __tablename__ = "api_keys"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str]  # what it is for
    prefix: Mapped[str] = mapped_column(String(11), unique=True)  # of the token; no secret
    sha256: Mapped[str] = mapped_column(String(64))  # of the whole token
    role: Mapped[Role | None]
    scopes: Mapped[list[str]]  # on top of those of its role
    artists: Mapped[list[str]]  # slugs of those whose works it may bring; empty: all
    created_at: Mapped[datetime] = mapped_column(default=now)
    issued_by: Mapped[str]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]  # to the minute
    revoked_at: Mapped[datetime | None]

    __table_args__ = (one_of("role", Role),)

    @property
    def granted(self) -> frozenset[Scope]:
        """Everything that it may do."""
        of_role = ROLES[self.role] if self.role else frozenset()
        return of_role | {Scope(one) for one in self.scopes}

    @property
    def state(self) -> KeyState:
        """Where it stands now."""
        if self.revoked_at is not None:
            return KeyState.REVOKED
        is_over = self.expires_at is not None and self.expires_at <= now()
        return KeyState.EXPIRED if is_over else KeyState.ACTIVE


class Reply(OfTenantByKey, Base):
    """What was answered to a request with an idempotency key, for when it is sent again."""

    __tablename__ = "replies"

    actor: Mapped[str] = mapped_column(String(200), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    route: Mapped[str]  # method, path and query
    begun_at: Mapped[datetime] = mapped_column(default=now, index=True)
    body_sha256: Mapped[str | None] = mapped_column(String(64))  # of the request; none: under way
    status: Mapped[int] = mapped_column(default=0)
    headers: Mapped[dict[str, str]] = mapped_column(default=dict)
    body: Mapped[bytes] = mapped_column(default=b"")
