"""Logging in and out in a browser. What programs send is a key or a token (`access`)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from api.http import refusals
from api.http.oidc.login import ATTEMPT, ATTEMPT_S, LOCAL, Login, Returned
from api.http.pages import show_key_form
from api.http.sessions import SESSION, SESSION_S, Sessions, keep, kept
from attribution.errors import NotFound, Unauthenticated
from attribution.upkeep.keys import PREFIX, authenticate

router = APIRouter(include_in_schema=False)


def _login(request: Request) -> Login:
    login: Login | None = request.app.state.login
    if login is None:
        raise NotFound(
            "nobody logs in here: set LAWFUL_OIDC_ISSUER and LAWFUL_OIDC_CLIENT_ID, or send a key"
        )
    return login


LoginDep = Annotated[Login, Depends(_login)]


@router.get("/login")
async def begin_login(request: Request, back: str | None = None) -> Response:
    """Send a browser to the provider; from there it comes to `finish_login`.

    Without a provider people log in with a key.
    """
    root = request.scope.get("root_path", "")
    login: Login | None = request.app.state.login
    if login is None:
        said = f"?back={quote(back, safe='')}" if back else ""
        return _go(f"{root}/login/key{said}")
    place, attempt = await login.begin(_callback(request), f"{root}/" if back is None else back)
    answer = _go(place)
    keep(request, answer, ATTEMPT, attempt, ATTEMPT_S)
    return answer


@router.get("/login/callback")
async def finish_login(
    request: Request, login: LoginDep, code: str = "", state: str = "", error: str = ""
) -> Response:
    """Take in who comes back from the provider."""
    begun = kept(request, ATTEMPT)
    person, back = await login.finish(_callback(request), begun, Returned(code, state, error))
    answer = _go(back)
    keep(request, answer, ATTEMPT, "", 0)
    keep(request, answer, SESSION, _sessions(request).of_person(person), SESSION_S)
    return answer


@router.get("/login/key")
def show_key_login(request: Request, back: str = "") -> Response:
    """Ask a person for a key."""
    return show_key_form(request, _back(request, back))


@router.post("/login/key")
def log_in_with_key(
    request: Request, key: Annotated[str, Form()], back: Annotated[str, Form()] = ""
) -> Response:
    """Begin a session of a key, which each request asks again; the key itself is not kept."""
    place = _back(request, back)
    token = key.strip()
    try:
        authenticate(request.app.state.services, token)
    except Unauthenticated as error:
        refusals.note(request.scope, error)
        return show_key_form(request, place, str(error), status=error.status)
    answer = _go(place)
    keep(request, answer, SESSION, _sessions(request).of_key(token[:PREFIX]), SESSION_S)
    return answer


@router.post("/logout")
def log_out(request: Request) -> Response:
    """End the session of this browser; that with the provider goes on."""
    answer = _go(f"{request.scope.get('root_path', '')}/")
    keep(request, answer, SESSION, "", 0)
    return answer


def _back(request: Request, back: str) -> str:
    """Return where to go after a login; only to a place of this service."""
    return back if LOCAL.fullmatch(back) else f"{request.scope.get('root_path', '')}/console"


def _sessions(request: Request) -> Sessions:
    sessions: Sessions = request.app.state.sessions
    return sessions


def _callback(request: Request) -> str:
    return str(request.url_for("finish_login"))


def _go(place: str) -> Response:
    return RedirectResponse(place, HTTPStatus.SEE_OTHER)
