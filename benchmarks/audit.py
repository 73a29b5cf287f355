"""What the audit costs lookups, on this machine: `python benchmarks/audit.py DATA`.

Lookups without the audit, with it, and with a flood of refusals to count and write beside them.
The three take turns, and what counts is the processor's time in this process, so that what else
runs on the machine does not.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from itertools import count, islice
from pathlib import Path

import numpy as np
from sqlalchemy import event

from attribution.catalogue import chain, queries
from attribution.config import Settings
from attribution.images import CheckedImage, read_image_file
from attribution.services import Services, open_services
from attribution.upkeep.refusals import Caller, Refusals, Refused, recorded
from ingest import pipeline
from ingest.listing import plan
from ingest.sources import read_source

ROUNDS = 60
EACH = 5  # lookups in a turn
EXTEND = chain._extend  # noqa: SLF001  nothing that is public leaves the audit out
WRONG_KEYS = 100  # refused before each lookup, each from an address of its own


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--profile", default="starter")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder), profile=chosen.profile)
        with open_services(settings) as services, recorded(services) as refusals:
            images = register(services, chosen.data)
            lookups(services, refusals, images, chosen.rounds)


def register(services: Services, data: Path) -> list[CheckedImage]:
    """Ingest works; returns some of their images."""
    job = plan(services, str(data), read_source(data), staged=False)
    with services.sessions() as session:
        keys = queries.open_tasks(session, job)
    for key in keys:
        pipeline.run_batch(services, key, stopping=lambda: False)
    return [read_image_file(item.path) for item in islice(read_source(data), EACH)]


def lookups(
    services: Services, refusals: Refusals, images: list[CheckedImage], rounds: int
) -> None:
    """Print the median seconds of a lookup in each of the three ways, and the throughput kept."""
    strangers = (Caller(f"address {one}", "default", is_stranger=True) for one in count())
    took: dict[str, list[float]] = {"without": [], "with": [], "flooded": []}
    for _ in range(rounds):
        for way, seconds in took.items():
            if way == "without":
                event.remove(services.sessions, "before_commit", EXTEND)
            started = time.process_time()
            for image in images:
                for one in islice(strangers, WRONG_KEYS if way == "flooded" else 0):
                    refusals.note(one, Refused("GET /v1/artists", "unknown-key"))
                services.attributor.attribute(image)
            seconds.append((time.process_time() - started) / len(images))
            if way == "without":
                event.listen(services.sessions, "before_commit", EXTEND)
    medians = {way: float(np.median(seconds)) for way, seconds in took.items()}
    for way, median in medians.items():
        kept = medians["without"] / median
        print(f"{way}: {median * 1e3:.2f} ms a lookup, throughput {kept:.3f}", flush=True)


if __name__ == "__main__":
    main()
