"""What pages of the console weigh, and when people can use them: `python benchmarks/console.py`.

Pages are opened in Chromium with a processor that is slowed down four times and an empty cache,
from a service on the same machine. Bytes are those that come from the service but for pictures,
also for those within a page. A page can be used when its scripts have run and no task of the main
thread took longer than 50 ms during half a second. Then a portfolio is scrolled to its end.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import statistics
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from playwright.sync_api import Browser, CDPSession, Page
from sqlalchemy import insert, inspect, select

from api.http.app import create_app
from attribution.catalogue import queries
from attribution.catalogue.models import Artwork
from attribution.config import Settings
from attribution.services import Services, open_services
from tests.browser import chromium
from tests.portfolios import ingest_at_once, picture
from tests.serving import serving

SLOWER = 4
QUIET_MS = 500
SEEN = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
WATCH = """
window.longTasks = [];
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) longTasks.push([one.startTime, one.duration]);
}).observe({ type: "longtask", buffered: true });
"""
IS_QUIET = f"""() => document.readyState === "complete" && performance.now() - Math.max({SEEN},
  ...longTasks.map(([start, took]) => start + took)) > {QUIET_MS}"""
WITHIN = re.compile(r"data:image/[^\"')\s]+")  # a picture that stands in the page itself


@dataclass(frozen=True)
class Opened:
    """What was measured of a page."""

    kilobytes: float  # without pictures
    interactive_ms: float
    longest_ms: float  # of the tasks of the main thread until then


@dataclass(frozen=True)
class Scrolled:
    """What was measured while a grid was scrolled to its end."""

    works: int
    longest_ms: float
    blocked: int  # tasks of more than 50 ms
    slower: int


def main() -> None:
    """Print a line a page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--works", type=int, default=10_000)
    parser.add_argument("-o", "--output", type=Path, help="JSON with every run")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        settings = Settings(
            home=Path(folder, "home"), profile="stub", keep_originals=True, rate_lookups="none"
        )
        fill(settings, Path(folder, "works"), chosen.works)
        address = "http://{}:{}".format(*stack.enter_context(serving(create_app(settings))))
        browser = stack.enter_context(chromium())
        found: dict[str, list[Opened]] = {}
        for name, place in places(address).items():
            found[name] = [opened(browser, f"{address}/console{place}") for _ in range(chosen.runs)]
            told(name, found[name])
        grid = []
        for slower in (1, SLOWER):
            grid.append(one := scrolled(browser, f"{address}/console/artists/many", slower))
            print(
                f"{one.works:,} works, {slower} times slower: longest {one.longest_ms:.0f} ms, "
                f"tasks of more than 50 ms: {one.blocked}",
                flush=True,
            )
    if chosen.output:
        pages = {name: [asdict(one) for one in runs] for name, runs in found.items()}
        said = {"load": os.getloadavg(), "pages": pages, "grid": [asdict(one) for one in grid]}
        chosen.output.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")


def told(name: str, runs: list[Opened]) -> None:
    """Print the medians of a page, and the worst of them."""
    usable, longest = [one.interactive_ms for one in runs], [one.longest_ms for one in runs]
    print(
        f"{name}: {runs[0].kilobytes:.0f} kB, interactive {statistics.median(usable):.0f} ms "
        f"(at most {max(usable):.0f}), longest task {statistics.median(longest):.0f} ms "
        f"(at most {max(longest):.0f}), load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


def fill(settings: Settings, folder: Path, works: int) -> None:
    """Register a few works to look at, and one more that becomes many."""
    for artist in range(3):
        (folder / f"artist-{artist}").mkdir(parents=True)
        for number in range(4):
            picture(100 * artist + number).save(folder / f"artist-{artist}" / f"{number}.png")
    (folder / "many").mkdir()
    picture(900).save(folder / "many" / "0.png")
    with open_services(settings) as services:
        ingest_at_once(services, folder)
        multiply(services, works)


def multiply(services: Services, works: int) -> None:
    """Give an artist many works: rows, each with a thumbnail, which is all that a grid needs."""
    with services.sessions.begin() as session:
        artist = queries.artist_by_slug(session, "many")
        (row,) = session.scalars(select(Artwork).where(Artwork.artist_id == artist.id))
        said = {one.key: getattr(row, one.key) for one in inspect(Artwork).column_attrs}
        thumbnail = services.store.thumbnail(row.sha256)
        new = []
        for number in range(works - 1):
            digest = sha256(str(number).encode()).hexdigest()
            services.store.put_thumbnail(digest, thumbnail)
            new.append(said | {"id": uuid4(), "sha256": digest, "pixel_sha256": digest})
        session.execute(insert(Artwork), new)
        artist.works = works


def places(address: str) -> Mapping[str, str]:
    """Look an image up and open a case about it; returns the pages to open."""
    buffer = io.BytesIO()
    picture(0).save(buffer, "PNG")
    with httpx.Client(base_url=f"{address}/v1", timeout=60) as client:
        answer = client.post("/attributions", files={"image": buffer.getvalue()}).json()
        about = {"kind": "match", "title": "A print", "attributions": [answer["id"]]}
        case = client.post("/cases", json=about).json()
    return {
        "home": "",
        "look up": "/lookup",
        "answer": f"/lookup/{answer['id']}",
        "compare": f"/compare/{answer['id']}/{answer['copy_of']['id']}",
        "case": f"/cases/{case['id']}",
    }


def opened(browser: Browser, address: str) -> Opened:
    """Open a page in a browser that has nothing of it."""
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        page = context.new_page()
        session = slowed(page, SLOWER)
        session.send("Network.enable")
        kinds, sizes = dict[str, str](), dict[str, float]()
        session.on("Network.responseReceived", lambda e: kinds.update({e["requestId"]: e["type"]}))
        session.on(
            "Network.loadingFinished",
            lambda e: sizes.update({e["requestId"]: e["encodedDataLength"]}),
        )
        answer = page.goto(address)
        if answer is None or not answer.ok:
            raise SystemExit(f"{address} cannot be opened: {answer and answer.status}")
        page.wait_for_function(IS_QUIET, polling=50)
        tasks: list[list[float]] = page.evaluate("longTasks")
        ready: float = page.evaluate(SEEN)
        sent = sum(size for one, size in sizes.items() if kinds.get(one) != "Image")
        inside = sum(map(len, WITHIN.findall(answer.text())))
    ends = [start + took for start, took in tasks]
    longest = max((took for _, took in tasks), default=0.0)
    return Opened((sent - inside) / 1_000, max([ready, *ends]), longest)


def scrolled(browser: Browser, address: str, slower: int) -> Scrolled:
    """Scroll a portfolio until no more works come."""
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        page = context.new_page()
        slowed(page, slower)
        page.set_default_timeout(120_000)
        page.goto(address)
        page.wait_for_function(IS_QUIET, polling=50)
        more = page.locator(".grid > .next")
        while more.count():
            shown = page.locator(".grid > li").count()
            page.mouse.wheel(0, 100_000)
            page.wait_for_function(
                "n => document.querySelectorAll('.grid > li').length !== n", arg=shown, polling=20
            )
        page.wait_for_function(IS_QUIET, polling=50)
        works = page.locator(".grid > li").count()
        tasks: list[list[float]] = page.evaluate("longTasks")
    longest = max((took for _, took in tasks), default=0.0)
    return Scrolled(works, longest, len(tasks), slower)


def slowed(page: Page, times: int) -> CDPSession:
    """Slow the processor of a page down, and have the page note its long tasks."""
    session: Any = page.context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": times})
    page.add_init_script(WATCH)
    found: CDPSession = session
    return found


if __name__ == "__main__":
    main()
