"""Where the time of a lookup goes: `python -m benchmarks.lookup DATA [--works N] [--artists N]`.

Fills a catalogue with works by 10,000 artists: vectors about a centre for each artist,
sketches of the pictures in DATA. Then asks about other pictures of DATA with vectors that cost
nothing, so that what is measured is a lookup without its encoders; both kinds of lookup take turns.
Stages are processor time, so that what else runs on the machine counts for little.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import islice, product
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID

import numpy as np
from PIL import Image
from sqlalchemy import event, insert
from sqlalchemy.orm import Session

from attribution.arithmetic.calibration import Calibration
from attribution.arithmetic.classifier import Statistics
from attribution.arithmetic.familiarity import Familiarity
from attribution.arithmetic.fitting import voice_names
from attribution.catalogue import queries, sums
from attribution.catalogue.models import (
    Artist,
    Artwork,
    ArtworkStatus,
    CopySketch,
    KeptCalibration,
    Tally,
)
from attribution.catalogue.queries.near_hashes import hash_columns
from attribution.collection import Collection, collection_of, open_collection, open_stores
from attribution.config import Settings
from attribution.copies import finder
from attribution.copies.sketch import draw_work
from attribution.encoders.encoder import Lane, ModelInfo
from attribution.encoders.encoder_set import EncoderSet
from attribution.images import read_image_file
from attribution.index.parts import PartIndex
from attribution.index.points import Point
from attribution.index.vector_index import VectorIndex
from attribution.lookup.attributor import Attributor
from attribution.types import Matrix
from attribution.upkeep.calibrating import SAMPLE
from attribution.voters.panel import Panel, equal_weights
from attribution.voters.seating import take_seats
from ingest.sources import read_source

DIMS = {"clip": 384, "clip_style": 384, "palette": 125, "vae_layout": 256, "vae_style": 78}
LANES = {
    "clip": Lane.CONTENT,
    "clip_style": Lane.STYLE,
    "palette": Lane.STYLE,
    "vae_layout": Lane.COPY,
    "vae_style": Lane.STYLE,
}
APART = 1.2  # length of a work's own part beside that of its artist
PICTURES = 200  # of DATA: sketches of registered works
QUESTIONS = 40
BATCH = 1_000
Step = tuple[Any, str]
STAGES: Mapping[str, Step] = {
    "index": (VectorIndex, "neighbours"),
    "parts": (PartIndex, "nearest"),
    "evidence": (VectorIndex, "vectors"),
    "near hash": (finder.queries, "parts_near_hash"),
    "kept sketches": (finder.queries, "kept_sketches"),
    "drawing the question": (finder, "draw_question"),
    "verifying": (finder, "verify"),
    "voters": (Panel, "ask"),
    "before recording": (Attributor, "_look"),
}


class Given:
    """Stands for encoders that take no time: vectors about the centre of some artist."""

    info = ModelInfo("given", DIMS, LANES, "1", "none", "Apache-2.0")

    def __init__(self, artists: int) -> None:
        self._rng = np.random.default_rng(artists)
        self._centres = {
            name: _unit(self._rng.normal(size=(artists, width)).astype(np.float32))
            for name, width in DIMS.items()
        }

    def of(self, artists: Sequence[int]) -> dict[str, Matrix]:
        """Return the vectors of works of these artists."""
        chosen = np.array(artists)
        apart = {name: self._rng.normal(size=(len(chosen), DIMS[name])) for name in DIMS}
        return {
            name: _unit(centres[chosen] + APART * _unit(apart[name].astype(np.float32)))
            for name, centres in self._centres.items()
        }

    def encode(self, images: Sequence[Image.Image]) -> dict[str, Matrix]:
        """Return the vectors of works of anybody."""
        return self.of(self._rng.integers(0, len(self._centres["clip"]), len(images)).tolist())


def main() -> None:
    """Print the stages of lookups at every size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--works", type=int, default=100_000)
    parser.add_argument("--artists", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--home", type=Path, help="Keep the catalogue here; filled once.")
    chosen = parser.parse_args()
    paths = [item.path for item in islice(read_source(chosen.data), PICTURES + QUESTIONS)]
    encoders = Given(chosen.artists)
    with opened(EncoderSet([encoders]), chosen.home) as collection:
        if not collection.index.points():
            started = time.perf_counter()
            fill(collection, encoders, chosen.works, chosen.artists, paths[:PICTURES])
            print(f"filled in {time.perf_counter() - started:.0f} s", flush=True)
        print(f"{collection.index.points():,} works")
        measure(collection, encoders, paths[PICTURES:], chosen.rounds)


@contextmanager
def opened(encoders: EncoderSet, home: Path | None) -> Iterator[Collection]:
    """Open a collection of these encoders, in a folder that goes afterwards if none is given."""
    with (
        tempfile.TemporaryDirectory() as folder,
        open_stores(Settings(home=home or Path(folder))) as stores,
        open_collection(stores, collection_of(stores, encoders)) as collection,
    ):
        yield collection


def fill(
    collection: Collection, encoders: Given, works: int, artists: int, paths: Sequence[Path]
) -> None:
    """Register works, as many by each artist, with what a lookup reads of them."""
    rng = np.random.default_rng(works)
    drawn = [draw_work(read_image_file(path).rgb) for path in paths]
    statistics = Statistics(sum(collection.row.voting.values()))
    with collection.sessions.begin() as session:
        session.execute(
            insert(Artist), [_artist(number, works // artists) for number in range(artists)]
        )
        session.execute(insert(Tally), [{"artists": artists, "works": works}])
    for start in range(0, works, BATCH):
        numbers = range(start, min(start + BATCH, works))
        hands = [number % artists for number in numbers]
        rows = encoders.of(hands)
        voting = np.concatenate([rows[name] for name in sorted(collection.row.voting)], axis=1)
        statistics.add([_id(1, hand) for hand in hands], voting)
        collection.index.upsert(
            [
                Point(
                    _id(2, number),
                    {name: matrix[at] for name, matrix in rows.items()},
                    f"work {number}",
                    _id(1, hand),
                )
                for at, (number, hand) in enumerate(zip(numbers, hands, strict=True))
            ]
        )
        hashes = rng.integers(0, 2**64, len(numbers), np.uint64).tolist()
        with collection.sessions.begin() as session:
            _register(session, numbers, hands, hashes, drawn)
    collection.index.flush()
    collection.index.optimize()
    with collection.sessions.begin() as session:
        sums.change_statistics(session, collection.row.fingerprint, statistics, by=1)
        queries.keep_calibration(session, _calibration(collection, works, artists))


def measure(collection: Collection, encoders: Given, paths: Sequence[Path], rounds: int) -> None:
    """Time both kinds of lookup, by stage."""
    row = collection.row
    panel = Panel(collection.sessions, row.fingerprint, take_seats(collection), list(row.voting))
    attributor = Attributor(collection, EncoderSet([encoders]), panel_of=lambda _tenant: panel)
    images = [read_image_file(path) for path in paths]
    ways: dict[str, Callable[..., Any]] = {
        "plain": partial(attributor.attribute, is_thorough=False),
        "thorough": attributor.attribute,
    }
    took: dict[str, dict[str, list[float]]] = {way: defaultdict(list) for way in ways}
    for ask in ways.values():
        ask(images[0])  # reads what is read once
    now: dict[str, float] = {}
    with ExitStack() as stack:
        for stage, step in STAGES.items():
            stack.enter_context(timed(now, stage, *step))
        stack.enter_context(statements(collection, now))
        for _, image, (way, ask) in product(range(rounds), images, ways.items()):
            now.clear()
            started, used = time.perf_counter(), time.process_time()
            ask(image)
            now["whole"], now["on the clock"] = (
                time.process_time() - used,
                time.perf_counter() - started,
            )
            now["recording"] = now["whole"] - now["before recording"]
            for stage in (*STAGES, "recording", "SQL", "statements", "whole", "on the clock"):
                took[way][stage].append(now.get(stage, 0.0))
    for way, stages in took.items():
        report(way, stages)


def report(way: str, stages: Mapping[str, Sequence[float]]) -> None:
    """Print p50 and p95 of the whole and of every stage."""
    print(f"  {way:24s}    p50    p95  ms", flush=True)
    for stage, seconds in stages.items():
        scale = 1 if stage == "statements" else 1e3
        median, often = scale * np.quantile(seconds, [0.5, 0.95])
        print(f"    {stage:22s} {median:6.1f} {often:6.1f}", flush=True)


@contextmanager
def timed(now: dict[str, float], stage: str, owner: Any, name: str) -> Iterator[None]:
    """Add up the processor time in a function while this is open."""
    inner = getattr(owner, name)

    def outer(*args: Any, **kwargs: Any) -> Any:
        started = time.process_time()
        try:
            return inner(*args, **kwargs)
        finally:
            now[stage] = now.get(stage, 0.0) + time.process_time() - started

    with patch.object(owner, name, outer):
        yield


@contextmanager
def statements(collection: Collection, now: dict[str, float]) -> Iterator[None]:
    """Count statements and their seconds while this is open: in the database, without the rows."""
    engine = collection.sessions.kw["bind"]
    begun: list[float] = []

    def before(*_: Any) -> None:
        begun.append(time.process_time())

    def after(*_: Any) -> None:
        now["SQL"] = now.get("SQL", 0.0) + time.process_time() - begun.pop()
        now["statements"] = now.get("statements", 0.0) + 1

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    yield
    event.remove(engine, "before_cursor_execute", before)
    event.remove(engine, "after_cursor_execute", after)


def _register(
    session: Session,
    numbers: Sequence[int],
    hands: Sequence[int],
    hashes: Sequence[int],
    drawn: Sequence[bytes],
) -> None:
    spelt = [f"{bits:016x}" for bits in hashes]
    works = [
        {
            "id": _id(2, number),
            "artist_id": _id(1, hand),
            "sha256": f"{number:064x}",
            "pixel_sha256": f"{number:064x}",
            "phash": phash,
            "title": f"work {number}",
            "status": ArtworkStatus.INDEXED,
            "facts": {"format": "PNG", "width": 640, "height": 480, "bytes": 100_000},
        }
        for number, hand, phash in zip(numbers, hands, spelt, strict=True)
    ]
    sketches = [
        {
            "artwork_id": _id(2, number),
            "part": 0,
            "box": [0, 0, 1, 1],
            "phash": phash,
            **hash_columns(phash),
            "data": drawn[number % len(drawn)],
        }
        for number, phash in zip(numbers, spelt, strict=True)
    ]
    session.execute(insert(Artwork), works)
    session.execute(insert(CopySketch), sketches)


def _artist(number: int, works: int) -> dict[str, Any]:
    name = f"artist {number}"
    return {
        "id": _id(1, number),
        "slug": f"artist-{number}",
        "name": name,
        "folded": name,
        "turned": name,
        "works": works,
    }


def _calibration(collection: Collection, works: int, artists: int) -> KeptCalibration:
    """Return a calibration of the size that a catalogue's has."""
    spaces = sorted(collection.row.voting)
    voices, answers = voice_names(["classifier", "neighbours"], spaces), np.linspace(0, 1, SAMPLE)
    weights, nobody = np.ones(len(voices)), np.array([1.0, -1.0, -1.0])
    by_space = equal_weights(spaces)
    closeness = np.tile(answers[:, None], len(spaces))
    familiarity = Familiarity.of(closeness, np.array(list(by_space.values())))
    made = Calibration(
        *(voices, by_space, weights, nobody, answers, answers, np.ones(SAMPLE), familiarity)
    )
    return KeptCalibration(
        fingerprint=collection.row.fingerprint,
        made_at=datetime.now(UTC),
        stamp="",
        works=works,
        artists=artists,
        asked=SAMPLE,
        voices=list(voices),
        numbers=made.as_json(),
        reliability={},
    )


def _id(kind: int, number: int) -> UUID:
    return UUID(int=(kind << 96) + number)


def _unit(rows: Matrix) -> Matrix:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


if __name__ == "__main__":
    main()
