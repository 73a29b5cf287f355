"""The third voter: the gradient-trained classifier on disk, named after the catalogue's artists.

Switched on by LAWFUL_VOTERS, off by default. It only names artists who have works in the index at
this moment, so a withdrawn artist is out of its answers at once; what the weights have learned of
them stays (docs/withdrawal.md).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import ClassVar
from uuid import UUID

import numpy as np
from sqlalchemy.orm import Session, sessionmaker

from attribution.arithmetic.voting import Ballot
from attribution.catalogue import queries
from attribution.catalogue.database import snapshot
from attribution.training.checkpoint import FACTS, Facts, load
from attribution.training.coding import Ints
from attribution.training.network import Network, log_softmax
from attribution.voters.voter import Absent, Question

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class TrainedVoter:
    """A network, and the artists whom it may name."""

    name: ClassVar[str] = "trained"
    solved_at: ClassVar[None] = None  # what it has learned of is in its folder
    network: Network
    spaces: tuple[str, ...]
    temperature: float
    codes: int  # how many artists have a code
    artists: tuple[UUID, ...]  # those who may be named,
    numbers: Ints  # and their numbers among the codes
    digest: str | None = None  # of its weights

    def shares(self, question: Question) -> Ballot:
        """Return each artist's share by the network."""
        if not self.artists:
            return Ballot(self.name, {})
        row = np.concatenate([question.vectors[space] for space in self.spaces])[None]
        scores = self.network.scores(row, self.codes)[:, self.numbers] / self.temperature
        shares = np.exp(log_softmax(scores))[0].tolist()
        return Ballot(self.name, dict(zip(self.artists, shares, strict=True)))

    def shares_without(self, absent: Absent) -> None:
        """Return None: what the weights have learned of a work cannot be taken out of them."""


class TrainedSeat:
    """Keeps the classifier of a folder, and looks at each use whether it is still true."""

    name = TrainedVoter.name
    is_calibrated = False
    absence = "the trained classifier is not made yet (`lawful train classifier`)"

    def __init__(self, sessions: sessionmaker[Session], fingerprint: str, folder: Path) -> None:
        self._sessions, self._fingerprint, self._folder = sessions, fingerprint, folder
        self._lock = Lock()
        self._loaded: tuple[Network, Facts] | None = None
        self._written: int | None = None
        self._stamp: tuple[object, ...] | None = None
        self._voter: TrainedVoter | None = None

    def current(self) -> TrainedVoter | None:
        """Return the classifier, restricted to the artists who have works now; None without one.

        Raises ProfileMismatch for one of other encoders, BadInput for one that is damaged.
        """
        with self._lock, snapshot(self._sessions) as session:
            if self._reload() is None:
                return None
            # Every change of an indexed work changes the sums, or their count where it has none.
            sums = queries.statistics_stamp(session, self._fingerprint)
            stamp = (self._written, sums, *queries.ranked(session))
            if self._voter is None or sums is None or stamp != self._stamp:
                self._voter = self._restricted(session)
                self._stamp = stamp
            return self._voter

    def _reload(self) -> tuple[Network, Facts] | None:
        try:
            written = (self._folder / FACTS).stat().st_mtime_ns
        except FileNotFoundError:
            self._loaded = self._written = None
            return None
        if written != self._written:
            self._loaded = load(self._folder, fingerprint=self._fingerprint)
            self._written = written
            log.info("trained classifier of %d artists loaded", len(self._loaded[1].artists))
        return self._loaded

    def _restricted(self, session: Session) -> TrainedVoter | None:
        if self._loaded is None:
            return None
        network, facts = self._loaded
        present = queries.artists_with_works(session)
        known = {str(one) if facts.named_by == "id" else name: one for one, name in present.items()}
        numbers = [number for number, label in enumerate(facts.artists) if label in known]
        return TrainedVoter(
            network,
            tuple(sorted(facts.dims)),
            facts.temperature,
            len(facts.artists),
            tuple(known[facts.artists[number]] for number in numbers),
            np.array(numbers, np.int64),
            facts.weights,
        )
