"""The way out to servers that strangers name: never into our own network, never for long.

Each host is resolved here, and the connection is made to the very address that was checked: a
resolver that changes its answer gains nothing. The time that is given is for the whole, however
often a byte arrives. Nothing of the environment is used, no proxy and no credentials.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from threading import Thread
from typing import Any

import httpcore
import httpx

from attribution.errors import AddressRefused, BadInput

TRANSLATED = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))  # NAT64: IPv4 within

Address = IPv4Address | IPv6Address


def parsed(url: str, of: httpx.URL | None = None) -> httpx.URL:
    """Return a URL, perhaps one relative to another, without its fragment.

    Raises BadInput for what is none, and for one with a password.
    """
    try:
        place = httpx.URL(url) if of is None else of.join(url)
        host = place.host  # decoded as it is asked for
    except (httpx.InvalidURL, ValueError) as error:
        raise BadInput(f"{url[:200]!r} is not a valid URL: {error}") from None
    if (place.port or 0) >= 1 << 16:
        raise BadInput(f"{url[:200]!r} is not a valid URL: there is no port {place.port}")
    if place.userinfo:
        raise BadInput(f"the URL at {host} holds a password; give one without")
    return place.copy_with(fragment=None)


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


class CheckedNetwork(httpcore.NetworkBackend):
    """Connects to allowed addresses only, and to the one that was looked at; raises AddressRefused.

    Every step raises httpcore.TimeoutException once it is later than `until` (monotonic seconds).
    """

    def __init__(
        self,
        until: float,
        *,
        is_allowed: Callable[[Address], bool] = is_public,
        resolve: Callable[[str, int], Sequence[Address]] = resolve,
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
        addresses = self._addresses(host, port)
        if not all(map(self._is_allowed, addresses)):
            raise AddressRefused(f"{host} is not on the public internet")
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

    def _addresses(self, host: str, port: int) -> Sequence[Address]:
        """Resolve a name in a thread that is left alone where its server does not answer."""
        found = Future[Sequence[Address]]()

        def look() -> None:
            try:
                found.set_result(self._resolve(host, port))
            except Exception as error:  # noqa: BLE001  whoever waits is told
                found.set_exception(error)

        Thread(target=look, name="resolve", daemon=True).start()
        try:
            return found.result(_left(self._until))
        except TimeoutError:
            raise httpcore.ConnectTimeout from None
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host}: {error}") from None


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
        ssl_context: Any,
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
