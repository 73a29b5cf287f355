"""Logging in with a browser: the way to the provider and back, the session, its end."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from api.http import sessions
from api.http.app import create_app
from api.http.oidc import login
from api.http.oidc.login import ATTEMPT, login_of
from api.http.oidc.provider import provider_of
from api.http.sessions import SESSION, KeySession, Sessions
from api.servers.programs import running
from attribution.actors import Role
from attribution.catalogue.columns import now
from attribution.catalogue.models import ApiKey
from attribution.collection import open_stores
from attribution.config import Settings
from attribution.errors import BadInput
from attribution.upkeep.keys import IssuedKey, revoke
from tests.apis import LOCAL, is_problem, local_client, png, settings
from tests.keys import bearing, make_key
from tests.providers import CLIENT, Forger, forging, let_in, oidc, real_provider, with_login
from tests.refusals import heard

HTML = {"accept": "text/html"}
OURS = {"origin": LOCAL}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Forger]]:
    """Serve a collection where those log in whom a forger knows."""
    with forging() as forger:
        chosen = settings(tmp_path_factory.mktemp("login") / "home", **with_login(forger.issuer))
        app = create_app(chosen)
        with local_client(app, follow_redirects=False) as client:
            yield client, forger


@pytest.fixture
def forger(served: tuple[TestClient, Forger]) -> Iterator[Forger]:
    """Give the provider of `browser`, which signs whatever it is told to."""
    forger = served[1]
    forger.posted.clear()
    yield forger
    forger.about, forger.broken = {}, None


@pytest.fixture
def browser(served: tuple[TestClient, Forger]) -> TestClient:
    """Give a browser without cookies, and a service that has asked the provider for nothing yet."""
    client = served[0]
    client.cookies.clear()
    configure(client, state(client).services.settings)
    return client


def state(client: TestClient) -> Any:
    """Return what an application has opened."""
    return client.app.state  # type: ignore[attr-defined]


def configure(client: TestClient, chosen: Any) -> None:
    """Start the service again with these settings, as far as the login goes."""
    state(client).provider = provider_of(chosen)
    state(client).sessions = Sessions(chosen)
    state(client).login = login_of(chosen, state(client).provider)


def begin(browser: TestClient, **query: str) -> dict[str, str]:
    """Begin a login; returns what the provider is asked."""
    answer = browser.get("/login", params=query)
    assert answer.status_code == 303, answer.text
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


def log_in(browser: TestClient, forger: Forger, back: str = "/", **claims: Any) -> Any:
    """Log in as somebody with these claims; returns the last answer."""
    asked = begin(browser, back=back)
    token = forger.token(**({"aud": CLIENT, "nonce": asked["nonce"]} | claims))
    forger.exchanged = (200, {"id_token": token})
    return browser.get("/login/callback", params={"code": "c", "state": asked["state"]})


# ---- the whole way -------------------------------------------------------------------------------


def test_the_whole_way_with_a_real_provider(tmp_path: Path) -> None:
    """In, about as oneself, and out; the pages say who it is."""
    with running(real_provider(tmp_path)) as provider:
        roles = {"curators": "reviewer"}
        values = with_login(provider.url, oidc_groups_claim="teams", oidc_roles=roles)
        app = create_app(settings(tmp_path / "home", **values))
        with local_client(app, follow_redirects=False) as browser:
            first = browser.get("/problems/not-found", headers=HTML).text
            (link,) = re.findall(r'href="(/login[^"]*)"', first)
            sent = browser.get(link)
            # The provider's own page; this user is known by the claims that it is given first
            claims = {"preferred_username": "ann", "teams": ["curators"]}
            said = let_in(sent.headers["location"], "a1", **claims)
            back = browser.get("/login/callback", params=said)
            assert (back.status_code, back.headers["location"]) == (303, "/problems/not-found")
            for path in ("/", "/docs", "/problems/conflict"):
                page = browser.get(path, headers=HTML)
                assert "oidc a1 (ann)" in page.text
                # Or browsers would neither send the form to log out, nor say where it comes from
                assert "form-action 'self'" in page.headers["content-security-policy"]
                assert page.headers["referrer-policy"] == "same-origin"

            assert browser.get("/v1/artists").status_code == 200
            image = {"image": png(1)}
            found = browser.post("/v1/attributions", files=image, headers=OURS)
            assert found.status_code == 201
            is_problem(browser.get("/v1/keys"), 403, "scope-missing")
            is_problem(browser.get("/login/callback", params=said), 401, "unauthenticated")

            out = browser.post("/logout", headers=OURS)
            assert (out.status_code, out.headers["location"]) == (303, "/")
            gone = is_problem(browser.get("/v1/artists"), 401, "unauthenticated")
            assert "a login at /login" in gone["detail"]
            assert "Log in" in browser.get("/", headers=HTML).text


def test_a_person_reads_what_went_wrong(browser: TestClient, forger: Forger) -> None:
    """On a page that leads back; a program gets the same as a problem."""
    path = "/login/callback?code=c0de&state=of-nobody"
    page = browser.get(path, headers=HTML)
    said = is_problem(browser.get(path), 401, "unauthenticated")["detail"]

    assert (page.status_code, page.headers["www-authenticate"]) == (401, "Bearer")
    assert page.headers["content-type"].startswith("text/html")
    assert said[1:] in page.text
    assert 'href="/login?back=/"' in page.text  # not to where it failed
    assert "<h1>Unauthenticated</h1>" in page.text
    assert not forger.posted


def test_what_the_provider_is_asked(browser: TestClient, forger: Forger) -> None:
    """A code, for this address, state, nonce and PKCE; the code is redeemed with the secret."""
    asked = begin(browser)
    forger.exchanged = (200, {"id_token": forger.token(aud=CLIENT, nonce=asked["nonce"])})
    browser.get("/login/callback", params={"code": "c0de", "state": asked["state"]})
    ((authorization, form),) = forger.posted
    challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest())

    assert asked.pop("code_challenge") == challenge.decode().rstrip("=")
    assert len(form.pop("code_verifier")) >= 43
    assert min(len(asked.pop(name)) for name in ("state", "nonce")) >= 43
    assert asked == {
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": f"{LOCAL}/login/callback",
        "scope": "openid profile email",
        "code_challenge_method": "S256",
    }
    assert form == {
        "grant_type": "authorization_code",
        "code": "c0de",
        "redirect_uri": f"{LOCAL}/login/callback",
    }
    user, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().split(":")
    assert (user, secret) == (CLIENT, "a%20secret%2Fof%3Athe%20tests")


def test_cookies(browser: TestClient, forger: Forger) -> None:
    """No script reads them, no other site sends them; those of https stay there."""
    for base in (LOCAL, "https://localhost"):
        client = TestClient(browser.app, base_url=base, follow_redirects=False)
        first = client.get("/login")
        assert f"redirect_uri={base.split(':')[0]}%3A" in first.headers["location"]
        last = log_in(client, forger)
        said = first.headers.get_list("set-cookie") + last.headers.get_list("set-cookie")
        prefix = "__Host-" if base.startswith("https") else ""
        names = [f"{prefix}{name}" for name in (ATTEMPT, ATTEMPT, SESSION)]
        assert [one.split("=")[0] for one in said] == names
        for one in said:
            flags = {flag.strip().lower() for flag in one.split(";")[1:]}
            assert {"httponly", "samesite=lax", "path=/"} <= flags
            assert ("secure" in flags) == base.startswith("https")
        assert "max-age=28800" in said[2].lower()
        assert "max-age=0" in said[1].lower()


# ---- what is refused -----------------------------------------------------------------------------


def test_a_login_that_was_not_begun_here(
    browser: TestClient, forger: Forger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the cookie, with another's state, or too late: the code is not even redeemed."""
    asked = begin(browser)
    good = {"code": "c", "state": asked["state"]}
    with heard(browser) as found:
        for query in (
            {},
            {"code": "c"},
            good | {"state": "é"},
            good | {"state": begin(browser)["state"][:-1]},
        ):
            is_problem(browser.get("/login/callback", params=query), 401, "unauthenticated")
    assert {(asked, why, times) for (*_, asked, why), times in found.items()} == {
        ("GET /login/callback", "login-not-begun", 4)
    }
    asked = begin(browser)
    kept = browser.cookies[ATTEMPT]
    browser.cookies.clear()
    good = {"code": "c", "state": asked["state"]}
    is_problem(browser.get("/login/callback", params=good), 401, "unauthenticated")
    browser.cookies.set(ATTEMPT, kept)
    monkeypatch.setattr(login, "ATTEMPT_S", -1)
    said = is_problem(browser.get("/login/callback", params=good), 401, "unauthenticated")

    assert "begin again at /login" in said["detail"]
    assert forger.posted == []


@pytest.mark.parametrize(
    ("claims", "status", "why"),
    [
        ({"nonce": "another"}, 401, "other-login"),
        ({"nonce": None}, 401, "invalid-token"),
        ({"aud": "lawful"}, 401, "invalid-token"),
        ({"exp": 1}, 401, "invalid-token"),
        ({"iss": "https://elsewhere.example"}, 401, "invalid-token"),
        ({"groups": ["staff"]}, 403, "no-role"),
    ],
)
def test_tokens_that_do_not_let_in(
    browser: TestClient, forger: Forger, claims: dict[str, Any], status: int, why: str
) -> None:
    """Nobody is logged in by them; the audit names who is known to have tried, or the address."""
    with heard(browser) as found:
        kind = "not-allowed" if status == 403 else "unauthenticated"
        is_problem(log_in(browser, forger, **claims), status, kind)
    who = "oidc 1" if why == "no-role" else "address 127.0.0.1"
    assert found == {("default", who, "GET /login/callback", why): 1}

    assert SESSION not in browser.cookies
    is_problem(browser.get("/v1/artists"), 401, "unauthenticated")


@pytest.mark.parametrize(
    ("exchanged", "status", "kind", "says"),
    [
        ((401, {"error": "invalid_client"}), 503, "key-refused", "LAWFUL_OIDC_CLIENT_SECRET"),
        ((400, {"error": "invalid_grant"}), 401, "unauthenticated", "begin again at /login"),
        ((500, {}), 503, "backend-unavailable", "answers 500"),
        ((200, {}), 503, "backend-unavailable", "no ID token"),
        ((200, []), 503, "backend-unavailable", "no ID token"),
        ((200, {"id_token": "x.y.z"}), 401, "unauthenticated", "nor a signed JWT"),
    ],
)
def test_a_provider_that_gives_no_token(
    browser: TestClient, forger: Forger, exchanged: Any, status: int, kind: str, says: str
) -> None:
    """What is ours to mend is told apart from what the person can."""
    asked = begin(browser)
    forger.exchanged = exchanged
    answer = browser.get("/login/callback", params={"code": "c", "state": asked["state"]})

    assert says in is_problem(answer, status, kind)["detail"]


def test_a_person_whom_the_provider_refuses(browser: TestClient) -> None:
    """What it says comes through, in one line."""
    query = {"state": begin(browser)["state"], "error": "access_denied\n<b>"}
    said = is_problem(browser.get("/login/callback", params=query), 401, "unauthenticated")

    assert "did not let you in (access_denied <b>); begin again at /login" in said["detail"]


def test_a_provider_that_is_away(browser: TestClient, forger: Forger) -> None:
    """Nobody logs in; those that are go on."""
    assert log_in(browser, forger).status_code == 303
    forger.broken = (500, b"")
    configure(browser, state(browser).services.settings)
    is_problem(browser.get("/login"), 503, "backend-unavailable")
    assert browser.get("/v1/artists").status_code == 200


@pytest.mark.parametrize(
    ("back", "is_local"),
    [
        ("/", True),
        ("/docs?x=1#y", True),
        ("/problems/é", True),
        ("https://evil.example", False),
        ("//evil.example", False),
        ("/\\evil.example", False),
        ("/\t/evil.example", False),
        ("\n//evil.example", False),
        ("/a\\b", False),
        ("docs", False),
        ("", False),
        ("javascript:alert(1)", False),
        ("/" + "x" * 1001, False),
    ],
)
def test_the_way_back_is_local(
    browser: TestClient,
    forger: Forger,
    back: str,
    is_local: bool,  # noqa: FBT001
) -> None:
    """A link to the login does not lead elsewhere."""
    if is_local:
        place = log_in(browser, forger, back).headers["location"]
        assert urlsplit(place)[:2] == ("", "")
        assert place.startswith("/")
    else:
        is_problem(browser.get("/login", params={"back": back}), 422, "bad-input")


# ---- the session ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "is_proof"),
    [
        ({"origin": LOCAL}, True),
        ({"origin": LOCAL, "sec-fetch-site": "same-origin"}, True),
        ({}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://localhost:8081"}, False),
        ({"origin": "http://localhost.evil.example"}, False),
        ({"origin": "http://art.example.org"}, False),
        ({"origin": LOCAL, "sec-fetch-site": "same-site"}, False),
        ({"origin": LOCAL, "sec-fetch-site": "cross-site"}, False),
        ({"referer": f"{LOCAL}/"}, False),
    ],
)
def test_changes_come_from_our_own_pages(
    browser: TestClient,
    forger: Forger,
    headers: dict[str, str],
    is_proof: bool,  # noqa: FBT001
) -> None:
    """Browsers send a cookie of themselves, so a change by it has to say where it comes from."""
    log_in(browser, forger, groups=["admins"])
    for path, good in (("/v1/keys", 201), ("/logout", 303)):
        asked = {"name": "x", "role": "reader"}
        answer = browser.post(path, json=asked, headers=headers)
        if is_proof:
            assert answer.status_code == good
        else:
            is_problem(answer, 403, "cross-site-request")
            assert browser.get("/v1/keys").status_code == 200


def test_sessions_that_do_not_hold(
    browser: TestClient, forger: Forger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Altered, signed for something else, over, or of a time when groups had other roles."""
    log_in(browser, forger)
    good = browser.cookies[SESSION]
    begin(browser)
    bad = [good[:-2], good + "x", "x" + good, good.swapcase(), "", ".", browser.cookies[ATTEMPT]]
    browser.cookies.clear()
    for one in bad:
        headers = {"cookie": f"{SESSION}={one}"}
        is_problem(browser.get("/v1/artists", headers=headers), 401, "unauthenticated")
    headers = {"cookie": f"{SESSION}={good}"}
    assert browser.get("/v1/artists", headers=headers).status_code == 200
    with monkeypatch.context() as patch:
        patch.setattr(sessions, "SESSION_S", -1)
        is_problem(browser.get("/v1/artists", headers=headers), 401, "unauthenticated")
    chosen = state(browser).services.settings
    for changed in (
        {"oidc_roles": {"curators": "reader"}},
        {"oidc_client_secret": "x" * 16},
        {"session_secret": "y" * 16},
    ):
        values = with_login(forger.issuer, **changed)
        configure(browser, settings(chosen.home, **values))
        is_problem(browser.get("/v1/artists", headers=headers), 401, "unauthenticated")


def test_a_token_counts_before_a_session(browser: TestClient, forger: Forger) -> None:
    """A request with a wrong one is refused, and one with another person's is theirs."""
    log_in(browser, forger, sub="in-the-browser")
    other = bearing(forger.token(sub="by-token", groups=["admins"]))
    made = browser.post("/v1/keys", json={"name": "x", "role": "reader"}, headers=other | OURS)

    assert made.json()["issued_by"] == "oidc by-token"
    for wrong in ("wrong", "lk_00000000_" + "A" * 43):
        is_problem(browser.get("/v1/artists", headers=bearing(wrong)), 401, "unauthenticated")


def test_a_session_is_no_token(browser: TestClient, forger: Forger) -> None:
    """Nor does it say a secret."""
    log_in(browser, forger)
    session = browser.cookies[SESSION]
    browser.cookies.clear()

    is_problem(browser.get("/v1/artists", headers=bearing(session)), 401, "unauthenticated")


# ---- settings ------------------------------------------------------------------------------------


def test_without_a_client_nobody_logs_in(tmp_path: Path) -> None:
    """The pages have no link; who tries is asked for a key, and no provider sends anybody back."""
    for values in ({}, oidc("https://sso.example.org")):
        client = TestClient(create_app(settings(tmp_path, **values)), base_url=LOCAL)
        assert "login" not in client.get("/", headers=HTML).text
        assert client.get("/login").url.path == "/login/key"
        said = is_problem(client.get("/login/callback"), 404, "not-found")["detail"]
        assert "LAWFUL_OIDC_CLIENT_ID" in said


@pytest.mark.parametrize("secret", [None, "too short"])
def test_a_client_has_a_secret(tmp_path: Path, secret: str | None) -> None:
    """One that nobody guesses: it signs the sessions too."""
    values = with_login("https://sso.example.org", oidc_client_secret=secret)
    with pytest.raises(BadInput, match="LAWFUL_OIDC_CLIENT_SECRET has not at least 16 characters"):
        create_app(settings(tmp_path, **values))


# ---- with a key ----------------------------------------------------------------------------------


@dataclass
class WithKey:
    """A service where people log in with keys, and one who has."""

    settings: Settings
    key: IssuedKey
    browser: TestClient

    @property
    def status(self) -> int:
        """What is answered to them."""
        return self.browser.get("/v1/keys").status_code


@pytest.fixture
def with_key(tmp_path: Path) -> Iterator[WithKey]:
    """Log somebody in with a key."""
    chosen = settings(tmp_path / "home")
    key = make_key(chosen, Role.OPERATOR)
    with local_client(create_app(chosen), follow_redirects=False) as browser:
        said = {"key": key.token, "back": "/console"}
        assert browser.post("/login/key", data=said).headers["location"] == "/console"
        yield WithKey(chosen, key, browser)


def test_the_key_is_not_in_the_browser(with_key: WithKey) -> None:
    """The session names the key, and is signed by a secret that this installation made."""
    cookie = with_key.browser.cookies[SESSION]
    secret = with_key.settings.home / sessions.OWN_SECRET

    assert with_key.key.token not in cookie
    assert with_key.key.row.sha256 not in cookie
    assert secret.stat().st_mode & 0o777 == 0o600
    assert with_key.status == 200
    assert f"key {with_key.key.row.prefix} (" in with_key.browser.get("/console").text
    assert with_key.key.row.prefix in with_key.browser.get("/", headers=HTML).text
    with_key.browser.cookies.clear()
    with_key.browser.cookies.set(SESSION, with_key.key.token)
    assert with_key.status == 401


def test_another_process_knows_the_session(with_key: WithKey) -> None:
    """Processes of one home share its secret; those of another, or with another secret, do not."""
    cookie = with_key.browser.cookies[SESSION]
    strange = {"session_secret": "another one of the tests"}

    assert Sessions(with_key.settings).who(cookie) == KeySession(with_key.key.row.prefix)
    assert Sessions(settings(with_key.settings.home, **strange)).who(cookie) is None
    (with_key.settings.home / sessions.OWN_SECRET).write_text("")
    with pytest.raises(BadInput, match=r"session\.key cannot be used: it is too short"):
        Sessions(with_key.settings).who(cookie)


def test_the_key_is_asked_at_each_request(
    with_key: WithKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Altered, expired or revoked, it opens nothing; and the session has an end of its own."""
    row = with_key.key.row
    with monkeypatch.context() as patch:
        patch.setattr(sessions, "SESSION_S", -1)
        assert with_key.status == 401
    with open_stores(with_key.settings) as stores:
        for column, value in (("scopes", ["audit"]), ("expires_at", now()), ("sha256", "0" * 64)):
            before = getattr(row, column)
            for said, status in ((value, 401), (before, 200)):
                with stores.sessions.begin() as session:
                    session.execute(
                        update(ApiKey).where(ApiKey.id == row.id).values({column: said})
                    )
                assert with_key.status == status, column
        revoke(stores, row.id)
    assert (
        "was revoked"
        in is_problem(with_key.browser.get("/v1/keys"), 401, "unauthenticated")["detail"]
    )


def test_logging_out_ends_it(with_key: WithKey) -> None:
    """The browser forgets the session; only a page of the service itself can do that."""
    foreign = with_key.browser.post("/logout", headers={"origin": "http://localhost:9"})
    is_problem(foreign, 403, "cross-site-request")
    assert with_key.browser.post("/logout", headers=OURS).headers["location"] == "/"

    assert SESSION not in with_key.browser.cookies
    assert with_key.status == 401


def test_over_https_no_neighbour_logs_anybody_in(with_key: WithKey) -> None:
    """A cookie without the prefix, which other hosts could set, opens nothing."""
    plain = with_key.browser.cookies[SESSION]
    https = TestClient(with_key.browser.app, base_url="https://localhost")
    for name, status in ((SESSION, 401), (f"__Host-{SESSION}", 200)):
        https.cookies.clear()
        https.cookies.set(name, plain)
        assert https.get("/v1/keys").status_code == status


def test_a_session_secret_is_not_guessed(tmp_path: Path) -> None:
    """A short one is refused at the start."""
    with pytest.raises(BadInput, match="LAWFUL_SESSION_SECRET has not at least 16 characters"):
        create_app(settings(tmp_path, session_secret="s" * 15))
