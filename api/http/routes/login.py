"""Logging in and out in a browser. What programs send is a key or a token (`access`)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from api.http import refusals
from api.http.oidc.login import ATTEMPT, ATTEMPT_S, LOCAL, SESSION, SESSION_S, Login, Returned
from api.http.pages import show_key_form
from attribution.errors import NotFound, Unauthenticated
from attribution.upkeep.keys import authenticate

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
    _keep(request, answer, ATTEMPT, attempt, ATTEMPT_S)
    return answer


@router.get("/login/callback")
async def finish_login(
    request: Request, login: LoginDep, code: str = "", state: str = "", error: str = ""
) -> Response:
    """Take in who comes back from the provider."""
    kept = request.cookies.get(ATTEMPT, "")
    session, back = await login.finish(_callback(request), kept, Returned(code, state, error))
    answer = _go(back)
    _keep(request, answer, ATTEMPT, "", 0)
    _keep(request, answer, SESSION, session, SESSION_S)
    return answer


@router.get("/login/key")
def show_key_login(request: Request, back: str = "") -> Response:
    """Ask a person for a key."""
    return show_key_form(request, _back(request, back))


@router.post("/login/key")
def log_in_with_key(
    request: Request, key: Annotated[str, Form()], back: Annotated[str, Form()] = ""
) -> Response:
    """Keep a key in the browser until that is closed; each request shows it, and is checked."""
    place = _back(request, back)
    token = key.strip()
    try:
        authenticate(request.app.state.services, token)
    except Unauthenticated as error:
        refusals.note(request.scope, error)
        return show_key_form(request, place, str(error), status=error.status)
    answer = _go(place)
    _keep(request, answer, SESSION, token, None)
    return answer


@router.post("/logout")
def log_out(request: Request) -> Response:
    """End the session of this browser; that with the provider goes on."""
    answer = _go(f"{request.scope.get('root_path', '')}/")
    _keep(request, answer, SESSION, "", 0)
    return answer


def _back(request: Request, back: str) -> str:
    """Return where to go after a login; only to a place of this service."""
    return back if LOCAL.fullmatch(back) else f"{request.scope.get('root_path', '')}/console"


def _callback(request: Request) -> str:
    return str(request.url_for("finish_login"))


def _go(place: str) -> Response:
    return RedirectResponse(place, HTTPStatus.SEE_OTHER)


def _keep(request: Request, answer: Response, name: str, value: str, lasts_s: int | None) -> None:
    answer.set_cookie(
        name,
        value,
        max_age=lasts_s,
        path=request.scope.get("root_path") or "/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )
