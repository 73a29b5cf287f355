"""A server of pictures on loopback, and a fetcher whose address rule allows that."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from threading import Thread

from ingest.fetching import Address, Fetcher
from tests.apis import png

HERE = ip_address("127.0.0.1")
MOST = 100_000
Page = Callable[[BaseHTTPRequestHandler], None]


def sends(data: bytes, status: int = 200, **headers: str) -> Page:
    """Answer with these bytes."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {"content_length": str(len(data)), **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(data)

    return answer


def drips(begin: bytes) -> Page:
    """Send a byte every now and then, and never come to an end."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        try:
            request.wfile.write(begin)
            while True:
                request.wfile.write(b"x")
                time.sleep(0.05)
        except OSError:
            pass

    return answer


PAGES: dict[str, Page] = {
    "/a.png": sends(png(1), content_type="image/png", etag='"7"', set_cookie="a=1"),
    "/raw": sends(png(1), content_type="application/octet-stream"),
    "/there": sends(b"", 302, location="/a.png", set_cookie="a=1"),
    "/loop": sends(b"", 302, location="/loop"),
    "/out": sends(b"", 302, location="http://169.254.169.254/latest/meta-data"),
    "/file": sends(b"", 302, location="file:///etc/passwd"),
    "/page": sends(b"<html>", content_type="text/html; charset=utf-8"),
    "/packed": sends(b"x", content_type="image/png", content_encoding="gzip"),
    "/large": sends(b"x" * (MOST + 1), content_type="image/png"),
    "/endless": drips(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n\r\n"),
    "/headers": drips(b"HTTP/1.1 200 OK\r\nx-long: "),
    "/gone": sends(b"", 404),
}


class Handler(BaseHTTPRequestHandler):
    """Serves `PAGES`, and keeps what was asked."""

    asked: list[tuple[str, dict[str, str]]]

    def do_GET(self) -> None:
        """Answer."""
        self.asked.append((self.path, {name.lower(): text for name, text in self.headers.items()}))
        PAGES.get(self.path, PAGES["/gone"])(self)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[ThreadingHTTPServer]:
    """Serve the pages on loopback."""
    handler = type("Own", (Handler,), {"asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients hang up
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def to_loopback(_host: str, _port: int) -> Sequence[Address]:
    """Resolve every name to this machine."""
    return [HERE]


LOCAL = Fetcher(MOST, at_most_s=5, is_allowed=HERE.__eq__, resolve=to_loopback)


def at(server: ThreadingHTTPServer, path: str) -> str:
    """Return a URL of the server, by a name that only our resolver knows."""
    return f"http://pictures.example:{server.server_port}{path}"
