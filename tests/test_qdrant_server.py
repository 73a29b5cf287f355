"""A Qdrant server: what goes over the wire to the letter, what its failures become, and the owner.

A real server takes part in the one test that takes works in and withdraws them, where
LAWFUL_TEST_QDRANT_URL names one as for `test_index`; the collection of the profile `stub` is
deleted there.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from uuid import UUID, uuid5

import httpx
import numpy as np
import pytest
from pydantic import SecretStr

from attribution.collection import server_options
from attribution.config import Settings
from attribution.errors import BackendUnavailable, BadInput, IndexLocked, KeyRefused, LawfulError
from attribution.index import ServerOptions, breaker, open_index, schema
from attribution.index.owner import BODY_LIMIT, Owner
from attribution.index.points import Point, Probe, Where
from attribution.index.server import _warn_of_a_key_in_clear, connect
from attribution.index.vector_index import VectorIndex
from attribution.services import Services, open_services
from attribution.types import Part
from attribution.upkeep.reconcile import reconcile
from attribution.upkeep.withdrawal import withdraw
from tests import qdrant_doubles as doubles
from tests.index_servers import INDEX_SERVER, free_port, index_server
from tests.portfolios import ingest
from tests.qdrant_doubles import Server
from tests.test_grounds import BLACK, logo, on
from tests.test_index import ANN, BOB, CLIENTS, DIMS, noise, point
from tests.test_strips import ask, portfolio, webtoon, work_called

OURS = {"key": "tenant", "match": {"value": "default"}}
ALL_OURS = {"must": [OURS], "must_not": []}
DELETED = "points/delete?wait=true&ordering=strong&timeout=10"
READ = "points?consistency=majority&timeout=10"
KEY = "0123456789abcdef"
EVERYWHERE = "0.0.0.0"  # noqa: S104  what is refused without a key


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Give a server without collections."""
    server = doubles.server(tmp_path)
    yield server
    server.owner.close()


@pytest.fixture
def index(server: Server) -> VectorIndex:
    """Give an empty collection, and forget what was asked to make it."""
    index = VectorIndex(server.client(), dims=DIMS, parts="clip", collection="artworks")
    server.requests.clear()
    return index


# What a server gets


def test_a_collection_is_made_with_everything_that_a_server_has(server: Server) -> None:
    """Originals on disk, 4-bit codes in memory, a graph a vector, shards, replicas, indexes."""
    made = server.client(ServerOptions(shards=1, replicas=1))
    VectorIndex(made, dims={"clip": 512, "vae_style": 78}, collection="artworks")

    codes = {"turbo": {"bits": "bits4", "memory": "pinned"}}
    base = "/collections/artworks"
    assert server.sent() == [
        ("GET", f"{base}/exists", None),
        ("GET", f"{base}-a/exists", None),  # what a killed `reindex` would have left
        ("GET", f"{base}-b/exists", None),
        (
            "PUT",
            base,
            {
                "vectors": {
                    "clip": {
                        "size": 512,
                        "distance": "Cosine",
                        "memory": "cold",
                        "hnsw_config": {"m": 16, "ef_construct": 128},
                        "quantization_config": codes,
                    },
                    "vae_style": {
                        "size": 78,
                        "distance": "Cosine",
                        "memory": "cold",
                        "hnsw_config": {"m": 8, "ef_construct": 128},
                        "quantization_config": codes,
                    },
                },
                "sparse_vectors": {"text": {"modifier": "idf", "index": {"memory": "cached"}}},
                "shard_number": 1,
                "replication_factor": 1,
            },
        ),
        ("GET", base, None),  # which fields are indexed
        *(
            (
                "PUT",
                f"{base}/index?wait=true&timeout=10",
                {"field_name": field, "field_schema": params},
            )
            for field, params in (
                ("tenant", {"type": "keyword", "is_tenant": True}),
                ("artist", {"type": "keyword", "is_tenant": True}),
                ("licence", {"type": "keyword"}),
                ("consent", {"type": "keyword"}),
                ("year", {"type": "integer", "lookup": False, "range": True}),
            )
        ),
    ]


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ("1.18.9", r"version 1\.18\.9; this program needs 1\.19 or newer"),
        ("dev", "version dev"),
        ("1.19.0", None),
        ("2.0.0-rc1", None),
    ],
)
def test_a_server_that_is_too_old_is_refused(
    server: Server, said: str, refused: str | None
) -> None:
    """It is asked once, before anything is made there."""
    server.faults = [
        lambda *_: httpx.Response(200, json={"title": "qdrant", "version": said, "commit": "0"})
    ]
    with pytest.raises(LawfulError, match=refused) if refused else nullcontext():
        server.client().check_version()
    assert server.sent() == [("GET", "/", None)]


def test_what_has_no_version_is_no_server(server: Server) -> None:
    """As a server says that it does not know the address."""
    server.faults = [doubles.answering(404, "Not found")]
    with pytest.raises(LawfulError, match="is not a Qdrant server"):
        server.client().check_version()


def test_the_owner_speaks_a_version_that_is_new_enough(server: Server) -> None:
    """Whoever points to it is let in."""
    server.client().check_version()


def test_shards_and_replicas_are_asked_for(server: Server) -> None:
    """As the options say; the owner, which has neither, refuses aloud."""
    client = server.client(ServerOptions(shards=12, replicas=2))
    with pytest.raises(LawfulError, match=r"400 one process has one shard and no replicas"):
        VectorIndex(client, dims=DIMS, parts="clip", collection="artworks")
    asked = server.sent()[3][2]
    assert (asked["shard_number"], asked["replication_factor"]) == (12, 2)


def test_points_are_written_whole_and_waited_for(server: Server, index: VectorIndex) -> None:
    """One request, all named vectors, the payload without what is not known."""
    clip, style = np.eye(8, dtype=np.float32)[0], np.eye(6, dtype=np.float32)[1]
    vectors = {"clip": clip, "vae_style": style}
    index.upsert([Point(UUID(int=1), vectors, "boat", ANN, year=1900, consent=("index",))])
    words = {"indices": [3631121226], "values": [pytest.approx(1.6)]}
    assert server.sent() == [
        (
            "PUT",
            "/collections/artworks/points?wait=true&timeout=10",
            {
                "points": [
                    {
                        "id": str(UUID(int=1)),
                        "vector": {
                            "clip": [1.0, 0, 0, 0, 0, 0, 0, 0],
                            "vae_style": [0, 1.0, 0, 0, 0, 0],
                            "text": words,
                        },
                        "payload": {
                            "tenant": "default",
                            "artist": str(ANN),
                            "consent": ["index"],
                            "year": 1900,
                        },
                    }
                ]
            },
        )
    ]


def test_a_query_is_one_batch_with_the_filter_on_every_leg(
    server: Server, index: VectorIndex
) -> None:
    """Each leg alone, so that its scores can be shown; dense ones with exact rescoring."""
    clip = np.eye(8, dtype=np.float32)[0]
    where = Where((ANN,), ("CC0-1.0",), 1900, 1950, (UUID(int=3),))
    index.neighbours(Probe({"clip": clip}, text="boat"), limit=10, where=where)

    chosen = {
        "must": [
            OURS,
            {"key": "artist", "match": {"any": [str(ANN)]}},
            {"key": "licence", "match": {"any": ["CC0-1.0"]}},
            {"key": "year", "range": {"gte": 1900, "lte": 1950}},
        ],
        "must_not": [{"has_id": [str(UUID(int=3))]}],
    }
    leg = {"filter": chosen, "limit": 26, "with_payload": ["artist"]}
    assert server.sent() == [
        (
            "POST",
            "/collections/artworks/points/query/batch?timeout=10",
            {
                "searches": [
                    leg
                    | {
                        "query": {"nearest": [1.0, 0, 0, 0, 0, 0, 0, 0]},
                        "using": "clip",
                        "params": {"quantization": {"rescore": True, "oversampling": 2.0}},
                    },
                    leg
                    | {
                        "query": {"nearest": {"indices": [3631121226], "values": [1.0]}},
                        "using": "text",
                        "params": {"idf": {"corpus": {"must": [OURS]}}},
                    },
                ]
            },
        )
    ]


def test_everything_else_on_the_wire(server: Server, index: VectorIndex) -> None:
    """Deletions wait, nothing is counted exactly by the server, an alias is swapped by one request.

    What deletes works asks whether there are parts of works to be deleted with them.
    """
    one, artist = UUID(int=1), {"key": "artist", "match": {"any": [str(BOB)]}}
    index.delete([one])
    index.count(Where(artist_ids=(BOB,)))
    index.points()
    index.entries(after=one, limit=5)
    index.vectors([one])
    index.publish("live")
    index.drop()
    base = "/collections/artworks"
    by_artist = {"must": [OURS, artist], "must_not": []}
    page = {"offset": str(one), "limit": 6, "with_payload": True, "with_vector": False}
    page |= {"filter": ALL_OURS}
    are_there_parts = ("GET", f"{base}-parts/exists", None)
    assert server.sent() == [
        are_there_parts,
        ("POST", f"{base}/{DELETED}", {"points": [str(one)]}),
        (
            "POST",
            f"{base}/points/scroll?consistency=majority&timeout=10",
            {"filter": by_artist, "limit": 1000, "with_payload": True, "with_vector": False},
        ),
        ("POST", f"{base}/points/count?timeout=10", {"filter": ALL_OURS, "exact": False}),
        ("POST", f"{base}/points/scroll?consistency=majority&timeout=10", page),
        ("POST", f"{base}/{READ}", {"ids": [str(one)], "with_payload": True, "with_vector": True}),
        (
            "POST",
            "/collections/aliases",
            {
                "actions": [
                    {"delete_alias": {"alias_name": "live"}},
                    {"create_alias": {"collection_name": "artworks", "alias_name": "live"}},
                ]
            },
        ),
        ("GET", "/aliases", None),  # a server deletes collections by their own names only
        are_there_parts,
        ("GET", f"{base}/exists", None),
        ("DELETE", base, None),
    ]


def test_parts_on_the_wire(server: Server, index: VectorIndex) -> None:
    """A collection of their own, made with the first part; found by batch, deleted by work."""
    one, clip = UUID(int=1), np.eye(8, dtype=np.float32)
    part = str(uuid5(one, "part 1"))
    index.parts.upsert({one: clip[:1]})
    index.parts.nearest({"tile": clip[0]}, limit=3)
    index.parts.held([Part(one, 1)])
    index.parts.entries(after=Part(one, 1), limit=5)
    index.delete([one])
    index.drop()

    works, base = "/collections/artworks", "/collections/artworks-parts"
    of_work = {"must": [OURS, {"key": "work", "match": {"any": [str(one)]}}]}
    search = {
        "filter": ALL_OURS,
        "query": {"nearest": clip[0].tolist()},
        "using": "clip",
        "params": {"quantization": {"rescore": True, "oversampling": 2.0}},
        "limit": 3,
        "with_payload": ["work", "part"],
    }
    made = server.sent()[1]
    assert made[:2] == ("PUT", base)
    assert made[2]["vectors"].keys() == {"clip"}
    assert server.sent()[0] == ("GET", f"{base}/exists", None)
    assert server.sent()[2:] == [
        ("GET", base, None),  # which fields are indexed
        (
            "PUT",
            f"{base}/index?wait=true&timeout=10",
            {"field_name": "tenant", "field_schema": {"type": "keyword", "is_tenant": True}},
        ),
        (
            "PUT",
            f"{base}/index?wait=true&timeout=10",
            {"field_name": "work", "field_schema": {"type": "keyword"}},
        ),
        (
            "PUT",
            f"{base}/points?wait=true&timeout=10",
            {
                "points": [
                    {
                        "id": part,
                        "vector": {"clip": clip[0].tolist()},
                        "payload": {"tenant": "default", "work": str(one), "part": 1},
                    }
                ]
            },
        ),
        ("POST", f"{base}/points/query/batch?timeout=10", {"searches": [search]}),
        ("POST", f"{base}/{READ}", {"ids": [part], "with_payload": True, "with_vector": False}),
        (
            "POST",
            f"{base}/points/scroll?consistency=majority&timeout=10",
            {
                "filter": ALL_OURS,
                "offset": part,
                "limit": 6,
                "with_payload": True,
                "with_vector": False,
            },
        ),
        ("POST", f"{base}/{DELETED}", {"filter": of_work}),
        ("POST", f"{works}/{DELETED}", {"points": [str(one)]}),
        ("GET", "/aliases", None),
        ("GET", f"{base}/exists", None),
        ("DELETE", base, None),
        ("GET", f"{works}/exists", None),
        ("DELETE", works, None),
    ]


def test_large_writes_are_split_by_bytes(
    server: Server, index: VectorIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No request is larger than the limit, none is empty, every point goes once and in order."""
    monkeypatch.setattr(schema, "REQUEST_BYTES", 20_000)
    index.upsert([point(n, text="boat " * (n % 50), licence="Ü" * (n % 30)) for n in range(1, 200)])
    sizes = [len(request.content) for request in server.requests]
    assert len(sizes) > 5
    assert max(sizes) <= 20_000
    assert min(sizes[:-1]) > 5_000  # the estimate is a bound, but not a wild one
    written = [one["id"] for _, _, body in server.sent() for one in body["points"]]
    assert written == [str(UUID(int=n)) for n in range(1, 200)]


def test_a_standard_profile_fits_the_limit_of_a_server() -> None:
    """With the widths of `standard`, 1,000 works go as requests far below 32 MiB."""
    dims = {"clip": 512, "vae_style": 78, "vae_layout": 256}
    rng = np.random.default_rng(0)

    def work(number: int) -> Point:
        vectors = {}
        for name, width in dims.items():
            vector = rng.standard_normal(width).astype(np.float32)
            vectors[name] = vector / np.linalg.norm(vector)
        return Point(UUID(int=number), vectors, "a red sailing boat " * 5, ANN, "CC-BY-4.0", 1900)

    parts = list(schema.requests(schema.rows([work(n) for n in range(1_000)], dims)))
    bodies = [
        json.dumps([row.model_dump(exclude_none=True) for row in part]).encode() for part in parts
    ]
    assert sum(map(len, parts)) == 1_000
    assert all(len(body) <= schema.REQUEST_BYTES for body in bodies)
    assert len(parts) <= 5


def test_nothing_is_written_when_one_of_many_is_bad(
    server: Server, index: VectorIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All points are checked before the first request."""
    monkeypatch.setattr(schema, "REQUEST_BYTES", 1_000)
    bad = Point(UUID(int=9), {"clip": noise(1)}, "", ANN)
    with pytest.raises(BadInput, match="vae_style"):
        index.upsert([*(point(n) for n in range(1, 9)), bad])
    assert server.requests == []


# What its failures become


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        (doubles.refused, BackendUnavailable, "does not answer .*refused.*LAWFUL_QDRANT_URL"),
        (doubles.timed_out_after_it_was_done, BackendUnavailable, "does not answer .*ReadTimeout"),
        (doubles.answering(429, "slow down"), BackendUnavailable, r"not do it now \(429 slow"),
        (
            doubles.answering(429, "slow down", {"Retry-After": "3"}),
            BackendUnavailable,
            r"not do it now \(429 slow down",
        ),
        (doubles.answering(500, "disk full"), BackendUnavailable, r"\(500 disk full\)"),
        (doubles.raw(502, b"<html>Bad Gateway"), BackendUnavailable, r"\(502 <html>Bad Gate"),
        (doubles.answering(401, "no key"), KeyRefused, r"401 no key.*LAWFUL_QDRANT_API_KEY"),
        (doubles.answering(403, "read only"), KeyRefused, "403 read only.*read and write"),
        (
            doubles.answering(404, "no artworks"),
            BackendUnavailable,
            "collection now.*try again.*restart",
        ),
        (doubles.answering(400, "expected dim: 8"), LawfulError, r"refuses \(400 expected dim: 8"),
        (doubles.raw(200, b"<html>Hello"), LawfulError, "is not a Qdrant server"),
        (doubles.raw(200, b'{"detail": "Hello"}'), LawfulError, "is not a Qdrant server"),
        (doubles.raw(301, b""), LawfulError, r"refuses \(301"),
    ],
)
def test_every_failure_has_our_words(
    server: Server,
    index: VectorIndex,
    fault: doubles.Fault,
    kind: type,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each names the server; what a retry may mend is BackendUnavailable and nothing else is."""
    monkeypatch.setattr(breaker, "FAILURES", 1_000)  # each is asked, however often it has failed
    for act in (
        lambda: index.upsert([point(1)]),
        lambda: index.delete([UUID(int=1)]),
        lambda: index.neighbours(Probe({"clip": noise(1)}), limit=3),
        lambda: index.vectors([UUID(int=1)]),
        index.entries,
        index.count,
        lambda: index.publish("live"),
        lambda: index.parts.upsert({UUID(int=1): np.stack([noise(1)])}),
        lambda: index.parts.delete([UUID(int=1)]),
        lambda: index.parts.nearest({"tile": noise(1)}, limit=3),
        lambda: index.parts.held([Part(UUID(int=1), 1)]),
        index.parts.entries,
        index.parts.count,
        index.drop,
    ):
        server.faults = [fault]
        with pytest.raises(kind, match=message) as caught:
            act()
        assert doubles.URL in str(caught.value)
        assert isinstance(caught.value, BackendUnavailable) == (kind is BackendUnavailable)


@pytest.mark.parametrize(
    "fault",
    [
        doubles.after_it_was_done,
        doubles.timed_out_after_it_was_done,
        doubles.half_done,
        doubles.answering(429, "slow down"),
        doubles.refused,
    ],
)
def test_a_write_that_failed_is_repeated_whole(
    server: Server, index: VectorIndex, fault: doubles.Fault
) -> None:
    """Whatever the server had done of it: the same points once, and none twice."""
    points = [point(n, text="boat") for n in range(1, 8)]
    server.faults = [fault]
    with pytest.raises(BackendUnavailable):
        index.upsert(points)
    index.upsert(points)
    assert [entry.id.int for entry in index.entries()] == list(range(1, 8))
    assert len(index.neighbours(Probe(text="boat"), limit=20)["text"]) == 7


@pytest.mark.parametrize(
    "fault", [doubles.after_it_was_done, doubles.timed_out_after_it_was_done, doubles.half_done]
)
def test_parts_that_failed_are_repeated_whole(
    server: Server, index: VectorIndex, fault: doubles.Fault
) -> None:
    """As works are."""
    parts = {UUID(int=1): np.stack([noise(n) for n in range(1, 6)])}
    server.faults = [doubles.none] * 3 + [fault]  # behind the collection and its payload index
    with pytest.raises(BackendUnavailable):
        index.parts.upsert(parts)
    index.parts.upsert(parts)
    assert set(index.parts.entries()) == {Part(UUID(int=1), number) for number in range(1, 6)}


def test_a_failure_between_two_requests_leaves_the_first(
    server: Server, index: VectorIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is why a work is marked as indexed only afterwards."""
    monkeypatch.setattr(schema, "REQUEST_BYTES", 1_500)
    server.faults = [doubles.none, doubles.none, doubles.refused]
    points = [point(n) for n in range(1, 20)]
    with pytest.raises(BackendUnavailable):
        index.upsert(points)
    assert 0 < index.count() < 19
    index.upsert(points)
    assert index.count() == 19


def test_two_processes_may_make_the_same_collection(server: Server) -> None:
    """The one that comes second finds it made, between its question and its request."""
    VectorIndex(server.client(), dims=DIMS, parts="clip", collection="artworks").upsert([point(1)])
    no = json.dumps({"result": {"exists": False}, "status": "ok", "time": 0.0}).encode()
    server.faults = [doubles.raw(200, no)]
    assert VectorIndex(server.client(), dims=DIMS, parts="clip", collection="artworks").count() == 1


def test_two_processes_may_make_the_same_collection_of_parts(server: Server) -> None:
    """One that looked before finds what the other has written since, and writes next to it."""
    one, other = UUID(int=1), UUID(int=2)
    reading, writing = (
        VectorIndex(server.client(), dims=DIMS, parts="clip", collection="artworks")
        for _ in range(2)
    )
    assert reading.parts.nearest({"tile": noise(1)}, limit=2) == {}
    writing.parts.upsert({one: np.stack([noise(1)])})
    no = json.dumps({"result": {"exists": False}, "status": "ok", "time": 0.0}).encode()
    server.faults = [doubles.raw(200, no)]
    reading.parts.upsert({other: np.stack([noise(2)])})

    near = reading.parts.nearest({"tile": noise(1)}, limit=2)["tile"]
    assert [hit.part.work for hit in near] == [one, other]


def test_a_collection_of_parts_without_payload_index_gets_it(server: Server) -> None:
    """Its maker was killed before; without the index a server refuses to delete by work."""
    index = VectorIndex(server.client(), dims=DIMS, parts="clip", collection="artworks")
    server.faults = [doubles.none] * 2 + [doubles.refused]
    parts = {UUID(int=1): np.stack([noise(1)])}
    with pytest.raises(BackendUnavailable):
        index.parts.upsert(parts)
    again = VectorIndex(server.client(), dims=DIMS, parts="clip", collection="artworks")
    again.parts.upsert(parts)
    again.parts.delete([UUID(int=1)])
    assert again.parts.count() == 0


@pytest.mark.parametrize("made_before", [5, 6, 9])
def test_a_collection_without_payload_indexes_gets_them(server: Server, made_before: int) -> None:
    """Its maker was killed before; the next who opens it makes those that it lacks, and no others.

    Points that came meanwhile change nothing.
    """
    server.faults = [doubles.none] * made_before + [doubles.refused]
    with pytest.raises(BackendUnavailable):
        VectorIndex(server.client(), dims=DIMS, parts="clip", collection="artworks")
    (row,) = schema.rows([point(1, licence="CC0-1.0", year=1900)], DIMS)
    server.client().upsert("artworks", [row])
    server.requests.clear()
    index = VectorIndex(server.client(), dims=DIMS, parts="clip", collection="artworks")
    made = [body["field_name"] for method, _, body in server.sent() if method == "PUT" and body]
    assert made == ["tenant", "artist", "licence", "consent", "year"][made_before - 5 :]
    assert index.count(Where(licences=("CC0-1.0",), year_from=1900)) == 1


# Addresses and keys


def test_a_dead_server_is_named_with_the_way_out() -> None:
    """Opening it fails at once, worth a retry."""
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(BackendUnavailable, match=f"{url} does not answer .*LAWFUL_QDRANT_URL"):
        open_index(url, dims=DIMS, parts="clip", collection="artworks")


def test_a_silent_server_is_not_waited_for_long() -> None:
    """The time limit holds for a server that takes the connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(BackendUnavailable, match="ReadTimeout"):
            open_index(url, dims=DIMS, collection="a", server=ServerOptions(timeout_s=1))
        assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "url", ["grpc://127.0.0.1:6334", "qdrant://host", "http://host:port", "http://[::1"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    """Rather than made into a folder of that name."""
    with pytest.raises(BadInput, match="LAWFUL_QDRANT_URL"):
        open_index(url, dims=DIMS, parts="clip", collection="artworks")


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("http://qdrant:6333", True),
        ("http://10.0.0.7:6333", True),
        ("http://127.0.0.1:6333", False),
        ("http://localhost:6333", False),
        ("http://[::1]:6333", False),
        ("https://qdrant.example.org", False),
    ],
)
def test_a_key_in_clear_is_warned_of(
    caplog: pytest.LogCaptureFixture, url: str, *, warned: bool
) -> None:
    """A private network may do without TLS, but not without somebody having said so, once."""
    _warn_of_a_key_in_clear.cache_clear()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            connect(url, ServerOptions(api_key=KEY)).close()
    assert caplog.text.count("in clear") == warned
    assert KEY not in caplog.text


def test_the_key_is_kept_out_of_sight() -> None:
    """Neither settings nor options show it."""
    settings = Settings(
        qdrant_api_key=SecretStr(KEY), qdrant_timeout_s=3, qdrant_shards=4, qdrant_replicas=2
    )
    options = server_options(settings)
    assert options == ServerOptions(api_key=KEY, timeout_s=3, shards=4, replicas=2)
    assert KEY not in f"{settings!r} {options!r}"


def test_a_key_opens_what_another_does_not(tmp_path: Path) -> None:
    """Every request carries it in `api-key`, as Qdrant wants it."""
    server = Server(Owner(tmp_path, api_key=KEY))
    VectorIndex(
        server.client(ServerOptions(api_key=KEY)), dims=DIMS, parts="clip", collection="artworks"
    )
    assert {request.headers["api-key"] for request in server.requests} == {KEY}
    for wrong in (None, "", "0123", KEY + "0", "ключ"):
        headers = {} if wrong is None else {"api-key": wrong}
        status, content = server.owner.answer(
            "GET", "/aliases", query={}, headers=headers, body=b""
        )
        assert (status, content["status"]["error"]) == (401, "Invalid API key")
    with pytest.raises(KeyRefused, match="LAWFUL_QDRANT_API_KEY"):
        VectorIndex(server.client(), dims=DIMS, parts="clip", collection="artworks")
    server.owner.close()


# The owner


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("GET", "/telemetry", b"", 404, "no such endpoint"),
        ("GET", "/collections/artworks/cluster", b"", 404, "no such endpoint"),
        ("POST", "/collections/artworks/points/count", b"{}", 400, "Exact search is disabled"),
        ("POST", "/collections/artworks/points/search", b"{}", 404, "no such endpoint"),
        ("DELETE", "/collections/..", b"", 404, "no such endpoint"),
        ("PUT", "/collections/../../etc", b"{}", 404, "no such endpoint"),
        ("DELETE", "/collections/.dropped", b"", 404, "no such endpoint"),
        ("DELETE", "/collections/unheard", b"", 404, "`unheard` doesn't exist"),
        ("POST", "/collections/unheard/points/count", b"{}", 404, "`unheard` doesn't exist"),
        ("PUT", "/collections/artworks", b'{"vectors": {}}', 409, "already exists"),
        ("PUT", "/collections/new", b'{"vectors": {"size": 3, "distance": "Dot"}}', 400, "Format"),
        ("PUT", "/collections/artworks/points", b'{"points": []}', 400, "wait=true"),
        ("POST", "/collections/artworks/points/count", b"{", 400, "Format error"),
        ("POST", "/collections/artworks/points/scroll", b'{"limit": "x"}', 400, "Format error"),
        ("POST", "/collections/artworks/points", b'{"ids": ["x"]}', 400, "Format error"),
        (
            "POST",
            "/collections/artworks/points/count",
            b'{"filter": {"must": [{"key": "title", "match": {"value": "boat"}}]}}',
            400,
            'Index required but not found for "title"',
        ),
        (
            "POST",
            "/collections/artworks/points/count",
            b'{"exact": false, "filter": {"should": [{"key": "artist", "match": {"value": "b"}}]}}',
            400,
            "does not take this filter",
        ),
        (
            "POST",
            "/collections/aliases",
            b'{"actions": [{"create_alias": {"collection_name": "x", "alias_name": "y"}}]}',
            404,
            "`x` doesn't exist",
        ),
        (
            "POST",
            "/collections/aliases",
            b'{"actions": [{"create_alias": {"collection_name": "artworks", "alias_name": "b"}}]}',
            409,
            "is a collection itself",
        ),
        ("PUT", "/collections/artworks/points", b" " * (BODY_LIMIT + 1), 413, "larger than"),
    ],
)
def test_the_owner_is_as_strict_as_a_server(  # noqa: PLR0913  a request, an answer
    server: Server,
    index: VectorIndex,
    method: str,
    path: str,
    body: bytes,
    status: int,
    message: str,
) -> None:
    """It refuses what a real one refuses, so that passing here says something."""
    index.upsert([point(1)])
    VectorIndex(server.client(), dims=DIMS, collection="b")
    answered, content = server.owner.answer(method, path, query={}, headers={}, body=body)
    assert answered == status
    assert message in content["status"]["error"]
    assert index.count() == 1


def test_web_pages_may_not_ask(server: Server) -> None:
    """A browser on this machine reaches loopback too, but says whose page it is."""
    status, _ = server.owner.answer(
        "GET", "/aliases", query={}, headers={"origin": "https://example.org"}, body=b""
    )
    assert status == 403


def test_a_damaged_folder_is_a_broken_backend(server: Server, index: VectorIndex) -> None:
    """Worth a retry for those who ask: somebody may repair it."""
    index.upsert([point(1)])
    (server.owner._edge._folder / "aliases.json").write_text("{")
    with pytest.raises(BackendUnavailable, match="damaged"):
        index.publish("live")


def test_many_threads_may_ask_at_once(server: Server, index: VectorIndex) -> None:
    """The owner carries out one request at a time, and loses none."""

    def write(part: int) -> None:
        for n in range(10):
            index.upsert([point(100 * part + n)])
            index.neighbours(Probe({"clip": noise(n)}), limit=3)

    threads = [threading.Thread(target=write, args=(part,)) for part in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert index.count() == 60
    assert len(server.requests) == 6 * 20 + 1


def test_what_a_filter_may_ask_outlives_the_owner(tmp_path: Path) -> None:
    """Payload indexes are read from the folder, not remembered."""
    first = doubles.server(tmp_path)
    VectorIndex(first.client(), dims=DIMS, parts="clip", collection="artworks").upsert([point(1)])
    first.owner.close()
    second = doubles.server(tmp_path)
    index = VectorIndex(second.client(), dims=DIMS, parts="clip", collection="artworks")
    assert index.count(Where(artist_ids=(ANN,))) == 1
    second.owner.close()


# A strip and a logo, from the file to the receipt


@pytest.fixture(params=[name for name in CLIENTS if name != "edge"])
def served(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Services]:
    """Open everything over each kind of server, with a strip, a logo and other works in it."""
    client = CLIENTS[request.param](tmp_path / "index")
    monkeypatch.setattr("attribution.index._connected", lambda _url, _options: client)
    folder = portfolio(tmp_path / "p")
    logo().save(folder / "bob" / "logo.png")
    with open_services(Settings(home=tmp_path / "home", profile="stub")) as services:
        try:
            assert ingest(services, folder).refused == 0
            yield services
        finally:
            services.index.drop()


@pytest.mark.filterwarnings(  # in local mode
    "ignore:Payload indexes have no effect", "ignore:Local mode performs exact"
)
def test_parts_are_found_and_withdrawn_over_a_server(served: Services, tmp_path: Path) -> None:
    """A panel and a logo on a dark ground lead to their works; withdrawn, they leave nothing.

    Points of parts that were lost come back by a repair.
    """
    questions = {
        "webtoon": webtoon(100).crop((0, 600, 240, 900)),
        "logo": on(logo(), BLACK),
    }
    works = {title: work_called(served, title).id for title in questions}
    assert served.index.count() == 10
    assert reconcile(served, repair=False).is_clean

    served.index.parts.delete(works.values())
    assert ask(served, questions["webtoon"], tmp_path) is None
    assert reconcile(served, repair=True).wrong_parts == 2

    for title, question in questions.items():
        found, parts = ask(served, question, tmp_path), served.index.parts.count([works[title]])
        assert found is not None
        assert found.title == title
        receipt = withdraw(served, str(works[title]), reason="asked for").receipt
        assert receipt["removed"]["points of parts"] == parts > 0
        assert not any(receipt["left"].values())

    left = {part.work for part in served.index.parts.entries()}
    assert left == {work_called(served, "panorama").id}
    assert [ask(served, question, tmp_path) for question in questions.values()] == [None, None]
    assert reconcile(served, repair=False).is_clean


# `lawful index-server`, over a real socket


def test_processes_share_the_index_of_an_owner(tmp_path: Path) -> None:
    """Two clients see each other's works; the folder itself is refused to anyone else."""
    with index_server(tmp_path, key=KEY) as (_, url):
        options = ServerOptions(api_key=KEY)
        one = open_index(url, dims=DIMS, parts="clip", collection="artworks", server=options)
        two = open_index(url, dims=DIMS, parts="clip", collection="artworks", server=options)
        one.upsert([point(1, text="boat")])
        two.upsert([point(2, BOB, text="boat")])
        hits = one.search(Probe({"clip": noise(2)}), limit=2)
        assert [(hit.id.int, hit.artist_id) for hit in hits] == [(2, BOB), (1, ANN)]
        assert len(one.neighbours(Probe(text="boat"), limit=5)["text"]) == 2
        one.close()
        two.close()
        with pytest.raises(IndexLocked, match="index-server"):
            open_index(str(tmp_path / "index"), dims=DIMS, parts="clip", collection="artworks")
        with pytest.raises(KeyRefused):
            open_index(url, dims=DIMS, parts="clip", collection="artworks")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_an_owner_that_ends_loses_nothing(tmp_path: Path, how: signal.Signals) -> None:
    """Asked to, it closes the folder; killed, the log has what was acknowledged."""
    with index_server(tmp_path) as (process, url):
        index = open_index(url, dims=DIMS, parts="clip", collection="artworks")
        index.upsert([point(n) for n in range(1, 50)])
        index.close()
        process.send_signal(how)
        process.wait(timeout=20)
        assert process.stderr
        assert "Traceback" not in process.stderr.read()
    assert (tmp_path / "index" / "owner.json").exists() == (how == signal.SIGKILL)
    again = open_index(str(tmp_path / "index"), dims=DIMS, parts="clip", collection="artworks")
    assert again.count() == 49
    again.close()


def test_a_body_without_end_is_stopped(tmp_path: Path) -> None:
    """What is too large is refused, not kept in memory to its end."""
    with index_server(tmp_path) as (_, url):

        def endless() -> Iterator[bytes]:
            while True:
                yield bytes(2**20)

        with httpx.Client() as client:
            try:
                status = client.put(f"{url}/collections/a/points?wait=true", content=endless())
            except httpx.TransportError:  # it hung up while we were still talking
                pass
            else:
                assert status.status_code == 413
        assert client_works(url)


def client_works(url: str) -> bool:
    """Whether the server still serves."""
    index = open_index(url, dims=DIMS, parts="clip", collection="artworks")
    index.upsert([point(1)])
    found = index.count() == 1
    index.close()
    return found


def test_an_open_door_needs_a_key(tmp_path: Path) -> None:
    """Beyond loopback anyone could change the index; an empty key is none."""
    done = subprocess.run(
        [sys.executable, "-c", INDEX_SERVER, "index-server", "--host", EVERYWHERE],
        env={"LAWFUL_HOME": str(tmp_path), "LAWFUL_QDRANT_API_KEY": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "set LAWFUL_QDRANT_API_KEY" in done.stderr


def test_an_owned_folder_is_not_served_twice(tmp_path: Path) -> None:
    """The second says who has it and ends, before it listens."""
    index = open_index(str(tmp_path / "index"), dims=DIMS, parts="clip", collection="artworks")
    done = subprocess.run(
        [sys.executable, "-c", INDEX_SERVER, "index-server", "--port", str(free_port())],
        env={"LAWFUL_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    index.close()
    assert done.returncode == 1
    assert f"in use by process {os.getpid()}" in done.stderr
