"""The classifier as the catalogue has it at this moment, solved once for each change."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from threading import Lock

from sqlalchemy.orm import Session, sessionmaker

from attribution.arithmetic.classifier import Classifier, fit
from attribution.catalogue import queries
from attribution.catalogue.database import snapshot
from attribution.catalogue.queries import Stamp

log = logging.getLogger(__name__)


class Fitted:
    """Keeps the classifier of some encoders, and looks at each use whether it is still true."""

    def __init__(
        self, sessions: sessionmaker[Session], fingerprint: str, dims: Mapping[str, int]
    ) -> None:
        self._sessions = sessions
        self._fingerprint = fingerprint
        self._dims = dims
        self._lock = Lock()
        self._stamp: Stamp | None = None
        self._classifier: Classifier | None = None

    def current(self) -> Classifier | None:
        """Return the classifier of all works that count now.

        None while there is no work, and while the statistics were never complete: those of a
        collection from before there were any are made by `lawful reconcile --repair`.
        """
        with self._lock, snapshot(self._sessions) as session:
            stamp = queries.statistics_stamp(session, self._fingerprint)
            if stamp != self._stamp:
                self._classifier = self._solve(session) if stamp else None
                self._stamp = stamp
            return self._classifier

    def _solve(self, session: Session) -> Classifier | None:
        started, width = time.monotonic(), sum(self._dims.values())
        statistics = queries.statistics_of(session, self._fingerprint, width)
        classifier = fit(statistics, self._dims)
        seconds = time.monotonic() - started
        log.info("classifier of %d artists solved in %.3f s", len(statistics.works), seconds)
        return classifier
