"""The login of people in browsers at the provider: authorization code with PKCE.

The service keeps nothing: what a login needs until the browser comes back lies in the browser,
signed with a key that only this service and the provider can know.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from api.http.oidc.published import ask
from api.http.sessions import SHORTEST_SECRET, opened, signer
from attribution.catalogue.names import visible
from attribution.errors import BackendUnavailable, BadInput, KeyRefused, Unauthenticated

if TYPE_CHECKING:
    from api.http.oidc.provider import Person, Provider
    from attribution.config import Settings

ATTEMPT = "lawful_login"  # a cookie
ATTEMPT_S = 600  # to type a password, and a second factor
LOCAL = re.compile(r"/(?![/\\])[^\\\s\x00-\x1f\x7f]{0,1000}")  # as browsers read it
AGAIN = "begin again at /login"


@dataclass(frozen=True)
class Attempt:
    """A login that was begun, as the browser keeps it until it comes back from the provider."""

    state: str  # the provider repeats it: the answer belongs to this browser
    nonce: str  # the token repeats it: it was made for this login
    verifier: str  # of PKCE: nobody else can use the code
    back: str  # where to go then


@dataclass(frozen=True)
class Returned:
    """What the provider has a browser bring back."""

    code: str
    state: str
    error: str


def login_of(settings: Settings, provider: Provider | None) -> Login | None:
    """Return the login for browsers, if the settings name a client; raises BadInput."""
    if provider is None or not settings.oidc_client_id:
        return None
    secret = settings.oidc_client_secret
    if secret is None or len(secret.get_secret_value()) < SHORTEST_SECRET:
        raise BadInput(
            f"LAWFUL_OIDC_CLIENT_ID is set, and LAWFUL_OIDC_CLIENT_SECRET has not at least "
            f"{SHORTEST_SECRET} characters: set the secret that the provider made for this client"
        )
    return Login(settings, provider, secret.get_secret_value())


class Login:
    """How people log in, as a confidential client of the provider."""

    def __init__(self, settings: Settings, provider: Provider, secret: str) -> None:
        self._provider = provider
        self._client, self._secret = settings.oidc_client_id, secret
        self._scopes = settings.oidc_scopes
        self._attempts = signer(settings, secret, "attempt")

    async def begin(self, callback: str, back: str) -> tuple[str, str]:
        """Return where to send a browser, and the attempt that it keeps.

        Raises BadInput for a `back` that is not a path of this service, BackendUnavailable.
        """
        if not LOCAL.fullmatch(back):
            raise BadInput(
                f"back={back[:100]!r} is not a path of this service; give one that begins with a "
                f"single /, of at most 1000 characters"
            )
        place = await self._provider.published.address("authorization_endpoint")
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        attempt = Attempt(state, nonce, verifier, back)
        digest = hashlib.sha256(attempt.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self._client,
            "redirect_uri": callback,
            "scope": self._scopes,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        kept = str(self._attempts.dumps(asdict(attempt)))
        return f"{place}{'&' if '?' in place else '?'}{urlencode(asked)}", kept

    async def finish(self, callback: str, kept: str, returned: Returned) -> tuple[Person, str]:
        """Return who comes back from the provider, and where they go.

        Raises Unauthenticated, NotAllowed if none of their groups has a role, BackendUnavailable,
        KeyRefused.
        """
        begun = opened(self._attempts, kept, ATTEMPT_S)
        attempt = Attempt(**begun) if begun else None
        state = returned.state.encode()
        if attempt is None or not hmac.compare_digest(attempt.state.encode(), state):
            raise Unauthenticated(
                f"this login was not begun in this browser, or more than {ATTEMPT_S // 60} minutes "
                f"ago; {AGAIN}",
                why="login-not-begun",
            )
        if not returned.code:
            said = visible(returned.error)[:100] or "without saying why"
            raise Unauthenticated(
                f"the OpenID provider did not let you in ({said}); {AGAIN}", why="login-refused"
            )
        token = await self._id_token(callback, attempt.verifier, returned.code)
        person = await self._provider.person(token, aud=self._client, nonce=attempt.nonce)
        return person, attempt.back

    async def _id_token(self, callback: str, verifier: str, code: str) -> str:
        place = await self._provider.published.address("token_endpoint")
        status, said = await ask(
            place,
            form={
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": callback,
                "code_verifier": verifier,
            },
            auth=(quote(self._client, safe=""), quote(self._secret, safe="")),  # RFC 6749, 2.3.1
        )
        said = said or {}
        error, token = said.get("error"), said.get("id_token")
        if status == HTTPStatus.UNAUTHORIZED or error == "invalid_client":
            raise KeyRefused(
                f"{place} refuses this service: whoever administers it looks at "
                f"LAWFUL_OIDC_CLIENT_ID and LAWFUL_OIDC_CLIENT_SECRET"
            )
        if error == "invalid_grant":
            raise Unauthenticated(
                f"this login was used already, or took too long; {AGAIN}", why="login-over"
            )
        if status != HTTPStatus.OK or not isinstance(token, str):
            raise BackendUnavailable(f"{place} answers {status} ({error}) and no ID token")
        return token
