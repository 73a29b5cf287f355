"""Logging in and out in a browser. What programs send is a key or a token (`access`)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from api.http.oidc.login import ATTEMPT, ATTEMPT_S, SESSION, SESSION_S, Login, Returned
from attribution.errors import NotFound

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
async def begin_login(request: Request, login: LoginDep, back: str | None = None) -> Response:
    """Send a browser to the provider; from there it comes to `finish_login`."""
    home = f"{request.scope.get('root_path', '')}/"
    place, attempt = await login.begin(_callback(request), home if back is None else back)
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


@router.post("/logout", dependencies=[Depends(_login)])
def log_out(request: Request) -> Response:
    """End the session of this browser; that with the provider goes on."""
    answer = _go(f"{request.scope.get('root_path', '')}/")
    _keep(request, answer, SESSION, "", 0)
    return answer


def _callback(request: Request) -> str:
    return str(request.url_for("finish_login"))


def _go(place: str) -> Response:
    return RedirectResponse(place, HTTPStatus.SEE_OTHER)


def _keep(request: Request, answer: Response, name: str, value: str, lasts_s: int) -> None:
    answer.set_cookie(
        name,
        value,
        max_age=lasts_s,
        path=request.scope.get("root_path") or "/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )
