"""The voters, asked together: what each says of an image, and what that means.

`Panel` keeps the classifier and the calibration as the catalogue has them, read again when they
changed. `ask_absent` puts the same question about a registered work as if it were not there.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from uuid import UUID

from sqlalchemy.orm import Session, sessionmaker

from attribution.arithmetic import voting
from attribution.arithmetic.calibration import Asked, Calibration, Case, Odds, case_of, voice_names
from attribution.arithmetic.classifier import Classifier
from attribution.catalogue import queries
from attribution.catalogue.models import KeptCalibration
from attribution.types import CalibrationState, Neighbour, Vector, Vote
from attribution.voters.fitted import Fitted
from attribution.voters.trained import TrainedVoter

Neighbours = Mapping[str, Sequence[Neighbour]]
"""The nearest works in each space."""


@dataclass(frozen=True)
class Opinion:
    """What the voters say of one image. Votes come best first: by probability, else by share."""

    votes: tuple[Vote, ...]
    odds: Odds | None  # None: not calibrated
    calibrated: CalibrationState | None
    silent: tuple[str, ...]  # which voters that are switched on could not speak, and why


class Panel:
    """The voters of one collection."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        fingerprint: str,
        dims: Mapping[str, int],
        voters: Collection[str],
        trained: TrainedVoter | None = None,
    ) -> None:
        self._sessions = sessions
        self._fingerprint = fingerprint
        self._voters = calibrated(voters)
        self._voices = voices_of(voters, dims)
        self._trained = trained
        self._fitted = Fitted(sessions, fingerprint, dims)
        self._lock = Lock()
        self._kept: tuple[CalibrationState, Calibration] | None = None

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
        classifier = self._fitted.current() if voting.CLASSIFIER in self._voters else None
        votes, case = hear(self._voters, vectors, neighbours, sizes, classifier)
        trained = self._trained.current() if self._trained else None
        if trained is not None:
            votes = voting.join_votes(
                votes,
                trained.shares(vectors),
                voter=voting.TRAINED,
                weight=voting.TRAINED_WEIGHT,
            )
        silent = []
        if self._trained and trained is None:
            silent.append("the trained classifier is not made yet (`lawful train classifier`)")
        if voting.CLASSIFIER in self._voters and classifier is None:
            silent.append("the classifier is not made yet (`lawful reconcile --repair`)")
            return Opinion(tuple(votes), None, None, tuple(silent))
        kept = self._calibration() if is_whole else None
        if not self._voters:
            silent.append("LAWFUL_VOTERS names no voter that can be calibrated")
        if kept is None:
            return Opinion(tuple(votes), None, None, tuple(silent))
        odds = kept[1].odds(case)
        votes.sort(key=lambda vote: (-odds.artists.get(vote.artist_id, 0.0), vote.artist_id))
        return Opinion(tuple(votes), odds, kept[0], tuple(silent))

    def _calibration(self) -> tuple[CalibrationState, Calibration] | None:
        """Return the last calibration; None where there is none for these voters."""
        with self._sessions() as session:
            row = queries.calibration_of(session, self._fingerprint)
        with self._lock:
            if row is None or not row.numbers or tuple(row.voices) != self._voices:
                return None
            state = state_of(row)
            if self._kept is None or self._kept[0] != state:
                self._kept = state, Calibration.of_json(row.voices, row.numbers)
            return self._kept


def hear(
    voters: Collection[str],
    vectors: Mapping[str, Vector],
    neighbours: Neighbours,
    sizes: Mapping[UUID, int],
    classifier: Classifier | None,
) -> tuple[list[Vote], Case]:
    """Return the votes on an image, best first by share, and the case that they make."""
    shares = classifier.shares(vectors) if classifier else {}
    cast = voting.cast_votes(neighbours, sizes)
    votes = voting.join_votes(cast if voting.NEIGHBOURS in voters else [], shares)
    return votes, _case(voters, neighbours, cast, shares)


@dataclass(frozen=True)
class Absent:
    """A registered work, and what is found near it in its absence."""

    artist: UUID
    vectors: Mapping[str, Vector]
    gone: Sequence[Mapping[str, Vector]]  # its own, and of the same picture by the same artist
    without_work: Neighbours
    without_artist: Neighbours


def ask_absent(
    absent: Absent, voters: Collection[str], classifier: Classifier, sizes: dict[UUID, int]
) -> Asked:
    """Ask the voters for a work as if it, and as if nothing by its artist, were registered."""
    artist, left = absent.artist, sizes[absent.artist] - len(absent.gone)
    shares = classifier.shares_without(absent.vectors, artist, absent.gone)
    known = None
    if left > 0:
        smaller = ChainMap({artist: left}, sizes)
        cast = voting.cast_votes(absent.without_work, smaller)
        known = _case(voters, absent.without_work, cast, shares)
    rest = max(1 - shares[artist], 1e-12)
    others = {one: share / rest for one, share in shares.items() if one != artist}
    cast = voting.cast_votes(absent.without_artist, sizes)
    return Asked(artist, known, _case(voters, absent.without_artist, cast, others))


def calibrated(voters: Collection[str]) -> frozenset[str]:
    """Return those voters that a calibration speaks of.

    They can be asked about a registered work as if it were not there. What was trained by gradients
    cannot: it weighs in the shares, and in no probability.
    """
    return frozenset(voters) & {voting.NEIGHBOURS, voting.CLASSIFIER}


def voices_of(voters: Collection[str], spaces: Collection[str]) -> tuple[str, ...]:
    """Return the voices of the calibrated ones: nearness is the neighbours' to tell."""
    near = sorted(spaces) if voting.NEIGHBOURS in voters else []
    return voice_names(sorted(calibrated(voters)), near)


def state_of(row: KeptCalibration) -> CalibrationState:
    """Return when a calibration was made, and on what."""
    return CalibrationState(row.made_at, row.works, row.artists, row.asked)


def _case(
    voters: Collection[str],
    neighbours: Neighbours,
    cast: Sequence[Vote],
    shares: Mapping[UUID, float],
) -> Case:
    """Describe what those voters say that are switched on."""
    given: dict[str, Mapping[UUID, float]] = {}
    if voting.CLASSIFIER in voters:
        given[voting.CLASSIFIER] = shares
    if voting.NEIGHBOURS not in voters:
        return case_of(given, {})
    given[voting.NEIGHBOURS] = {vote.artist_id: vote.share for vote in cast}
    return case_of(given, neighbours)
