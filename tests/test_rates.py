"""How much one key may ask for, and one tenant with all of its keys."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from redis import Redis

from api.http.app import create_app
from api.http.rates import kind_of, limits_of
from attribution.actors import Role
from attribution.collection import open_stores
from attribution.config import Settings
from attribution.errors import BadInput
from attribution.tenants import within
from attribution.upkeep.tenants import create
from ingest.sources.archives import count_works
from ingest.sources.members import UnpackLimits
from tests.apis import archive, is_problem, local_client, png, settings
from tests.keys import bearing, make_key
from tests.portfolios import wait_until

FEW = {"rate_reads": "3/minute", "rate_lookups": "1/minute"}


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        ("GET /v1/artists", "reads"),
        ("GET /v1/attributions", "reads"),
        ("POST /v1/attributions", "lookups"),
        ("POST /v1/attributions/members", "lookups"),
        ("GET /v1/search", "lookups"),
        ("POST /v1/search", "lookups"),
        ("POST /v1/credentials/verify", "lookups"),
        ("POST /v1/withdrawals", "writes"),
        ("GET /console", "reads"),
        ("POST /console/lookup", "lookups"),
        ("GET /console/search", "lookups"),
        ("POST /console/batches", "lookups"),
        ("POST /console/withdrawals", "writes"),
        ("PATCH /v1/artists/ann", "writes"),
    ],
)
def test_requests_have_classes(request_: str, kind: str) -> None:
    """A lookup costs the most, and is one whatever its method."""
    assert kind_of(*request_.split()) == kind


def test_each_key_has_its_own_measure(tmp_path: Path) -> None:
    """Beyond it 429 says when to come again; other keys, classes and probes are not touched."""
    own = settings(tmp_path / "home", **FEW)
    with local_client(create_app(own)) as client:
        one, other = (bearing(make_key(own, Role.READER).token) for _ in range(2))
        image = {"image": ("a.png", png(1))}
        codes = [client.get("/v1/artists", headers=one).status_code for _ in range(4)]
        first = client.post("/v1/attributions", files=image, headers=one)
        refused = client.post("/v1/attributions", files=image, headers=one)

        assert codes == [200, 200, 200, 429]
        assert first.status_code == 201
        said = is_problem(refused, 429, "too-many")
        assert "more lookups than 1 per 1 minute; ask again in" in said["detail"]
        assert 1 <= int(refused.headers["retry-after"]) <= 120
        assert client.get("/v1/artists", headers=other).status_code == 200
        assert client.get("/healthz").status_code == 200


def test_this_machine_is_not_counted_without_keys(tmp_path: Path) -> None:
    """Nobody else is let in, and one's own work is one's own affair."""
    with local_client(create_app(settings(tmp_path / "home", **FEW))) as client:
        assert {client.get("/v1/artists").status_code for _ in range(6)} == {200}


def test_processes_count_together(tmp_path: Path, redis_url: str) -> None:
    """Where there is a broker its Redis counts; without it requests pass and are not counted."""
    own = settings(tmp_path / "home", broker_url=redis_url, **FEW)
    with local_client(create_app(own)) as client:
        key = bearing(make_key(own, Role.READER).token)
        assert [client.get("/v1/artists", headers=key).status_code for _ in range(2)] == [200] * 2
    with local_client(create_app(own)) as another:  # with a memory of its own
        codes = [another.get("/v1/artists", headers=key).status_code for _ in range(2)]
    assert codes == [200, 429]
    assert any(b"LIMITS" in name for name in Redis.from_url(redis_url).keys("*"))

    gone = settings(tmp_path / "home", broker_url="redis://127.0.0.1:1/0", **FEW)
    with local_client(create_app(gone)) as client:
        assert {client.get("/v1/artists", headers=key).status_code for _ in range(5)} == {200}


@pytest.mark.parametrize("said", ["60", "many/minute", "60/fortnight", " "])
def test_a_limit_has_a_form(said: str) -> None:
    """What cannot be read is refused at the start; "none" is none."""
    with pytest.raises(BadInput, match="LAWFUL_RATE_LOOKUPS"):
        limits_of(Settings(rate_lookups=said))
    assert "lookups" not in limits_of(Settings(rate_lookups="none"))


LINK = "http://a.example/x.png\n"


def tar(files: int) -> bytes:
    """Return a packed tar of a folder of empty files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as file:
        folder = tarfile.TarInfo("ann")
        folder.type = tarfile.DIRTYPE
        file.addfile(folder)
        for n in range(files):
            file.addfile(tarfile.TarInfo(f"ann/{n}.png"))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("upload", "works"),
    [
        pytest.param(png(1), 1, id="an image"),
        pytest.param(archive({f"{n}.png": b"x" for n in range(7)}), 7, id="a zip"),
        pytest.param(tar(7), 7, id="a tar without its folders"),
        pytest.param(tar(12), 10, id="no more than is asked for"),
        pytest.param(archive({f"{n}.png": b"x" for n in range(7)})[:-30], 1, id="a damaged one"),
        pytest.param(b"url\n" + b"http://a.example/x.png\n" * 7, 7, id="a table"),
        pytest.param("url\nhttp://a.example/\n".encode("utf-16"), 1, id="a table in UTF-16"),
        pytest.param(("url\n" + LINK * 7).encode("utf-16"), 7, id="a long one in UTF-16"),
        pytest.param(("url\n" + LINK * 7).encode("utf-16-be"), 7, id="without its mark"),
        pytest.param(("url\n" + LINK * 7).replace("\n", "\r").encode(), 7, id="of an old Mac"),
        pytest.param(b"\0\0\0 ftypavif" + b"\n" * 50, 1, id="an image that begins with zeros"),
        pytest.param(b"", 1, id="nothing"),
    ],
)
def test_works_of_an_upload(upload: bytes, works: int) -> None:
    """They are counted without unpacking it, and the file is as it was."""
    file = io.BytesIO(upload)
    limits = UnpackLimits(max_files=100, max_member_bytes=2**20, max_total_bytes=2**24)
    assert count_works(file, limits, most=10) == works
    assert file.tell() == 0


def test_works_have_a_measure(tmp_path: Path) -> None:
    """A batch counts as many as it has; beyond the measure nothing is accepted."""
    own = settings(tmp_path / "home", rate_works="5/hour")
    with local_client(create_app(own)) as client:
        key = bearing(make_key(own, Role.OPERATOR).token)

        def ask(path: str, **sent: Any) -> Any:
            return client.post(path, headers=key, **sent)

        ids = [str(uuid4()) for _ in range(3)]
        assert ask("/v1/lookup-batches/works", json={"works": ids}).status_code == 202
        said = is_problem(ask("/v1/lookup-batches/works", json={"works": ids}), 429, "too-many")
        assert "more works than 5 per 1 hour; ask again in" in said["detail"]
        zipped = {"file": ("a.zip", archive({f"{n}.png": png(n) for n in range(3)}))}
        for path in ("/v1/lookup-batches", "/v1/ingest-jobs"):
            is_problem(ask(path, files=zipped, data={}), 429, "too-many")
        assert ask("/v1/attributions", files={"image": ("a.png", png(1))}).status_code == 201
        work = {"files": {"file": ("a.png", png(1))}, "data": {"artist": "Ann"}}
        assert ask("/v1/artworks", **work).status_code == 202
        is_problem(ask("/v1/artworks", **work), 429, "too-many")
        two = [("images", ("a.png", png(1))), ("images", ("b.png", png(2)))]
        is_problem(ask("/v1/attributions/sets", files=two), 429, "too-many")
        batches = client.get("/v1/lookup-batches", headers=key).json()["items"]
        assert len(batches) == 1
        assert len(client.get("/v1/ingest-jobs", headers=key).json()["items"]) == 1


def test_more_than_a_whole_measure_takes_all_of_it(tmp_path: Path) -> None:
    """Or it could never be sent."""
    own = settings(tmp_path / "home", rate_works="2/hour")
    with local_client(create_app(own)) as client:
        key = bearing(make_key(own, Role.READER).token)
        asked = {"works": [str(uuid4()) for _ in range(3)]}
        codes = [
            client.post("/v1/lookup-batches/works", json=asked, headers=key).status_code
            for _ in range(2)
        ]
    assert codes == [202, 429]


def test_a_tenant_has_a_measure_for_all_its_keys(tmp_path: Path) -> None:
    """One with many keys cannot take all; another tenant is not touched."""
    own = settings(tmp_path / "home", rate_reads="2/hour", rate_tenant=2)
    with local_client(create_app(own)) as client:
        with open_stores(own) as stores:
            create(stores, "museum")
        keys = [bearing(make_key(own, Role.READER).token) for _ in range(3)]
        with within("museum"):
            theirs = bearing(make_key(own, Role.READER).token)
        for key in keys[:2]:
            codes = [client.get("/v1/artists", headers=key).status_code for _ in range(2)]
            assert codes == [200, 200]
        refused = is_problem(client.get("/v1/artists", headers=keys[2]), 429, "too-many")
        assert "the tenant default has asked for more reads than 4 per 1 hour" in refused["detail"]
        assert refused["detail"].endswith("or have LAWFUL_RATE_TENANT raised")
        assert client.get("/v1/artists", headers=theirs).status_code == 200


def test_too_early_is_not_for_ever(tmp_path: Path) -> None:
    """A request with an idempotency key that came too early is done when it comes again."""
    own = settings(tmp_path / "home", rate_works="1/second")
    with local_client(create_app(own)) as client:
        key = bearing(make_key(own, Role.READER).token)
        image = {"image": ("a.png", png(1))}
        client.post("/v1/attributions", files=image, headers=key)
        again = key | {"idempotency-key": str(uuid4())}

        def send() -> int:
            return client.post("/v1/attributions", files=image, headers=again).status_code

        first = send()
        wait_until(lambda: send() == 201)
    assert first in {201, 429}
