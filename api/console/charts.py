"""Charts as numbers: where bars stand, so that a template draws them as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from attribution.arithmetic.reliability import Bin

WIDTH, HEIGHT = 720.0, 160.0  # of what is drawn; the page scales it
SIDE = 100.0  # of a diagram whose sides are both from 0 to 1
LARGEST_DOT, SMALLEST_DOT = 4.0, 1.2  # radius
GAP = 0.15  # part of a column


@dataclass(frozen=True)
class Bar:
    """A rectangle, and what it stands for: a style has its colour."""

    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Chart:
    """Columns of bars, from left to right."""

    bars: Sequence[Bar]
    highest: float  # value of a column as high as the chart
    first: str  # what stands under the first column, and under the last
    last: str
    width: float = WIDTH
    height: float = HEIGHT


def stacked(columns: Mapping[str, Mapping[str, float]]) -> Chart:
    """Return columns by what stands under them, each of values by kind, the first at the bottom."""
    highest = max((sum(parts.values()) for parts in columns.values()), default=0) or 1
    step = WIDTH / max(len(columns), 1)
    bars = []
    for number, parts in enumerate(columns.values()):
        top = HEIGHT
        for kind, value in parts.items():
            if value:
                height = value / highest * HEIGHT
                top -= height
                x = (number + GAP / 2) * step
                bars.append(Bar(kind, round(x, 1), round(top, 1), step * (1 - GAP), height))
    names = list(columns) or [""]
    return Chart(bars, highest, names[0], names[-1])


@dataclass(frozen=True)
class Dot:
    """A point with its interval, from `top` down to `bottom`; its area grows with its weight."""

    x: float
    y: float
    top: float
    bottom: float
    radius: float
    says: str


def reliability(bins: Sequence[Bin]) -> list[Dot]:
    """Return a reliability diagram: probabilities to the right, how often they are right upwards.

    As wide and as high as SIDE.
    """
    most = max((one.questions for one in bins), default=1)
    return [
        Dot(
            x=round(SIDE * one.predicted, 1),
            y=round(SIDE * (1 - one.right), 1),
            top=round(SIDE * (1 - one.right_to), 1),
            bottom=round(SIDE * (1 - one.right_from), 1),
            radius=round(max(LARGEST_DOT * sqrt(one.questions / most), SMALLEST_DOT), 1),
            says=f"{one.predicted:.0%} given, {one.right:.0%} right, {one.questions:,} questions",
        )
        for one in bins
    ]
