"""Pictures behind URLs: what is fetched, what is refused, and that no address of ours is reached.

Servers run on loopback; the fetchers of these tests allow that by their address rule.
"""

from __future__ import annotations

import datetime as dt
import ssl
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest

from attribution.errors import NotFetched
from attribution.network import is_public, resolve
from ingest.fetching import Fetcher
from tests.apis import png
from tests.authorities import certificate
from tests.web import HERE, LOCAL, MOST, at, serving


@pytest.fixture(scope="module")
def server() -> Iterator[ThreadingHTTPServer]:
    """Serve for all tests of this file."""
    with serving() as opened:
        yield opened


def refusal(fetcher: Fetcher, url: str) -> NotFetched:
    """Return why a URL is refused."""
    with pytest.raises(NotFetched) as caught:
        fetcher.fetch(url)
    return caught.value


def test_a_picture_comes_with_what_its_server_says(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes, the URL after redirects, some headers; no proxy, no cookie, the name as Host."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    found = LOCAL.fetch(at(server, "/there#part"))

    assert found.data == png(1)
    assert found.url == at(server, "/a.png")
    assert found.headers.keys() == {"content-type", "etag", "date"}
    assert found.headers["etag"] == '"7"'
    assert abs(found.at - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=1)
    (_, first), (path, second) = server.RequestHandlerClass.asked[-2:]  # type: ignore[attr-defined]
    assert path == "/a.png"
    assert first["host"] == f"pictures.example:{server.server_port}"
    assert not {"cookie", "authorization", "referer"} & (first.keys() | second.keys())
    assert LOCAL.fetch(at(server, "/raw")).data == png(1)


@pytest.mark.parametrize(
    ("path", "reason", "says"),
    [
        ("/loop", "redirects", "more than 5 times"),
        ("/file", "url", "give http://… or https://…"),
        ("/page", "type", "is text/html, not a picture"),
        ("/packed", "type", "packed"),
        ("/large", "too-large", "LAWFUL_MAX_IMAGE_MB"),
        ("/gone", "status", "answers 404"),
    ],
)
def test_what_is_no_picture_is_refused(
    server: ThreadingHTTPServer, path: str, reason: str, says: str
) -> None:
    """With a keyword, and a sentence."""
    error = refusal(LOCAL, at(server, path))

    assert error.reason == reason
    assert says in str(error)


@pytest.mark.parametrize("path", ["/endless", "/headers"])
def test_a_server_that_never_ends_is_left(server: ThreadingHTTPServer, path: str) -> None:
    """The time is that of the whole, however often a byte arrives."""
    begun = time.monotonic()
    error = refusal(replace(LOCAL, at_most_s=0.3), at(server, path))

    assert error.reason == "slow"
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "169.254.169.254",
        "10.0.0.1",
        "100.64.0.1",
        "224.0.0.1",
        "localhost",
        "[fe80::1]",
        "[64:ff9b::a00:1]",
        "[2002:a00:1::1]",
    ],
)
def test_no_address_of_ours_is_asked(host: str) -> None:
    """However it is written: the rule looks at what the name resolves to."""
    error = refusal(Fetcher(MOST, at_most_s=5), f"http://{host}/a.png")

    assert error.reason == "address", error
    assert "public internet" in str(error)


def test_names_in_other_scripts(server: ThreadingHTTPServer) -> None:
    """Names and paths are sent as the web encodes them."""
    url = at(server, "/b%C3%A4r.png").replace("pictures", "m\u00fcller")

    assert refusal(LOCAL, url.replace("b%C3%A4r", "b\u00e4r")).reason == "status"
    path, headers = server.RequestHandlerClass.asked[-1]  # type: ignore[attr-defined]
    assert path == "/b%C3%A4r.png"
    assert headers["host"].startswith("xn--mller-kva.example:")


def test_public_addresses_are_public() -> None:
    """The rule is not simply no."""
    for text in ("1.1.1.1", "2606:4700:4700::1111", "2002:101:101::1", "::ffff:1.1.1.1"):
        assert is_public(ip_address(text))


def test_a_redirect_into_our_network_is_refused(server: ThreadingHTTPServer) -> None:
    """Each place is checked like the first."""
    where = at(server, "/out")
    fetcher = replace(
        LOCAL, resolve=lambda host, port: resolve(host, port) if host[0] == "1" else [HERE]
    )

    assert refusal(fetcher, where).reason == "address"


def test_a_resolver_that_changes_its_answer_gains_nothing(server: ThreadingHTTPServer) -> None:
    """The connection goes to the address that was looked at; the name is resolved once."""
    answers = iter([[HERE], [ip_address("169.254.169.254")]])
    fetcher = replace(LOCAL, resolve=lambda _host, _port: next(answers))

    assert fetcher.fetch(at(server, "/a.png")).data == png(1)
    assert refusal(fetcher, at(server, "/a.png")).reason == "address"


def test_a_name_with_one_address_of_ours_is_refused(server: ThreadingHTTPServer) -> None:
    """Though another of its addresses is none."""
    both = [HERE, ip_address("10.0.0.1")]
    fetcher = replace(LOCAL, resolve=lambda _host, _port: both)

    assert "not on the public internet" in str(refusal(fetcher, at(server, "/a.png")))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example/a.png",
        "a.png",
        "http://",
        "http://u:p@a.example/",
        "x" * 5000,
    ],
)
def test_what_is_no_url_of_the_web_is_refused(url: str) -> None:
    """A password is not repeated."""
    error = refusal(LOCAL, url)

    assert error.reason == "url"
    assert "u:p" not in str(error)


def test_nobody_there() -> None:
    """A port at which nothing listens, a name that nothing has."""
    assert refusal(LOCAL, "http://pictures.example:1/a.png").reason == "unreachable"
    error = refusal(Fetcher(MOST), "http://pictures.invalid/a.png")
    assert error.reason == "unreachable"


def test_the_certificate_is_that_of_the_name(tmp_path: Path) -> None:
    """Not of the address that was connected to; one of another name is refused."""
    chain = certificate(tmp_path, "pictures.example")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(chain)
    with serving(tls) as server:
        trusting = replace(LOCAL, tls=ssl.create_default_context(cafile=chain))
        url = at(server, "/a.png").replace("http:", "https:")
        assert trusting.fetch(url).data == png(1)
        other = refusal(trusting, url.replace("pictures", "other"))
        assert other.reason == "unreachable"
        assert "certificate" in str(other)
        assert "certificate" in str(refusal(LOCAL, url))
