"""Three voters on the same held-out works: nearest works, exact classifier, trained classifier."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from attribution.laboratory import metrics
from attribution.laboratory.asking import Asker
from attribution.laboratory.metrics import Floats
from attribution.laboratory.works import Indexed, Ints
from attribution.training.checkpoint import Compared
from attribution.voters.neighbours import NeighboursVoter
from attribution.voters.panel import equal_weights
from attribution.voters.voter import Voter


def compare(
    indexed: Indexed,
    held: Indexed,
    trained: Voter,
    progress: Callable[[str, int, int], None],
) -> list[Compared]:
    """Ask every voter about `held`; neighbours and classifier know `indexed`, like `trained`.

    Confidence, for the ECE, is the share of the first artist as the voter gives it.
    """
    asker = Asker(indexed)
    classifier = asker.classifier()
    if classifier is None:
        return []
    voters: tuple[Voter, ...] = (NeighboursVoter(), classifier, trained)
    named = np.zeros((len(voters), len(held.artist)), np.int64)
    confidence = np.zeros(named.shape)
    for row, question in enumerate(asker.questions(held.vectors, equal_weights(asker.spaces))):
        for number, voter in enumerate(voters):
            shares = voter.shares(question).shares
            first = max(shares, key=lambda one: (shares[one], one))
            named[number, row], confidence[number, row] = first.int - 1, shares[first]
        if row % 100 == 0:
            progress("asking the voters", row, len(held.artist))
    return [
        _measured(voter.name, named[number], confidence[number], held.artist)
        for number, voter in enumerate(voters)
    ]


def _measured(name: str, named: Ints, confidence: Floats, truth: Ints) -> Compared:
    is_right = named == truth
    return Compared(
        name,
        metrics.mean(is_right),
        metrics.macro_recall(is_right, truth),
        metrics.ece(confidence, is_right),
    )
