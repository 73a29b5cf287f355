"""The bytes of a file are read once, whatever is done with them; few are in memory at a time."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from attribution.config import Settings
from attribution.services import open_services
from attribution.threads import Threads
from ingest import loading
from ingest.listing import plan
from ingest.loading import Work, load_few
from ingest.preview import preview
from ingest.sources import read_source
from tests.portfolios import finish, ingest, portfolio

INCOMING = re.compile(r"/incoming/[^/]+/[0-9a-f]{64}$")
LISTENERS: list[Counter[str]] = []  # an audit hook can never be removed


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and LISTENERS:
        path, mode, _ = arguments
        if "r" in str(mode):
            LISTENERS[-1][str(path)] += 1


@contextmanager
def reads() -> Iterator[Counter[str]]:
    """Count how often this process opens each path for reading."""
    if not LISTENERS:
        sys.addaudithook(_hear)
    LISTENERS.append(Counter())
    yield LISTENERS[-1]
    LISTENERS.append(Counter())


@pytest.mark.parametrize("kept", [False, True], ids=["", "originals kept"])
@pytest.mark.parametrize("staged", [False, True], ids=["in place", "staged"])
def test_a_file_is_read_once(tmp_path: Path, *, kept: bool, staged: bool) -> None:
    """Where it lies, and where it is staged, with thumbnails and originals made of it."""
    source = portfolio(tmp_path / "p")
    home = Settings(home=tmp_path / "home", profile="stub", keep_originals=kept)
    with open_services(home) as services, reads() as opened:
        job = plan(services, str(source), read_source(source), staged=staged)
        summary = finish(services, job)

    files = {path: often for path, often in opened.items() if path.endswith(".png")}
    incoming = {path: often for path, often in opened.items() if INCOMING.search(path)}
    assert summary.added == 12
    assert (len(files), set(files.values())) == (12, {1})
    assert (len(incoming), set(incoming.values())) == ((12, {1}) if staged else (0, set()))
    assert len(list(tmp_path.glob("home/**/originals/*/*"))) == (12 if kept else 0)


def test_as_many_are_held_as_memory_is_meant_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large files are done in smaller portions; what becomes of them is the same."""
    source = portfolio(tmp_path / "p")
    size = (source / "artist-0" / "work-0.png").stat().st_size
    works = [Work(number, item) for number, item in enumerate(read_source(source))]
    monkeypatch.setattr(loading, "MOST_BYTES", 3 * size)

    with open_services(Settings(home=tmp_path / "home", profile="stub")) as services:
        with Threads(2) as decoders:
            few = load_few(services, decoders, works)
        shown, done = preview(services, read_source(source)), ingest(services, source)

    assert [work for work, _ in few] == works[:4]
    assert shown.added == done.added == 12
