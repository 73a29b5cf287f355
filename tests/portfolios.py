"""Makers of small portfolios with works that are easy to tell apart, and a way to ingest them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import numpy as np
from PIL import Image

from attribution.catalogue import queries
from attribution.catalogue.models import NameRule, TaskKind
from attribution.catalogue.queries import TaskKey
from attribution.collection import Stores
from attribution.services import Services
from ingest.listing import plan
from ingest.options import Options
from ingest.pipeline import run_batch
from ingest.sources import read_source
from ingest.summary import Summary, summarise
from ingest.work.jobs import job_queue


def picture(seed: int, *, side: int = 64) -> Image.Image:
    """Return a picture of large coloured blocks: the same seed, the same picture."""
    blocks = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize((side, side), Image.Resampling.NEAREST)


def portfolio(folder: Path, artists: int = 3, works: int = 4) -> Path:
    """Write a folder an artist, artist-0, artist-1, …, with works that differ."""
    for artist in range(artists):
        own = folder / f"artist-{artist}"
        own.mkdir(parents=True)
        for work in range(works):
            picture(100 * artist + work).save(own / f"work-{work}.png")
    return folder


def works(folder: Path, *seeds: int) -> Path:
    """Write works into a folder that is called as their artist; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        picture(seed).save(folder / f"work-{seed}.png")
    return folder


def by_hand(artist: int, work: int) -> Image.Image:
    """Return a work in an artist's colours: blocks, tinted."""
    own = np.random.default_rng(artist).integers(0, 256, 3)
    blocks = np.random.default_rng(1_000 * artist + work).integers(0, 256, (8, 8, 3))
    tinted = Image.fromarray(((blocks + 2 * own) // 3).astype(np.uint8))
    return tinted.resize((64, 64), Image.Resampling.NEAREST)


def ingest(
    services: Services,
    source: Path,
    artist: str | None = None,
    *,
    reinstate: bool = False,
    allow_freer: bool = False,
    names: NameRule | None = None,
) -> Summary:
    """Run one job to its end."""
    items = read_source(source, artist=artist)
    options = Options(reinstate=reinstate, allow_freer=allow_freer, names=names)
    job_id = plan(services, str(source), items, staged=False, options=options)
    return finish(services, job_id)


def ingest_at_once(services: Services, source: Path) -> Summary:
    """Run one job to its end without a queue, and so without what a queue does behind it."""
    job_id = plan(services, str(source), read_source(source), staged=False)
    with services.sessions() as session:
        keys = queries.open_tasks(session, job_id)
    for key in keys:
        run_batch(services, key, stopping=lambda: False)
    return summarise(services, job_id)


def batch_key(job_id: UUID, number: int = 1) -> TaskKey:
    """Return the key of a batch of a job."""
    return TaskKey(TaskKind.INGEST, job_id, number)


def finish(services: Services, job_id: UUID) -> Summary:
    """Run a job to its end in this process."""
    with job_queue(services) as queue:
        queue.submit(job_id)
        wait_until(lambda: has_ended(services, job_id))
    return summarise(services, job_id)


def has_ended(stores: Stores, job_id: UUID) -> bool:
    """Tell whether a job neither waits nor runs."""
    with stores.sessions() as session:
        return queries.job_by_id(session, job_id).status not in {"listing", "queued", "running"}


def wait_until(true: Callable[[], bool], *, timeout_s: float = 60) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if true():
            return
        time.sleep(0.02)
    raise AssertionError(f"did not happen within {timeout_s} s")
