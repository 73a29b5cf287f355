"""Organisations that share a deployment: made, and served one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from attribution import tenants
from attribution.catalogue import queries
from attribution.catalogue.chain import note
from attribution.collection import Stores
from attribution.errors import Conflict

T = TypeVar("T")


def create(stores: Stores, name: str) -> None:
    """Make a tenant; raises BadInput for what can be no name, Conflict for one that is taken."""
    tenants.check_name(name)
    with stores.sessions.begin() as session:
        if not queries.add_tenant(session, name):
            raise Conflict(f"there is a tenant {name!r} already")
        note(session, "create-tenant", f"tenant:{name}")


def for_each(stores: Stores, action: Callable[[], T]) -> list[T]:
    """Do something for every tenant; returns what came of it, by their names."""
    with stores.sessions() as session:
        names = [row.name for row in queries.all_tenants(session)]
    done: list[T] = []
    for name in names:
        with tenants.within(name):
            done.append(action())
    return done
