"""Organisations that share a deployment: none sees, changes or learns anything of another.

The walk over all routes sends each of them the ids of another tenant's things. Row-level security
is asked of a PostgreSQL role that does not own the tables.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from qdrant_client import models
from sqlalchemy import URL, func, make_url, select, text
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner

from api.cli import app as commands
from api.http.access import is_open
from api.http.app import create_app
from attribution import tenants
from attribution.actors import Role, Scope
from attribution.catalogue import queries
from attribution.catalogue.database import Database, connect
from attribution.catalogue.models import (
    Artist,
    Artwork,
    Base,
    ClassifierShard,
    KeptCalibration,
    KeptCollection,
    OfTenant,
    artwork_id,
)
from attribution.catalogue.nobody import nobody
from attribution.catalogue.verification import verify
from attribution.collection import open_collection, open_stores
from attribution.config import Settings
from attribution.errors import BadInput, Conflict, LawfulError
from attribution.services import Services, open_services
from attribution.upkeep import keys, refusals
from attribution.upkeep.calibrating import calibrate
from attribution.upkeep.reconcile import reconcile
from attribution.upkeep.reindex import make_anew
from attribution.upkeep.tenants import create, for_each
from attribution.upkeep.withdrawal import withdraw
from tests.apis import UNCOUNTED, local_client, png, settings, upload
from tests.keys import bearing, make_key
from tests.portfolios import ingest, portfolio, wait_until
from tests.postgres import fresh_database
from tests.refusals import heard

OURS, THEIRS = "ours", "theirs"
THEIR_ARTIST = "Secret of theirs"
NUMBERS = (  # they name nobody, and no work
    "/v1/calibration",
    "/v1/models/summary",
    "/v1/cases/pairs",  # of decisions: here is none
    "/console",
    "/console/insight",
    "/console/insight/settings",
    "/console/insight/map",  # a script asks the API for what lies on it
)


@dataclass
class Side:
    """A tenant of a running service."""

    client: TestClient
    token: str
    ids: dict[str, str] = field(default_factory=dict)  # what a path may name -> what is there

    def send(self, method: str, path: str, **sent: Any) -> Any:
        """Ask for something with the tenant's own key."""
        return self.client.request(method, path, headers=bearing(self.token), **sent)


@dataclass(frozen=True)
class Shared:
    """A service that two tenants share; `walked` are all routes that need a scope."""

    settings: Settings
    ours: Side
    theirs: Side
    walked: list[tuple[str, str]]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """Serve two tenants; the same picture is registered by both, the other one's under a secret."""
    chosen = settings(tmp_path_factory.mktemp("tenants") / "home", **UNCOUNTED)
    with local_client(create_app(chosen), raise_server_exceptions=False) as client:
        sides = {name: Side(client, _operator(chosen, name)) for name in (OURS, THEIRS)}
        _register(sides[OURS], "Ann Example")
        _register(sides[THEIRS], THEIR_ARTIST)
        walked = [
            (method, route.path or "")
            for route in iter_route_contexts(client.app.routes)  # type: ignore[attr-defined]
            for method in sorted((route.methods or set()) - {"HEAD"})
            if not is_open(route.path or "")
        ]
        yield Shared(chosen, sides[OURS], sides[THEIRS], walked)


def _operator(chosen: Settings, name: str) -> str:
    with open_stores(chosen) as stores:
        create(stores, name)
    with tenants.within(name):
        return make_key(chosen, Role.OPERATOR, scopes=[Scope.AUDIT]).token


def _register(side: Side, artist: str) -> None:
    """Bring two works, ask about one, correct, declare, draw, withdraw; note what has which id."""
    client, ids = side.client, side.ids
    client.headers.update(bearing(side.token))
    try:
        job = upload(client, png(1), artist=artist, title=f"A title by {artist}")
        upload(client, png(2), artist=artist)
        second, first = client.get("/v1/artworks").json()["items"]
        image = {"image": ("q.png", png(3))}
        answer = client.post("/v1/attributions", files=image).json()
        about = {"attribution": answer["id"]}
        subject = client.get("/v1/subjects", params=about).json()["items"][0]
        declared = {"artwork_id": second["id"], "reason": artist, "by": artist}
        non_copy = client.post("/v1/non-copies", files=image, data=declared).json()
        new = {"title": f"A new title by {artist}"}
        client.patch(f"/v1/artworks/{second['id']}", json=new)
        change = client.get("/v1/changes").json()["items"][0]
        agreed = {"purpose": "train", "answer": "ask", "artwork_id": second["id"]}
        consent = client.post("/v1/consents", json=agreed).json()
        asked = {"what": first["id"], "reason": artist}
        withdrawal = client.post("/v1/withdrawals", json=asked).json()
        drawing = client.post("/v1/generations", json={"prompt": f"by {artist}"}).json()
        key = client.get("/v1/keys").json()["items"][0]
        works = {"works": [second["id"]]}
        batch = client.post("/v1/lookup-batches/works", json=works).json()
        about = {"kind": "match", "title": artist, "attributions": [answer["id"]]}
        about |= {"parties": [{"role": "respondent", "name": artist}]}
        case = client.post("/v1/cases", json=about).json()
        party = client.get(f"/v1/cases/{case['id']}").json()["parties"][0]
        held = {"artwork_id": second["id"], "why": artist}
        hold = client.post(f"/v1/cases/{case['id']}/holds", json=held).json()
        sent = {"file": ("a.txt", artist.encode())}, {"title": artist}
        document = client.post(f"/v1/cases/{case['id']}/documents", files=sent[0], data=sent[1])
        watched = {"artist": artist.lower().replace(" ", "-"), "why": artist}
        watch = client.post("/v1/watches", json=watched).json()
        hook = client.post("/v1/webhooks", json={"url": "https://rights.example.org/"}).json()
        delivery = client.post(f"/v1/webhooks/{hook['id']}/test").json()
        client.post(f"/v1/webhooks/{hook['id']}/end")  # or it would be tried again and again
        wait_until(lambda: is_done(client, f"generations/{drawing['id']}"))
        wait_until(lambda: is_done(client, f"lookup-batches/{batch['id']}"))
    finally:
        del client.headers["authorization"]
    ids |= {"slug": artist.lower().replace(" ", "-"), "number": "0"}
    named = {"job": job, "artwork": second, "attribution": answer, "generation": drawing}
    named |= {"subject": subject, "batch": batch, "webhook": hook, "delivery": delivery}
    named |= {"consent": consent, "case": case, "hold": hold, "party": party, "watch": watch}
    named |= {"document": document.json()}
    named |= {"change": change, "non_copy": non_copy, "withdrawal": withdrawal, "key": key}
    ids |= {f"{name}_id": one["id"] for name, one in named.items()}


def is_done(client: TestClient, place: str) -> bool:
    """Tell whether a job is done."""
    return bool(client.get(f"/v1/{place}").json()["status"] == "done")


# ---- every route ---------------------------------------------------------------------------------


def bodies(ids: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return what is sent to each route that takes something, naming what has these ids."""
    image = {"image": ("q.png", png(4))}
    reason = {"reason": "none of yours", "by": "Eve"}
    named = {"artist": ids["slug"]}
    return {
        "PATCH /v1/artists/{slug}": {"json": {"name": "Eve"}},
        "POST /v1/artists/{slug}/aliases": {"json": {"name": "Eve"}},
        "POST /v1/artists/{slug}/merge": {"json": {"into": "ann-example", "confirm": True}},
        "POST /v1/artists/{slug}/split": {"json": {"into": "Eve", "works": [ids["artwork_id"]]}},
        "PATCH /v1/artworks/{artwork_id}": {"json": {"title": "Eve"}},
        "POST /v1/artworks/{artwork_id}/move": {"json": {"artist": "Eve"}},
        "GET /v1/artworks": {"params": named},
        "GET /v1/artworks/export": {"params": named},
        "GET /v1/changes": {"params": named},
        "GET /v1/consents": {"params": named},
        "GET /v1/consents/export": {"params": named},
        "POST /v1/consents": {
            "json": {"purpose": "train", "answer": "deny", "artwork_id": ids["artwork_id"]}
        },
        "GET /v1/non-copies": {"params": {"work": ids["artwork_id"]}},
        "GET /v1/subjects": {"params": {"attribution": ids["attribution_id"]}},
        "POST /v1/subjects/{subject_id}/forget": {"json": {"reason": "none of yours"}},
        "GET /v1/deliveries": {"params": {"webhook": ids["webhook_id"]}},
        "GET /v1/search": {"params": {"q": "title", **named}},
        "POST /v1/search": {"files": image, "data": named},
        "POST /v1/map": {"files": image},
        "POST /console/insight/map": {"files": image},
        "POST /v1/credentials/verify": {"files": image},
        "POST /v1/attributions/findings": {"json": {"attributions": [ids["attribution_id"]]}},
        "POST /v1/attributions/{attribution_id}/regions": {"files": image},
        "POST /v1/attributions/{attribution_id}/report": {"files": image},
        "POST /v1/attributions/evidence": {"json": {"attributions": [ids["attribution_id"]]}},
        "POST /v1/attributions/report": {"json": {"attributions": [ids["attribution_id"]]}},
        "POST /v1/changes/{change_id}/undo": {"json": {"reason": "none of yours"}},
        "GET /v1/cases": {"params": named},
        "POST /v1/cases": {
            "json": {"kind": "claim", "title": "Eve", "attributions": [ids["attribution_id"]]}
        },
        "POST /v1/cases/{case_id}/subjects": {"json": {"attributions": [ids["attribution_id"]]}},
        "POST /v1/cases/{case_id}/documents": {
            "files": {"file": ("a.txt", b"Eve")},
            "data": {"title": "Eve"},
        },
        "POST /v1/cases/{case_id}/documents/{document_id}/remove": {"json": {"why": "Eve"}},
        "POST /v1/cases/{case_id}/holds": {"json": {"artist": ids["slug"], "why": "Eve"}},
        "POST /v1/cases/{case_id}/holds/{hold_id}/end": {"json": {"why": "none of yours"}},
        "POST /v1/watches": {"json": {"artist": ids["slug"], "why": "Eve"}},
        "POST /v1/watches/{watch_id}/release": {
            "json": {"artwork_id": ids["artwork_id"], "why": "none of yours"}
        },
        "POST /v1/watches/{watch_id}/end": {"json": {"why": "none of yours"}},
        "POST /v1/cases/{case_id}/parties": {"json": {"role": "other", "name": "Eve"}},
        "POST /v1/cases/{case_id}/assessments": {
            "json": {"findings": [ids["case_id"]], "verdict": "unclear", "why": "none of yours"}
        },
        "POST /v1/cases/{case_id}/decisions": {
            "json": {"outcome": "no_finding", "ground": "other", "words": "none of yours"}
        },
        "POST /console/cases": {
            "data": {"kind": "claim", "title": "Eve", "attribution": ids["attribution_id"]}
        },
        "POST /console/cases/{case_id}/assess": {
            "data": {"findings": [ids["case_id"]], "verdict": "unclear", "why": "none of yours"}
        },
        "POST /console/cases/{case_id}/decide": {
            "data": {"outcome": "no_finding", "ground": "other", "words": "none of yours"}
        },
        "POST /console/cases/{case_id}/move": {"data": {"to": "oidc 42", "text": "none of yours"}},
        "POST /console/cases/{case_id}/holds": {
            "data": {"what": f"artist:{ids['slug']}", "why": "Eve"}
        },
        "POST /console/cases/{case_id}/holds/{hold_id}/end": {"data": {"why": "none of yours"}},
        **{
            f"POST /console/cases/{{case_id}}/{act}": {"data": {"text": "none of yours"}}
            for act in ("reopen", "appeal", "comment", "skip")
        },
        "POST /console/compare/{attribution_id}/{artwork_id}/assess": {
            "data": {
                "case": ids["case_id"],
                "finding": ids["case_id"],
                "verdict": "unclear",
                "why": "none of yours",
            }
        },
        "PATCH /v1/cases/{case_id}": {"json": {"priority": 1}},
        "POST /console/cases/{case_id}/plan": {"data": {"priority": "1", "etag": '"1"'}},
        "POST /console/cases/{case_id}/parties": {"data": {"role": "other", "name": "Eve"}},
        "POST /console/cases/{case_id}/documents": {
            "files": {"file": ("a.txt", b"Eve")},
            "data": {"title": "Eve"},
        },
        "POST /console/cases/{case_id}/documents/{document_id}/remove": {"data": {"why": "Eve"}},
        **{
            f"POST /{door}/cases/{{case_id}}/parties/{{party_id}}/{act}": {sent: {"text": "Eve"}}
            for door, sent in (("v1", "json"), ("console", "data"))
            for act in ("contact", "remove")
        },
        "POST /v1/cases/{case_id}/move": {"json": {"to": "oidc 42", "text": "none of yours"}},
        **{
            f"POST /v1/cases/{{case_id}}/{act}": {"json": {"text": "none of yours"}}
            for act in ("reopen", "appeals", "comments", "skip")
        },
        "POST /v1/keys": {"json": {"name": "e", "role": "contributor", "artists": [ids["slug"]]}},
        "POST /v1/non-copies": {
            "files": image,
            "data": {"artwork_id": ids["artwork_id"], **reason},
        },
        "POST /v1/non-copies/{non_copy_id}/revoke": {"json": reason},
        "POST /v1/webhooks": {
            "json": {"url": "https://rights.example.org/", "artists": [ids["slug"]]}
        },
        "POST /v1/withdrawals": {"json": {"what": ids["artwork_id"], "reason": "none of yours"}},
        **{
            f"POST /console/artists/{{slug}}/{act}": {"data": {"name": "Eve"}}
            for act in ("rename", "aliases")
        },
        "GET /console/artists/{slug}/merge": {"params": {"into": "ann-example"}},
        "POST /console/artists/{slug}/merge": {"data": {"into": "ann-example"}},
        "POST /console/artists/{slug}/withdraw": {"data": {"name": "Eve", "reason": "none"}},
        "POST /console/works/{artwork_id}/correct": {"data": {"title": "Eve", "etag": '"1"'}},
        "POST /console/works/{artwork_id}/move": {"data": {"artist": "Eve"}},
        "POST /console/works/{artwork_id}/withdraw": {"data": {"reason": "none of yours"}},
        "POST /console/consents": {
            "data": {"purpose": "train", "answer": "deny", "artwork_id": ids["artwork_id"]}
        },
        "GET /console/search": {"params": {"q": "title", **named}},
        "POST /console/search": {"files": image, "data": named},
    }


def test_no_route_knows_the_ids_of_another_tenant(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers as if there was nothing of that id, and nothing of theirs has changed."""
    monkeypatch.setattr(refusals, "MOST_DIFFERENT", 1_000)  # in place of "something else"
    theirs, nowhere = shared.theirs.ids, {name: str(uuid4()) for name in shared.theirs.ids}
    nowhere |= {"slug": "nobody-of-this-name", "number": "0"}
    before = _rows_of(shared.settings, THEIRS)
    asked, by_id = 0, set[str]()
    with heard(shared.ours.client) as refused:
        for method, path in shared.walked:
            names = re.findall(r"\{(\w+)\}", path)
            sent = [bodies(ids).get(f"{method} {path}", {}) for ids in (theirs, nowhere)]
            if not names and sent[0] == sent[1]:
                continue
            answers = [
                shared.ours.send(method, path.format(**ids), **one)
                for ids, one in zip((theirs, nowhere), sent, strict=True)
            ]
            said = [
                _without(answer.text, ids)
                for answer, ids in zip(answers, (theirs, nowhere), strict=True)
            ]
            assert answers[0].status_code == answers[1].status_code == 404, (method, path)
            assert said[0] == said[1]
            assert THEIR_ARTIST not in answers[0].text
            asked += 1
            if any(one in answers[0].text for one in _ids(shared.theirs) if one != theirs["slug"]):
                by_id.add(f"{method} {path}")

    assert asked >= 45
    assert _rows_of(shared.settings, THEIRS) == before
    # Only whoever runs the service is told: names of artists are no secret, ids are.
    who = f"key {shared.ours.token[: keys.PREFIX]} (operator of the tests)"
    assert len(by_id) >= 35
    assert refused == Counter(("default", who, one, "other-tenant") for one in by_id)


def test_no_list_shows_anything_of_another_tenant(shared: Shared) -> None:
    """Neither in its rows nor in its numbers; each tenant's own things are there."""
    asked = 0
    for method, path in shared.walked:
        if method != "GET" or "{" in path or path == "/metrics":
            continue
        params = {"q": "title"} if path.endswith("/search") else {}
        ours, theirs = (
            side.send(method, path, params=params) for side in (shared.ours, shared.theirs)
        )
        assert ours.status_code == theirs.status_code == 200, path
        assert THEIR_ARTIST not in ours.text
        assert not any(one in ours.text for one in _ids(shared.theirs)), path
        assert path in NUMBERS or any(one in theirs.text for one in _ids(shared.theirs))
        asked += 1

    assert asked >= 13


def test_no_lookup_finds_a_work_of_another_tenant(shared: Shared) -> None:
    """Not by its very bytes; what both have registered each finds as its own."""
    both, theirs_alone = ({"image": ("q.png", png(seed))} for seed in (2, 9))
    upload_as(shared.theirs, png(9), artist=THEIR_ARTIST)
    for side, artist in ((shared.ours, "Ann Example"), (shared.theirs, THEIR_ARTIST)):
        found = side.send("POST", "/v1/attributions", files=both).json()
        assert found["copy_of"]["name"] == artist
        assert {one["name"] for one in found["artists"]} <= {artist}
    there = shared.theirs.send("POST", "/v1/attributions", files=theirs_alone).json()
    here = shared.ours.send("POST", "/v1/attributions", files=theirs_alone).json()
    member = shared.ours.send("POST", "/v1/attributions/members", files=theirs_alone).json()
    similar = shared.ours.send("POST", "/v1/search", files=theirs_alone).json()

    assert there["verdict"] == "copy"
    assert (here["copy_of"], here["related_to"], member["copy_of"]) == (None, None, None)
    assert (here["searched"]["works"], there["searched"]["works"]) == (1, 2)
    assert THEIR_ARTIST not in json.dumps([here, member, similar])


def test_words_of_another_tenant_weigh_nothing(shared: Shared) -> None:
    """How rare a word is here says nothing of who is registered there."""

    def scores() -> list[float]:
        words = {"q": "title by", "by": "words"}
        found = shared.ours.send("GET", "/v1/search", params=words).json()["hits"]
        return [hit["legs"]["text"]["score"] for hit in found]

    before = scores()
    for seed in range(20, 24):
        upload_as(shared.theirs, png(seed), artist=THEIR_ARTIST, title=f"A title by {seed}")

    assert scores() == before != []


def test_metrics_are_the_tenants(shared: Shared) -> None:
    """Numbers of requests, which are everybody's, are for whoever runs the service."""
    ours = shared.ours.send("GET", "/metrics").text
    runs = shared.ours.client.get(
        "/metrics", headers=bearing(make_key(shared.settings, Role.READER).token)
    ).text

    assert 'lawful_works{status="indexed"} 1.0' in ours
    assert "lawful_http_requests" not in ours
    assert 'lawful_works{status="indexed"} 0.0' in runs
    assert "lawful_http_requests_total" in runs


def test_withdrawals_of_another_tenant_are_none_here(shared: Shared) -> None:
    """A statement without rows of its own is narrowed too."""
    with open_stores(shared.settings) as stores:
        create(stores, "third")
        long_ago = datetime(2020, 1, 1, tzinfo=UTC)
        for name, is_any in ((OURS, True), ("third", False)):
            with tenants.within(name), stores.sessions() as session:
                assert queries.withdrawn_since(session, long_ago) is is_any


def upload_as(side: Side, data: bytes, **fields: str) -> dict[str, Any]:
    """Upload with the key of a tenant, and wait for the job."""
    side.client.headers.update(bearing(side.token))
    try:
        return upload(side.client, data, **fields)
    finally:
        del side.client.headers["authorization"]


def _without(text: str, ids: Mapping[str, str]) -> str:
    for one in ids.values():
        if len(one) > 1:
            text = text.replace(one, "ID")
    return text


def _ids(side: Side) -> list[str]:
    return [one for one in side.ids.values() if len(one) > 1]


def _rows_of(chosen: Settings, tenant: str) -> dict[str, Any]:
    """Return everything that the database has of a tenant, but when its keys were used."""
    with tenants.across(), open_stores(chosen) as stores, stores.sessions() as session:
        return {
            table.name: session.execute(
                select(*(one for one in table.c if one.name != "last_used_at"))
                .where(table.c.tenant == tenant)
                .order_by(*table.primary_key)
            ).all()
            for table in Base.metadata.sorted_tables
            if "tenant" in table.c
        }


# ---- what a tenant has ---------------------------------------------------------------------------


@pytest.fixture
def two(services: Services) -> Services:
    """Give two tenants: the default one has three artists with four works each, the other none."""
    create(services, THEIRS)
    return services


def test_the_same_bytes_are_a_work_of_each(two: Services, tmp_path: Path) -> None:
    """With ids, points, vectors, statistics and files of its own; one withdraws, one keeps."""
    with tenants.within(THEIRS):
        ingest(two, portfolio(tmp_path / "q", artists=2))
        assert calibrate(two) is None  # too little
    ours, theirs = _works(two, tenants.DEFAULT), _works(two, THEIRS)
    assert {work.sha256 for work in theirs} < {work.sha256 for work in ours}
    assert not {work.id for work in theirs} & {work.id for work in ours}
    assert for_each(two, two.index.count) == [12, 8]
    assert _statistics(two, tenants.DEFAULT)[0] == 12
    assert _statistics(two, THEIRS)[0] == 8
    before = _statistics(two, tenants.DEFAULT)

    with tenants.within(THEIRS):
        receipt = withdraw(two, "artist-0", reason="asked for").receipt
        assert for_each(two, two.index.count) == [12, 4]

    assert not any(receipt["left"].values())
    assert receipt["removed"]["originals"] == 4
    assert _statistics(two, THEIRS)[0] == 4
    assert _statistics(two, tenants.DEFAULT) == before
    assert all(two.store.has_original(work.sha256) for work in ours)
    with two.sessions() as session:
        kept = session.scalars(select(KeptCalibration)).all()
    assert all(row.works == 12 for row in kept)


def test_upkeep_serves_every_tenant(ingested: Settings, tmp_path: Path) -> None:
    """What differs is found, mended and counted for all of them; a new index has all points."""
    with open_services(ingested) as services:
        create(services, THEIRS)
        with tenants.within(THEIRS):
            ingest(services, portfolio(tmp_path / "q", artists=1))
        everything = [work for name in (tenants.DEFAULT, THEIRS) for work in _works(services, name)]
        lost = [everything[0].id, everything[-1].id]
        services.index.delete(lost)

        found = reconcile(services, repair=True)

        assert (found.works, found.missing, found.orphaned) == (16, 2, 0)
        assert reconcile(services, repair=False).is_clean
        assert services.index.held(lost) == set(lost)
    with open_stores(ingested) as stores:
        assert make_anew(stores, progress=lambda *_: None) == (16, 0)


def test_what_fails_for_one_tenant_is_done_for_the_others(two: Services) -> None:
    """And is raised behind the last of them."""
    seen: list[str] = []

    def fail_for_the_first() -> None:
        seen.append(tenants.current())
        if len(seen) == 1:
            raise Conflict("not now")

    with pytest.raises(Conflict, match="not now"):
        for_each(two, fail_for_the_first)

    assert seen == [tenants.DEFAULT, THEIRS]


def test_a_row_is_made_for_somebody(two: Services) -> None:
    """Nothing of a tenant's is written, and no file or id named, across all of them."""
    with tenants.across():
        with pytest.raises(LawfulError, match="for one tenant, and none was said"):
            two.store.put_original("0" * 64, b"")
        for derived in (nobody, lambda: artwork_id("0" * 64)):
            with pytest.raises(LawfulError, match="for one tenant"):
                derived()
        with pytest.raises(Exception, match="for one tenant"), two.sessions.begin() as session:
            session.add(Artist(slug="a", name="A", folded="a", turned="a"))
        with two.sessions() as session:
            assert session.scalar(select(func.count()).select_from(Artwork)) == 12


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a" * 41, "a/b", "..", "*", "ä", "a b"])
def test_what_can_name_no_tenant(two: Services, name: str) -> None:
    """Names are folders too."""
    with pytest.raises(BadInput, match="cannot name a tenant"):
        create(two, name)


def test_a_tenant_is_made_once(two: Services) -> None:
    """And stands in the audit."""
    with pytest.raises(Conflict, match="there is a tenant 'theirs' already"):
        create(two, THEIRS)
    with two.sessions() as session:
        assert queries.last_entry(session, "create-tenant").object == "tenant:theirs"  # type: ignore[union-attr]


def _works(stores: Services, name: str) -> list[Artwork]:
    with tenants.within(name), stores.sessions() as session:
        return queries.indexed_artworks(session, after=None, limit=100)


def _statistics(stores: Services, name: str) -> tuple[int, Any]:
    width = sum(stores.row.voting.values())
    with tenants.within(name), stores.sessions() as session:
        found = queries.statistics_of(session, stores.row.fingerprint, width)
        stamps = session.scalars(select(ClassifierShard.stamp)).all()
    return sum(found.works.values()), stamps


# ---- the records ---------------------------------------------------------------------------------


def test_the_audit_is_one_and_each_reads_its_own(shared: Shared) -> None:
    """The chain holds over all tenants; a list has the entries of one."""
    sides = (shared.ours, shared.theirs)
    ours, theirs = (side.send("GET", "/v1/audit?limit=500").json()["items"] for side in sides)
    with open_stores(shared.settings) as stores:
        found = verify(stores.sessions, lambda *_: None)

    numbers = [{entry["sequence"] for entry in one} for one in (ours, theirs)]
    assert found.faults == 0
    assert not numbers[0] & numbers[1]
    assert numbers[0] | numbers[1] <= set(range(1, found.entries + 1))
    assert {"ingest", "lookup", "withdraw"} <= {entry["action"] for entry in theirs}


# ---- the second wall -----------------------------------------------------------------------------


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_database_itself_keeps_tenants_apart(database: Database) -> None:
    """The owner of the tables sees one tenant's rows, whatever is asked."""
    for name in (tenants.DEFAULT, THEIRS):
        with tenants.within(name), database.sessions.begin() as session:
            queries.get_or_create_artist(session, f"artist of {name}")
    names = text("SELECT name FROM artists")
    with database.engine.connect() as nobodys:
        assert nobodys.scalars(names).all() == []
        forced = nobodys.scalars(
            text("SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity")
        ).all()
    assert set(forced) == {one.__tablename__ for one in _mapped(OfTenant)}  # type: ignore[attr-defined]
    for name in (tenants.DEFAULT, THEIRS):
        with tenants.within(name), database.sessions() as session:
            assert session.scalars(names).all() == [f"artist of {name}"]
    with tenants.across(), database.sessions() as session:
        assert len(session.scalars(select(Artist)).all()) == 2
    to_us = text("UPDATE artists SET tenant = 'default'")
    refused = pytest.raises(DBAPIError, match="row-level security")
    with tenants.within(THEIRS), database.sessions() as session, refused:
        session.execute(to_us)


def test_a_superuser_has_no_wall(postgres: URL) -> None:
    """Which can be asked for."""
    with fresh_database(postgres) as owned:
        superuser = make_url(owned).set(username=postgres.username)
        for url, is_walled in (
            (owned, True),
            (superuser.render_as_string(hide_password=False), False),
        ):
            database = connect(url)
            assert database.is_walled() is is_walled
            database.dispose()


def _mapped(kind: type) -> set[type]:
    """Return the tables that are of this kind."""
    return {one.class_ for one in Base.registry.mappers if issubclass(one.class_, kind)}


# ---- from before there were any ------------------------------------------------------------------


def test_points_of_an_earlier_version_are_the_default_tenants(
    ingested: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They say no tenant, and are found again as soon as the collection is opened."""
    with open_services(ingested) as services:
        engine, row = services.index._engine, services.row
        records, _ = engine.scroll(row.name, limit=100)
        stored = engine.retrieve(row.name, [str(one.id) for one in records], with_vectors=True)
        points = [
            models.PointStruct(
                id=one.id,
                vector=one.vector,  # type: ignore[arg-type]
                payload={name: said for name, said in one.payload.items() if name != "tenant"},
            )
            for one in stored
            if one.payload
        ]
        engine.upsert(row.name, points)
        assert services.index.count() == 0
        with services.sessions.begin() as session:
            session.get_one(KeptCollection, row.name).says_tenants = False
    with open_stores(ingested) as stores, open_collection(stores) as collection:
        assert collection.index.count() == 12
        monkeypatch.setattr(type(collection.index), "give_to", None)  # it is done once
    with open_stores(ingested) as stores, open_collection(stores) as collection:
        assert collection.row.says_tenants
        assert reconcile(collection, repair=False).is_clean


def test_pools_of_threads_know_for_whom_they_work() -> None:
    """The pool of the queue asks each task whose it is; all others are told by who began it."""
    root = Path(__file__).parents[1]
    plain = [
        str(path.relative_to(root))
        for package in ("api", "attribution", "ingest")
        for path in sorted((root / package).rglob("*.py"))
        if "laboratory" not in path.parts and "ThreadPoolExecutor" in path.read_text()
    ]
    assert plain == ["api/servers/stack.py", "attribution/threads.py", "ingest/work/jobs.py"]


# ---- the command line ----------------------------------------------------------------------------


def test_the_command_line_acts_for_the_tenant_of_the_settings(
    ingested: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LAWFUL_TENANT; one that there is not is refused with the way to make it."""
    monkeypatch.setattr(tenants, "_chosen", tenants.DEFAULT)  # put back behind the test
    monkeypatch.setenv("LAWFUL_HOME", str(ingested.home))
    monkeypatch.setenv("LAWFUL_PROFILE", "stub")
    run = CliRunner().invoke
    made = run(commands, ["tenants", "create", THEIRS]).stdout
    assert "LAWFUL_TENANT=theirs lawful keys create NAME --role operator" in made
    listed = run(commands, ["tenants", "list", "--json"]).stdout.splitlines()
    ours = json.loads(run(commands, ["artists", "--json"]).stdout)["artists"]
    monkeypatch.setenv("LAWFUL_TENANT", THEIRS)
    none = json.loads(run(commands, ["artists", "--json"]).stdout)["artists"]
    monkeypatch.setenv("LAWFUL_TENANT", "nobodys")
    unknown = run(commands, ["artists"])

    assert [(one["name"], one["works"]) for one in map(json.loads, listed)] == [
        ("default", 12),
        ("theirs", 0),
    ]
    assert (len(ours), none) == (3, [])
    assert isinstance(unknown.exception, BadInput)
    assert "the tenant 'nobodys', which there is not" in str(unknown.exception)
