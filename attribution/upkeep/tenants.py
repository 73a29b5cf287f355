"""Organisations that share a deployment: made, and served one after the other."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, TypeVar

from attribution import tenants
from attribution.catalogue import queries
from attribution.catalogue.chain import note
from attribution.collection import Stores
from attribution.errors import BackendUnavailable, Conflict
from attribution.upkeep.quotas import Quota

log = logging.getLogger(__name__)

T = TypeVar("T")


def create(stores: Stores, name: str) -> None:
    """Make a tenant; raises BadInput for what can be no name, Conflict for one that is taken."""
    tenants.check_name(name)
    with stores.sessions.begin() as session:
        if not queries.add_tenant(session, name):
            raise Conflict(f"there is a tenant {name!r} already")
        note(session, "create-tenant", f"tenant:{name}")


@dataclass(frozen=True)
class Holding:
    """A tenant, how much it has that can be found, and what it holds of what it may hold."""

    name: str
    created_at: datetime
    artists: int
    works: int
    held_works: int  # that are not withdrawn
    held_mb: float  # of their files, MiB
    quota_works: int | None
    quota_mb: float | None

    def as_json(self) -> dict[str, Any]:
        """Return the object that `lawful tenants list --json` prints."""
        return asdict(self) | {"created_at": self.created_at.isoformat()}


def holdings(stores: Stores) -> list[Holding]:
    """Return every tenant with what it has, by name."""
    found: list[Holding] = []
    with stores.sessions() as session:
        for row in queries.all_tenants(session):
            with tenants.within(row.name):
                artists, works = queries.searchable(session)
                quota = Quota.of(stores.settings)
            found.append(
                Holding(
                    row.name,
                    row.created_at,
                    artists=artists,
                    works=works,
                    held_works=row.held_works,
                    held_mb=round(row.held_bytes / 2**20, 1),
                    quota_works=quota.works,
                    quota_mb=quota.mb,
                )
            )
    return found


def for_each(stores: Stores, action: Callable[[], T]) -> list[T]:
    """Do something for every tenant; returns what came of it, by their names.

    What fails for one is done for the others, and raised behind the last; an outage is raised at
    once, as it would be the same for all.
    """
    with stores.sessions() as session:
        names = [row.name for row in queries.all_tenants(session)]
    done: list[T] = []
    failed: Exception | None = None
    for name in names:
        with tenants.within(name):
            try:
                done.append(action())
            except BackendUnavailable:
                raise
            except Exception as error:  # noqa: BLE001  raised below
                log.warning("tenant %s: %s", name, error)
                failed = failed or error
    if failed is not None:
        raise failed
    return done
