"""How much a tenant may hold, by the settings, and why it may not have more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, TypeVar

from attribution import tenants
from attribution.catalogue.queries.tenants import Held
from attribution.config import Settings

T = TypeVar("T")
OTHERS = "*"  # in the settings: every tenant that they do not name


@dataclass(frozen=True)
class Quota:
    """What a tenant may hold; None: any number."""

    tenant: str
    works: int | None  # that are not withdrawn
    mb: float | None  # of their files, MiB

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the quota of the tenant that is meant."""
        tenant = tenants.current()
        return cls(tenant, _of(settings.quota_works, tenant), _of(settings.quota_mb, tenant))

    @property
    def is_set(self) -> bool:
        """Whether anything is limited."""
        return self.works is not None or self.mb is not None

    def refusal(self, held: Held, size: int = 0) -> str | None:
        """Return why there is no room for one more work, of `size` bytes; None where there is."""
        if self.works is not None and held.works >= self.works:
            said = f"holds {held.works:,} works, and its quota is {self.works:,}"
            return self._full(said, "LAWFUL_QUOTA_WORKS")
        if self.mb is not None and held.bytes + size > self.mb * 2**20:
            said = f"holds {held.bytes / 2**20:,.1f} MiB, and its quota is {self.mb:,.1f} MiB"
            return self._full(said, "LAWFUL_QUOTA_MB")
        return None

    def _full(self, said: str, setting: str) -> str:
        return f"the tenant {self.tenant} {said}; withdraw works, or have {setting} raised"


def _of(quotas: Mapping[str, T], tenant: str) -> T | None:
    return quotas.get(tenant, quotas.get(OTHERS))
