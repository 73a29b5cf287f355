"""What an OpenID provider publishes: where it is asked for what, and its public keys.

Fetched when it is first needed, again after an hour, and when a token is signed with a key that is
not known yet. What tokens claim is read elsewhere.
"""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
from anyio import Lock, fail_after
from joserfc import jwk, jws
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from api.loopback import is_loopback
from attribution.errors import BackendUnavailable, InvalidToken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from joserfc.jwk import Key
    from joserfc.jws import CompactSignature

log = logging.getLogger(__name__)

ALGORITHMS = tuple(kind + size for kind in ("RS", "PS", "ES") for size in ("256", "384", "512"))
RULES = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)  # no secret is shared
RULES.max_header_length = 1 << 13  # some carry certificates

DISCOVERY = "/.well-known/openid-configuration"
KEPT_S = 3600  # a key that the provider has withdrawn is no longer accepted after this
PAUSE_S = 30  # between two fetches, whoever sends tokens with unknown keys
PAUSE_AFTER_FAILURE_S = 5
LONGEST_S = 5  # for one answer
LARGEST_ANSWER = 1 << 18  # bytes


class Published:
    """What one provider publishes; all requests of a process share it."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer
        self._about: Mapping[str, Any] = {}
        self._keys: list[Key] = []
        self._lock = Lock()
        self._old_at = self._next_at = 0.0  # on the monotonic clock
        self._failure = ""

    async def address(self, name: str) -> str:
        """Return where something is asked for, such as `token_endpoint`.

        Raises BackendUnavailable.
        """
        await self._fetch_unless(self._is_current)
        return _address(self._about, name)

    async def check(self, signed: CompactSignature) -> None:
        """Raise InvalidToken unless one of the keys has signed this, BackendUnavailable."""
        await self._fetch_unless(lambda: self._vouches_for(signed))
        if not self._vouches_for(signed):
            raise InvalidToken(
                "the token is not accepted: its signature is not by a key that "
                f"{self._issuer} publishes"
            )

    def _is_current(self) -> bool:
        return monotonic() < self._old_at

    def _vouches_for(self, signed: CompactSignature) -> bool:
        """Tell whether a current key has signed this: the one that it names, if it names one."""
        kid = signed.headers().get("kid")
        return self._is_current() and any(
            _has_signed(key, signed) for key in self._keys if kid in {None, key.kid}
        )

    async def _fetch_unless(self, is_enough: Callable[[], bool]) -> None:
        if is_enough():
            return
        async with self._lock:
            if not is_enough():  # another request may have fetched meanwhile
                await self._refresh()

    async def _refresh(self) -> None:
        """Fetch everything, unless the provider was asked just now; raises BackendUnavailable."""
        if monotonic() >= self._next_at:
            try:
                await self._fetch()
            except BackendUnavailable as error:
                self._failure = f"the OpenID provider {self._issuer} cannot be used: {error}"
                self._next_at = monotonic() + PAUSE_AFTER_FAILURE_S
                log.warning("%s", self._failure)
            else:
                self._failure = ""
                self._old_at, self._next_at = monotonic() + KEPT_S, monotonic() + PAUSE_S
        if self._failure:
            raise BackendUnavailable(self._failure)

    async def _fetch(self) -> None:
        about = await _document(self._issuer.rstrip("/") + DISCOVERY)
        if about.get("issuer") != self._issuer:
            raise BackendUnavailable(
                f"it calls itself {about.get('issuer')!r}, and LAWFUL_OIDC_ISSUER must be the same"
            )
        listed = (await _document(_address(about, "jwks_uri"))).get("keys")
        keys = map(_key, listed if isinstance(listed, list) else [])
        self._about, self._keys = about, [one for one in keys if one is not None]


async def ask(
    url: str, *, form: dict[str, str] | None = None, auth: tuple[str, str] | None = None
) -> tuple[int, dict[str, Any] | None]:
    """GET an address, or POST a form to it; returns status and JSON object, None if it is none.

    Redirects are not followed. Raises BackendUnavailable.
    """
    body = bytearray()
    try:
        with fail_after(LONGEST_S):
            async with (
                # Compressed answers could become any size
                httpx.AsyncClient(headers={"accept-encoding": "identity"}) as client,
                client.stream("POST" if form else "GET", url, data=form, auth=auth) as answer,
            ):
                async for part in answer.aiter_raw():
                    body += part
                    if len(body) > LARGEST_ANSWER:
                        raise BackendUnavailable(f"{url} answers more than {LARGEST_ANSWER} bytes")
        said = json.loads(bytes(body))
    except TimeoutError:
        raise BackendUnavailable(f"{url} takes longer than {LONGEST_S} s") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        why = str(error) or type(error).__name__
        raise BackendUnavailable(f"{url} does not answer ({why})") from error
    except (ValueError, RecursionError):
        said = None
    return answer.status_code, said if isinstance(said, dict) else None


def is_private(url: str) -> bool:
    """Tell whether nobody on the way can read or change what an address answers."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (
        parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    )


async def _document(url: str) -> dict[str, Any]:
    status, said = await ask(url)
    if status != HTTPStatus.OK or said is None:
        what = "with what is no JSON object" if status == HTTPStatus.OK else f"with {status}"
        raise BackendUnavailable(f"{url} answers {what}")
    return said


def _address(about: Mapping[str, Any], name: str) -> str:
    found = about.get(name)
    if not isinstance(found, str) or not is_private(found):
        raise BackendUnavailable(
            f"the {name} of the OpenID provider is not an https address: {found!r}"
        )
    return found


def _key(said: Any) -> Key | None:
    """Return a key that may sign tokens; None for what is of another kind, or cannot be read."""
    try:
        return None if said["kty"] == "oct" else jwk.import_key(said)
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def _has_signed(key: Key, signed: CompactSignature) -> bool:
    try:
        return jws.validate_compact(signed, key, registry=RULES)
    except (JoseError, ValueError):  # a key for something else
        return False
