"""Tokens of an OpenID provider: which are accepted, as whose, and what becomes of the others."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from api.http.app import create_app
from api.http.oidc import published
from api.http.oidc.provider import provider_of
from api.servers.programs import running
from attribution.actors import Role, Scope
from attribution.collection import open_stores
from attribution.errors import BadInput
from attribution.upkeep.tenants import create
from tests.apis import is_problem, local_client, png, settings
from tests.keys import bearing, make_key
from tests.providers import DISCOVERY, Forger, forging, oidc, real_provider, real_token

HOUR = 3600


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Forger]]:
    """Serve a collection to those whom a forger knows."""
    with forging() as forger:
        chosen = settings(tmp_path_factory.mktemp("oidc") / "home", **oidc(forger.issuer))
        with local_client(create_app(chosen)) as client:
            yield client, forger


@pytest.fixture
def forger(served: tuple[TestClient, Forger]) -> Iterator[Forger]:
    """Give the provider of `service`, which signs whatever it is told to."""
    forger = served[1]
    kept = list(forger.keys)
    forger.asked.clear()
    yield forger
    forger.keys, forger.about, forger.broken = kept, {}, None


@pytest.fixture
def service(served: tuple[TestClient, Forger]) -> TestClient:
    """Give a service that has not asked the provider for anything yet."""
    client = served[0]
    state = client.app.state  # type: ignore[attr-defined]
    state.provider = provider_of(state.services.settings)
    return client


def get(client: TestClient, token: str) -> Any:
    """Ask for something that every role may read."""
    return client.get("/v1/artists", headers=bearing(token))


def part(data: object) -> str:
    """Return a part of a token."""
    return encoded(json.dumps(data).encode())


def encoded(data: bytes) -> str:
    """Return bytes as they stand in a token."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


# ---- a real provider -----------------------------------------------------------------------------


def test_a_real_provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its tokens open what the roles of their groups open, for the audience that is set alone.

    They go on after its restart with another key, and while it is away those that are known do.
    """
    monkeypatch.setattr(published, "PAUSE_S", 0)
    monkeypatch.setattr(published, "PAUSE_AFTER_FAILURE_S", 0)
    with running(real_provider(tmp_path)) as provider:
        chosen = settings(tmp_path / "home", **oidc(provider.url))
        with local_client(create_app(chosen)) as client:
            anns: dict[str, Any] = {"preferred_username": "ann", "groups": ["curators", "staff"]}
            ann = real_token(provider.url, "a1", **anns)
            assert get(client, ann).status_code == 200
            refused = client.patch("/v1/artists/x", json={"name": "Y"}, headers=bearing(ann))
            said = is_problem(refused, 403, "scope-missing")["detail"]
            assert said.startswith("oidc a1 (ann) may not do this: it needs the scope 'operate'")
            root = real_token(provider.url, "r1", groups=["admins", "curators"])
            assert client.get("/v1/keys", headers=bearing(root)).status_code == 200
            other = real_token(provider.url, "a1", client="another", **anns)
            is_problem(get(client, other), 401, "unauthenticated")
            key = make_key(chosen, Role.READER).token
            assert get(client, key).status_code == 200

            provider.stop()
            assert get(client, ann).status_code == 200
            away = is_problem(get(client, ann[:-6] + "AAAAAA"), 503, "backend-unavailable")
            assert f"the OpenID provider {provider.url} cannot be used" in away["detail"]
            assert get(client, key).status_code == 200

            provider.start()
            again = real_token(provider.url, "a1", **anns)
            assert get(client, again).status_code == 200
            is_problem(get(client, ann), 401, "unauthenticated")


# ---- tokens --------------------------------------------------------------------------------------


def test_what_a_token_opens_is_recorded_under_its_subject(
    service: TestClient, forger: Forger
) -> None:
    """Of several names the first is shown, in one line; roles of several groups add up."""
    token = forger.token(sub="s/1", email="a@x.org", name="Ann\nExample", groups=["admins"])
    answer = service.post("/v1/attributions", files={"image": png(1)}, headers=bearing(token))
    assert answer.status_code == 201
    auditor = make_key(service.app.state.services.settings, Role.AUDITOR).token  # type: ignore[attr-defined]
    (entry,) = service.get("/v1/audit?action=lookup", headers=bearing(auditor)).json()["items"]

    assert entry["actor"] == "oidc s/1 (a@x.org)"


def test_long_subjects_do_not_share_replies(service: TestClient, forger: Forger) -> None:
    """An answer that is kept under an Idempotency-Key is shown to nobody else."""
    for number in range(2):
        headers = bearing(forger.token(sub="x" * 250 + str(number))) | {"idempotency-key": "k"}
        image = {"image": png(number)}
        answer = service.post("/v1/attributions", files=image, headers=headers)
        assert answer.status_code == 201
        assert "idempotency-replayed" not in answer.headers


@pytest.mark.parametrize("kind", ["ES256", "PS256", "RS512"])
def test_asymmetric_algorithms(service: TestClient, forger: Forger, kind: str) -> None:
    """With and without the name of the key in the token."""
    if kind == "ES256":
        forger.keys = [ECKey.generate_key("P-256", {"kid": "first"}, auto_kid=False)]
    named = forger.token(header={"alg": kind})
    unnamed = jws.serialize_compact(
        {"alg": kind}, json.dumps(forger.claims()), forger.keys[0], algorithms=[kind]
    )

    assert (get(service, named).status_code, get(service, unnamed).status_code) == (200, 200)


NOW = int(time.time())
CLAIMS: list[tuple[dict[str, Any], str]] = [
    ({"iss": "https://elsewhere.example"}, "its iss is not LAWFUL_OIDC_ISSUER"),
    ({"iss": None}, "its iss is not LAWFUL_OIDC_ISSUER"),
    ({"aud": "another"}, "it is for another audience"),
    ({"aud": ["another", "lawful2"]}, "it is for another audience"),
    ({"aud": None}, "it has no aud"),
    ({"aud": {"lawful": 1}}, "it is for another audience"),
    ({"exp": NOW - HOUR}, "it has expired"),
    ({"exp": None}, "it has no exp"),
    ({"exp": "tomorrow"}, "its exp is not valid"),
    ({"exp": float("nan")}, "its exp is not valid"),
    ({"nbf": NOW + HOUR}, "it is not valid yet"),
    ({"iat": NOW + HOUR}, "it was issued in the future"),
    ({"sub": None, "exp": None}, "it has no exp, sub"),
    ({"sub": "a b"}, "its sub is not 1 to 255 ASCII characters"),
    ({"sub": "x" * 256}, "its sub is not 1 to 255 ASCII characters"),
    ({"sub": 7}, "its sub is not valid"),
]


@pytest.mark.parametrize(("claims", "why"), CLAIMS, ids=range(len(CLAIMS)))
def test_claims_that_do_not_hold(
    service: TestClient, forger: Forger, claims: dict[str, Any], why: str
) -> None:
    """A good signature is not enough; the answer says what is wrong and repeats no token."""
    token = forger.token(**claims)
    answer = get(service, token)

    said = is_problem(answer, 401, "unauthenticated")["detail"]
    assert said.startswith(f"the token is not accepted: {why}")
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert token not in answer.text


def test_times_of_clocks_that_differ(service: TestClient, forger: Forger) -> None:
    """Half a minute is forgiven on either side."""
    now = int(time.time())
    for token in (forger.token(exp=now - 30), forger.token(nbf=now + 30, iat=now + 30)):
        assert get(service, token).status_code == 200


def test_signatures_that_do_not_hold(service: TestClient, forger: Forger) -> None:
    """None, a shared secret (the public key as one), a key of somebody else, another text."""
    (key,) = forger.keys
    assert isinstance(key, RSAKey)
    public = key.as_pem(private=False)
    none = f"{part({'alg': 'none'})}.{part(forger.claims())}."
    text = f"{part({'alg': 'HS256'})}.{part(forger.claims())}"
    shared = f"{text}.{encoded(hmac.digest(public, text.encode(), 'sha256'))}"
    stranger = forger.token(key=RSAKey.generate_key(2048))
    head, _, signature = forger.token().split(".")
    altered = f"{head}.{part(forger.claims(groups=['admins']))}.{signature}"
    own_key = RSAKey.generate_key(2048)
    embedded = forger.token(key=own_key, header={"jwk": own_key.as_dict(private=False)})
    elsewhere = forger.token(key=own_key, header={"jku": "https://evil.example/keys"})

    cases = {none: "its algorithm is none of RS256", shared: "its algorithm is none of RS256"}
    cases |= dict.fromkeys(
        (stranger, altered, embedded, elsewhere), "its signature is not by a key"
    )
    for token, why in cases.items():
        assert why in is_problem(get(service, token), 401, "unauthenticated")["detail"]
    assert get(service, forger.token()).status_code == 200


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "a.b.c",
        "a.b.c.d.e",
        "..",
        "eyJ.eyJ.eyJ",
        f"{part(['RS256'])}.{part({})}.AA",
        f"{part({'alg': ['RS256']})}.{part({})}.AA",
        f"{part({'alg': 'RS256', 'kid': ['a']})}.{part({})}.AA",
        f"{part({'alg': 'RS256', 'crit': ['exp']})}.{part({})}.AA",
        f"{part({'alg': 'RS256'})}.{part([])}.AA",
        f"{part({'alg': 'RS256'})}.{'W1tb' * 4000}.AA",
        "\xff.\xfe.\xfd",
    ],
    ids=str,
)
def test_what_is_no_token(service: TestClient, forger: Forger, token: str) -> None:
    """It is refused before the provider is asked for anything."""
    answer = service.get(
        "/v1/artists", headers=[(b"authorization", b"Bearer " + token.encode("latin-1"))]
    )

    is_problem(answer, 401, "unauthenticated")
    assert forger.asked == []


def test_a_giant_token(service: TestClient, forger: Forger) -> None:
    """Hundreds of groups may be; what has no end is not read."""
    many = forger.token(groups=[f"group-{number}" for number in range(500)] + ["curators"])
    giant = forger.token(groups=["x" * 20_000])

    assert get(service, many).status_code == 200
    said = is_problem(get(service, giant), 401, "unauthenticated")["detail"]
    assert f"it has {len(giant)} characters; at most 16384 are read" in said


@pytest.mark.parametrize("groups", [None, [], ["staff"], [["curators"]], [{"curators": 1}], [7]])
def test_without_a_group_that_has_a_role(service: TestClient, forger: Forger, groups: Any) -> None:
    """Who it is is known, and they may do nothing; the answer names the groups that would do."""
    said = is_problem(get(service, forger.token(groups=groups)), 403, "not-allowed")["detail"]

    assert "oidc 1 may do nothing here" in said
    assert "none of the groups 'admins', 'curators'" in said


@pytest.mark.parametrize("groups", ["curators", {"curators": True}, 7])
def test_groups_that_are_no_list(service: TestClient, forger: Forger, groups: Any) -> None:
    """A text that holds the name of a group is not a list with it."""
    said = is_problem(get(service, forger.token(groups=groups)), 403, "not-allowed")["detail"]

    assert "the claim 'groups' of the token is not a list of groups" in said


# ---- the provider's keys -------------------------------------------------------------------------


def test_the_provider_is_asked_rarely(
    service: TestClient, forger: Forger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for good tokens, once more for a new key, however many tokens name unknown ones."""
    for _ in range(3):
        assert get(service, forger.token()).status_code == 200
    assert len(forger.asked) == 2  # what it says of itself, and its keys
    forger.keys.insert(0, RSAKey.generate_key(2048, {"kid": "second"}, auto_kid=False))
    for number in range(5):
        unknown = forger.token(header={"kid": f"unknown {number}"})
        is_problem(get(service, unknown), 401, "unauthenticated")
    assert len(forger.asked) == 2

    monkeypatch.setattr(published, "monotonic", lambda: time.monotonic() + published.PAUSE_S)
    assert get(service, forger.token(header={"kid": "second"})).status_code == 200
    for number in range(5):
        unknown = forger.token(header={"kid": f"unknown {number}"})
        is_problem(get(service, unknown), 401, "unauthenticated")
    assert len(forger.asked) == 4


def test_many_first_requests_ask_once(service: TestClient, forger: Forger) -> None:
    """Those that come meanwhile wait for the keys."""
    token = forger.token()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: get(service, token).status_code, range(16)))

    assert answers == [200] * 16
    assert len(forger.asked) == 2


def test_a_key_that_was_withdrawn(
    service: TestClient, forger: Forger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it signed is refused after an hour."""
    token = forger.token(exp=NOW + 2 * HOUR)
    assert get(service, token).status_code == 200
    forger.keys = [RSAKey.generate_key(2048)]
    assert get(service, token).status_code == 200

    monkeypatch.setattr(published, "monotonic", lambda: time.monotonic() + published.KEPT_S)
    is_problem(get(service, token), 401, "unauthenticated")


BROKEN: list[tuple[tuple[int, bytes] | None, dict[str, Any], str]] = [
    ((500, b"{}"), {}, "answers with 500"),
    ((200, b"<html>"), {}, "answers with what is no JSON object"),
    ((200, b"[" * 100_000), {}, "answers with what is no JSON object"),
    ((200, b" " * 300_000), {}, "answers more than 262144 bytes"),
    ((302, b""), {}, "answers with 302"),
    (None, {"issuer": "https://elsewhere.example"}, "it calls itself 'https://elsewhere.example'"),
    (None, {"jwks_uri": "http://192.0.2.7/keys"}, "the jwks_uri of the OpenID provider is not"),
    (None, {"jwks_uri": "file:///etc/passwd"}, "the jwks_uri of the OpenID provider is not"),
    (None, {"jwks_uri": None}, "the jwks_uri of the OpenID provider is not"),
]


@pytest.mark.parametrize(("broken", "about", "why"), BROKEN)
def test_a_provider_that_is_broken(
    service: TestClient,
    forger: Forger,
    broken: tuple[int, bytes] | None,
    about: dict[str, Any],
    why: str,
) -> None:
    """It is an outage: nobody is let in, no token is called wrong. Then it heals."""
    forger.broken, forger.about = broken, about
    answer = get(service, forger.token())
    assert why in is_problem(answer, 503, "backend-unavailable")["detail"]
    assert int(answer.headers["retry-after"]) >= published.PAUSE_AFTER_FAILURE_S
    asked = len(forger.asked)
    is_problem(get(service, forger.token()), 503, "backend-unavailable")
    assert len(forger.asked) == asked

    forger.broken, forger.about = None, {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(published, "monotonic", lambda: time.monotonic() + 5)
        assert get(service, forger.token()).status_code == 200


@pytest.mark.parametrize("odd", [None, "x", {"kty": "oct", "k": "AAAA"}, {"kty": "RSA"}, {}])
def test_keys_that_cannot_be_read(service: TestClient, forger: Forger, odd: Any) -> None:
    """The others are."""
    forger.about = {"keys": [odd, forger.keys[0].as_dict(private=False)]}
    forger.about |= {"jwks_uri": f"{forger.issuer}{DISCOVERY}"}

    assert get(service, forger.token()).status_code == 200


def test_a_slow_provider_holds_up_nobody_else(
    service: TestClient, forger: Forger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the time for an answer it counts as away."""
    monkeypatch.setattr(published, "LONGEST_S", 0.2)

    def answer(_: str) -> tuple[int, bytes]:
        time.sleep(0.6)
        return 200, b"{}"

    monkeypatch.setattr(forger, "answer", answer)
    begun = time.monotonic()
    said = is_problem(get(service, forger.token()), 503, "backend-unavailable")["detail"]

    assert "takes longer than 0.2 s" in said
    assert time.monotonic() - begun < 0.5


def test_a_provider_that_is_away_at_the_start(tmp_path: Path) -> None:
    """The service starts, keys open it, tokens are an outage; nobody is let in without either."""
    chosen = settings(tmp_path / "home", **oidc("http://127.0.0.1:9"))
    with local_client(create_app(chosen)) as client, forging() as forger:
        forger.issuer = "http://127.0.0.1:9"
        said = is_problem(get(client, forger.token()), 503, "backend-unavailable")["detail"]
        assert "http://127.0.0.1:9/.well-known/openid-configuration does not answer" in said
        assert get(client, make_key(chosen, Role.READER).token).status_code == 200
        said = is_problem(client.get("/v1/artists"), 401, "unauthenticated")["detail"]
        assert "A token of http://127.0.0.1:9 in its place" in said
        assert client.get("/healthz").status_code == 200


# ---- beside keys, settings, logs -----------------------------------------------------------------


def test_a_key_is_never_taken_to_the_provider(service: TestClient, forger: Forger) -> None:
    """Nor are requests without a token."""
    is_problem(get(service, "lk_00000000_" + "A" * 43), 401, "unauthenticated")
    is_problem(service.get("/v1/artists"), 401, "unauthenticated")

    assert forger.asked == []


def test_a_key_that_is_made_with_a_token_may_no_more(service: TestClient, forger: Forger) -> None:
    """An operator by group makes keys, and none of an auditor."""
    admin = bearing(forger.token(groups=["admins"]))
    asked = {"name": "theirs", "scopes": [Scope.READ]}
    made = service.post("/v1/keys", json=asked, headers=admin)
    refused = service.post("/v1/keys", json={"name": "x", "role": "auditor"}, headers=admin)

    assert made.json()["issued_by"] == "oidc 1"
    is_problem(refused, 403, "not-allowed")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"oidc_issuer": "http://sso.example.org"}, "LAWFUL_OIDC_ISSUER='http://sso.example.org'"),
        ({"oidc_issuer": "https://sso.example.org?x=1"}, "no user, query or fragment"),
        ({"oidc_issuer": "https://[::1"}, "is not the address of a provider"),
        ({"oidc_audience": ""}, "LAWFUL_OIDC_AUDIENCE is not"),
        ({"oidc_roles": {}}, "LAWFUL_OIDC_ROLES is not"),
    ],
)
def test_settings_that_do_not_do(tmp_path: Path, values: dict[str, Any], says: str) -> None:
    """They are refused at the start."""
    with pytest.raises(BadInput) as refused:
        create_app(settings(tmp_path, **(oidc("https://sso.example.org") | values)))

    assert says in str(refused.value)


# ---- tenants -------------------------------------------------------------------------------------


def test_groups_belong_to_tenants(tmp_path: Path) -> None:
    """Who is in a group of one tenant reads what is its; of none or of several, nothing."""
    belonging = {"museum": "museum", "agency": "agency"}
    home = tmp_path / "home"
    with forging() as forger:
        chosen = settings(home, **oidc(forger.issuer, oidc_tenants=belonging))
        with (
            pytest.raises(BadInput, match="the tenant 'museum', which there is not"),
            local_client(create_app(chosen)),
        ):
            pass
        with open_stores(settings(home)) as stores:
            for name in belonging:
                create(stores, name)
        with local_client(create_app(chosen)) as client:
            ours, theirs = (bearing(forger.token(groups=["curators", name])) for name in belonging)
            nobodys, both = (
                bearing(forger.token(groups=["curators", *names])) for names in ((), belonging)
            )
            image = {"image": png(1)}
            answer = client.post("/v1/attributions", files=image, headers=ours).json()
            place = f"/v1/attributions/{answer['id']}"

            assert client.get(place, headers=ours).status_code == 200
            is_problem(client.get(place, headers=theirs), 404, "not-found")
            for headers, said in ((nobodys, "for no tenant"), (both, "for more than one tenant")):
                refused = is_problem(client.get(place, headers=headers), 403, "not-allowed")
                assert said in refused["detail"]
