"""What tests send to the HTTP API, and what they ask of its answers."""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from attribution.config import Settings

LOCAL = "http://localhost"
UNCOUNTED = {"rate_reads": "none", "rate_lookups": "none", "rate_writes": "none"}
"""Settings of a service all of whose routes are asked in a minute."""


def local_client(app: FastAPI, **options: Any) -> TestClient:
    """Return a client of this machine, which needs no key until one was made."""
    return TestClient(app, base_url=LOCAL, client=("127.0.0.1", 50_000), **options)


def png(seed: int, side: int = 64) -> bytes:
    """Return a picture of coarse coloured squares."""
    rng = np.random.default_rng(seed)
    grid = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    grid.resize((side, side), Image.Resampling.NEAREST).save(buffer, "PNG")
    return buffer.getvalue()


def archive(members: dict[str, bytes]) -> bytes:
    """Return a zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
    return buffer.getvalue()


def upload(
    client: httpx2.Client, data: bytes, name: str = "a.png", **fields: str
) -> dict[str, Any]:
    """Upload, wait for the job, return it."""
    response = client.post("/v1/ingest-jobs", files={"file": (name, data)}, data=fields)
    assert response.status_code == 202, response.text
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        job: dict[str, Any] = client.get(response.headers["location"]).json()
        if job["status"] in ("done", "failed"):
            return job
        time.sleep(0.02)
    raise AssertionError(f"still not done: {job}")


def settings(home: Path, **values: Any) -> Settings:
    """Return settings for a collection of its own."""
    return Settings(home=home, profile="stub", generator="stub", **values)


def is_problem(response: Any, status: int, kind: str) -> dict[str, Any]:
    """State that a response is this problem; returns it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["status"] == status
    assert body["type"] == f"/problems/{kind}"
    assert body["title"]
    assert body["detail"]
    return body
