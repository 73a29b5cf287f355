"""Pictures behind URLs that strangers give: fetched without reaching into our own network.

Redirects are followed by hand, each checked like the first (`attribution.network`). Nothing is sent
but the request itself: no cookies, no credentials. What a fetched picture shows is checked by
whoever decodes it.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpcore
import httpx

from attribution.catalogue.columns import now
from attribution.errors import AddressRefused, BadInput, NotFetched
from attribution.network import Address, CheckedNetwork, is_public, parsed, resolve

log = logging.getLogger(__name__)

LONGEST_URL = 4096  # characters
MOST_REDIRECTS = 5
REDIRECTS = {301, 302, 303, 307, 308}
KEPT = ("content-type", "last-modified", "etag", "date")  # what a server says of a picture
SENT = {
    "accept": "image/*",
    "accept-encoding": "identity",  # or a small answer could unpack to a large one
    "user-agent": "lawful-diffusion",
}


@dataclass(frozen=True)
class Fetched:
    """What was found behind a URL, and what its server said of it."""

    data: bytes
    url: str  # after redirects
    headers: dict[str, str]  # those of `KEPT` that there were
    at: datetime  # of our clock

    @property
    def said(self) -> dict[str, Any]:
        """What is recorded of how the picture came here."""
        return {"url": self.url, "at": self.at.isoformat(), "headers": self.headers}


@dataclass(frozen=True)
class Fetcher:
    """Fetches pictures. All but the limits are for tests: no setting reaches our own network."""

    most_bytes: int
    at_most_s: float = 30  # a fetch as a whole, redirects and all
    is_allowed: Callable[[Address], bool] = is_public
    resolve: Callable[[str, int], Sequence[Address]] = resolve
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    def fetch(self, url: str) -> Fetched:
        """Return what is behind a URL; raises NotFetched, which names it and says why."""
        place, until = checked_url(url), time.monotonic() + self.at_most_s
        for _ in range(MOST_REDIRECTS + 1):
            try:
                found = self._ask(place, until)
            except httpcore.TimeoutException:
                said = f"{place} was not there after {self.at_most_s:g} s"
                raise NotFetched("slow", f"{said}; retry later, or send the file") from None
            except AddressRefused as error:
                raise NotFetched("address", str(error)) from None
            except httpcore.NetworkError as error:
                raise NotFetched("unreachable", f"{place} cannot be reached: {error}") from None
            except httpcore.ProtocolError as error:
                log.info("%s: %s", place, error)  # its words are not for whoever named the server
                raise NotFetched("unreachable", f"{place} answers what is not HTTP") from None
            if isinstance(found, Fetched):
                return found
            place = found
        raise NotFetched("redirects", f"{url} leads on more than {MOST_REDIRECTS} times")

    def _ask(self, place: httpx.URL, until: float) -> Fetched | httpx.URL:
        """Ask one server; returns the next place where it leads on."""
        network = CheckedNetwork(until, is_allowed=self.is_allowed, resolve=self.resolve)
        with httpcore.ConnectionPool(self.tls, network_backend=network) as pool:  # noqa: SIM117
            with pool.stream("GET", str(place), headers=[*SENT.items()]) as answer:
                said = {
                    name.decode("ascii").lower(): value.decode("latin-1")
                    for name, value in answer.headers
                }
                if answer.status in REDIRECTS and "location" in said:
                    return checked_url(said["location"], place)
                _check_answer(place, answer.status, said)
                data = self._read(place, answer.iter_stream())
        return Fetched(data, str(place), {one: said[one] for one in KEPT if one in said}, now())

    def _read(self, place: httpx.URL, chunks: Iterable[bytes]) -> bytes:
        data = bytearray()
        for chunk in chunks:
            data += chunk
            if len(data) > self.most_bytes:
                said = f"{place} has more than {self.most_bytes / 2**20:.1f} MiB"
                raise NotFetched("too-large", f"{said} (LAWFUL_MAX_IMAGE_MB)")
        return bytes(data)


def checked_url(url: str, of: httpx.URL | None = None) -> httpx.URL:
    """Return a URL, perhaps one relative to another, that may be asked; raises NotFetched."""
    if len(url) > LONGEST_URL:
        raise NotFetched("url", f"{url[:60]}… has more than {LONGEST_URL} characters")
    try:
        place = parsed(url, of)
    except BadInput as error:
        raise NotFetched("url", str(error)) from None
    if place.scheme not in {"http", "https"} or not place.host:
        raise NotFetched("url", f"{url[:200]!r} cannot be fetched; give http://… or https://…")
    return place


def _check_answer(place: httpx.URL, status: int, said: dict[str, str]) -> None:
    """Raise NotFetched for an answer that is no picture."""
    if status != 200:
        raise NotFetched("status", f"{place} answers {status}, not a picture")
    kind = said.get("content-type", "application/octet-stream").partition(";")[0].strip().lower()
    if not kind.startswith("image/") and kind != "application/octet-stream":
        raise NotFetched("type", f"{place} is {kind[:60]}, not a picture; give the URL of the file")
    if said.get("content-encoding", "identity").strip().lower() != "identity":
        raise NotFetched("type", f"{place} is sent packed, though that was not asked for")
