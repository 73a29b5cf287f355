"""The first voter: the nearest works speak for their artists."""

from __future__ import annotations

from attribution.arithmetic.voting import Ballot, cast
from attribution.voters.voter import Absent, Question


class NeighboursVoter:
    """Has no state: everything is in the question. So it is its own seat."""

    name = "neighbours"
    is_calibrated = True
    absence = ""  # it never is
    digest = None
    solved_at = None

    def current(self) -> NeighboursVoter:
        """Return this voter."""
        return self

    def shares(self, question: Question) -> Ballot:
        """Return each artist's share by the nearest works; see `voting.cast`."""
        return cast(self.name, question.neighbours, question.sizes, question.weights)

    def shares_without(self, absent: Absent) -> tuple[Ballot, Ballot]:
        """Return the ballots on what was found in the absence of the work, and of its artist."""
        return self.shares(absent.without_work), self.shares(absent.without_artist)
