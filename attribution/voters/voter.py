"""What a voter is: asked about an image, or about a registered work as if it were not there.

A new kind of voter implements `Voter` and `Seat`, and takes its seat in `seating`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from attribution.arithmetic.voting import Ballot
from attribution.types import Neighbour, Vector

Neighbours = Mapping[str, Sequence[Neighbour]]
"""The nearest works in each space."""


@dataclass(frozen=True)
class Question:
    """An image, and what is known of it before anybody votes."""

    vectors: Mapping[str, Vector]
    neighbours: Neighbours
    sizes: Mapping[UUID, int]  # portfolios of the neighbours' artists
    weights: Mapping[str, float]  # of the spaces that vote


@dataclass(frozen=True)
class Absent:
    """A registered work to be asked about as if it were not there."""

    artist: UUID
    works: Sequence[Mapping[str, Vector]]  # it, and the same picture by the same artist
    without_work: Question  # what is found in the absence of these works,
    without_artist: Question  # and of everything by the artist


class Voter(Protocol):
    """Says whose work an image resembles; frozen, so that many answers rest on one state."""

    @property
    def name(self) -> str:
        """What it is called in settings and answers."""
        ...

    @property
    def digest(self) -> str | None:
        """SHA-256 of what it was made from; None for one that keeps no state, or was not asked."""
        ...

    @property
    def solved_at(self) -> datetime | None:
        """Up to when works are weighed; None: all that are registered, as far as it weighs any."""
        ...

    def shares(self, question: Question) -> Ballot:
        """Return each artist's share for an image."""
        ...

    def shares_without(self, absent: Absent) -> tuple[Ballot, Ballot] | None:
        """Return the ballots on a work as if it, and as if nothing by its artist, were registered.

        None where that cannot be told. Both at once, as what they have in common is costly.
        """
        ...


class Seat(Protocol):
    """Keeps one voter as it is at this moment."""

    @property
    def name(self) -> str:
        """The voter's."""
        ...

    @property
    def is_calibrated(self) -> bool:
        """Whether the voter can be asked as if a work were not there, so that it is calibrated."""
        ...

    @property
    def absence(self) -> str:
        """Say that there is no voter yet, and what makes one."""
        ...

    def current(self) -> Voter | None:
        """Return the voter, read again when something changed; None while there is none."""
        ...
