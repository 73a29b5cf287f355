"""Every page, small and large, light and dark: it fits and reads, and its picture is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import httpx
import pytest

from tests.apis import archive, png
from tests.browser import Person, accessibility, shoot
from tests.portfolios import wait_until

WIDTHS = (360, 768, 1440)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
INSIGHT = ("map", "jobs", "audit", "keys", "webhooks", "settings")
PAGES = {
    "home": "",
    "lookup": "/lookup",
    "answer": "/lookup/{answer}",
    "search": "/search?q=yara",
    "artists": "/artists",
    "artist": "/artists/yara-yes",
    "merge": "/artists/yara-yes/merge?into=ylva",
    "work": "/works/{work}",
    "receipt": "/receipts/{receipt}",
    "ingest": "/ingest",
    "ingest-job": "/ingest/{job}",
    "batches": "/batches",
    "batch": "/batches/{batch}",
    "generate": "/generate",
    "generated": "/generate/{drawn}",
    "insight": "/insight",
    **{f"insight-{one}": f"/insight/{one}" for one in INSIGHT},
}


@pytest.fixture(scope="package")
def furnished(console: str) -> Mapping[str, str]:
    """Have something on every page; gives ids."""
    with httpx.Client(base_url=console, timeout=60) as client:
        files = {"Yara Yes/a.png": png(601), "Yara Yes/bad.png": b"no image"}
        packed = archive(files | {"Ylva/b.png": png(604), "Yann Gone/c.png": png(605)})
        job = client.post("/v1/ingest-jobs", files={"file": ("yara.zip", packed)}).json()
        images = archive({"a.png": png(602), "bad.png": b"no image"})
        batch = client.post("/v1/lookup-batches", files={"file": ("shop.zip", images)}).json()
        drawn = client.post("/v1/generations", json={"prompt": "by Artist 0", "count": 2}).json()
        jobs = [client.build_request("GET", f"/v1/jobs/{one['id']}") for one in (job, batch, drawn)]
        wait_until(lambda: all(client.send(one).json()["has_ended"] for one in jobs))
        answer = client.post("/v1/attributions", files={"image": ("a.png", png(601))}).json()
        work = client.get("/v1/artworks", params={"artist": "yara-yes"}).json()["items"][0]
        leaving = {"what": "yann-gone", "reason": "asked for by the artist"}
        receipt = client.post("/v1/withdrawals", json=leaving).json()
    named = {"job": job, "answer": answer, "batch": batch, "drawn": drawn}
    named |= {"work": work, "receipt": receipt}
    return {name: one["id"] for name, one in named.items()}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_and_reads(person: Person, furnished: Mapping[str, str], name: str) -> None:
    """Nothing of it is wider than the screen, and axe finds nothing serious."""
    page = person.page(PAGES[name].format(**furnished))
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            shoot(page, f"{name}-{width}-{scheme}")
            too_wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert too_wide <= 0, f"{name} is {too_wide} px too wide at {width} px"
        assert accessibility(page) == []
    assert page.locator("h1").count() == 1
