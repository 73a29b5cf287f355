"""How much one key may ask for."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis import Redis

from api.http.app import create_app
from api.http.rates import kind_of, limits_of
from attribution.actors import Role
from attribution.config import Settings
from attribution.errors import BadInput
from tests.apis import is_problem, local_client, png, settings
from tests.keys import bearing, make_key

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
        ("POST /v1/withdrawals", "writes"),
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
