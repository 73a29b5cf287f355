"""Pictures behind URLs that strangers give: fetched without reaching into our own network.

Each host is resolved here, and the connection is made to the very address that was checked: a
resolver that changes its answer gains nothing. Redirects are followed by hand, each checked like
the first. Nothing is sent but the request itself: no cookies, no credentials, no proxy of the
environment. What a fetched picture shows is checked by whoever decodes it.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

import httpcore
import httpx

from attribution.catalogue.columns import now
from attribution.errors import NotFetched

LONGEST_URL = 4096  # characters
MOST_REDIRECTS = 5
REDIRECTS = {301, 302, 303, 307, 308}
KEPT = ("content-type", "last-modified", "etag", "date")  # what a server says of a picture
TRANSLATED = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))  # NAT64: IPv4 within
SENT = {
    "accept": "image/*",
    "accept-encoding": "identity",  # or a small answer could unpack to a large one
    "user-agent": "lawful-diffusion",
}

Address = IPv4Address | IPv6Address


@dataclass(frozen=True)
class Fetched:
    """What was found behind a URL, and what its server said of it."""

    data: bytes
    url: str  # after redirects
    headers: dict[str, str]  # those of `KEPT` that there were
    at: datetime  # of our clock


def is_public(address: Address) -> bool:
    """Tell whether an address belongs to the public internet; one within another counts too."""
    if isinstance(address, IPv6Address):
        if any(address in network for network in TRANSLATED) or address.teredo:
            return False
        if within := address.ipv4_mapped or address.sixtofour:
            return is_public(within)
        if address.is_site_local:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def resolve(host: str, port: int) -> Sequence[Address]:
    """Return the addresses of a host; raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(str(place[0])) for *_, place in found]


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
                said = f"{place} was not there after {self.at_most_s:g} s; send the file itself"
                raise NotFetched("slow", said) from None
            except (httpcore.NetworkError, httpcore.ProtocolError) as error:
                raise NotFetched("unreachable", f"{place} cannot be reached: {error}") from None
            if isinstance(found, Fetched):
                return found
            place = found
        raise NotFetched("redirects", f"{url} leads on more than {MOST_REDIRECTS} times")

    def _ask(self, place: httpx.URL, until: float) -> Fetched | httpx.URL:
        """Ask one server; returns the next place where it leads on."""
        network = _Checked(self.is_allowed, self.resolve, until)
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


class _Checked(httpcore.NetworkBackend):
    """Connects to public addresses only, and to the one that was looked at."""

    def __init__(
        self,
        is_allowed: Callable[[Address], bool],
        resolve: Callable[[str, int], Sequence[Address]],
        until: float,
    ) -> None:
        self._is_allowed, self._resolve, self._until = is_allowed, resolve, until
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of a host that answers; none may be one of ours."""
        del timeout  # of one step: the whole has a limit
        try:
            addresses = self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host}: {error}") from None
        for address in addresses:
            if not self._is_allowed(address):
                raise NotFetched(
                    "address", f"{host} is {address}, which is no address of the public internet"
                )
        failed: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                stream = self._backend.connect_tcp(
                    str(address), port, _left(self._until), local_address, socket_options
                )
            except httpcore.ConnectError as error:
                failed = error
            else:
                return _Timed(stream, self._until)
        raise failed


class _Timed(httpcore.NetworkStream):
    """A connection that ends when its time is up, however often a byte arrives."""

    def __init__(self, stream: httpcore.NetworkStream, until: float) -> None:
        self._stream, self._until = stream, until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return some bytes."""
        del timeout
        return self._stream.read(max_bytes, _left(self._until))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send bytes."""
        del timeout
        self._stream.write(buffer, _left(self._until))

    def close(self) -> None:
        """Hang up."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Go on encrypted; the certificate has to be that of the name in the URL."""
        del timeout
        stream = self._stream.start_tls(ssl_context, server_hostname, _left(self._until))
        return _Timed(stream, self._until)

    def get_extra_info(self, info: str) -> Any:
        """Return what httpcore asks about the socket."""
        return self._stream.get_extra_info(info)


def _left(until: float) -> float:
    """Return the seconds that are left; raises httpcore.TimeoutException where none are."""
    left = until - time.monotonic()
    if left <= 0:
        raise httpcore.TimeoutException
    return left


def checked_url(url: str, of: httpx.URL | None = None) -> httpx.URL:
    """Return a URL, perhaps one relative to another, that may be asked; raises NotFetched."""
    if len(url) > LONGEST_URL:
        raise NotFetched("url", f"{url[:60]}… has more than {LONGEST_URL} characters")
    try:
        place = httpx.URL(url) if of is None else of.join(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise NotFetched("url", f"{url[:200]!r} is not a valid URL: {error}") from None
    if place.scheme not in {"http", "https"} or not place.host:
        raise NotFetched("url", f"{url[:200]!r} cannot be fetched; give http://… or https://…")
    if place.userinfo:
        raise NotFetched("url", f"the URL at {place.host} holds a password; give one without")
    return place.copy_with(fragment=None)


def _check_answer(place: httpx.URL, status: int, said: dict[str, str]) -> None:
    """Raise NotFetched for an answer that is no picture."""
    if status != 200:
        raise NotFetched("status", f"{place} answers {status}, not a picture")
    kind = said.get("content-type", "application/octet-stream").partition(";")[0].strip().lower()
    if not kind.startswith("image/") and kind != "application/octet-stream":
        raise NotFetched("type", f"{place} is {kind[:60]}, not a picture; give the URL of the file")
    if said.get("content-encoding", "identity").strip().lower() != "identity":
        raise NotFetched("type", f"{place} is sent packed, though that was not asked for")
