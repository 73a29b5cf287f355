"""Cost of the exact classifier: `python benchmarks/classifier.py`.

Solving the statistics of several numbers of artists, reading them, asking about one image, and what
one write of a batch of works adds to an ingest; on random vectors, in an SQLite file. CPU seconds.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import numpy as np

from attribution.arithmetic.classifier import Statistics, fit
from attribution.catalogue import queries, sums
from attribution.catalogue.database import connect
from attribution.catalogue.models import Artist

PROFILES = {  # the spaces that vote in profiles of the package
    "starter": {"clip": 384, "clip_style": 384, "palette": 125, "vae_style": 78},
    "large": {"clip": 768, "clip_style": 384, "palette": 125, "vae_style": 78},
    "flux": {"clip": 768, "clip_style": 384, "palette": 125, "vae_style": 600},
}
ARTISTS = (60, 1_000, 10_000)
BATCH = 32  # works of one write
TURNS = 5


def main() -> None:
    """Print one line for each width and number of artists."""
    print("profile   dims artists  solve s  read s  ask ms  write of 32 works ms")
    for profile, dims in PROFILES.items():
        for count in ARTISTS:
            artists = [UUID(int=one + 1) for one in range(count)]
            statistics = Statistics.of(artists * 2, rows(2 * count, dims))
            classifier = fit(statistics, dims)
            if classifier is None:
                raise SystemExit("nothing to solve")
            asked = dict(zip(sorted(dims), parts(rows(1, dims)[0], dims), strict=True))
            solved = fastest(lambda s=statistics, d=dims: fit(s, d))
            answered = fastest(lambda c=classifier, a=asked: c.shares(a))
            read, written = stored(statistics, artists, dims)
            print(
                f"{profile:8} {sum(dims.values()):5} {count:7} {solved:8.3f} {read:7.3f} "
                f"{answered * 1e3:7.2f} {written * 1e3:8.1f}",
                flush=True,
            )


def rows(count: int, dims: dict[str, int]) -> np.ndarray:
    """Return random works: a unit vector in each space."""
    rng = np.random.default_rng(count)
    made = [rng.normal(size=(count, dims[name])) for name in sorted(dims)]
    unit = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in made]
    return np.concatenate(unit, axis=1).astype(np.float32)


def parts(row: np.ndarray, dims: dict[str, int]) -> list[np.ndarray]:
    """Split one row into its spaces."""
    return np.split(row, np.cumsum([dims[name] for name in sorted(dims)])[:-1])


def stored(
    statistics: Statistics, artists: list[UUID], dims: dict[str, int]
) -> tuple[float, float]:
    """Return the seconds of reading the statistics, and of counting a batch along."""
    with tempfile.TemporaryDirectory() as folder:
        database = connect(f"sqlite:///{Path(folder) / 'b.db'}")
        database.upgrade()
        with database.sessions.begin() as session:
            for number, one in enumerate(artists):
                name = f"a{number}"
                session.add(Artist(id=one, slug=name, name=name, folded=name, turned=name))
            session.flush()
            sums.change_statistics(session, "f", statistics, by=1)

        def count() -> None:
            with database.sessions.begin() as session:
                sums.add_works(session, "f", artists[:4] * (BATCH // 4), rows(BATCH, dims))

        def read() -> None:
            with database.sessions() as session:
                queries.statistics_of(session, "f", statistics.width)

        result = fastest(read), fastest(count)
        database.dispose()
    return result


def fastest(run: Callable[[], object]) -> float:
    """Return the CPU seconds of the fastest of some runs: others use the machine too."""
    seconds = []
    for _ in range(TURNS):
        started = time.process_time()
        run()
        seconds.append(time.process_time() - started)
    return min(seconds)


if __name__ == "__main__":
    main()
