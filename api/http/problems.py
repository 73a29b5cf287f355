"""Errors as RFC 9457 problem details, rendered in this one place. No route catches anything.

The type of a problem is `/problems/` and the kind of error; kinds are stable, titles and details
are for people. What nobody foresaw is logged and shown without its insides.
"""

from __future__ import annotations

import logging
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from attribution.errors import BackendUnavailable, BadImage, LawfulError, TooMany, Unauthenticated
from attribution.outages import disk_outage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI, Request

log = logging.getLogger(__name__)

HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
RETRY_AFTER_S = "5"


class Problem(BaseModel):
    """What went wrong, as RFC 9457 says it."""

    type: str = Field(examples=["/problems/bad-image"])
    title: str = Field(examples=["Bad image"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["the file is empty (0 bytes)"])
    reason: str | None = Field(None, description="Keyword of a bad image.", examples=["empty"])
    errors: list[dict[str, Any]] | None = Field(None, description="What is wrong, and where.")


RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "A problem (RFC 9457)",
        "content": {"application/problem+json": {"schema": Problem.model_json_schema()}},
    }
}


def problem(
    status: int,
    kind: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    **members: object,
) -> JSONResponse:
    """Return a problem; `kind` is in words ("bad image"), `members` are extensions."""
    body = {
        "type": "/problems/" + kind.replace(" ", "-"),
        "title": kind.capitalize(),
        "status": status,
        "detail": detail,
    }
    return JSONResponse(
        body | members,
        status,
        headers=HEADERS | dict(headers or {}),
        media_type="application/problem+json",
    )


def install(app: FastAPI) -> None:
    """Render every error of `app` as a problem."""
    app.add_exception_handler(LawfulError, _ours)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(OSError, _of_the_system)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unforeseen)


def of(error: LawfulError) -> JSONResponse:
    """Return an error of ours as a problem."""
    kind = re.sub(r"(?<=.)(?=[A-Z])", " ", type(error).__name__).lower()
    members = {"reason": error.reason} if isinstance(error, BadImage) else {}
    headers = {}
    if isinstance(error, BackendUnavailable):
        headers = {"retry-after": RETRY_AFTER_S}
    elif isinstance(error, TooMany):
        headers = {"retry-after": str(error.retry_after_s)}
    elif isinstance(error, Unauthenticated):
        headers = {"www-authenticate": "Bearer"}
    return problem(error.status, kind, str(error), headers=headers, **members)


def _ours(request: Request, error: Exception) -> JSONResponse:
    del request
    assert isinstance(error, LawfulError)  # noqa: S101  what it is registered for
    return of(error)


def _of_the_system(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, OSError)  # noqa: S101  what it is registered for
    outage = disk_outage(error, f"LAWFUL_HOME={request.app.state.services.settings.home}")
    return _ours(request, outage) if outage else _unforeseen(request, error)


def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101  what it is registered for
    if isinstance(error.__cause__, OSError):  # a form that could not be put down
        return _of_the_system(request, error.__cause__)
    phrase = HTTPStatus(error.status_code).phrase
    detail = str(error.detail)
    if detail == phrase:  # the framework has no more to say
        detail = f"{request.method} {request.url.path}: {phrase.lower()}; /docs lists what there is"
    kind = (
        "too large" if error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE else phrase.lower()
    )
    return problem(error.status_code, kind, detail, headers=error.headers)


def _invalid(request: Request, error: Exception) -> JSONResponse:
    del request
    assert isinstance(error, RequestValidationError)  # noqa: S101  what it is registered for
    found = [{key: one[key] for key in ("loc", "msg", "type")} for one in error.errors()]
    said = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found)
    return problem(422, "invalid request", said, errors=jsonable_encoder(found))


def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(500, "internal error", "this is a defect of the server; its log says more")
