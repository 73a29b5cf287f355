"""What of a request that was refused the audit gets to know.

Who called, the method and the template of the route, and a keyword: no word that a caller can
choose, so no token, no query and no id, and no more different refusals than the program has.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING
from uuid import UUID

from fastapi.routing import iter_route_contexts

from attribution.errors import AccessRefused, NotFound, Unauthenticated
from attribution.upkeep.refusals import Caller, Refused

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from fastapi import FastAPI
    from starlette.types import Scope as Connection

    from attribution.actors import Actor
    from attribution.errors import LawfulError
    from attribution.upkeep.refusals import Refusals

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # what is not found names it


def note(connection: Connection, error: LawfulError) -> None:
    """Have the audit say that a request ended with an error, if that refuses it."""
    actor: Actor | None = connection.get("user")
    if isinstance(error, AccessRefused):
        kept: Refusals = connection["app"].state.refusals
        kept.note(_refused(connection, error, kept.tenant), Refused(asked(connection), error.why))
    elif isinstance(error, NotFound) and actor and (ids := set(ID.findall(str(error)))):
        kept = connection["app"].state.refusals
        caller = Caller(actor.name, actor.tenant or kept.tenant, is_stranger=False)
        kept.note_unknown(caller, asked(connection), set(map(UUID, ids)))


def asked(connection: Connection) -> str:
    """Return the method and the template of the route: "GET /v1/artists/{slug}"."""
    method, path = connection["method"], connection["path"]
    fitting = [one for one in _routes(connection["app"]) if one[0].match(path)]
    exact = [one for one in fitting if method in one[1]] or fitting
    # Of /sets and /{id}, the one that is asked for has fewer parameters.
    template = min((one[2] for one in exact), key=lambda one: one.count("{"), default="elsewhere")
    return f"{method if method in METHODS else 'another method'} {template}"


def _refused(connection: Connection, error: AccessRefused, tenant: str) -> Caller:
    """Return whom an error refuses: a stranger unless it, or the door, knows them."""
    actor: Actor | None = connection.get("user")
    if error.who is None and actor is not None:
        return Caller(actor.name, actor.tenant or tenant, is_stranger=False)
    is_unknown = error.who is None or isinstance(error, Unauthenticated)
    who = error.who or f"address {_address(connection)}"
    return Caller(who, error.tenant or tenant, is_stranger=is_unknown and error.tenant is None)


def _address(connection: Connection) -> str:
    """Return where a request comes from: a proxy, or who calls as one, may say anything."""
    host, _ = connection.get("client") or ("", 0)
    with suppress(ValueError):
        return str(ip_address(host.partition("%")[0]))
    return "unknown"


@lru_cache(maxsize=1)
def _routes(app: FastAPI) -> Sequence[tuple[re.Pattern[str], Collection[str], str]]:
    return [
        (one.path_regex, one.methods or (), one.path or "")
        for one in iter_route_contexts(app.routes)
    ]
