"""What tenants hold is counted along, and no more is taken in than their quota allows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update
from typer.testing import CliRunner

from api.cli import app as commands
from api.http.app import create_app
from attribution.catalogue import queries
from attribution.catalogue.database import Database
from attribution.catalogue.models import Outcome, Tenant
from attribution.errors import BadInput
from attribution.services import Services, open_services
from attribution.tenants import DEFAULT, within
from attribution.upkeep.quotas import Quota
from attribution.upkeep.reconcile import reconcile
from attribution.upkeep.tenants import create
from attribution.upkeep.withdrawal import withdraw
from tests.apis import archive, is_problem, local_client, png, settings, upload
from tests.portfolios import ingest, ingest_at_once, portfolio, works

FULL = "the tenant default holds 4 works, and its quota is 4; withdraw works, or have"


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Open an empty collection."""
    with open_services(settings(tmp_path / "home")) as opened:
        yield opened


def limited(services: Services, **quotas: Any) -> Services:
    """Return the services with other quotas."""
    return replace(services, settings=services.settings.model_copy(update=quotas))


def held(services: Services) -> tuple[int, int]:
    """Return what the tenant holds, as it is counted; states that it is right."""
    with services.sessions() as session:
        assert queries.unheld(session) == (0, 0)
        return queries.held(session)


def test_what_is_held_is_counted_along(
    database_url: str, database: Database, tmp_path: Path
) -> None:
    """By what comes in, twice or not, what is withdrawn, and what is taken in again."""
    database.dispose()
    folder = portfolio(tmp_path / "p")
    sizes = {path: path.stat().st_size for path in folder.rglob("*.png")}
    with open_services(settings(tmp_path / "home", database_url=database_url)) as services:
        for _ in range(2):
            ingest(services, folder)
            assert held(services) == (12, sum(sizes.values()))

        withdraw(services, "artist-1", reason="asked for")
        left = sum(size for path, size in sizes.items() if path.parent.name != "artist-1")
        assert held(services) == (8, left)
        ingest(services, folder, reinstate=True)
        assert held(services) == (12, sum(sizes.values()))
        assert reconcile(services, repair=True).misheld == 0


def test_reconcile_counts_anew(services: Services, tmp_path: Path) -> None:
    """What was miscounted is told, and mended."""
    ingest(services, portfolio(tmp_path / "p"))
    right = held(services)
    with services.sessions.begin() as session:
        session.execute(update(Tenant).values(held_works=Tenant.held_works + 1, held_bytes=7))
    assert reconcile(services, repair=False).misheld == 1
    found = reconcile(services, repair=True)
    assert (found.misheld, found.is_clean) == (1, False)
    assert held(services) == right
    assert reconcile(services, repair=False).is_clean


def test_a_job_keeps_what_fits(services: Services, tmp_path: Path) -> None:
    """The first ones; each of the others is refused with the reason, and known ones are let in."""
    folder = portfolio(tmp_path / "p")
    few = limited(services, quota_works={"*": 4})
    summary = ingest(few, folder)
    assert summary.added == 4
    assert summary.refused == 8
    refused = [one.reason for one in summary.items if one.outcome is Outcome.REFUSED]
    assert {one and one.split(" LAW")[0] for one in refused} == {FULL}
    assert held(services)[0] == 4

    again = ingest(few, folder)
    assert (again.known, again.refused) == (4, 8)
    with services.sessions() as session:
        (work, *_) = queries.indexed_artworks(session, after=None, limit=1)
    withdraw(services, str(work.id), reason="asked for")
    assert ingest(few, folder).added == 1


def test_bytes_have_a_quota_too(services: Services, tmp_path: Path) -> None:
    """Of the files of works; a small one may still fit where a large one does not."""
    folder = portfolio(tmp_path / "p")
    sizes = [path.stat().st_size for path in sorted(folder.rglob("*.png"))]
    room = (sum(sizes) - 1) / 2**20
    summary = ingest(limited(services, quota_mb={DEFAULT: room}), folder)
    assert summary.refused == 1
    (reason,) = [one.reason for one in summary.items if one.outcome is Outcome.REFUSED]
    assert "MiB; withdraw works, or have LAWFUL_QUOTA_MB raised" in (reason or "")


def test_a_tenant_has_its_own_or_that_of_all_others(services: Services) -> None:
    """By name, else by `*`, else none."""
    own = services.settings.model_copy(update={"quota_works": {"museum": 7, "*": 3}})
    with within("museum"):
        assert Quota.of(own) == Quota("museum", 7, None)
    assert Quota.of(own) == Quota(DEFAULT, 3, None)
    assert not Quota.of(services.settings).is_set


def test_workers_together_take_in_no_more(
    database_url: str, database: Database, tmp_path: Path
) -> None:
    """However many bring works at the same time, on every database."""
    database.dispose()
    folders = [works(tmp_path / str(n) / f"ann-{n}", *range(9 * n, 9 * n + 6)) for n in range(3)]
    own = settings(tmp_path / "home", database_url=database_url, quota_works={"*": 10})
    with open_services(own) as services, ThreadPoolExecutor() as threads:
        added = list(threads.map(lambda one: ingest_at_once(services, one.parent), folders))
        assert sum(one.added for one in added) == held(services)[0] == 10


def test_over_http(tmp_path: Path) -> None:
    """A full tenant is told at once, with 409; what is known, and other tenants, are let in."""
    own = settings(tmp_path / "home", quota_works={DEFAULT: 1})
    with local_client(create_app(own)) as client:
        assert upload(client, png(1), artist="Ann")["outcomes"]["added"] == 1
        said = is_problem(_send(client, png(2)), 409, "conflict")
        assert said["detail"].startswith("the tenant default holds 1 works, and its quota is 1")
        is_problem(_send(client, archive({"Ann/a.png": png(2)}), "a.zip"), 409, "conflict")
        work = {"file": ("a.png", png(2))}
        sent = client.post("/v1/artworks", files=work, data={"artist": "Ann"})
        is_problem(sent, 409, "conflict")
        known = upload(client, png(1), artist="Ann", title="Red boat")
        assert known["outcomes"]["corrected"] == 1


def test_a_quota_of_nobody_is_a_slip(tmp_path: Path) -> None:
    """A service does not start with one: it would limit nothing."""
    app = create_app(settings(tmp_path / "home", quota_mb={"musuem": 1}))
    with (
        pytest.raises(BadInput, match="the tenant 'musuem', which there is not"),
        local_client(app),
    ):
        pass


def _send(client: TestClient, data: bytes, name: str = "a.png") -> Any:
    form = {} if name.endswith(".zip") else {"artist": "Ann"}
    return client.post("/v1/ingest-jobs", files={"file": (name, data)}, data=form)


def test_the_list_of_tenants_says_what_is_used(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And of how much."""
    ingest(services, portfolio(tmp_path / "p"))
    create(services, "museum")
    monkeypatch.setenv("LAWFUL_HOME", str(services.settings.home))
    monkeypatch.setenv("LAWFUL_QUOTA_WORKS", '{"default": 20}')
    said = CliRunner().invoke(commands, ["tenants", "list"]).output
    assert "12 of 20" in said
    rows = CliRunner().invoke(commands, ["tenants", "list", "--json"]).output.splitlines()
    ours, theirs = (json.loads(row) for row in rows)
    assert (ours["held_works"], ours["quota_works"], ours["quota_mb"]) == (12, 20, None)
    assert (theirs["held_works"], theirs["held_mb"], theirs["quota_works"]) == (0, 0.0, None)
