"""The second voter: the exact classifier, solved once for each change of the catalogue.

Where the neighbours see single works, it sees what all works of an artist have in common, and how
far works of one hand differ.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import ClassVar

from sqlalchemy.orm import Session, sessionmaker

from attribution.arithmetic.classifier import Classifier, fit
from attribution.arithmetic.voting import Ballot
from attribution.catalogue import queries
from attribution.catalogue.database import snapshot
from attribution.catalogue.queries import Stamp
from attribution.voters.voter import Absent, Question

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClassifierVoter:
    """Votes by solved statistics."""

    name: ClassVar[str] = "classifier"
    classifier: Classifier
    digest: str | None = None  # of the statistics that it was solved from

    def shares(self, question: Question) -> Ballot:
        """Return each artist's share by the classifier."""
        return Ballot(self.name, self.classifier.shares(question.vectors))

    def shares_without(self, absent: Absent) -> tuple[Ballot, Ballot] | None:
        """Return the ballots as if the work, and as if its artist, were not counted.

        Without the artist the others share what is left: the scatter of the artist's works stays in
        the covariance. None for an artist whom the statistics do not know.
        """
        artist = absent.artist
        if artist not in self.classifier.positions:
            return None
        vectors = absent.without_work.vectors
        shares = self.classifier.shares_without(vectors, artist, absent.works)
        rest = max(1 - shares[artist], 1e-12)
        others = {one: share / rest for one, share in shares.items() if one != artist}
        return Ballot(self.name, shares), Ballot(self.name, others)


class ClassifierSeat:
    """Keeps the classifier of some encoders, and looks at each use whether it is still true."""

    name = ClassifierVoter.name
    is_calibrated = True
    absence = "the classifier is not made yet (`lawful reconcile --repair`)"

    def __init__(
        self,
        sessions: sessionmaker[Session],
        fingerprint: str,
        dims: Mapping[str, int],
    ) -> None:
        self._sessions = sessions
        self._fingerprint = fingerprint
        self._dims = dims
        self._lock = Lock()
        self._stamp: Stamp | None = None
        self._voter: ClassifierVoter | None = None

    def current(self) -> ClassifierVoter | None:
        """Return the classifier of all works that count now.

        None while there is no work, and while the statistics were never complete: those of a
        collection from before there were any are made by `lawful reconcile --repair`.
        """
        with self._lock, snapshot(self._sessions) as session:
            stamp = queries.statistics_stamp(session, self._fingerprint)
            if stamp != self._stamp:
                self._voter = self._solve(session) if stamp else None
                self._stamp = stamp
            return self._voter

    def _solve(self, session: Session) -> ClassifierVoter | None:
        started, width = time.monotonic(), sum(self._dims.values())
        statistics = queries.statistics_of(session, self._fingerprint, width)
        classifier = fit(statistics, self._dims)
        seconds = time.monotonic() - started
        log.info("classifier of %d artists solved in %.3f s", len(statistics.works), seconds)
        return ClassifierVoter(classifier, statistics.digest()) if classifier else None
