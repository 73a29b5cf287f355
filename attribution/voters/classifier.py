"""The second voter: the exact classifier, solved from the catalogue's statistics.

Where the neighbours see single works, it sees what all works of an artist have in common, and how
far works of one hand differ. Few artists are solved for at once, in the lookup that finds a change.
Many take seconds: then lookups go on with what was solved last, and say how old it is, while a
thread solves for what has changed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock, Thread
from typing import ClassVar
from uuid import UUID

from sqlalchemy.orm import Session, sessionmaker

from attribution.arithmetic.classifier import Classifier, fit
from attribution.arithmetic.voting import Ballot
from attribution.catalogue import queries
from attribution.catalogue.columns import now
from attribution.catalogue.database import snapshot
from attribution.catalogue.queries import Stamp
from attribution.errors import LawfulError
from attribution.voters.voter import Absent, Question

log = logging.getLogger(__name__)

AT_ONCE = 1_000  # artists up to which a change is waited for: two tenths of a second
PAUSE_S = 60.0  # from one solution in a thread to the next
ALONE = Lock()  # in a process one thread solves at a time: it takes memory
MANY = 100_000  # artists from which on only those of the neighbours are chosen among


@dataclass(frozen=True)
class ClassifierVoter:
    """Votes by solved statistics."""

    name: ClassVar[str] = "classifier"
    classifier: Classifier
    digest: str | None = None  # of the statistics that it was solved from
    solved_at: datetime | None = None  # None: from all that is registered

    def shares(self, question: Question) -> Ballot:
        """Return each artist's share by the classifier; of MANY artists only those who are near."""
        classifier = self.classifier
        if len(classifier.artists) >= MANY:
            classifier = classifier.only(_near(question))
        return Ballot(self.name, classifier.shares(question.vectors))

    def shares_without(self, absent: Absent) -> tuple[Ballot, Ballot] | None:
        """Return the ballots as if the work, and as if its artist, were not counted.

        Without the artist the others share what is left: the scatter of the artist's works stays in
        the covariance. None for an artist whom the statistics do not know.
        """
        classifier, artist = self.classifier, absent.artist
        if artist not in classifier.positions:
            return None
        known, others = _near(absent.without_work), _near(absent.without_artist)
        has_many = len(classifier.artists) >= MANY
        if has_many:
            classifier = classifier.only(known | others | {artist})
        shares = classifier.shares_without(absent.without_work.vectors, artist, absent.works)
        return (
            Ballot(self.name, shares.among(known) if has_many else shares),
            Ballot(
                self.name, shares.among(others - {artist}) if has_many else shares.without(artist)
            ),
        )


def _near(question: Question) -> set[UUID]:
    return {hit.artist_id for hits in question.neighbours.values() for hit in hits}


@dataclass(frozen=True)
class _Solved:
    """A voter, and the statistics that it was solved from."""

    voter: ClassifierVoter | None  # None: there was no work
    stamp: Stamp
    at: datetime
    checked: tuple[object, ...]  # the part of a stamp at which its artists all had works

    @property
    def takes_long(self) -> bool:
        """Whether a lookup should not wait for the next one."""
        return self.voter is not None and len(self.voter.classifier.artists) > AT_ONCE


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
        self._solved: _Solved | None = None
        self._is_solving = False
        self._next = time.monotonic()  # when a thread may solve again

    def current(self) -> ClassifierVoter | None:
        """Return the classifier of all works that count now, or the last one of many artists.

        The last one says when it was solved; an artist who has no works any more is not in it. None
        while there is no work, and while the statistics were never complete: those of a collection
        from before there were any are made by `lawful reconcile --repair`.
        """
        with self._lock, self._reading() as (session, stamp, moment):
            if stamp is None:
                return None
            solved = self._solved
            if solved is None or (stamp != solved.stamp and not solved.takes_long):
                solved = self._solved = self._solve(session, stamp, moment)
            if solved.voter is None or stamp == solved.stamp:
                return solved.voter
            self._solve_later()
            if stamp.whole != solved.checked:  # more than additions: somebody may be gone
                solved = self._solved = self._check(session, solved, stamp)
            return replace(solved.voter, solved_at=solved.at) if solved.voter else None

    @contextmanager
    def _reading(self) -> Iterator[tuple[Session, Stamp | None, datetime]]:
        """Open a snapshot; yield the stamp of the statistics in it, and a moment of before it."""
        moment = now()
        with snapshot(self._sessions) as session:
            yield session, queries.statistics_stamp(session, self._fingerprint), moment

    def _solve_later(self) -> None:
        """Have a thread solve the statistics, unless one does so or has just done so."""
        if self._is_solving or time.monotonic() < self._next:
            return
        self._is_solving = True
        Thread(
            target=copy_context().run, args=(self._solve_again,), name="classifier", daemon=True
        ).start()

    def _solve_again(self) -> None:
        solved: _Solved | None = None
        try:
            with ALONE, self._reading() as (session, stamp, moment):
                solved = self._solve(session, stamp, moment) if stamp else None
        except LawfulError as error:
            log.warning("the classifier stays as it was: %s", error)
        finally:
            with self._lock:
                self._solved = solved or self._solved
                self._is_solving, self._next = False, time.monotonic() + PAUSE_S

    def _check(self, session: Session, solved: _Solved, stamp: Stamp) -> _Solved:
        """Leave out the artists who have no works any more."""
        voter, present = solved.voter, queries.artists_counted(session, self._fingerprint)
        if voter and not present.issuperset(voter.classifier.artists):
            voter = replace(voter, classifier=voter.classifier.only(present))
        return replace(solved, voter=voter, checked=stamp.whole)

    def _solve(self, session: Session, stamp: Stamp, moment: datetime) -> _Solved:
        started, width = time.monotonic(), sum(self._dims.values())
        statistics = queries.statistics_of(session, self._fingerprint, width)
        classifier = fit(statistics, self._dims)
        seconds = time.monotonic() - started
        log.info("classifier of %d artists solved in %.3f s", len(statistics.works), seconds)
        voter = ClassifierVoter(classifier, statistics.digest()) if classifier else None
        return _Solved(voter, stamp, moment, stamp.whole)
