"""How the lookups of late went, and what the last calibration keeps of how right the votes are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

from attribution.answers import Verdict
from attribution.arithmetic.calibration import Calibration, Floats
from attribution.arithmetic.reliability import Reliability
from attribution.catalogue import queries
from attribution.catalogue.columns import now
from attribution.catalogue.models import KeptCalibration
from attribution.collection import Stores

DAYS = 90
MOST = 10_000  # answers that one overview reads
ARTISTS = 20
BINS = 10  # of a probability


@dataclass(frozen=True)
class Late:
    """The answers of the last DAYS days, the newest MOST of them."""

    answers: int
    since: datetime
    is_cut: bool  # there are more, before `since`
    days: Mapping[date, Mapping[Verdict, int]]  # in UTC; every day, in order
    copies: Sequence[tuple[str, str, int]]  # slug and name of artists, and copies, the most first


@dataclass(frozen=True)
class Spread:
    """What was given to works that the calibration asked about, as if something was not there."""

    works: int
    shares: Sequence[float]  # of the works, by probability: BINS of equal width from 0 to 1
    over_half: float  # part of the works that were given more than one half


@dataclass(frozen=True)
class Kept:
    """What a calibration keeps of its works: the spreads are of works that it was fitted on."""

    right: Spread  # to their own artist, of one of those registered; as if the work was not there
    strangers: Spread  # to all registered artists together; as if their artist was not there
    reliability: Reliability | None  # None: made before it was recorded


def late(stores: Stores) -> Late:
    """Return the answers of late; reads MOST rows at most, by one statement."""
    moment = now()
    since = moment - timedelta(days=DAYS)
    with stores.sessions() as session:
        rows = queries.late_answers(session, since, MOST + 1)
    is_cut = len(rows) > MOST
    rows = rows[:MOST]
    first = rows[-1].at if is_cut else since
    counted = Counter((row.at.date(), Verdict(row.verdict)) for row in rows)
    names = {row.slug: row.name or row.slug for row in reversed(rows) if row.slug}
    copies = Counter(row.slug for row in rows if row.slug)
    span = (moment.date() - first.date()).days
    days = [first.date() + timedelta(days=number) for number in range(span + 1)]
    return Late(
        answers=len(rows),
        since=first,
        is_cut=is_cut,
        days={day: {one: counted[day, one] for one in Verdict} for day in days},
        copies=[(slug, names[slug], number) for slug, number in copies.most_common(ARTISTS)],
    )


def kept_of(row: KeptCalibration) -> Kept | None:
    """Return what a calibration keeps of the works it asked about; None where it has no numbers."""
    if not row.numbers:
        return None
    made = Calibration.of_json(row.voices, row.numbers)
    right = 1 - made.misfits
    ours = 1 / (1 + np.exp(-made.strangers))
    return Kept(
        right=_spread(right, np.ones_like(right)),
        strangers=_spread(ours, made.stranger_weights),
        reliability=Reliability.of_json(row.reliability) if row.reliability else None,
    )


def _spread(values: Floats, weights: Floats) -> Spread:
    counts, _ = np.histogram(values, bins=BINS, range=(0, 1), weights=weights)
    whole = float(weights.sum())
    return Spread(
        works=len(values),
        shares=[float(one) for one in counts / whole],
        over_half=float(weights[values > 1 / 2].sum()) / whole,
    )
