"""Draw what was measured: `python -m benchmarks.peers.plots ENCODING SEARCH JOB OUT.svg`.

The three are what `--json` of the comparisons wrote.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

OURS, PEER = "#1d5fa8", "#b9bec6"
Rounds = Mapping[str, Sequence[Mapping[str, float]]]


def main() -> None:
    """Write one picture with a row of bars for each comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("encoding", "search", "job", "out"):
        parser.add_argument(name, type=Path)
    chosen = parser.parse_args()
    encoding, search, job = (
        json.loads(path.read_text("utf-8")) for path in (chosen.encoding, chosen.search, chosen.job)
    )
    panels: list[tuple[str, dict[str, float]]] = [
        (f"{name}: images a second", _rates(found["rounds"], found["images"]))
        for name, found in encoding.items()
        if isinstance(found, dict) and "rounds" in found
    ]
    panels.append(("whole ingest: works a second", _rates(job["without_start"], job["works"])))
    panels += [
        (f"ten nearest of {int(size):,}: ms, p50, less is better", _medians(search[size], "p50_ms"))
        for size in sorted((key for key in search if key.isdigit()), key=int)
    ]
    mpl.rcParams["svg.hashsalt"] = "lawful"  # the same numbers, the same file
    mpl.rcParams["svg.fonttype"] = "none"
    figure, axes = plt.subplots(
        len(panels), figsize=(8, 1.5 * len(panels)), layout="constrained", squeeze=False
    )
    for axis, (title, values) in zip(axes[:, 0], panels, strict=True):
        _bars(axis, title, values)
    figure.savefig(chosen.out, metadata={"Date": None})


def _bars(axis: Axes, title: str, values: Mapping[str, float]) -> None:
    colours = [OURS if name.startswith("lawful") else PEER for name in values]
    bars = axis.barh(list(values), list(values.values()), color=colours)
    axis.bar_label(bars, fmt="%.3g", padding=3)
    axis.invert_yaxis()
    axis.margins(x=0.12)
    axis.set_title(title, loc="left", fontsize="medium")
    axis.xaxis.set_visible(False)
    axis.spines[:].set_visible(False)
    axis.tick_params(left=False)


def _rates(rounds: Rounds, of: int) -> dict[str, float]:
    return {
        name: float(np.median([of / one["seconds"] for one in each]))
        for name, each in rounds.items()
    }


def _medians(rounds: Rounds, what: str) -> dict[str, float]:
    return {name: float(np.median([one[what] for one in each])) for name, each in rounds.items()}


if __name__ == "__main__":
    main()
