"""A console with three artists, and somebody at a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from api.http.app import create_app
from attribution.config import Settings
from tests.browser import Person, at, chromium
from tests.homes import copy_ingested
from tests.serving import serving

# Of this folder alone: while Playwright is open, nothing else in the process can run asyncio


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Open one browser for all pages."""
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="package")
def console(ingested_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the console of three artists with four works each; gives its address."""
    folder = tmp_path_factory.mktemp("console")
    copy_ingested(ingested_once, folder)
    home = Settings(home=folder / "home", profile="stub", generator="stub", keep_originals=True)
    with serving(create_app(home)) as (host, port):
        yield f"http://{host}:{port}"


@pytest.fixture
def person(browser: Browser, console: str) -> Iterator[Person]:
    """Sit somebody down at a wide screen."""
    with at(browser, console) as somebody:
        yield somebody
