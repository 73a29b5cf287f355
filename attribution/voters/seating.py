"""Who votes in a collection: the one place that lists the voters."""

from __future__ import annotations

from attribution import tenants
from attribution.collection import Collection
from attribution.voters.classifier import ClassifierSeat
from attribution.voters.neighbours import NeighboursVoter
from attribution.voters.trained import TrainedSeat
from attribution.voters.voter import Seat


def take_seats(collection: Collection) -> tuple[Seat, ...]:
    """Return the seats of the voters that LAWFUL_VOTERS names, by name; nothing is read yet.

    The trained classifier votes only for the tenant of whose works it was made.
    """
    sessions, row, settings = collection.sessions, collection.row, collection.settings
    seats: list[Seat] = [
        ClassifierSeat(sessions, row.fingerprint, row.voting),
        NeighboursVoter(),
    ]
    if tenants.current() == settings.tenant:
        seats.append(TrainedSeat(sessions, row.fingerprint, settings.trained))
    return tuple(seat for seat in seats if seat.name in settings.voters)
