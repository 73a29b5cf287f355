"""Works that tests of the console bring themselves, so that none depends on what another did."""

from __future__ import annotations

import csv
import io

import httpx

from tests.apis import archive, png
from tests.browser import Person
from tests.portfolios import wait_until


def register(person: Person, artist: str, *seeds: int, **said: str) -> str:
    """Have works of an artist taken in, with what is said of each; returns the id of one."""
    rows = io.StringIO()
    table = csv.DictWriter(rows, ["file_name", "artist", *said])
    table.writeheader()
    for seed in seeds:
        table.writerow({"file_name": f"{seed}.png", "artist": artist, **said})
    packed = archive(
        {"metadata.csv": rows.getvalue().encode()} | {f"{seed}.png": png(seed) for seed in seeds}
    )
    with httpx.Client(base_url=f"{person.address}/v1") as client:
        job = client.post("/ingest-jobs", files={"file": ("works.zip", packed)}).json()["id"]
        wait_until(lambda: client.get(f"/ingest-jobs/{job}").json()["status"] == "done")
        files = client.get(f"/ingest-jobs/{job}/items").json()["items"]
    assert {one["outcome"] for one in files} == {"added"}, files
    return str(files[0]["artwork_id"])
