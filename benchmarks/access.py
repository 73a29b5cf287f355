"""What a key and a second tenant cost lookups over HTTP: `python benchmarks/access.py DATA`.

The same works are asked in a service without keys, by a key, and by a key of a second tenant that
has them too. The three take turns, and what counts is the processor's time in this process, so that
what else runs on the machine does not.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import numpy as np
from fastapi.testclient import TestClient

from api.http.app import create_app
from attribution import tenants
from attribution.actors import Role
from attribution.catalogue import queries
from attribution.config import Settings
from attribution.services import Services, open_services
from attribution.upkeep.keys import NewKey, create
from attribution.upkeep.tenants import create as create_tenant
from ingest import pipeline
from ingest.listing import plan
from ingest.sources import read_source

SECOND = "second"
EACH = 5  # lookups in a turn


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--profile", default="starter")
    parser.add_argument("--rounds", type=int, default=30)
    chosen = parser.parse_args()
    images = [item.path.read_bytes() for item in islice(read_source(chosen.data), EACH)]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        clients: dict[str, TestClient] = {}
        for name, ways in (("open", ("no key",)), ("shared", (tenants.DEFAULT, SECOND))):
            settings = Settings(
                home=Path(folder, name), profile=chosen.profile, rate_lookups="none"
            )
            headers = prepare(settings, chosen.data, ways)
            app = create_app(settings)
            options = {"base_url": "http://localhost", "client": ("127.0.0.1", 50_000)}
            client = stack.enter_context(TestClient(app, **options))
            for way in ways:
                clients[way] = TestClient(app, headers=headers[way], **options)
                clients[way].portal = client.portal
        lookups(clients, images, chosen.rounds)


def prepare(settings: Settings, data: Path, ways: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """Ingest the works for each tenant; returns the headers of a request for each way."""
    headers: dict[str, dict[str, str]] = {"no key": {}}
    with open_services(settings) as services:
        for way in ways:
            if way == SECOND:
                create_tenant(services, SECOND)
            with tenants.within(SECOND if way == SECOND else tenants.DEFAULT):
                register(services, data)
                if way != "no key":
                    token = create(services, NewKey(way, Role.OPERATOR, (), ())).token
                    headers[way] = {"authorization": f"Bearer {token}"}
    return headers


def register(services: Services, data: Path) -> None:
    """Ingest works."""
    job = plan(services, str(data), read_source(data), staged=False)
    with services.sessions() as session:
        keys = queries.open_tasks(session, job)
    for key in keys:
        pipeline.run_batch(services, key, stopping=lambda: False)


def lookups(clients: dict[str, TestClient], images: list[bytes], rounds: int) -> None:
    """Print the median seconds of a lookup in each way, and the throughput kept."""
    took: dict[str, list[float]] = {way: [] for way in clients}
    for _ in range(rounds):
        for way, client in clients.items():
            started = time.process_time()
            for image in images:
                client.post("/v1/attributions", files={"image": image}).raise_for_status()
            took[way].append((time.process_time() - started) / len(images))
    medians = {way: float(np.median(seconds)) for way, seconds in took.items()}
    for way, median in medians.items():
        kept = medians["no key"] / median
        print(f"{way}: {median * 1e3:.2f} ms a lookup, throughput {kept:.3f}", flush=True)


if __name__ == "__main__":
    main()
