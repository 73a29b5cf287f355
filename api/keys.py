"""How keys look over HTTP and with --json."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field

from attribution.actors import Role, Scope
from attribution.catalogue.models import ApiKey, KeyState
from attribution.upkeep.keys import IssuedKey


class KeyOut(BaseModel):
    """A key, without its token."""

    id: UUID
    name: str
    prefix: str = Field(
        description="How its token begins, as records name it.", examples=["lk_1a2b3c4d"]
    )
    state: KeyState
    role: Role | None
    scopes: list[Scope] = Field(description="Everything that it may do.")
    artists: list[str] = Field(description="Slugs of those whose works it may upload; empty: all.")
    created_at: datetime
    issued_by: str
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute.")
    revoked_at: datetime | None

    @classmethod
    def of(cls, row: ApiKey) -> Self:
        """Shape a row."""
        return cls(
            id=row.id,
            name=row.name,
            prefix=row.prefix,
            state=row.state,
            role=row.role,
            scopes=sorted(row.granted),
            artists=row.artists,
            created_at=row.created_at,
            issued_by=row.issued_by,
            expires_at=row.expires_at,
            last_used_at=row.last_used_at,
            revoked_at=row.revoked_at,
        )


class IssuedKeyOut(KeyOut):
    """A key that was just made."""

    token: str = Field(description="Shown this once; only its hash is kept.")

    @classmethod
    def of_issued(cls, issued: IssuedKey) -> Self:
        """Shape a row with its token."""
        return cls(**vars(KeyOut.of(issued.row)), token=issued.token)
