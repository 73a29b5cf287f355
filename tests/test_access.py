"""Who may do what over HTTP: every route, every role, and what is sent in place of a key.

`docs/access.md` has the table of what is found here. After a change of routes or roles, write it
again: `WRITE_TABLE=1 pytest tests/test_access.py`.
"""

from __future__ import annotations

import hmac
import logging
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient

from api.http.access import is_open, needed
from api.http.app import create_app
from attribution.actors import ROLES, Role, Scope
from attribution.catalogue import queries
from attribution.catalogue.columns import now
from attribution.catalogue.queries import EntriesWanted
from attribution.collection import open_stores
from attribution.config import Settings
from attribution.upkeep import keys, refusals
from attribution.upkeep.keys import NewKey
from tests.apis import UNCOUNTED, archive, is_problem, local_client, png, settings, upload
from tests.keys import bearing, make_key
from tests.portfolios import wait_until
from tests.refusals import Heard, heard

DOCUMENT = Path(__file__).parents[1] / "docs" / "access.md"
BEGIN = "<!-- written by tests/test_access.py -->\n"
NOWHERE = {"number": "0", "slug": "nobody-of-this-name"}
UNKNOWN = "lk_00000000_" + "A" * 43


@dataclass(frozen=True)
class Served:
    """A service with a key for every role."""

    settings: Settings
    client: TestClient
    tokens: dict[Role, str]

    def headers(self, role: Role) -> dict[str, str]:
        """Return the headers of a request with the key of a role."""
        return bearing(self.tokens[role])


@dataclass(frozen=True)
class Route:
    """One thing that can be asked for, and what the program says it needs."""

    method: str
    path: str
    scope: Scope | None

    @property
    def is_page(self) -> bool:
        """Tell whether it is a page of the console."""
        return self.path.startswith("/console")

    @property
    def nowhere(self) -> str:
        """Its path, with ids that nothing has."""
        return re.sub(
            r"\{(\w+)\}", lambda found: NOWHERE.get(found[1], str(UUID(int=0))), self.path
        )


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve a collection with a work each of Ann Example and Bob."""
    chosen = settings(tmp_path_factory.mktemp("access") / "home", **UNCOUNTED)
    with local_client(create_app(chosen), raise_server_exceptions=False) as client:
        for number, artist in enumerate(("Ann Example", "Bob")):
            upload(client, png(number), artist=artist)
        tokens = {role: make_key(chosen, role).token for role in Role}
        yield Served(chosen, client, tokens)


@pytest.fixture(scope="module")
def routes(served: Served) -> list[Route]:
    """List every route of the application."""
    return [
        Route(method, route.path or "", needed(getattr(route.original_route, "dependencies", [])))
        for route in iter_route_contexts(served.client.app.routes)  # type: ignore[attr-defined]
        for method in sorted((route.methods or set()) - {"HEAD"})
    ]


# ---- every route ---------------------------------------------------------------------------------


def test_every_route_declares_its_scope(routes: list[Route]) -> None:
    """Those that need none are listed where all can see them."""
    assert len(routes) > 45
    assert all(is_open(one.path) for one in routes if one.scope is None)
    assert not any(is_open(one.path) for one in routes if one.scope is not None)


def test_the_table_of_who_may_do_what(served: Served, routes: list[Route]) -> None:
    """Asked for with every role's key, each route is open to those that the page says."""
    found = [f"| route | scope | {' | '.join(Role)} |", f"|---|---|{'---|' * len(Role)}"]
    for route in sorted(routes, key=lambda one: (one.path, one.method)):
        may = {role: is_let_in(served, route, role) for role in Role}
        if is_open(route.path):
            assert all(may.values())
            assert is_let_in(served, route, None)
            continue
        assert not is_let_in(served, route, None)
        assert may == {role: route.scope in ROLES[role] for role in Role}, route
        marks = ["yes" if may[role] else "–" for role in Role]
        found.append(f"| `{route.method} {route.path}` | {route.scope} | {' | '.join(marks)} |")
    prose, _, table = DOCUMENT.read_text().partition(BEGIN)
    written = "\n".join(found) + "\n"
    if "WRITE_TABLE" in os.environ:
        DOCUMENT.write_text(prose + BEGIN + written)
    else:
        assert table == written, "write docs/access.md again, as the docstring above says"


def is_let_in(served: Served, route: Route, role: Role | None) -> bool:
    """Ask for something that is not there, or for nothing: nothing is changed by it."""
    headers = served.headers(role) if role else {}
    answer = served.client.request(
        route.method, route.nowhere, headers=headers, follow_redirects=False
    )
    assert answer.status_code < 500
    if route.is_page:
        if answer.status_code == 403:
            assert f"it needs the scope &#39;{route.scope}&#39;" in answer.text
        is_sent_to_login = answer.headers.get("location", "").startswith("/login?back=")
        return answer.status_code != 403 and not is_sent_to_login
    if answer.status_code == 401:
        assert answer.headers["www-authenticate"] == "Bearer"
        is_problem(answer, 401, "unauthenticated")
    elif answer.status_code == 403:
        said = is_problem(answer, 403, "scope-missing")["detail"]
        assert f"it needs the scope '{route.scope}'" in said
    return answer.status_code not in {401, 403}


def test_every_refusal_is_in_the_audit(
    served: Served, routes: list[Route], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of every role, and of nobody, on every route: who it was, what was asked, and why not."""
    monkeypatch.setattr(refusals, "MOST_DIFFERENT", 1_000)
    expected: Heard = Counter()
    with heard(served.client) as found:
        for route in routes:
            asked = f"{route.method} {route.path}"
            for role in Role:
                if not is_let_in(served, route, role):
                    who = f"key {served.tokens[role][: keys.PREFIX]} ({role} of the tests)"
                    expected["default", who, asked, "scope-missing"] += 1
            if not is_let_in(served, route, None):
                expected["default", "address 127.0.0.1", asked, "missing-key"] += 1

    assert len(expected) > 150
    assert found == expected


def test_the_description_says_what_each_operation_needs(
    served: Served, routes: list[Route]
) -> None:
    """A bearer token, and the scope."""
    document = served.client.get("/openapi.json").json()
    scheme = document["components"]["securitySchemes"]["key"]

    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    for route in routes:
        if route.scope is not None and not route.is_page:
            described = document["paths"][route.path][route.method.lower()]
            assert described["security"] == [{"key": [route.scope.value]}]


def test_a_form_is_not_read_for_somebody_who_may_not_send_it(served: Served) -> None:
    """The refusal comes before anything in the body, or in the query, is looked at."""
    answer = served.client.post(
        "/v1/ingest-jobs?wrong=1",
        content=b"no form",
        headers=served.headers(Role.READER) | {"content-type": "multipart/form-data; boundary=x"},
    )

    is_problem(answer, 403, "scope-missing")


# ---- what is sent in place of a key --------------------------------------------------------------


def test_keys_that_do_not_hold(served: Served) -> None:
    """Unknown, wrong, expired and revoked ones are refused, and no answer repeats a token."""
    good = served.tokens[Role.OPERATOR]
    wrong = good[:-1] + ("A" if good[-1] != "A" else "B")
    soon = now() + timedelta(seconds=1)
    with open_stores(served.settings) as stores:
        revoked = keys.create(stores, NewKey("revoked", Role.OPERATOR))
        expired = keys.create(stores, NewKey("expired", Role.OPERATOR, expires_at=soon))
        keys.revoke(stores, revoked.row.id)
    wait_until(lambda: now() > soon)
    cases = {
        UNKNOWN: "this key is not known here",
        wrong: "this key is not known here",
        expired.token: f"the key {expired.row.prefix} expired on",
        revoked.token: f"the key {revoked.row.prefix} was revoked on",
    }
    with heard(served.client) as found:
        for token, reason in cases.items():
            answer = served.client.get("/v1/artists", headers=bearing(token))
            assert reason in is_problem(answer, 401, "unauthenticated")["detail"]
            assert answer.headers["www-authenticate"] == "Bearer"
            assert token not in answer.text
    whys = {
        "address 127.0.0.1": "unknown-key",
        f"key {good[: keys.PREFIX]}": "wrong-key",
        f"key {expired.row.prefix} ({expired.row.name})": "expired-key",
        f"key {revoked.row.prefix} ({revoked.row.name})": "revoked-key",
    }
    assert found == Counter(("default", who, "GET /v1/artists", why) for who, why in whys.items())


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer lk_",
        "Bearer lk_00000000",
        "Bearer " + "x" * 5000,
        "Bearer \xff\xfe",
        f"Bearer {UNKNOWN} {UNKNOWN}",
        f"Bearer {UNKNOWN}; drop table api_keys",
        f"Token {UNKNOWN}",
        f"Basic {UNKNOWN}",
        UNKNOWN,
    ],
)
def test_headers_that_are_none(served: Served, header: str) -> None:
    """What is no key is refused like a missing one, whatever it looks like."""
    sent = [(b"authorization", header.encode("latin-1"))]
    answer = served.client.get("/v1/artists", headers=sent)

    said = is_problem(answer, 401, "unauthenticated")["detail"]
    assert "Authorization: Bearer lk_…" in said or "not known here" in said
    assert "00000000" not in answer.text


@pytest.mark.parametrize("name", ["access_token", "token", "key", "authorization"])
def test_a_token_in_an_address_opens_nothing(served: Served, name: str) -> None:
    """Addresses are logged and shared: one with a good token is refused, with a key as well."""
    token = served.tokens[Role.OPERATOR]
    answer = served.client.get("/v1/artists", params={name: token})
    with_key = served.client.get(
        "/v1/artists", params={name: token}, headers=served.headers(Role.READER)
    )

    is_problem(answer, 401, "unauthenticated")
    is_problem(with_key, 422, "invalid-request")
    assert token not in answer.text + with_key.text


def test_a_key_in_a_cookie_or_a_form_opens_nothing(served: Served) -> None:
    """Only the header counts."""
    token = served.tokens[Role.OPERATOR]
    cookie = served.client.get("/v1/artists", headers={"cookie": f"authorization=Bearer {token}"})
    form = served.client.post("/v1/search", data={"authorization": f"Bearer {token}"})

    is_problem(cookie, 401, "unauthenticated")
    is_problem(form, 401, "unauthenticated")


def test_unknown_paths_tell_nothing_without_a_key(served: Served) -> None:
    """Not even whether there is such a path; neither do variants of those that are open."""
    for path in ("/v1/nothing", "/v1/keys/", "/docs/../v1/artists", "/healthz/"):
        is_problem(served.client.get(path), 401, "unauthenticated")
    is_problem(served.client.get("/v1/no", headers=served.headers(Role.READER)), 404, "not-found")


def test_secrets_are_compared_in_constant_time(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a known and of an unknown beginning alike, and only as hashes."""
    compared: list[tuple[str, str]] = []

    def compare(one: str, other: str) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", compare)
    served.client.get("/v1/artists", headers=served.headers(Role.READER))
    served.client.get("/v1/artists", headers=bearing(UNKNOWN))

    assert len(compared) == 2
    assert all(len(text) == 64 for pair in compared for text in pair)


def test_no_token_is_logged_or_kept(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    """The log, the database and the list of keys have no more than its first characters."""
    token = served.tokens[Role.OPERATOR]
    with caplog.at_level(logging.DEBUG):
        listed = served.client.get("/v1/keys", headers=served.headers(Role.OPERATOR)).text
        served.client.get("/v1/keys", headers=bearing(token[:-1]))
    state = served.client.app.state  # type: ignore[attr-defined]
    state.refusals.write()  # the audit has it by now, too
    kept = b"".join(path.read_bytes() for path in served.settings.home.glob("lawful.db*"))
    secret = token[keys.PREFIX + 1 :]

    assert token[: keys.PREFIX] in listed
    assert token[: keys.PREFIX].encode() in kept
    assert secret not in listed + caplog.text
    assert secret.encode() not in kept


# ---- who is let in without a key ----------------------------------------------------------------


def test_without_any_key_only_this_machine_is_let_in(tmp_path: Path) -> None:
    """Others are told what to do. The first key closes the service for good."""
    app = create_app(settings(tmp_path / "home"))
    with local_client(app) as here:
        there = TestClient(app, base_url="http://localhost", client=("192.0.2.7", 50_000))
        assert here.get("/v1/artists").status_code == 200
        refused = is_problem(there.get("/v1/artists"), 401, "unauthenticated")
        assert "lawful keys create NAME --role operator" in refused["detail"]
        assert there.get("/healthz").status_code == 200
        is_problem(here.get("/v1/artists", headers=bearing(UNKNOWN)), 401, "unauthenticated")

        made = here.post("/v1/keys", json={"name": "first", "role": "operator"}).json()
        assert made["issued_by"] == "anyone on this machine"
        is_problem(here.get("/v1/artists"), 401, "unauthenticated")
        assert there.get("/v1/artists", headers=bearing(made["token"])).status_code == 200

        own = f"/v1/keys/{made['id']}/revoke"
        assert here.post(own, headers=bearing(made["token"])).json()["state"] == "revoked"
        for client in (here, there):
            is_problem(client.get("/v1/artists"), 401, "unauthenticated")


def test_a_page_of_another_site_cannot_make_the_first_key(tmp_path: Path) -> None:
    """What a browser on this machine is led to send is refused as before."""
    with local_client(create_app(settings(tmp_path / "home"))) as here:
        answer = here.post(
            "/v1/keys",
            json={"name": "theirs", "role": "operator"},
            headers={"origin": "https://evil.example"},
        )

    is_problem(answer, 403, "cross-site-request")


# ---- what a key does -----------------------------------------------------------------------------


def test_records_name_the_key(served: Served) -> None:
    """A correction, and its entry in the audit, say which key made it."""
    operator = served.headers(Role.OPERATOR)
    path = "/v1/artists/bob"
    assert served.client.patch(path, json={"name": "Bob B."}, headers=operator).status_code == 200
    (change,) = served.client.get("/v1/changes?artist=bob", headers=operator).json()["items"]

    prefix = served.tokens[Role.OPERATOR][: keys.PREFIX]
    assert change["origin"] == f"key {prefix} (operator of the tests)"


def test_keys_over_http(served: Served) -> None:
    """Made, listed, rotated, revoked; a token comes once, and the old one opens nothing."""
    client, operator = served.client, served.headers(Role.OPERATOR)
    asked = {
        "name": "Ann's agent",
        "role": "contributor",
        "artists": ["ann-example"],
        "expires_at": (now() + timedelta(days=30)).isoformat(),
    }
    made = client.post("/v1/keys", json=asked, headers=operator)
    assert made.status_code == 201
    first = made.json()
    assert first["scopes"] == ["contribute", "lookup", "read"]
    assert client.get("/v1/artists", headers=bearing(first["token"])).status_code == 200

    second = client.post(f"/v1/keys/{first['id']}/rotate", headers=operator).json()
    assert (second["name"], second["artists"]) == (first["name"], first["artists"])
    is_problem(client.get("/v1/artists", headers=bearing(first["token"])), 401, "unauthenticated")
    assert client.get("/v1/artists", headers=bearing(second["token"])).status_code == 200

    client.post(f"/v1/keys/{second['id']}/revoke", headers=operator)
    listed = client.get("/v1/keys?limit=2", headers=operator).json()["items"]
    assert [(one["id"], one["state"]) for one in listed] == [
        (second["id"], "revoked"),
        (first["id"], "revoked"),
    ]
    assert listed[0]["last_used_at"]
    assert "token" not in listed[0]
    for action in ("revoke", "rotate"):
        again = client.post(f"/v1/keys/{first['id']}/{action}", headers=operator)
        assert "was revoked on" in is_problem(again, 409, "conflict")["detail"]


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ({"name": " \u200b", "role": "reader"}, 422, "the name of the key is empty"),
        ({"name": "n" * 101, "role": "reader"}, 422, "at most 100"),
        ({"name": "n"}, 422, "give a role (reader, contributor"),
        ({"name": "n", "role": "king"}, 422, "'reader'"),
        ({"name": "n", "scopes": ["everything"]}, 422, "'read'"),
        ({"name": "n", "role": "reader", "expires_at": "2020-01-01"}, 422, "has passed"),
        ({"name": "n", "role": "contributor", "artists": ["ann-exmple"]}, 404, "'ann-example'"),
        ({"name": "n", "role": "operator", "artists": ["bob"]}, 422, "only uploads can be kept"),
        ({"name": "n", "role": "reader", "artists": ["bob"]}, 422, "only uploads can be kept"),
        ({"name": "n", "role": "auditor"}, 403, "may not audit"),
        ({"name": "n", "role": "reader", "scopes": ["audit"]}, 403, "may not audit"),
        ({"name": "n", "role": "reader", "token": "lk_mine"}, 422, "token"),
    ],
)
def test_keys_that_are_not_made(
    served: Served, asked: dict[str, Any], status: int, said: str
) -> None:
    """Each refusal says what is wrong; no key may do more than its maker."""
    answer = served.client.post("/v1/keys", json=asked, headers=served.headers(Role.OPERATOR))

    assert answer.status_code == status
    assert said in answer.json()["detail"]


# ---- a contributor's own artists -----------------------------------------------------------------


def test_a_contributor_brings_only_the_works_of_their_artists(served: Served) -> None:
    """A single work of another is refused at once; in an archive each item is looked at."""
    anns = bearing(make_key(served.settings, Role.CONTRIBUTOR, artists=["ann-example"]).token)
    client = served.client
    with heard(client) as found:
        for path in ("/v1/artworks", "/v1/ingest-jobs"):
            for other in ("Bob", "Somebody New", "unknown"):
                refused = client.post(
                    path, files={"file": ("a.png", png(9))}, data={"artist": other}, headers=anns
                )
                said = is_problem(refused, 403, "not-allowed")["detail"]
                assert f"{other!r} is none of the artists that the key is kept to: ann" in said
    assert {(asked, why, times) for (_, _, asked, why), times in found.items()} == {
        ("POST /v1/artworks", "other-artist", 3),
        ("POST /v1/ingest-jobs", "other-artist", 3),
    }
    whole = archive({"1.png": png(10)})
    refused = client.post(
        "/v1/ingest-jobs", files={"file": ("a.zip", whole)}, data={"artist": "Bob"}, headers=anns
    )
    assert "'Bob' is none" in is_problem(refused, 403, "not-allowed")["detail"]

    members = {
        "Ann Example/1.png": png(11),
        "EXAMPLE, ann/2.png": png(12),  # a spelling that joins her
        "Bob/3.png": png(13),
        "New/4.png": png(14),
        "Ann Example/5.png": png(15),
        "Bob/known.png": png(1),
        "metadata.csv": b"file_name,artist,consent_display\nAnn Example/5.png,Bob,\n"
        b"Bob/known.png,Bob,no\n",
    }
    client.headers.update(anns)
    try:
        job = upload(client, archive(members), "all.zip")
        items = client.get(f"/v1/ingest-jobs/{job['id']}/items").json()["items"]
        (bobs,) = client.get("/v1/artworks?artist=bob").json()["items"]
    finally:
        del client.headers["authorization"]

    assert {one["path"] for one in items if one["outcome"] == "added"} == {
        "Ann Example/1.png",
        "EXAMPLE, ann/2.png",
    }
    refusals = {one["path"]: one["reason"] for one in items if one["outcome"] == "refused"}
    assert refusals.keys() == members.keys() - {
        "Ann Example/1.png",
        "EXAMPLE, ann/2.png",
        "metadata.csv",
    }
    assert all("is none of the artists that the key is kept to" in one for one in refusals.values())
    assert "display" in bobs["consent"]  # what they say of another's work does not count
    assert found_in_upload(served, job["id"]) == (4, anns["authorization"].split()[1][:11])


def found_in_upload(served: Served, job_id: str) -> tuple[int, str]:
    """Return how many works of an upload the audit says were another's, and by whose key."""
    with open_stores(served.settings) as stores, stores.sessions() as session:
        wanted = EntriesWanted(action="refuse", about=f"job:{job_id}")
        (entry,) = queries.list_entries(session, wanted).items
    (told,) = entry.details["refused"]
    assert (told["asked"], told["why"]) == ("works in an upload", "other-artist")
    return told["times"], entry.actor.split()[1]


def test_a_contributor_cannot_undo_a_withdrawal(served: Served) -> None:
    """Taking withdrawn works in again is the operator's to allow."""
    answer = served.client.post(
        "/v1/artworks",
        files={"file": ("a.png", png(20))},
        data={"artist": "Ann Example", "reinstate": "yes"},
        headers=served.headers(Role.CONTRIBUTOR),
    )

    assert "'operate'" in is_problem(answer, 403, "scope-missing")["detail"]
