"""Speed on this machine: `python benchmarks/service.py DATA`.

Ingest end to end beside the encoders alone, on the same distinct works, in one run; the peak memory
of `lawful ingest` for a tenth and for all of the works; lookups (the hybrid query and the votes,
without the encoder) among random works at several sizes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from itertools import islice
from pathlib import Path
from uuid import UUID

import numpy as np
import psutil

from attribution.arithmetic.calibration import Ballots, Calibration
from attribution.arithmetic.classifier import Statistics, fit
from attribution.arithmetic.familiarity import Familiarity
from attribution.arithmetic.fitting import voice_names
from attribution.arithmetic.voting import NEAREST, count
from attribution.catalogue import queries
from attribution.config import Settings
from attribution.encoders.profiles import load_encoders
from attribution.images import read_image_file
from attribution.index import open_index
from attribution.index.points import Point, Probe
from attribution.services import open_services
from attribution.upkeep.calibrating import SAMPLE
from attribution.voters.classifier import ClassifierVoter
from attribution.voters.neighbours import NeighboursVoter
from attribution.voters.panel import equal_weights
from attribution.voters.voter import Question
from ingest import pipeline
from ingest.listing import plan
from ingest.sources import Source, SourceItem, read_source

WORKS = 600
LOOKUPS = 200
ARTISTS = 500
DIMS = {"clip": 384, "clip_style": 384, "palette": 125, "vae_style": 78}  # that vote
BATCH = 500


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    chosen = parser.parse_args()
    ingest(chosen.data)
    for works in (300, 3_000):
        memory(chosen.data, works)
    for size in chosen.sizes:
        lookups(size)


def ingest(data: Path) -> None:
    """Compare a whole ingest job with its encoders alone, alternating, three times each."""
    items = distinct(data, WORKS)
    images = [read_image_file(item.path).rgb for item in items]
    encoders = load_encoders(Settings())
    alone, whole = [], []
    for _ in range(3):
        started = time.perf_counter()
        for start in range(0, len(images), 32):
            encoders.encode(images[start : start + 32])
        alone.append(time.perf_counter() - started)
        with (
            tempfile.TemporaryDirectory() as home,
            open_services(Settings(home=Path(home), profile="starter")) as services,
        ):
            job_id = plan(services, str(data), Source(items), staged=False)
            with services.sessions() as session:
                keys = queries.open_tasks(session, job_id)
            started = time.perf_counter()
            for key in keys:
                pipeline.run_batch(services, key, stopping=lambda: False)
            whole.append(time.perf_counter() - started)
    fastest = WORKS / min(alone), WORKS / min(whole)
    print(f"encoders alone {fastest[0]:.1f} works/s, ingest {fastest[1]:.1f} works/s")
    print(f"the pipeline costs {min(whole) / min(alone) - 1:+.1%}", flush=True)


def distinct(data: Path, limit: int) -> list[SourceItem]:
    """Return works of different bytes: the same bytes twice are encoded once."""
    by_hash = {hashlib.sha256(item.path.read_bytes()).digest(): item for item in read_source(data)}
    return list(islice(by_hash.values(), limit))


def copies(items: list[SourceItem], folder: Path) -> Path:
    """Copy works into a folder per artist."""
    for item in items:
        target = folder / item.path.parent.name / item.path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(item.path, target)
    return folder


def memory(data: Path, limit: int) -> None:
    """Print the peak memory of `lawful ingest` in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        works = copies(distinct(data, limit), Path(folder) / "works")
        command = [Path(sys.executable).with_name("lawful"), "ingest", works, "--json"]
        process = psutil.Popen(
            command, env={**os.environ, "LAWFUL_HOME": folder}, stdout=subprocess.DEVNULL
        )
        peak = 0
        while process.poll() is None:  # what wait4 says begins with the size of who started it
            with suppress(psutil.NoSuchProcess):
                peak = max(peak, process.memory_info().rss)
            time.sleep(0.1)
        count = sum(1 for path in works.rglob("*") if path.is_file())
    print(f"{count} works: peak memory {peak / 2**20:.0f} MiB, status {process.returncode}")


def lookups(size: int) -> None:
    """Time neighbours, both voters and calibration among `size` random works by ARTISTS artists."""
    rng = np.random.default_rng(size)
    with tempfile.TemporaryDirectory() as folder:
        index = open_index(str(Path(folder) / "index"), dims=DIMS, collection="artworks")
        started = time.perf_counter()
        statistics = Statistics(sum(DIMS.values()))
        for start in range(0, size, BATCH):
            points = [_point(rng, number) for number in range(start, start + BATCH)]
            index.upsert(points)
            rows = [np.concatenate([one.vectors[name] for name in sorted(DIMS)]) for one in points]
            statistics.add([one.artist_id for one in points], np.stack(rows))
        index.flush()
        index.optimize()
        built = time.perf_counter() - started
        sizes = Counter({UUID(int=artist + 1): size // ARTISTS for artist in range(ARTISTS)})
        classifier, made = fit(statistics, DIMS), _calibration()
        if classifier is None:
            raise SystemExit("nothing is indexed")
        voters = (ClassifierVoter(classifier), NeighboursVoter())
        times = []
        for _ in range(LOOKUPS):
            vectors = _vectors(rng)
            started = time.perf_counter()
            near = index.neighbours(Probe(vectors), limit=NEAREST)
            question = Question(vectors, near, sizes, made.spaces)
            ballots = [voter.shares(question) for voter in voters]
            count(ballots)
            made.odds(Ballots.of(ballots, list(made.spaces)))
            times.append((time.perf_counter() - started) * 1e3)
        p50, p95 = np.percentile(times, [50, 95])
        files = [file.stat() for file in Path(folder).rglob("*") if file.is_file()]
        disk = sum(512 * file.st_blocks for file in files) / size  # files are made longer than used
        print(
            f"{size} works: lookup p50 {p50:.1f} ms, p95 {p95:.1f} ms; "
            f"built at {size / built:.0f} works/s; {disk:.0f} bytes a work on disk"
        )
        index.close()


def _calibration() -> Calibration:
    """Return a calibration of the size that a catalogue's has."""
    spaces = sorted(DIMS)
    voices, answers = voice_names(["classifier", "neighbours"], spaces), np.linspace(0, 1, SAMPLE)
    weights, nobody = np.ones(len(voices)), np.array([1.0, -1.0, -1.0])
    closeness, by_space = np.tile(answers[:, None], len(spaces)), equal_weights(spaces)
    familiarity = Familiarity.of(closeness, np.array(list(by_space.values())))
    return Calibration(
        *(voices, by_space, weights, nobody, answers, answers, np.ones(SAMPLE), familiarity)
    )


def _vectors(rng: np.random.Generator) -> dict[str, np.ndarray]:
    rows = {name: rng.normal(size=width).astype(np.float32) for name, width in DIMS.items()}
    return {name: row / np.linalg.norm(row) for name, row in rows.items()}


def _point(rng: np.random.Generator, number: int) -> Point:
    artist = UUID(int=number % ARTISTS + 1)
    return Point(UUID(int=number + 1), _vectors(rng), f"work {number}", artist)


if __name__ == "__main__":
    main()
