"""Who votes in a collection, and by which spaces: the one place that lists the voters."""

from __future__ import annotations

from attribution.catalogue.models import Collection
from attribution.collection import Stores
from attribution.voters.classifier import ClassifierSeat
from attribution.voters.neighbours import NeighboursVoter
from attribution.voters.trained import TrainedSeat
from attribution.voters.voter import Seat


def take_seats(stores: Stores, collection: Collection) -> tuple[Seat, ...]:
    """Return the seats of the voters that LAWFUL_VOTERS names, by name; nothing is read yet."""
    sessions, encoders = stores.sessions, collection.fingerprint
    spaces = spaces_that_vote(collection)
    seats: tuple[Seat, ...] = (
        ClassifierSeat(sessions, encoders, collection.dims, spaces),
        NeighboursVoter(),
        TrainedSeat(sessions, encoders, stores.settings.trained),
    )
    return tuple(seat for seat in seats if seat.name in stores.settings.voters)


def spaces_that_vote(collection: Collection) -> tuple[str, ...]:
    """Return the spaces by which artists are named: all of the collection's."""
    return tuple(sorted(collection.dims))
