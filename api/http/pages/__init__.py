"""The pages of the service: what it is, its description to try out, its kinds of problems.

All that they load lies in this package, so that they work without a network and no other site's
script ever runs with the rights of this one.
"""

from __future__ import annotations

import re
from importlib.metadata import version
from importlib.resources import files
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from api.http.headers import POLICY
from api.http.kinds import KINDS, title
from api.http.oidc.login import SESSION, Login
from attribution.errors import NotFound
from attribution.logs import TOKEN
from attribution.upkeep.keys import PREFIX

router = APIRouter(include_in_schema=False)

NAME = "Lawful Diffusion"
SUMMARY = "Whose work does this image draw on, how sure are we, and what is the evidence?"
LINKS = {
    "console": "console",
    "docs": "docs",
    "description": "openapi.json",
    "health": "healthz",
    "readiness": "readyz",
    "metrics": "metrics",
}

Asset = Literal["pages.css", "docs.js", "swagger-ui.css", "swagger-ui-bundle.js"]
MEDIA_TYPES = {"css": "text/css", "js": "text/javascript"}
KEPT = {"cache-control": "private, max-age=3600"}  # of this version, and it may be replaced

PLAIN = POLICY.replace("form-action 'none'", "form-action 'self'") + "; style-src 'self'"
WITH_SCRIPT = f"{PLAIN}; script-src 'self'; img-src 'self' data:; connect-src 'self'"

Accept = Annotated[str, Header()]


@router.get("/")
def show_service(request: Request, accept: Accept = "") -> Response:
    """Say what answers here: a page for browsers, data for programs."""
    root = request.scope.get("root_path", "")
    links = {name: f"{root}/{path}" for name, path in LINKS.items()}
    about = {"name": NAME, "version": version("lawful-diffusion"), "summary": SUMMARY}
    return _negotiated(request, accept, "service.html", about | {"links": links})


@router.get("/problems/{kind}")
def show_problem_kind(request: Request, kind: str, accept: Accept = "") -> Response:
    """Say what a kind of problem means and what to do; raises NotFound."""
    known = KINDS.get(kind)
    if known is None:
        raise NotFound(f"no kind of problem {kind!r}; known: {', '.join(KINDS)}")
    about = {"type": f"/problems/{kind}", "title": title(kind), **vars(known)}
    return _negotiated(request, accept, "problem.html", about)


@router.get("/docs")
def show_docs(request: Request) -> HTMLResponse:
    """Let people read and try out the description."""
    return _page(request, "docs.html", {}, WITH_SCRIPT)


@router.get("/docs/{name}")
def get_asset(name: Asset) -> Response:
    """Return a script or a style of the pages."""
    folder = files(__package__)
    place = folder / "swagger_ui" if name.startswith("swagger") else folder
    media_type = MEDIA_TYPES[name.rsplit(".", 1)[1]]
    return Response((place / name).read_bytes(), media_type=media_type, headers=KEPT)


def show_key_form(
    request: Request, back: str, said: str = "", *, status: int = 200
) -> HTMLResponse:
    """Ask a person for a key; `said` is why the last one was not taken."""
    page = _page(request, "key.html", {"back": back, "said": said}, PLAIN)
    page.status_code = status
    return page


def show_problem(request: Request, kind: str, detail: str) -> HTMLResponse:
    """Say to a person in a browser what went wrong, and what that kind of problem means."""
    about = {"type": f"/problems/{kind}", "title": title(kind), **vars(KINDS[kind])}
    return _page(request, "problem.html", about | {"detail": detail}, PLAIN)


def _negotiated(request: Request, accept: str, template: str, about: dict[str, object]) -> Response:
    is_browser = "text/html" in accept
    response = _page(request, template, about, PLAIN) if is_browser else JSONResponse(about)
    response.headers["vary"] = "accept"
    return response


def _page(
    request: Request, template: str, values: dict[str, object], content_policy: str
) -> HTMLResponse:
    environment = Environment(
        loader=PackageLoader("api.http", "pages"), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["code"] = _code
    root = request.scope.get("root_path", "")
    session = _session(request, root)
    html = environment.get_template(template).render(values, root=root, session=session)
    # With no referrer at all, browsers would not say where the form to log out comes from
    headers = {"content-security-policy": content_policy, "referrer-policy": "same-origin"}
    return HTMLResponse(html, headers=headers)


def _session(request: Request, root: str) -> dict[str, str] | None:
    """Return what a page says of logging in and out; None where nobody logs in."""
    login: Login | None = request.app.state.login
    session = request.cookies.get(SESSION, "")
    if login is None and not session:
        return None
    person = login.who(session) if login else None
    key = session[:PREFIX] if TOKEN.fullmatch(session) else ""
    name = person.name if person else key
    path = request.url.path
    back = f"{root}/" if path.startswith(f"{root}/login") else path  # a login that failed
    return {"path": back, "name": name}


def _code(text: str) -> Markup:
    """Return a text in which what stands between backticks is shown as code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704  escaped
