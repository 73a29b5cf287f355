"""What every request passes before a route sees it: who may call, how much may be sent.

A web page in the user's browser is the nearest stranger, as this machine may need no key: requests
under a foreign host name (DNS rebinding) and posts that come from another site are refused.
"""

from __future__ import annotations

import asyncio
import time
from ipaddress import ip_address
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException
from starlette.requests import HTTPConnection

from api.http import problems, refusals
from api.http.problems import problem
from api.http.sessions import SESSION, kept
from attribution.errors import NotAllowed

if TYPE_CHECKING:
    from fastapi.responses import JSONResponse
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from attribution.config import Settings

FORM_BYTES = 1 << 20  # of a request: text fields and the seams between parts
SILENCE_S = 30  # between two pieces of a body
SLOWEST = 1024  # bytes a second, on the average, once SILENCE_S have passed
READS = ("GET", "HEAD", "OPTIONS")
PROBES = ("/healthz", "/readyz", "/metrics")  # what other containers ask, by names of their own
# What archives are sent to; one that is only looked at is not to be large
ARCHIVES = ("/v1/ingest-jobs", "/v1/lookup-batches", "/console/ingest", "/console/batches")


class CrossSiteRequest(NotAllowed):
    """A page of another site wants to change something."""

    why = "cross-site"


class Guard:
    """ASGI middleware: host, origin, size of the body."""

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self._app = app
        self._names = {"localhost", settings.host.lower(), *map(str.lower, settings.allowed_hosts)}
        self._probes = self._names | set(map(str.lower, settings.probe_hosts))
        self._foreign_origins = frozenset(map(str.lower, settings.allowed_hosts))
        self._image_bytes = int(settings.max_image_mb * 2**20)
        self._archive_bytes = int(max(settings.max_archive_mb, settings.max_image_mb) * 2**20)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a problem, or pass the request on within its limits."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, limit = Headers(scope=scope), self._limit(scope)
        refusal = self._refusal(scope, headers, limit)
        if refusal is not None:
            await refusal(scope, receive, send)
        else:
            bounded = _Bounded(receive, send, limit)
            await self._app(scope, bounded.receive, bounded.send)
            if bounded.refusal is not None:
                await bounded.refusal(scope, receive, send)

    def _limit(self, scope: Scope) -> int:
        """Return how many bytes a body may have; what an image itself may have is its reader's."""
        takes_archives = scope["path"] in ARCHIVES
        largest = self._archive_bytes if takes_archives else self._image_bytes
        return largest + FORM_BYTES

    def _refusal(self, scope: Scope, headers: Headers, limit: int) -> JSONResponse | None:
        host = headers.get("host", "")
        if not self._may_be_called(host, scope["path"]):
            return problem(
                421,
                "misdirected-request",
                f"the API is not called {host!r}; use its address or localhost, "
                f"or add the name to LAWFUL_ALLOWED_HOSTS",
            )
        if scope["method"] not in READS and self._is_of_another_site(scope, headers, host):
            origin = headers.get("origin", "an unknown site")
            error = CrossSiteRequest(f"a page of {origin} may not change anything here")
            refusals.note(scope, error)
            return problems.of(error)
        length = headers.get("content-length", "")
        if length.isascii() and length.isdigit() and int(length[:20]) > limit:
            return _too_large(limit)
        return None

    def _may_be_called(self, host: str, path: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        names = self._probes if path in PROBES else self._names
        return name in names or _is_address(name)

    def _is_of_another_site(self, scope: Scope, headers: Headers, host: str) -> bool:
        """Tell whether a page elsewhere may have had a browser send this."""
        origin = headers.get("origin")
        if kept(HTTPConnection(scope), SESSION):
            # Browsers send it of themselves, for pages of other ports and subdomains too: what they
            # say of the page has to be there, and to name this very place
            is_same = headers.get("sec-fetch-site", "same-origin") == "same-origin"
            return not (is_same and origin in {f"http://{host}", f"https://{host}"})
        return origin is not None and not self._is_ours(origin, host)

    def _is_ours(self, origin: str, host: str) -> bool:
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        return parts.netloc == host or parts.hostname in self._foreign_origins


def _is_address(name: str) -> bool:
    """Tell whether a host is an address: a page cannot rebind that, only a name."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


class _Bounded:
    """Counts what arrives, and how fast; has the last word when it is too much, or too slow."""

    def __init__(self, receive: Receive, send: Send, limit: int) -> None:
        self._receive, self._send, self._limit = receive, send, limit
        self._arrived, self._is_whole = 0, False
        self._begun_s: float | None = None
        self.refusal: JSONResponse | None = None

    async def receive(self) -> Message:
        """Pass a piece of the body on; raises where a refusal takes the place of the answer."""
        if self._is_whole:  # what is asked for now is whether the caller is still there
            return await self._receive()
        if self._begun_s is None:
            self._begun_s = time.monotonic()
        try:
            message = await asyncio.wait_for(self._receive(), SILENCE_S)
        except TimeoutError:
            self._refuse(_too_slow())
        self._arrived += len(message.get("body", b""))
        self._is_whole = not message.get("more_body", False)
        if self._arrived > self._limit:
            self._refuse(_too_large(self._limit))
        took_s = time.monotonic() - self._begun_s
        if not self._is_whole and took_s > SILENCE_S and self._arrived < took_s * SLOWEST:
            self._refuse(_too_slow())
        return message

    async def send(self, message: Message) -> None:
        """Pass an answer on, unless it is only the echo of the refusal."""
        if self.refusal is None:
            await self._send(message)

    def _refuse(self, answer: JSONResponse) -> NoReturn:
        self.refusal = answer
        # The form parser closes its temporary files for this error alone.
        raise MultiPartException("refused")


def _too_slow() -> JSONResponse:
    detail = (
        f"nothing came for {SILENCE_S} s, or less than {SLOWEST} bytes a second; send it again "
        f"over a faster connection, or in smaller parts"
    )
    return problem(408, "request-timeout", detail, headers={"connection": "close"})


def _too_large(limit: int) -> JSONResponse:
    detail = (
        f"the request has more than {limit / 2**20:.1f} MiB; send less, or raise "
        f"LAWFUL_MAX_IMAGE_MB or LAWFUL_MAX_ARCHIVE_MB"
    )
    # Closed, or the server would go on reading what nobody wants.
    return problem(413, "too-large", detail, headers={"connection": "close"})
