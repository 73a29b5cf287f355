"""OpenID providers for tests: one that is real, and one that signs whatever it is told to."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
from joserfc import jws
from joserfc.jwk import Key, RSAKey

from api.servers.programs import Program, answers

AUDIENCE = "lawful"
CLIENT = "lawful-browser"
SECRET = "a secret/of:the tests"  # noqa: S105  of nobody
ROLES = {"curators": "reviewer", "admins": "operator"}
ELSEWHERE = "http://localhost/elsewhere"
DISCOVERY = "/.well-known/openid-configuration"


def oidc(issuer: str, **values: Any) -> dict[str, Any]:
    """Return the settings of a service that knows a provider."""
    known = {"oidc_issuer": issuer, "oidc_audience": AUDIENCE, "oidc_roles": ROLES}
    return known | values


def with_login(issuer: str, **values: Any) -> dict[str, Any]:
    """Return the settings of a service where people log in too."""
    return oidc(issuer, oidc_client_id=CLIENT, oidc_client_secret=SECRET) | values


def real_provider(folder: Path, port: int | None = None) -> Program:
    """Prepare a provider in a process of its own; each start makes it a new key."""
    return Program(
        name="oidc-provider-mock",
        command=[sys.executable, "-m", "oidc_provider_mock", "--port", "{port}"],
        log=folder / "provider.log",
        is_ready=answers("/"),
        address="http://127.0.0.1:{port}",
        port=port,
    )


def let_in(place: str, sub: str, **claims: object) -> dict[str, str]:
    """Log in with a real provider as a user with these claims; returns what comes back."""
    host = urlsplit(place).netloc
    httpx.put(f"http://{host}/users/{sub}", json=claims).raise_for_status()
    answer = httpx.post(place, data={"sub": sub})
    assert answer.status_code == 302, answer.text
    said = parse_qs(urlsplit(answer.headers["location"]).query)
    return {name: values[0] for name, values in said.items()}


def real_token(issuer: str, sub: str, *, client: str = AUDIENCE, **claims: object) -> str:
    """Return an ID token of a real provider for a user with these claims."""
    asked = {
        "client_id": client,
        "redirect_uri": ELSEWHERE,
        "response_type": "code",
        "scope": "openid profile",
    }
    said = let_in(f"{issuer}/oauth2/authorize?{httpx.QueryParams(asked)}", sub, **claims)
    form = {"grant_type": "authorization_code", "code": said["code"], "redirect_uri": ELSEWHERE}
    answer = httpx.post(f"{issuer}/oauth2/token", data=form, auth=(client, SECRET))
    token: str = answer.raise_for_status().json()["id_token"]
    return token


class Forger:
    """A provider that publishes what is set here, and signs any claims in any way."""

    def __init__(self) -> None:
        self.issuer = ""
        self.keys: list[Key] = [RSAKey.generate_key(2048, {"kid": "first"}, auto_kid=False)]
        self.about: dict[str, Any] = {}  # on top of what it says of itself
        self.broken: tuple[int, bytes] | None = None  # what it answers in place of anything
        self.asked: list[str] = []
        self.exchanged: tuple[int, Any] = (400, {"error": "invalid_grant"})  # for a code
        self.posted: list[tuple[str, dict[str, str]]] = []  # Authorization, form

    def answer(self, path: str) -> tuple[int, bytes]:
        """Return status and body of what it publishes."""
        self.asked.append(path)
        if self.broken:
            return self.broken
        places = ("jwks_uri", "authorization_endpoint", "token_endpoint")
        about = {name: f"{self.issuer}/{name}" for name in places}
        about |= {"issuer": self.issuer} | self.about
        keys = {"keys": [key.as_dict(private=False) for key in self.keys]}
        return 200, json.dumps(about if path == DISCOVERY else keys).encode()

    def claims(self, **claims: Any) -> dict[str, Any]:
        """Return claims that are accepted, with these in their place; None leaves one out."""
        now = int(time.time())
        good = {"iss": self.issuer, "aud": AUDIENCE, "sub": "1", "exp": now + 300, "iat": now}
        merged = good | {"groups": ["curators"]} | claims
        return {name: value for name, value in merged.items() if value is not None}

    def token(self, *, key: Key | None = None, header: Any = None, **claims: Any) -> str:
        """Return a token with these claims, signed by its first key or another one."""
        header = {"alg": "RS256", "kid": "first"} | (header or {})
        rules = jws.JWSRegistry(algorithms=[header["alg"]], strict_check_header=False)
        payload = json.dumps(self.claims(**claims))
        return jws.serialize_compact(header, payload, key or self.keys[0], registry=rules)


@contextmanager
def forging() -> Iterator[Forger]:
    """Serve a forger on a free port of loopback."""
    forger = Forger()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.give(*forger.answer(self.path))

        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers["content-length"])).decode()
            forger.posted.append((self.headers["authorization"], dict(parse_qsl(form))))
            status, said = forger.exchanged
            self.give(status, json.dumps(said).encode())

        def give(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        forger.issuer = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield forger
        finally:
            server.shutdown()
            thread.join()
