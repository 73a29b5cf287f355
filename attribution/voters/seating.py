"""Who votes in a collection: the one place that lists the voters."""

from __future__ import annotations

from attribution.collection import Collection
from attribution.training.checkpoint import own_folder
from attribution.voters.classifier import ClassifierSeat
from attribution.voters.neighbours import NeighboursVoter
from attribution.voters.trained import TrainedSeat
from attribution.voters.voter import Seat


def take_seats(collection: Collection) -> tuple[Seat, ...]:
    """Return the seats of the voters that LAWFUL_VOTERS names, by name; nothing is read yet."""
    sessions, row, settings = collection.sessions, collection.row, collection.settings
    seats: list[Seat] = [
        ClassifierSeat(sessions, row.fingerprint, row.voting),
        NeighboursVoter(),
        TrainedSeat(sessions, row.fingerprint, own_folder(settings.trained)),
    ]
    return tuple(seat for seat in seats if seat.name in settings.voters)
