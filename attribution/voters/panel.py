"""The voters, asked together: what each says of an image, and what that means.

`Panel` keeps the calibration as the catalogue has it, read again when it changed. `ask_absent` puts
the same question about a registered work as if it were not there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session, sessionmaker

from attribution.answers import CalibrationState
from attribution.arithmetic.calibration import Ballots, Calibration, Odds, digest_of
from attribution.arithmetic.fitting import Asked, voice_names
from attribution.arithmetic.voting import Ballot, Vote, count
from attribution.catalogue import queries
from attribution.catalogue.models import KeptCalibration
from attribution.types import Vector
from attribution.voters.voter import Absent, Neighbours, Question, Seat, Voter


@dataclass(frozen=True)
class Numbers:
    """The numbers of a calibration, as they are kept, and the SHA-256 that tells them apart."""

    digest: str
    voices: tuple[str, ...]
    numbers: Mapping[str, Any]


@dataclass(frozen=True)
class Opinion:
    """What the voters say of one image. Votes come best first: by probability, else by share."""

    votes: tuple[Vote, ...]
    odds: Odds | None  # None: not calibrated
    calibrated: CalibrationState | None
    silent: tuple[str, ...]  # which voters that are switched on could not speak, and why
    weights: Mapping[str, float] = field(default_factory=dict)  # of the spaces that vote
    voters: Mapping[str, str | None] = field(default_factory=dict)  # who voted: digest, by name
    calibration: Numbers | None = None  # that made votes odds
    question: Question | None = None  # what was asked; None: nobody was
    ballots: tuple[Ballot, ...] = ()  # in the order of the seats
    calibrated_voters: tuple[str, ...] = ()  # whose ballots the calibration speaks of
    solved_at: datetime | None = None  # up to when a voter weighs works; None: each weighs all


@dataclass(frozen=True)
class _Kept:
    """A calibration as it was read."""

    state: CalibrationState
    calibration: Calibration
    numbers: Numbers


class Panel:
    """The voters of one collection, and the spaces by which they vote."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        fingerprint: str,
        seats: Sequence[Seat],
        spaces: Sequence[str],
    ) -> None:
        self._sessions = sessions
        self._fingerprint = fingerprint
        self._seats = seats
        self._spaces = spaces
        self._voices = voices_of(seats, spaces)
        self._lock = Lock()
        self._kept: _Kept | None = None

    def ask(
        self,
        vectors: Mapping[str, Vector],
        neighbours: Neighbours,
        sizes: Mapping[UUID, int],
        *,
        is_whole: bool = True,
    ) -> Opinion:
        """Return the opinion on an image with these vectors, neighbours, and portfolio sizes.

        Where the index that gave the neighbours is not whole no calibration speaks of them.
        """
        kept = self._calibration()
        weights = kept.calibration.spaces if kept else equal_weights(self._spaces)
        question = Question(vectors, neighbours, sizes, weights)
        voters = [(seat, seat.current()) for seat in self._seats]
        ballots = {seat.name: voter.shares(question) for seat, voter in voters if voter}
        heard = {seat.name: voter.digest for seat, voter in voters if voter}
        votes = count(list(ballots.values()))
        silent = [seat.absence for seat, voter in voters if voter is None]
        calibrated = [seat.name for seat in self._seats if seat.is_calibrated]
        if not calibrated:
            silent.append("LAWFUL_VOTERS names no voter that can be calibrated")
        opinion = Opinion(
            *(tuple(votes), None, None, tuple(silent), weights, heard),
            question=question,
            ballots=tuple(ballots.values()),
            calibrated_voters=tuple(calibrated),
            solved_at=min(
                (at for _, voter in voters if voter and (at := voter.solved_at)), default=None
            ),
        )
        if kept is None or not is_whole or not ballots.keys() >= set(calibrated):
            return opinion
        odds = kept.calibration.odds(
            Ballots.of([ballots[name] for name in calibrated], self._spaces)
        )
        votes.sort(key=lambda vote: (-odds.artists.get(vote.artist_id, 0.0), vote.artist_id))
        return replace(
            opinion,
            votes=tuple(votes),
            odds=odds,
            calibrated=kept.state,
            calibration=kept.numbers,
        )

    def state(self) -> tuple[dict[str, str | None], str | None]:
        """Return who would vote now, with digests, and the digest of the calibration."""
        voters = [(seat.name, seat.current()) for seat in self._seats]
        kept = self._calibration()
        heard = {name: voter.digest for name, voter in voters if voter}
        return heard, kept.numbers.digest if kept else None

    def _calibration(self) -> _Kept | None:
        """Return the last calibration; None where there is none for these voters and spaces.

        Its numbers, some thousands, are read where it is another than before.
        """
        with self._sessions() as session:
            made = queries.when_calibrated(session, self._fingerprint)
            if made is None:
                return None
            with self._lock:
                if self._kept is None or self._kept.state != CalibrationState(*made):
                    self._kept = self._read(session)
                return self._kept

    def _read(self, session: Session) -> _Kept | None:
        row = queries.calibration_of(session, self._fingerprint)
        if row is None or not row.numbers or tuple(row.voices) != self._voices:
            return None
        made = Calibration.of_json(row.voices, row.numbers)
        return _Kept(state_of(row), made, _numbers(row))


def ask_absent(absent: Absent, voters: Sequence[Voter]) -> Asked | None:
    """Ask voters about a work as if it, and as if nothing by its artist, were registered.

    None where one of them cannot tell.
    """
    told = [voter.shares_without(absent) for voter in voters]
    pairs = [pair for pair in told if pair is not None]
    if len(pairs) < len(told):
        return None
    spaces = list(absent.without_work.weights)
    is_known = absent.without_work.sizes.get(absent.artist, 0) > 0
    known = Ballots.of([known for known, _ in pairs], spaces) if is_known else None
    return Asked(absent.artist, known, Ballots.of([other for _, other in pairs], spaces))


def _numbers(row: KeptCalibration) -> Numbers:
    return Numbers(digest_of(row.voices, row.numbers), tuple(row.voices), row.numbers)


def voices_of(seats: Sequence[Seat], spaces: Sequence[str]) -> tuple[str, ...]:
    """Return the voices of a calibration of these voters."""
    return voice_names([seat.name for seat in seats if seat.is_calibrated], spaces)


def equal_weights(spaces: Sequence[str]) -> dict[str, float]:
    """Return the weights of spaces of which nothing is known yet."""
    return dict.fromkeys(spaces, 1 / len(spaces))


def state_of(row: KeptCalibration) -> CalibrationState:
    """Return when a calibration was made, and on what."""
    return CalibrationState(row.made_at, row.works, row.artists, row.asked)
