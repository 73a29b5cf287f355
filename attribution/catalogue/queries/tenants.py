"""Statements about tenants: which there are, and how far each one's vectors were compared."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from attribution import tenants
from attribution.catalogue.insert import insert_new
from attribution.catalogue.models import Base, OfTenant, Task, Tenant
from attribution.catalogue.queries.tasks import TaskKey, is_task


class Held(NamedTuple):
    """What a tenant has: works that are not withdrawn, and the bytes of their files."""

    works: int
    bytes: int


def add_tenant(session: Session, name: str) -> bool:
    """Have a tenant; whether it is new."""
    return bool(insert_new(session, Tenant, [{"name": name}], returning=Tenant.name))


def has_tenant(session: Session, name: str) -> bool:
    """Tell whether there is such a tenant."""
    return session.get(Tenant, name) is not None


def all_tenants(session: Session) -> list[Tenant]:
    """Return every tenant, by name."""
    return list(session.scalars(select(Tenant).order_by(Tenant.name)))


def held(session: Session) -> Held:
    """Return what the tenant holds, as it was counted along."""
    counted = select(Tenant.held_works, Tenant.held_bytes).where(Tenant.name == tenants.current())
    return Held(*session.execute(counted).one())


def tenant_of(session: Session, key: TaskKey) -> str | None:
    """Return for whom a task is, looked for across all; None for a task that there is not."""
    return session.scalar(select(Task.tenant).where(is_task(key)))


def are_of_another(session: Session, ids: Collection[UUID], name: str) -> bool:
    """Tell whether any row of any table has one of these ids and is another tenant's."""
    with tenants.across():
        return any(
            session.scalar(select(exists().where(table.id.in_(ids), table.tenant != name)))
            for table in _with_id()
        )


@cache
def _with_id() -> tuple[type[Any], ...]:
    """Return the tables of tenants whose rows are known by an id."""
    rows = (mapper.class_ for mapper in Base.registry.mappers)
    return tuple(one for one in rows if issubclass(one, OfTenant) and hasattr(one, "id"))


def compared_to(session: Session) -> UUID | None:
    """Return up to which work the tenant's stored vectors were compared; none: begin."""
    return session.get_one(Tenant, tenants.current()).compared_to


def note_compared(session: Session, work: UUID | None) -> None:
    """Note up to which work the tenant's stored vectors were compared."""
    session.execute(update(Tenant).where(Tenant.name == tenants.current()).values(compared_to=work))


def subjects_compared_to(session: Session) -> str:
    """Return the SHA-256 up to which the tenant's kept images were compared; empty: begin."""
    return session.get_one(Tenant, tenants.current()).subjects_to or ""


def note_subjects_compared(session: Session, sha256: str | None) -> None:
    """Note up to which SHA-256 the tenant's kept images were compared with their files."""
    mine = update(Tenant).where(Tenant.name == tenants.current())
    session.execute(mine.values(subjects_to=sha256))
