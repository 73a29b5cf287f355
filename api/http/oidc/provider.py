"""The OpenID provider that the settings name: whose a token is, and which roles they have.

No token is kept, and nothing here knows a route.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from joserfc import jws
from joserfc.errors import ExpiredTokenError, InvalidClaimError, JoseError, MissingClaimError
from joserfc.jwt import ClaimsOption, JWTClaimsRegistry

from api.http.oidc.published import ALGORITHMS, RULES, Published, is_private
from attribution.actors import ROLES, Actor, Role, Scope
from attribution.catalogue.names import visible
from attribution.errors import BadInput, InvalidToken, NotAllowed

if TYPE_CHECKING:
    from joserfc.jws import CompactSignature

    from attribution.config import Settings

LEEWAY_S = 60  # clocks differ
LARGEST_TOKEN = 1 << 14  # characters; some have hundreds of groups
LONGEST_NAME = 100  # characters
SUBJECT = re.compile(r"[!-~]{1,255}")  # so that no two are the same actor, whatever their names
NAMES = ("preferred_username", "email", "name")  # the first that a token has is shown
WRONG = {
    "aud": "it is for another audience",
    "nbf": "it is not valid yet",
    "iat": "it was issued in the future",
    "nonce": "it belongs to another login",
}


@dataclass(frozen=True)
class Person:
    """Somebody, or a program, that the provider knows and that has a role here."""

    name: str  # as records show it: "oidc 248289761001 (ann)"
    roles: frozenset[Role]
    tenant: str | None = None  # to whom they belong; none: to whom the service does

    @property
    def actor(self) -> Actor:
        """Who acts when they do something."""
        scopes = frozenset[Scope]().union(*(ROLES[role] for role in self.roles))
        return Actor(self.name, scopes, tenant=self.tenant)


def provider_of(settings: Settings) -> Provider | None:
    """Return the provider whose tokens count, if the settings name one; raises BadInput."""
    issuer = settings.oidc_issuer
    if not issuer:
        return None
    if not is_private(issuer) or set(issuer) & set("?#@"):
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
    """An OpenID provider, and what its groups may do here."""

    def __init__(self, settings: Settings) -> None:
        self.published = Published(settings.oidc_issuer)
        self._issuer, self._audience = settings.oidc_issuer, settings.oidc_audience
        self._claim, self._roles = settings.oidc_groups_claim, settings.oidc_roles
        self._tenants = settings.oidc_tenants

    async def authenticate(self, token: str) -> Actor:
        """Return who sent a token with a request.

        Raises InvalidToken, NotAllowed if none of its groups has a role, BackendUnavailable.
        """
        return (await self.person(token, aud=self._audience)).actor

    async def person(self, token: str, **expected: str) -> Person:
        """Return whom a token is about, if it makes the expected claims; raises as above."""
        signed, claims = _read(token)
        if claims.get("iss") != self._issuer:  # its key would not be among this one's
            raise _invalid("its iss is not LAWFUL_OIDC_ISSUER")
        await self.published.check(signed)
        _check(claims, expected)
        return self._person(claims)

    def _person(self, claims: dict[str, Any]) -> Person:
        name, groups = _name(claims), claims.get(self._claim, [])
        if not isinstance(groups, list):
            raise NotAllowed(
                f"{name} may do nothing here: the claim {self._claim!r} of the token is not a list "
                f"of groups; ask whoever administers the provider",
                why="no-role",
                who=name,
            )
        roles = frozenset(role for group, role in self._roles.items() if group in groups)
        if not roles:
            known = ", ".join(map(repr, sorted(self._roles)))
            those = "that have a role" if self._tenants else known  # others' are not theirs to know
            raise NotAllowed(
                f"{name} may do nothing here: the claim {self._claim!r} of the token has none of "
                f"the groups {those}; ask whoever administers the provider",
                why="no-role",
                who=name,
            )
        return Person(name, roles, self._tenant(name, groups))

    def _tenant(self, name: str, groups: list[Any]) -> str | None:
        if not self._tenants:
            return None
        found = {tenant for group, tenant in self._tenants.items() if group in groups}
        if len(found) != 1:
            raise NotAllowed(
                f"{name} may do nothing here: LAWFUL_OIDC_TENANTS says for "
                f"{'more than one' if found else 'no'} tenant that they belong to it; ask whoever "
                f"administers the service",
                why="no-tenant",
                who=name,
            )
        return found.pop()


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


def _check(claims: dict[str, Any], expected: dict[str, str]) -> None:
    """Raise InvalidToken unless a token holds now and claims what is expected."""
    rules = JWTClaimsRegistry(
        None,  # now
        LEEWAY_S,
        exp=ClaimsOption(essential=True),
        sub=ClaimsOption(essential=True),
        **{name: ClaimsOption(essential=True, value=value) for name, value in expected.items()},
    )
    try:
        rules.validate(claims)
    except MissingClaimError as error:
        raise _invalid(f"it has no {error.claim.replace(',', ', ')}") from None
    except ExpiredTokenError:
        raise _invalid("it has expired; get a new one from the provider") from None
    except InvalidClaimError as error:
        said = WRONG.get(error.claim, f"its {error.claim} is not valid")
        raise _invalid(said, why="other-login" if error.claim == "nonce" else None) from None
    if not SUBJECT.fullmatch(claims["sub"]):
        raise _invalid("its sub is not 1 to 255 ASCII characters without spaces")


def _name(claims: dict[str, Any]) -> str:
    said = (visible(claims[one]) for one in NAMES if isinstance(claims.get(one), str))
    name = next(filter(None, said), "")[:LONGEST_NAME]
    return f"oidc {claims['sub']}" + (f" ({name})" if name else "")


def _invalid(said: str, *, why: str | None = None) -> InvalidToken:
    return InvalidToken(f"the token is not accepted: {said}", why=why)
