"""What the map costs: laying it out, asking for a part of it, walking on it in a browser.

    python benchmarks/map.py [WORKS]

Made-up works (10,000 by default) by 200 artists, with vectors in groups, in a home of their own;
the browser is the one of the tests, and a task that holds it up for 50 ms or more is a long one.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np

from api.http.app import create_app
from attribution.arithmetic.halves import packed, rounded
from attribution.catalogue.insert import insert_new
from attribution.catalogue.models import Artist, Artwork, ArtworkStatus, Embedding
from attribution.config import Settings
from attribution.index.points import Point
from attribution.lookup.maps import view
from attribution.services import Services, open_services
from attribution.types import Box, Matrix
from attribution.upkeep.mapping import build_map
from tests.browser import at, chromium
from tests.serving import serving

ARTISTS = 200
VIEWS: Sequence[Box] = ((0, 0, 1, 1), (0.4, 0.4, 0.6, 0.6), (0.5, 0.5, 0.55, 0.55))
LISTEN = """
window.long = [];
const note = (list) => window.long.push(...list.getEntries().map((one) => one.duration));
new PerformanceObserver(note)
  .observe({ type: "longtask", buffered: true });
"""


def main() -> None:
    """Measure, and print a line for each thing."""
    works = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder) / "home", profile="stub", generator="stub")
        with open_services(settings) as services:
            fill(services, works)
            started = time.perf_counter()
            build_map(services)
            print(f"laid out {works} works in {time.perf_counter() - started:.1f} s")
            for box in VIEWS:
                look(services, box)
        walk(settings)


def fill(services: Services, works: int) -> None:
    """Register works that nobody brought: rows and vectors, no files."""
    rng = np.random.default_rng(0)
    dims = services.row.dims
    artists = [uuid4() for _ in range(ARTISTS)]
    middles = {name: rng.normal(size=(ARTISTS, dim)) for name, dim in dims.items()}
    ids = [UUID(bytes=rng.bytes(16)) for _ in range(works)]
    own = rng.integers(0, ARTISTS, works).tolist()
    vectors = {
        name: rounded(unit(middles[name][own] + 0.7 * rng.normal(size=(works, dim))))
        for name, dim in dims.items()
    }
    named = [(f"artist-{number}", f"Artist {number}") for number in range(ARTISTS)]
    first = {name: rows[0] for name, rows in vectors.items()}
    services.index.upsert([Point(ids[0], first, "", artists[own[0]])])  # none: a lost index
    with services.sessions.begin() as session:
        insert_new(
            session,
            Artist,
            [
                {"id": one, "slug": slug, "name": name, "folded": slug, "turned": slug[::-1]}
                | {"works": own.count(number)}
                for number, (one, (slug, name)) in enumerate(zip(artists, named, strict=True))
            ],
        )
        insert_new(
            session,
            Artwork,
            [
                {"id": one, "artist_id": artists[hand], "sha256": one.hex * 2}
                | {"pixel_sha256": one.hex * 2, "phash": one.hex[:16], "title": f"Work {number}"}
                | {"status": ArtworkStatus.INDEXED}
                for number, (one, hand) in enumerate(zip(ids, own, strict=True))
            ],
        )
        insert_new(
            session,
            Embedding,
            [
                {
                    "artwork_id": one,
                    "fingerprint": services.row.fingerprint,
                    "vectors": packed([rows[number] for _, rows in sorted(vectors.items())]),
                }
                for number, one in enumerate(ids)
            ],
        )


def unit(rows: Matrix) -> Matrix:
    """Return rows of length 1."""
    whole: Matrix = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return whole


def look(services: Services, box: Box) -> None:
    """Ask for what lies in a box."""
    times = []
    for _ in range(20):
        started = time.perf_counter()
        found = view(services, services.row.fingerprint, box)
        times.append(time.perf_counter() - started)
    print(f"{box}: {len(found.works)} works in {1000 * np.median(times):.0f} ms")


def walk(settings: Settings) -> None:
    """Walk on the map in a browser, and print the longest task that held it up."""
    with (
        serving(create_app(settings)) as (host, port),
        chromium() as browser,
        at(browser, f"http://{host}:{port}") as person,
    ):
        person.context.add_init_script(LISTEN)
        page = person.page("/insight/map")
        page.wait_for_load_state("networkidle")
        canvas = page.get_by_role("application")
        box = canvas.bounding_box() or {}
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        for _ in range(12):
            page.mouse.wheel(0, -200)
            page.wait_for_timeout(250)
        page.mouse.down()
        page.mouse.move(box["x"] + 50, box["y"] + 50, steps=30)
        page.mouse.up()
        canvas.press("0")
        page.wait_for_timeout(1_000)
        tasks = page.evaluate("window.long")
        print(f"{len(tasks)} long tasks, the longest {max(tasks, default=0):.0f} ms")


if __name__ == "__main__":
    main()
