"""What evidence packs cost: `python benchmarks/evidence.py [PROFILE] [SUBJECTS…]`.

Soft noise (1024 px, JPEG, about as large as photographs) is asked about in a collection of 60 works
by 12 artists; each pack is made and verified once. Printed: seconds, megabytes, and the most memory
that the process has had so far.
"""

from __future__ import annotations

import io
import resource
import sys
import tempfile
import time
from pathlib import Path
from uuid import UUID
from zipfile import ZipFile

import numpy as np
from PIL import Image, ImageFilter

from api.reports.evidence import contents_of
from attribution.config import Settings
from attribution.custody import How
from attribution.desk.packing import write_pack
from attribution.desk.verification import verify
from attribution.images import read_image
from attribution.lookup.subjects import Obtained, keeping
from attribution.services import Services, open_services
from tests.portfolios import ingest

ARTISTS, WORKS, SIDE_PX = 12, 5, 1024


def main() -> None:
    """Print one row for each number of subjects."""
    profile, *sizes = sys.argv[1:] or ["starter", "1", "25"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for artist in range(ARTISTS):
            place = folder / "works" / f"artist-{artist}"
            place.mkdir(parents=True)
            for work in range(WORKS):
                (place / f"{work}.jpg").write_bytes(soft(1000 * (artist + 1) + work, 512))
        with open_services(Settings(home=folder / "home", profile=profile)) as services:
            ingest(services, folder / "works")
            print("| subjects | make | pack | PDF | verify | memory |")
            print("|---|---|---|---|---|---|")
            asked: list[UUID] = []
            for size in map(int, sizes):
                asked += [ask(services, seed) for seed in range(len(asked), size)]
                print(row(services, asked[:size], folder / "pack.zip"), flush=True)


def row(services: Services, lookups: list[UUID], path: Path) -> str:
    """Make and verify one pack."""
    begun = time.perf_counter()
    made = write_pack(services, contents_of(services, lookups), path)
    done = time.perf_counter()
    found = verify(path)
    verified = time.perf_counter() - done
    if not found.is_intact:
        raise SystemExit(f"not intact: {found.findings}")
    with ZipFile(path) as archive:
        pdf = sum(one.file_size for one in archive.infolist() if one.filename.endswith(".pdf"))
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (
        f"| {len(lookups):,} | {done - begun:.1f} s | {made.size / 2**20:.1f} MiB | "
        f"{pdf / 2**20:.1f} MiB | {verified:.2f} s | {most:,.0f} MiB |"
    )


def ask(services: Services, seed: int) -> UUID:
    """Ask about an image that is kept."""
    data = soft(seed, SIDE_PX)
    image = read_image(data)
    keep = keeping(services, image, lambda: data, Obtained(How.FILE))
    return services.attributor.attribute(image, also=keep).id


def soft(seed: int, side: int) -> bytes:
    """Return a picture about as large as a photograph, as JPEG."""
    noise = np.random.default_rng(seed).integers(0, 256, (side // 4, side // 4, 3), dtype=np.uint8)
    large = Image.fromarray(noise).resize((side, side)).filter(ImageFilter.GaussianBlur(2))
    buffer = io.BytesIO()
    large.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
