"""Sessions of people in browsers: a signed cookie that says who logged in, and has an end.

The service keeps no list of them. Whom the provider vouched for is kept as they were then; of
whoever logged in with a key the cookie has the name of the key, which is asked at each request.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

from itsdangerous import BadData, URLSafeTimedSerializer

from api.http.oidc.provider import Person
from attribution.actors import Role
from attribution.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi import Request, Response
    from starlette.requests import HTTPConnection

    from attribution.config import Settings

SESSION = "lawful_session"  # a cookie
SESSION_S = 8 * 3600  # a working day; then the provider is asked again what groups somebody has
SHORTEST_SECRET = 16  # characters
OWN_SECRET = "session.key"  # noqa: S105  the name of a file, below LAWFUL_HOME


@dataclass(frozen=True)
class KeySession:
    """Somebody who logged in with a key."""

    name: str  # the first characters of the key, which are no secret: "lk_1a2b3c4d"


class Sessions:
    """Who is logged in, as their browsers keep it; all processes with one secret share them."""

    def __init__(self, settings: Settings) -> None:
        """Raise BadInput for a secret that somebody may guess."""
        self._settings = settings
        chosen = settings.session_secret
        if chosen is not None and len(chosen.get_secret_value()) < SHORTEST_SECRET:
            raise BadInput(
                f"LAWFUL_SESSION_SECRET has not at least {SHORTEST_SECRET} characters; make one "
                f"with `openssl rand -hex 32`"
            )

    def of_person(self, person: Person) -> str:
        """Return the cookie of somebody whom the provider vouches for."""
        return str(self._signer.dumps(asdict(person) | {"roles": sorted(person.roles)}))

    def of_key(self, name: str) -> str:
        """Return the cookie of whoever logged in with the key of this name."""
        return str(self._signer.dumps({"key": name}))

    def who(self, cookie: str) -> Person | KeySession | None:
        """Return whose session a cookie is; None if it is none, or over."""
        said = opened(self._signer, cookie, SESSION_S)
        if said is None:
            return None
        if "key" in said:
            return KeySession(said["key"])
        return Person(**said | {"roles": frozenset(map(Role, said["roles"]))})

    @cached_property
    def _signer(self) -> URLSafeTimedSerializer:
        chosen = self._settings.session_secret or self._settings.oidc_client_secret
        secret = chosen.get_secret_value() if chosen else _own_secret(self._settings.home)
        return signer(self._settings, secret, "session")


def signer(settings: Settings, secret: str, purpose: str) -> URLSafeTimedSerializer:
    """Sign for one purpose; what a session means is in the key, so other roles end all of them."""
    meaning = [settings.oidc_issuer, settings.oidc_client_id, settings.oidc_roles]
    meaning += [settings.oidc_groups_claim, settings.oidc_tenants, purpose]
    return URLSafeTimedSerializer(
        secret,
        salt=json.dumps(meaning, sort_keys=True),
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )


def opened(signed_by: URLSafeTimedSerializer, text: str, lasts_s: int) -> dict[str, Any] | None:
    """Return what was signed, at most so long ago; None for anything else."""
    try:
        said: dict[str, Any] = signed_by.loads(text, max_age=lasts_s)
    except BadData:
        return None
    return said


def keep(request: Request, answer: Response, name: str, value: str, lasts_s: int) -> None:
    """Have a browser keep a cookie so long; 0 s has it forget that."""
    answer.set_cookie(
        _named(request, name),
        value,
        max_age=lasts_s,
        path=request.scope.get("root_path") or "/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def kept(connection: HTTPConnection, name: str) -> str:
    """Return the cookie that `keep` had a browser keep, or an empty text."""
    return connection.cookies.get(_named(connection, name), "")


def _named(connection: HTTPConnection, name: str) -> str:
    """Return the name by which browsers know a cookie.

    By the prefix they take it from HTTPS alone, and from no other host where they can: neither a
    neighbouring host nor a page without TLS can log somebody in as somebody else.
    """
    if connection.url.scheme != "https":
        return name
    return f"__Secure-{name}" if connection.scope.get("root_path") else f"__Host-{name}"


def _own_secret(home: Path) -> str:
    """Return the secret of this installation; made when it is first needed. Raises BadInput.

    Of several processes that make it, one wins.
    """
    place = home / OWN_SECRET
    try:
        if not place.exists():
            with NamedTemporaryFile("w", dir=home, prefix=".session.") as new:  # nobody else's
                new.write(secrets.token_hex(32))
                new.flush()
                with suppress(FileExistsError):
                    os.link(new.name, place)
        secret = place.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(place, str(error)) from None
    if len(secret) < SHORTEST_SECRET:
        raise _unusable(place, "it is too short")
    return secret


def _unusable(place: Path, why: str) -> BadInput:
    return BadInput(
        f"the secret in {place} cannot be used: {why}; delete the file, and everybody logs in "
        f"again, or set LAWFUL_SESSION_SECRET"
    )
