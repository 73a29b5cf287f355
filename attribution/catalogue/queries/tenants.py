"""Statements about tenants: which there are, and how far each one's vectors were compared."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from attribution import tenants
from attribution.catalogue.insert import insert_new
from attribution.catalogue.models import Task, Tenant
from attribution.catalogue.queries.tasks import TaskKey, is_task


def add_tenant(session: Session, name: str) -> bool:
    """Have a tenant; whether it is new."""
    return bool(insert_new(session, Tenant, [{"name": name}], returning=Tenant.name))


def has_tenant(session: Session, name: str) -> bool:
    """Tell whether there is such a tenant."""
    return session.get(Tenant, name) is not None


def all_tenants(session: Session) -> list[Tenant]:
    """Return every tenant, by name."""
    return list(session.scalars(select(Tenant).order_by(Tenant.name)))


def tenant_of(session: Session, key: TaskKey) -> str | None:
    """Return for whom a task is, looked for across all; None for a task that there is not."""
    return session.scalar(select(Task.tenant).where(is_task(key)))


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
