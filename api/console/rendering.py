"""Pages and parts of pages: templates of this package, filled in, under a strict content policy.

A request of htmx (`HX-Request`) gets a part of a page, everybody else a whole one. What goes wrong
is said where it was asked: beside the form, or as a page with a way back.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from api.hints import over_http
from api.http import refusals
from api.http.access import ScopedRoute
from api.http.kinds import kind_of, title
from api.http.pages import NAME, WITH_SCRIPT
from api.http.problems import headers_of, why_invalid
from api.http.sessions import SESSION, kept
from api.reports.report import data_uri, isolating, size
from attribution.actors import Scope, who
from attribution.errors import LawfulError, PreconditionFailed
from attribution.lookup.wording import chance


@dataclass(frozen=True)
class Place:
    """A page that the navigation leads to, and what a person needs to see anything there."""

    name: str
    path: str
    scope: Scope


PLACES = (
    Place("Home", "", Scope.READ),
    Place("Look up", "lookup", Scope.LOOK_UP),
    Place("Batches", "batches", Scope.READ),
    Place("Cases", "cases", Scope.CASES),
    Place("Search", "search", Scope.LOOK_UP),
    Place("Artists", "artists", Scope.READ),
    Place("Ingest", "ingest", Scope.READ),
    Place("Generate", "generate", Scope.READ),
    Place("Insight", "insight", Scope.READ),
)


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page, or the part of one that htmx asked for."""
    root = request.scope.get("root_path", "")
    scopes = who().scopes
    html = (
        _environment()
        .get_template(template)
        .render(
            values,
            root=root,
            console=f"{root}/console",
            is_part="hx-request" in request.headers,
            path=request.url.path,
            query=request.url.query,
            places=[one for one in PLACES if one.scope in scopes],
            scopes=scopes,
            person=who().name,
            has_session=bool(kept(request, SESSION)),
            product=NAME,
        )
    )
    # With no referrer at all, browsers would not say where a form comes from
    headers = {"content-security-policy": WITH_SCRIPT, "referrer-policy": "same-origin"}
    headers["vary"] = "hx-request"
    return HTMLResponse(html, status, headers)


def went(request: Request, path: str) -> Response:
    """Lead the browser to another page of the console, after something was done."""
    place = f"{request.scope.get('root_path', '')}/console/{path}"
    if "hx-request" in request.headers:
        return Response(status_code=200, headers={"hx-redirect": place})
    return Response(status_code=303, headers={"location": place})


class PageRoute(ScopedRoute):
    """A route whose errors are pages, or parts of them."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Say what goes wrong in HTML."""
        handle = super().get_route_handler()

        async def said(request: Request) -> Response:
            headers: Mapping[str, str] = {}
            try:
                return await handle(request)
            except LawfulError as error:
                refusals.note(request.scope, error)
                kind, detail, status = kind_of(error), _told(error), error.status
                headers = headers_of(error)
            except RequestValidationError as error:
                kind, detail, status = "invalid-request", why_invalid(error), 422
            values = {"heading": title(kind), "detail": detail}
            template = "problem_part.html" if "hx-request" in request.headers else "problem.html"
            answer = page(request, template, status=status, **values)
            answer.headers.update(headers)
            return answer

        return said


def _told(error: LawfulError) -> str:
    """Return an error in words for a person, who sends no headers."""
    if isinstance(error, PreconditionFailed):
        return (
            "somebody else has changed this since you opened the page, so nothing was done; reload "
            "the page, look at what is there now, and do it again if it is still right"
        )
    return over_http(error)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("api.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=isolating,
    )
    environment.filters |= {
        "data_uri": data_uri,
        "size": size,
        "moment": _moment,
        "percent": chance,
        "segment": _segment,
        "with_query": _with_query,
    }
    environment.globals["now"] = lambda: datetime.now(UTC)
    return environment


def _moment(at: datetime) -> Markup:
    """Return a time in UTC; a script shows it in the reader's zone."""
    utc = at.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        utc.isoformat(timespec="seconds"), f"{utc:%Y-%m-%d %H:%M} UTC"
    )


def _segment(value: object) -> str:
    """Return a value as one segment of a path."""
    return quote(str(value), safe="")


def _with_query(values: Mapping[str, object]) -> str:
    """Return a query string of the values that say something."""
    return "&".join(
        f"{name}={quote(str(value), safe='')}" for name, value in values.items() if value
    )
