"""What it costs to keep what answers are computed from: `python benchmarks/workings.py DATA`.

Lookups without and with it take turns, and what counts is the processor's time in this process.
With the bytes of an answer in the database, and the time in which one is computed again.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

import numpy as np
from sqlalchemy import func, select

from attribution.catalogue.models import Workings
from attribution.config import Settings
from attribution.lookup import attributor
from attribution.services import open_services
from attribution.upkeep.calibrating import calibrate
from benchmarks.audit import register

ROUNDS = 60


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--profile", default="starter")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    chosen = parser.parse_args()
    took: dict[str, list[float]] = {"without": [], "with": [], "again": []}
    with (
        tempfile.TemporaryDirectory() as folder,
        open_services(Settings(home=Path(folder), profile=chosen.profile)) as services,
    ):
        images = register(services, chosen.data)
        calibrate(services)
        for _ in range(chosen.rounds):
            with patch.object(attributor, "workings", lambda *_, **__: None):
                started = time.process_time()
                for image in images:
                    services.attributor.attribute(image)
                took["without"].append((time.process_time() - started) / len(images))
            started = time.process_time()
            answers = [services.attributor.attribute(image) for image in images]
            took["with"].append((time.process_time() - started) / len(images))
            started = time.process_time()
            for answer in answers:
                services.attributor.recompute(answer.id)
            took["again"].append((time.process_time() - started) / len(images))
        with services.sessions() as session:
            size = session.scalar(select(func.avg(func.length(Workings.data)))) or 0
    for way, seconds in took.items():
        print(f"{way}: {np.median(seconds) * 1e3:.2f} ms")
    ratio = np.median(took["with"]) / np.median(took["without"])
    print(f"with / without: {ratio:.3f}; {size:,.0f} bytes an answer")


if __name__ == "__main__":
    main()
