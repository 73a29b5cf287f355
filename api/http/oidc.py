"""Tokens of an OpenID provider: who sent one, and which of our roles their groups have.

The provider's keys are fetched when the first token comes, again after an hour, and when a token
is signed with a key that is not known yet. Nothing here knows a route, and no token is kept.
"""

from __future__ import annotations

import json
import logging
import re
from copy import copy
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
from anyio import Lock, fail_after, to_thread
from joserfc import jwk, jws
from joserfc.errors import ExpiredTokenError, InvalidClaimError, JoseError, MissingClaimError
from joserfc.jws import CompactSignature, JWSRegistry
from joserfc.jwt import JWTClaimsRegistry

from api.loopback import is_loopback
from attribution.actors import ROLES, Actor
from attribution.catalogue.names import visible
from attribution.errors import BackendUnavailable, BadInput, InvalidToken, NotAllowed

if TYPE_CHECKING:
    from joserfc.jwk import Key

    from attribution.config import Settings

log = logging.getLogger(__name__)

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")  # no secret is shared with anybody
DISCOVERY = "/.well-known/openid-configuration"
LEEWAY_S = 60  # clocks differ
KEPT_S = 3600  # a key that the provider has withdrawn is no longer accepted after this
PAUSE_S = 60  # between two requests to the provider, whoever sends tokens with unknown keys
PAUSE_AFTER_FAILURE_S = 5
LONGEST_S = 5  # for all that is fetched at once
LARGEST_DOCUMENT = 1 << 18  # bytes
LARGEST_TOKEN = 1 << 14  # characters; some have hundreds of groups
LONGEST_NAME = 100  # characters
SUBJECT = re.compile(r"[!-~]{1,255}")  # so that no two are the same actor, whatever their names
NAMES = ("preferred_username", "email", "name")  # the first that a token has is shown
WRONG = {
    "iss": "it is by another issuer than LAWFUL_OIDC_ISSUER",
    "aud": "it is for another audience than LAWFUL_OIDC_AUDIENCE",
    "nbf": "it does not hold yet",
    "iat": "it was issued in the future",
}


def provider_of(settings: Settings) -> Provider | None:
    """Return the provider whose tokens count, if the settings name one; raises BadInput."""
    issuer = settings.oidc_issuer
    if not issuer:
        return None
    if not _is_safe(issuer) or set(issuer) & set("?#@"):
        raise BadInput(
            f"LAWFUL_OIDC_ISSUER={issuer!r} is not the address of a provider: it begins with "
            f"https:// (http:// on this machine only) and has no user, query or fragment"
        )
    if not settings.oidc_audience:
        raise BadInput(
            "LAWFUL_OIDC_ISSUER is set and LAWFUL_OIDC_AUDIENCE is not: say what the provider "
            "writes into `aud` of the tokens for this service, such as its client id"
        )
    if not settings.oidc_roles:
        raise BadInput(
            "LAWFUL_OIDC_ISSUER is set and LAWFUL_OIDC_ROLES is not, so no group may do anything; "
            'write it as \'{"curators": "reviewer"}\''
        )
    return Provider(settings)


class Provider:
    """The provider that the settings name."""

    def __init__(self, settings: Settings) -> None:
        self._claim, self._roles = settings.oidc_groups_claim, settings.oidc_roles
        self._issuer, self._keys = settings.oidc_issuer, ProviderKeys(settings.oidc_issuer)
        self._claims = JWTClaimsRegistry(
            leeway=LEEWAY_S,
            iss={"essential": True, "value": settings.oidc_issuer},
            aud={"essential": True, "value": settings.oidc_audience},
            exp={"essential": True},
            sub={"essential": True},
        )

    async def authenticate(self, token: str) -> Actor:
        """Return who sent a token.

        Raises InvalidToken, NotAllowed where none of its groups has a role, BackendUnavailable.
        """
        signed, claims = _read(token)
        if claims.get("iss") != self._issuer:  # its keys would not be among this one's
            raise _invalid(WRONG["iss"])
        await self._keys.check(signed)
        self._check(claims)
        return self._actor(claims)

    def _check(self, claims: dict[str, Any]) -> None:
        try:
            self._claims.validate(claims)
        except MissingClaimError as error:
            raise _invalid(f"it has no {error.claim.replace(',', ', ')}") from None
        except ExpiredTokenError:
            raise _invalid("it has expired; get a new one from the provider") from None
        except InvalidClaimError as error:
            raise _invalid(WRONG.get(error.claim, f"its {error.claim} is not valid")) from None
        if not SUBJECT.fullmatch(claims["sub"]):
            raise _invalid("its sub is not 1 to 255 ASCII characters without spaces")

    def _actor(self, claims: dict[str, Any]) -> Actor:
        name, groups = _name(claims), claims.get(self._claim, [])
        if not isinstance(groups, list) or not all(isinstance(one, str) for one in groups):
            raise _invalid(f"its {self._claim} is not a list of names")
        roles = {self._roles[group] for group in groups if group in self._roles}
        if not roles:
            known = ", ".join(map(repr, sorted(self._roles)))
            raise NotAllowed(
                f"{name} may do nothing here: the token has none of the groups {known} in its "
                f"claim {self._claim!r}; ask whoever administers the provider"
            )
        return Actor(name, frozenset().union(*(ROLES[role] for role in roles)))


class ProviderKeys:
    """The public keys of a provider, fetched when they are needed."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer
        self._place = ""  # where the keys are, as discovery said once
        self._keys: list[Key] = []
        self._lock = Lock()
        self._old_at = self._next_at = 0.0  # on the monotonic clock
        self._failure = ""

    async def check(self, signed: CompactSignature) -> None:
        """Raise InvalidToken unless one of the keys has signed this, BackendUnavailable."""
        if self._holds(signed):
            return
        async with self._lock:
            if not self._holds(signed):  # whoever had the lock has perhaps fetched its key
                await self._refresh()
        if not self._holds(signed):
            kid = signed.headers().get("kid")
            if kid is None or any(one.kid == kid for one in self._keys):
                raise _invalid("its signature is not by a key of the provider")
            raise _invalid("it names an unknown key, none that the provider publishes")

    def _holds(self, signed: CompactSignature) -> bool:
        """Tell whether a current key has signed this: the one that it names, if it names one."""
        kid = signed.headers().get("kid")
        return monotonic() < self._old_at and any(
            _has_signed(key, signed) for key in self._keys if kid in {None, key.kid}
        )

    async def _refresh(self) -> None:
        """Fetch the keys, unless the provider was asked just now; raises BackendUnavailable."""
        if monotonic() >= self._next_at:
            try:
                with fail_after(LONGEST_S):
                    self._keys = await to_thread.run_sync(self._fetched, abandon_on_cancel=True)
            except (BackendUnavailable, TimeoutError) as error:
                said = str(error) or f"it takes longer than {LONGEST_S} s"
                self._failure = f"no keys of the OpenID provider {self._issuer}: {said}"
                self._next_at = monotonic() + PAUSE_AFTER_FAILURE_S
                log.warning(self._failure)
            else:
                self._failure = ""
                self._old_at, self._next_at = monotonic() + KEPT_S, monotonic() + PAUSE_S
        if self._failure:
            raise BackendUnavailable(self._failure)

    def _fetched(self) -> list[Key]:
        # Compressed answers could become any size
        with httpx.Client(timeout=LONGEST_S, headers={"accept-encoding": "identity"}) as client:
            if not self._place:
                self._place = _place_of_keys(client, self._issuer)
            found = _document(client, self._place).get("keys")
        keys = [_key(one) for one in found] if isinstance(found, list) else []
        return [one for one in keys if one is not None]


def _place_of_keys(client: httpx.Client, issuer: str) -> str:
    """Return where discovery says that the keys are; raises BackendUnavailable."""
    said = _document(client, issuer.rstrip("/") + DISCOVERY)
    if said.get("issuer") != issuer:
        raise BackendUnavailable(
            f"it calls itself {said.get('issuer')!r}; LAWFUL_OIDC_ISSUER has to be exactly that"
        )
    place = said.get("jwks_uri")
    if not isinstance(place, str) or not _is_safe(place):
        raise BackendUnavailable(f"its jwks_uri {place!r} is not an https:// address")
    return place


def _document(client: httpx.Client, url: str) -> dict[str, Any]:
    """Fetch a JSON object; redirects are not followed. Raises BackendUnavailable."""
    body = bytearray()
    try:
        with client.stream("GET", url) as answer:
            if answer.status_code != httpx.codes.OK:
                raise BackendUnavailable(f"{url} answers {answer.status_code}")
            for part in answer.iter_raw():
                body += part
                if len(body) > LARGEST_DOCUMENT:
                    raise BackendUnavailable(f"{url} has more than {LARGEST_DOCUMENT} bytes")
        found = json.loads(bytes(body))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise BackendUnavailable(f"{url} does not answer ({error})") from error
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise BackendUnavailable(f"{url} is not a JSON object")
    return found


def _key(said: Any) -> Key | None:
    """Return a key that may sign tokens; None for what is of another kind, or cannot be read."""
    try:
        return None if said["kty"] == "oct" else jwk.import_key(said)
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def _rules() -> JWSRegistry:
    rules = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
    rules.max_header_length = LARGEST_TOKEN
    # It warns of EdDSA, an older name of Ed25519 that providers write
    old = copy(rules.algorithms["EdDSA"])
    old.security_warning = None
    rules.algorithms = {**rules.algorithms, "EdDSA": old}
    return rules


RULES = _rules()


def _read(token: str) -> tuple[CompactSignature, dict[str, Any]]:
    """Return a token with what it claims, before anything is verified; raises InvalidToken."""
    if len(token) > LARGEST_TOKEN:
        raise _invalid(f"it has {len(token)} characters; at most {LARGEST_TOKEN} are read")
    try:
        signed = jws.extract_compact(token.encode(), registry=RULES)
        RULES.check_header(signed.headers())
        claims = json.loads(signed.payload)
    except (JoseError, ValueError, TypeError, RecursionError):
        claims = None
    if not isinstance(claims, dict):
        raise _invalid("it is neither a key of this service (lk_…) nor a signed JWT")
    if signed.headers()["alg"] not in ALGORITHMS:
        raise _invalid(f"its algorithm is none of {', '.join(ALGORITHMS)}")
    return signed, claims


def _has_signed(key: Key, signed: CompactSignature) -> bool:
    try:
        return jws.validate_compact(signed, key, registry=RULES)
    except (JoseError, ValueError):  # a key for something else
        return False


def _name(claims: dict[str, Any]) -> str:
    said = (visible(claims[one]) for one in NAMES if isinstance(claims.get(one), str))
    name = next(filter(None, said), "")[:LONGEST_NAME]
    return f"oidc {claims['sub']}" + (f" ({name})" if name else "")


def _is_safe(url: str) -> bool:
    """Tell whether nobody on the way can change what an address answers."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (
        parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    )


def _invalid(why: str) -> InvalidToken:
    return InvalidToken(f"the token is not accepted: {why}")
