"""Errors as RFC 9457 problem details, rendered in this one place. No route catches anything.

The type of a problem is `/problems/` and the kind of error; a page there says what the kind means,
and whoever opens a link in a browser sees that page with what went wrong.
Kinds are stable (`api.http.kinds`), titles and details are for people. What nobody foresaw is
logged and shown without its insides.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from api.hints import over_http
from api.http import refusals
from api.http.headers import mark
from api.http.kinds import kind_of, title
from api.http.pages import show_problem
from attribution.errors import (
    BackendUnavailable,
    BadImage,
    InvalidToken,
    LawfulError,
    NotFound,
    TooMany,
    Unauthenticated,
)
from attribution.outages import disk_outage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI, Request

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = "5"
PLAINLY = {  # what the validator says in terms of its own
    "Extra inputs are not permitted": "no such field here; look at its spelling, or leave it out",
    "Field required": "it is missing",
}


class Problem(BaseModel):
    """What went wrong, as RFC 9457 says it."""

    type: str = Field(examples=["/problems/bad-image"])
    title: str = Field(examples=["Bad image"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["the file is empty (0 bytes)"])
    reason: str | None = Field(None, description="Keyword of a bad image.", examples=["empty"])
    errors: list[dict[str, Any]] | None = Field(None, description="What is wrong, and where.")


def problem(
    status: int,
    kind: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    **members: object,
) -> JSONResponse:
    """Return a problem of this kind; `members` are extensions."""
    body = {
        "type": f"/problems/{kind}",
        "title": title(kind),
        "status": status,
        "detail": detail,
    }
    response = JSONResponse(body | members, status, headers=headers, media_type=MEDIA_TYPE)
    mark(response.headers)  # the answer to what nobody foresaw passes no middleware
    return response


def install(app: FastAPI) -> None:
    """Render every error of `app` as a problem."""
    app.add_exception_handler(LawfulError, answer)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(OSError, _of_the_system)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unforeseen)


def of(error: LawfulError) -> JSONResponse:
    """Return an error of ours as a problem."""
    members = {"reason": error.reason} if isinstance(error, BadImage) else {}
    headers = headers_of(error)
    return problem(error.status, kind_of(error), over_http(error), headers=headers, **members)


def headers_of(error: LawfulError) -> dict[str, str]:
    """Return the headers that go with an error: when to try again, how to say who one is."""
    if isinstance(error, BackendUnavailable):
        return {"retry-after": RETRY_AFTER_S}
    if isinstance(error, TooMany):
        return {"retry-after": str(error.retry_after_s)}
    if isinstance(error, InvalidToken):
        return {"www-authenticate": 'Bearer error="invalid_token"'}
    if isinstance(error, Unauthenticated):
        return {"www-authenticate": "Bearer"}
    return {}


def answer(request: Request, error: Exception) -> Response:
    """Return an error of ours as a problem, or to a person in a browser as a page."""
    assert isinstance(error, LawfulError)  # noqa: S101  what it is registered for
    refusals.note(request.scope, error)
    if request.method != "GET" or "text/html" not in request.headers.get("accept", ""):
        return of(error)
    page = show_problem(request, kind_of(error), over_http(error))
    page.status_code = error.status
    page.headers.update(headers_of(error))
    return page


def _of_the_system(request: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)  # noqa: S101  what it is registered for
    outage = disk_outage(error, f"LAWFUL_HOME={request.app.state.services.settings.home}")
    return answer(request, outage) if outage else _unforeseen(request, error)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  what it is registered for
    if isinstance(error.__cause__, OSError):  # a form that could not be put down
        return _of_the_system(request, error.__cause__)
    phrase = HTTPStatus(error.status_code).phrase
    detail = str(error.detail)
    if detail == phrase:  # the framework has no more to say
        detail = f"{request.method} {request.url.path}: {phrase.lower()}; /docs lists what there is"
    if error.status_code == HTTPStatus.NOT_FOUND:
        return answer(request, NotFound(detail))
    is_too_large = error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    kind = "too-large" if is_too_large else phrase.lower().replace(" ", "-")
    headers = error.headers
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers = {"allow": _allowed(request)}
    return problem(error.status_code, kind, detail, headers=headers)


def _allowed(request: Request) -> str:
    """Return the methods of a path; several routes may share it, and the framework asks one."""
    routes = list(iter_route_contexts(request.app.routes))
    paths = {str(one.path) for one in routes if one.path_regex.match(request.url.path)}
    path = min(paths, key=lambda one: one.count("{"))  # /sets, and not what fits /{id} as well
    methods = {method for one in routes if one.path == path for method in one.methods or ()}
    return ", ".join(sorted(methods))


def _invalid(request: Request, error: Exception) -> JSONResponse:
    del request
    assert isinstance(error, RequestValidationError)  # noqa: S101  what it is registered for
    said, found = why_invalid(error), _found(error)
    return problem(422, "invalid-request", said, errors=jsonable_encoder(found))


def why_invalid(error: RequestValidationError) -> str:
    """Say in one line what is wrong with a request, and where."""
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in _found(error))


def _found(error: RequestValidationError) -> list[dict[str, Any]]:
    return [
        {"loc": one["loc"], "msg": PLAINLY.get(one["msg"], one["msg"]), "type": one["type"]}
        for one in error.errors()
    ]


def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(500, "internal-error", "this is a defect of the server; its log says more")
