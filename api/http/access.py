"""Who calls: by key, token or session, and the scope that each route declares it needs.

`Access` finds out who calls before any route is looked for, and says it to all that follows;
`ScopedRoute` refuses what the caller's key is not for, before the body is read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi import Request, Response, Security, params
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from api.http import problems, refusals
from api.http.sessions import SESSION, KeySession, kept
from api.loopback import is_loopback
from attribution.actors import Actor, Scope, acting, who
from attribution.errors import LawfulError, Unauthenticated
from attribution.tenants import within
from attribution.upkeep import keys

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from starlette.types import ASGIApp, Receive, Send
    from starlette.types import Scope as Connection

    from api.http.oidc.provider import Provider
    from api.http.sessions import Sessions
    from attribution.collection import Stores

LOGIN = ("/login", "/login/callback", "/login/key", "/logout")
# They tell nothing of the collection: probes, and the description of the API itself.
OPEN = ("/", "/healthz", "/readyz", "/openapi.json", "/docs", *LOGIN)
OPEN_BELOW = ("/docs/", "/problems/", "/console/static/")
PAGES = re.compile(r"/console(/|$)")
LOGIN_FIRST = Markup(
    '<p class="problem" role="alert">You are not logged in any more. <a href="{}" target="_blank">'
    "Log in</a> in another tab, then try this again: what you wrote is still here.</p>"
)
ANYONE = Actor("anyone on this machine")
NOT_HERE = "not-this-machine"
BEARER = HTTPBearer(
    scheme_name="key",
    bearerFormat="lk_…",
    description="A key, as `lawful keys create` prints it, or a token of the OpenID provider that "
    "the service is set to; a browser that is logged in needs neither. Nor does the machine itself "
    "while no key was made and no provider is set.",
    auto_error=False,  # `Access` has refused already
)


def needs(scope: Scope) -> Any:
    """Declare, in a route's `dependencies`, what its caller has to be allowed."""
    return Security(BEARER, scopes=[scope.value])


def needed(declared: list[params.Depends]) -> Scope | None:
    """Return what a route declares by `needs`."""
    scopes = [
        Scope(scope)
        for one in declared
        if isinstance(one, params.Security) and one.dependency is BEARER
        for scope in one.scopes or ()
    ]
    return scopes[0] if scopes else None


class ScopedRoute(APIRoute):
    """A route that only callers with its scope reach."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Check the caller before the form is read: it may be large."""
        handle, scope = super().get_route_handler(), needed(self.dependencies)

        async def checked(request: Request) -> Response:
            if scope is not None:
                who().require(scope)
            return await handle(request)

        return checked


class Access:
    """ASGI middleware: only those with a key, a token or a session pass, once there are any."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Have the rest of the request done by whoever sent it, or refuse it."""
        if scope["type"] != "http" or is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        stores: Stores = scope["app"].state.services
        try:
            actor = await _caller(scope)
        except LawfulError as error:
            await _refusal(Request(scope), error)(scope, receive, send)
            return
        scope["user"] = actor
        with acting(actor), within(actor.tenant or stores.settings.tenant):
            await self._app(scope, receive, send)


def _refusal(request: Request, error: LawfulError) -> Response:
    """Refuse a request; who has only to log in to see a page is sent there, and then back."""
    is_page = PAGES.match(request.url.path) is not None and "authorization" not in request.headers
    if not (is_page and isinstance(error, Unauthenticated)) or error.why == NOT_HERE:
        return problems.answer(request, error)
    refusals.note(request.scope, error)
    root = request.scope.get("root_path", "")
    is_part, is_read = "hx-request" in request.headers, request.method == "GET"
    shown = f"{request.url.path}?{request.url.query}".rstrip("?")
    back = shown if is_read and not is_part else f"{root}/console"
    place = f"{root}/login?back={quote(back, safe='')}"
    if is_part and is_read:
        return Response(status_code=401, headers={"hx-redirect": place})
    if is_part:  # what somebody wrote stays on the page
        return HTMLResponse(LOGIN_FIRST.format(place), status_code=401)
    return Response(status_code=303, headers={"location": place})


def is_open(path: str) -> bool:
    """Tell whether a path is answered to anyone."""
    return path in OPEN or path.startswith(OPEN_BELOW)


async def _caller(connection: Connection) -> Actor:
    """Return who sends a request; raises Unauthenticated, NotAllowed, BackendUnavailable."""
    state = connection["app"].state
    provider: Provider | None = state.provider
    scheme, _, said = Headers(scope=connection).get("authorization", "").partition(" ")
    token = said.strip() if scheme.lower() == "bearer" else None
    if provider and token is not None and not token.startswith(keys.START):
        return await provider.authenticate(token)
    # The database may take its time, and must not hold up other requests.
    if token is not None:
        return await run_in_threadpool(keys.authenticate, state.services, token)
    if cookie := kept(HTTPConnection(connection), SESSION):
        sessions: Sessions = state.sessions
        session = sessions.who(cookie)
        if isinstance(session, KeySession):
            return await run_in_threadpool(keys.resume, state.services, session.name)
        if session is not None:
            return session.actor
    return await run_in_threadpool(_anyone, state.services, connection)


def _anyone(stores: Stores, connection: Connection) -> Actor:
    """Return who needs no key; raises Unauthenticated."""
    if keys.are_needed(stores):
        issuer, has_login = stores.settings.oidc_issuer, bool(stores.settings.oidc_client_id)
        raise Unauthenticated(
            "this needs a key: send `Authorization: Bearer lk_…`; whoever administers the service "
            "makes one with `lawful keys create`"
            + (f". A token of {issuer} in its place does as well" if issuer else "")
            + (", and in a browser a login at /login" if issuer and has_login else ""),
            why="missing-key",
        )
    host, _ = connection.get("client") or ("", 0)
    if not is_loopback(host):
        raise Unauthenticated(
            f"no key was made yet, so only this machine itself is let in; {keys.FIRST}",
            why=NOT_HERE,
        )
    return ANYONE
