"""A whole ingest beside a script of forty lines: `python -m benchmarks.peers.job DATA`.

Both begin in a fresh process with an empty home, so imports and loading count; the same without
them is the difference of two sizes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

import attribution
from benchmarks.peers.turns import Peer, Work, arguments, by_turns, keep, table

STARTER = Path(attribution.__file__).parent / "starter"
SIZES = (32, 352)


def main() -> None:
    """Print works a second of both."""
    parser = arguments(__doc__)
    chosen = parser.parse_args()
    said = {}
    with tempfile.TemporaryDirectory() as folder:
        peers = []
        for size in SIZES:
            works = portfolio(chosen.data, Path(folder) / str(size), size)
            peers += [
                Peer(f"script, {size} works", script, (works,)),
                Peer(f"lawful ingest, {size} works", lawful, (works,)),
            ]
        found = by_turns(peers, chosen.rounds)
    for name, rounds in found.items():
        seconds = np.median([one["seconds"] for one in rounds])
        print(f"{name}: {seconds:.1f} s, peak {rounds[-1]['peak_mib']:,.0f} MiB")
    for who in ("script", "lawful ingest"):
        few, many = (found[f"{who}, {size} works"] for size in SIZES)
        said[who] = [
            {key: b[key] - a[key] for key in ("seconds", "processor_s")}
            | {"peak_mib": b["peak_mib"]}
            for a, b in zip(few, many, strict=True)
        ]
    print(table(said, SIZES[1] - SIZES[0], "works"))
    keep(chosen.json, {"whole": found, "without_start": said})


def portfolio(data: Path, folder: Path, size: int) -> Path:
    """Copy so many works into folders by artist, the same of each size."""
    for path in islice(sorted(data.rglob("*.png")), size):
        target = folder / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return folder


def script(works: Path) -> Work:
    """Run the script of forty lines."""
    models = [f"local-dir:{STARTER / 'clip'}", str(STARTER / "vae")]
    file = str(Path(__file__).with_name("script.py"))
    return partial(_in_new_folder, [sys.executable, file, str(works), *models, "{}"])


def lawful(works: Path) -> Work:
    """Run `lawful ingest`."""
    command = "from api.cli import main; main()"
    return partial(_in_new_folder, [sys.executable, "-c", command, "ingest", str(works), "--json"])


def _in_new_folder(command: list[str]) -> Mapping[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        full = [folder if word == "{}" else word for word in command]
        home = {**os.environ, "LAWFUL_HOME": folder}
        subprocess.run(  # noqa: S603 - our own command
            full, check=True, capture_output=True, env=home
        )
    return {}


if __name__ == "__main__":
    main()
