"""Whose rows, points and files are meant: a tenant is an organisation that shares a deployment.

Every door says at its edge for which tenant it acts (`within`). What reads or writes rows
(`attribution.catalogue.tenancy`), points (`attribution.index.schema`) or files
(`attribution.files`) asks here, each in one place: nothing is passed along, so that no statement
can forget it. Work of the deployment itself, such as looking for tasks, reads `across` all tenants
and can write nothing that is a tenant's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from attribution.errors import BadInput, LawfulError

DEFAULT = "default"  # the only one, where nobody asks for more
EVERY = "*"  # what `meant` returns across all of them
NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")

_current: ContextVar[str | None] = ContextVar("tenant", default=None)
_chosen = DEFAULT


def choose(name: str) -> None:
    """Have this process act for a tenant wherever no door has said for which."""
    global _chosen  # noqa: PLW0603  threads that nobody has told anything follow the process
    _chosen = check_name(name)


@contextmanager
def within(name: str) -> Iterator[None]:
    """Have everything in the block done for this tenant."""
    token = _current.set(check_name(name))
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def across() -> Iterator[None]:
    """Have everything in the block read what is there for all tenants; nothing of theirs made."""
    token = _current.set(EVERY)
    try:
        yield
    finally:
        _current.reset(token)


def meant() -> str:
    """Return the tenant whose rows are read; `EVERY` for those of all."""
    return _current.get() or _chosen


def current() -> str:
    """Return the tenant for which is written; raises LawfulError across all of them."""
    name = meant()
    if name == EVERY:
        raise LawfulError("this is done for one tenant, and none was said")
    return name


def own_place(root: str) -> str:
    """Return where the tenant's own things lie, below a folder or an address that all share."""
    tenant = current()
    return root if tenant == DEFAULT else f"{root}/tenants/{tenant}"


def check_name(name: str) -> str:
    """Return the name of a tenant; raises BadInput for what could be none."""
    if NAME.fullmatch(name) is None:
        raise BadInput(
            f"{name!r} cannot name a tenant (LAWFUL_TENANT): use up to 40 small letters, digits "
            f"and hyphens, such as 'city-museum'"
        )
    return name
