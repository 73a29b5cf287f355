"""Each tenant sees its own rows: said here once, for every statement of every session.

Statements about an `OfTenant` are narrowed as they are executed, new rows get the tenant as they
are made, and PostgreSQL is told for whom a transaction is, so that its row-level security refuses
what a statement of ours should have left out. It binds every role but superusers and those that
have BYPASSRLS.
"""

from __future__ import annotations

from functools import lru_cache

from sqlalchemy import Connection, event, func, text
from sqlalchemy.orm import (
    ORMExecuteState,
    Session,
    SessionTransaction,
    sessionmaker,
    with_loader_criteria,
)
from sqlalchemy.orm.interfaces import ORMOption

from attribution import tenants
from attribution.catalogue.models import OfTenant

TOLD = "tenant"  # in `Session.info`: what PostgreSQL was told
SETTING = text("SELECT set_config('lawful.tenant', :name, true)")  # until the transaction ends


def watch(sessions: sessionmaker[Session] | Session) -> None:
    """Have these sessions read and write what is the tenant's."""
    event.listen(sessions, "do_orm_execute", _narrow)
    event.listen(sessions, "after_begin", _begin)
    event.listen(sessions, "before_flush", lambda session, *_: _tell(session))
    event.listen(sessions, "after_transaction_end", lambda session, _: session.info.pop(TOLD, None))


def tell_all(connection: Connection) -> None:
    """Have a transaction that changes the tables see and write the rows of all tenants."""
    if connection.dialect.name == "postgresql":
        connection.execute(SETTING, {"name": tenants.EVERY})


def is_walled(connection: Connection) -> bool:
    """Tell whether row-level security binds the role of this connection to PostgreSQL."""
    found = "SELECT NOT (rolsuper OR rolbypassrls) FROM pg_roles WHERE rolname = current_user"
    return bool(connection.scalar(text(found)))


def _narrow(state: ORMExecuteState) -> None:
    _tell(state.session)
    name = tenants.meant()
    if name != tenants.EVERY and not (state.is_column_load or state.is_relationship_load):
        is_sqlite = state.session.get_bind().dialect.name == "sqlite"
        state.statement = state.statement.options(_only(name, is_sqlite=is_sqlite))


def _begin(session: Session, _: SessionTransaction, connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        session.info[TOLD] = tenants.meant()
        connection.execute(SETTING, {"name": session.info[TOLD]})


def _tell(session: Session) -> None:
    """Say it again where another tenant is meant since the transaction began."""
    name = tenants.meant()
    if session.info.get(TOLD, name) != name:
        session.info[TOLD] = name
        session.connection().execute(SETTING, {"name": name})


@lru_cache(maxsize=1_000)
def _only(name: str, *, is_sqlite: bool) -> ORMOption:
    """Return what narrows a statement to one tenant's rows, and those of its relationships."""
    if is_sqlite:  # which has no statistics: nearly every row is so, no index should begin with it
        return with_loader_criteria(
            OfTenant, lambda cls: func.likely(cls.tenant == name), include_aliases=True
        )
    return with_loader_criteria(OfTenant, lambda cls: cls.tenant == name, include_aliases=True)
