"""Asking the catalogue for its own works, to find out what the votes mean.

Each of a sample of works is asked for twice: as if it, with whatever is nearly the same picture,
were not there, and as if nothing by its artist were. `calibration` does the arithmetic. Needs no
model: the vectors are kept.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections import ChainMap
from collections.abc import Callable, Mapping
from collections.abc import Collection as Several
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from attribution import tenants
from attribution.arithmetic import voting
from attribution.arithmetic.fitting import Asked, fit, voice_names
from attribution.arithmetic.reliability import held_out
from attribution.catalogue import queries
from attribution.catalogue.columns import now
from attribution.catalogue.models import KeptCalibration
from attribution.catalogue.nobody import nobody
from attribution.collection import Collection
from attribution.images import NEAR_BITS, hamming
from attribution.index.points import Probe, Where
from attribution.lookup.exhibits import somebodys
from attribution.lookup.gaps import Gaps
from attribution.types import Vector
from attribution.voters.panel import ask_absent, equal_weights, voices_of
from attribution.voters.seating import take_seats
from attribution.voters.voter import Absent, Neighbours, Question

log = logging.getLogger(__name__)

SAMPLE = 2_000  # works asked for at most: the numbers are good to a few thousandths
SPARE = 10  # neighbours beyond those that vote, in the place of twins
WANTED = voting.NEAREST + SPARE
ASKED_ALONG = 200  # works of an artist: beyond that, to leave them out costs less than to read them
CHANGED = 0.05  # part of the works that come or go before it is made anew
OLD = timedelta(days=1)  # after which any change is enough
# While works come in without end it is due again and again: a tenth of a worker's time is enough.
REST = 10  # times what the last one took


def calibrate(
    collection: Collection,
    *,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
    stopping: Callable[[], bool] = lambda: False,
) -> KeptCalibration | None:
    """Calibrate the votes of a collection anew, and keep what was found.

    None where too little is registered to say anything: that is kept too. None as well once
    `stopping()` is true; then nothing has changed.
    """
    encoders, spaces = collection.row.fingerprint, list(collection.row.voting)
    seats = [seat for seat in take_seats(collection) if seat.is_calibrated]
    names, started = [seat.name for seat in seats], time.monotonic()
    began = now()  # whatever changes from here on counts as a change behind it
    with collection.sessions() as session:
        stamp = stamp_of(session, encoders)
        artists, works = queries.ranked(session)
        sample = queries.works_to_ask_for(session, encoders, SAMPLE)
        sizes = queries.portfolio_sizes(session)
    voters = [voter for seat in seats if (voter := seat.current()) is not None]
    asker = _Asker(collection, sizes)
    asked: list[Asked] = []
    if not voters or len(voters) < len(seats):  # one of them is not made yet
        sample = []
    for done, (work, artist) in enumerate(sample, 1):
        absent = asker.absent(work, artist)
        if absent is not None and (one := ask_absent(absent, voters)) is not None:
            asked.append(one)
        if stopping():
            return None
        progress(done, len(sample))
    found = fit(asked, names, spaces)
    made = KeptCalibration(
        fingerprint=encoders,
        made_at=began,
        stamp=stamp or "",
        works=works,
        artists=artists,
        asked=len(asked),
        voices=list(voice_names(names, spaces)),
        numbers=found.as_json() if found else {},
        reliability=held_out(asked, names, spaces).as_json() if found else {},
        seconds=time.monotonic() - started,
    )
    with collection.sessions.begin() as session:
        queries.keep_calibration(session, made)
    log.info("calibrated on %d works in %.1f s", len(asked), made.seconds)
    return made if found else None


def is_due(session: Session, collection: Collection) -> bool:
    """Return whether the votes should be calibrated anew.

    When a part of CHANGED came or went, when anything was withdrawn, when other voters or spaces
    vote; and for any change once a calibration is OLD.
    """
    row = collection.row
    kept = queries.calibration_of(session, row.fingerprint)
    stamp = stamp_of(session, row.fingerprint)
    voices = voices_of(take_seats(collection), list(row.voting))
    if kept is None or tuple(kept.voices) != voices:
        return stamp is not None and queries.ranked(session)[1] > 0
    if (stamp or "") == kept.stamp:
        return False
    _, works = queries.ranked(session)
    return (
        abs(works - kept.works) > CHANGED * kept.works
        or queries.withdrawn_since(session, kept.made_at)
        or now() - kept.made_at > OLD
    )


def rests(session: Session, collection: Collection) -> bool:
    """Return whether to wait with the next calibration.

    Never once anything was withdrawn, nor where the last one is of other voters or spaces.
    """
    kept = queries.calibration_of(session, collection.row.fingerprint)
    if kept is None or kept.seconds is None or queries.withdrawn_since(session, kept.made_at):
        return False
    is_of_these = tuple(kept.voices) == voices_of(take_seats(collection), [*collection.row.voting])
    return is_of_these and now() - kept.made_at < timedelta(seconds=REST * kept.seconds)


def calibrate_if_due(
    collection: Collection,
    *,
    stopping: Callable[[], bool] = lambda: False,
    comes_again: bool = False,
) -> KeptCalibration | None:
    """Calibrate a collection where that is due; returns what was made.

    Nothing happens for one that is not live, while another process is at it, or while the index
    lacks works: what is found in it then means something else later. A caller that `comes_again`
    lets some time pass after the last one.
    """
    row = collection.row
    if Gaps(collection).last():
        return None
    with collection.sessions() as session:
        live = queries.live_collection(session)
        # another profile may have taken its place
        if live is None or live.name != row.name or not is_due(session, collection):
            return None
        if comes_again and rests(session, collection):
            return None
    with collection.sessions() as holder:
        if not queries.take_turn(holder, f"calibration {row.fingerprint} {tenants.current()}"):
            return None
        return calibrate(collection, stopping=stopping)


def stamp_of(session: Session, fingerprint: str) -> str | None:
    """Return a digest that changes with the classifier's statistics; None where there are none."""
    stamp = queries.statistics_stamp(session, fingerprint)
    return None if stamp is None else hashlib.sha256(repr(stamp).encode()).hexdigest()


class _Asker:
    """Looks for works of one collection as if they were not there."""

    def __init__(self, collection: Collection, sizes: dict[UUID, int]) -> None:
        self._collection = collection
        self._sizes = sizes
        self._weights = equal_weights(list(collection.row.voting))

    def absent(self, work: UUID, artist: UUID) -> Absent | None:
        """Return what is found in the absence of a work; None when it has just come or gone."""
        if artist not in self._sizes:
            return None
        with self._collection.sessions() as session:
            own = self._vectors(session, {work})
            if work not in own:
                return None
            without_work, without_artist = self._near_without(own[work], work, artist)
            near = {
                hit.id
                for hits in (*without_work.values(), *without_artist.values())
                for hit in hits
            }
            hands = queries.hands_and_hashes(session, {work, *near})
            if work not in hands:
                return None
            own_hash = hands[work][1]
            twins = {
                one
                for one, (_, phash) in hands.items()
                # Of works that came with vectors alone there is no hash.
                if one != work and own_hash and phash and hamming(phash, own_hash) <= NEAR_BITS
            }
            gone = self._vectors(session, {one for one in twins if hands[one][0] == artist})
        by = {one: hand for one, (hand, _) in hands.items() if one not in twins}
        others = {one: hand for one, hand in by.items() if hand != artist}
        left = ChainMap({artist: self._sizes[artist] - 1 - len(gone)}, self._sizes)
        return Absent(
            artist,
            [own[work], *gone.values()],
            Question(own[work], _first(without_work, by), left, self._weights),
            Question(own[work], _first(without_artist, others), self._sizes, self._weights),
        )

    def _near_without(
        self, vectors: Mapping[str, Vector], work: UUID, artist: UUID
    ) -> tuple[Neighbours, Neighbours]:
        """Return what is nearest in the absence of a work, and of everything by its artist.

        The index is asked once, for as many more as the artist has, unless these are too many.
        """
        others = replace(somebodys(), exclude_ids=(work,))
        if (own := self._sizes[artist]) > ASKED_ALONG:
            by_others = Where(exclude_artist_ids=(nobody(), artist))
            return self._near(vectors, others), self._near(vectors, by_others)
        found = self._near(vectors, others, more=own)
        return (
            {space: hits[:WANTED] for space, hits in found.items()},
            {
                space: [hit for hit in hits if hit.artist_id != artist][:WANTED]
                for space, hits in found.items()
            },
        )

    def _near(self, vectors: Mapping[str, Vector], where: Where, *, more: int = 0) -> Neighbours:
        probe = Probe({space: vectors[space] for space in self._weights})
        return self._collection.index.neighbours(probe, limit=WANTED + more, where=where)

    def _vectors(self, session: Session, ids: Several[UUID]) -> dict[UUID, dict[str, Vector]]:
        encoders, dims = self._collection.row.fingerprint, self._collection.row.dims
        return queries.kept_vectors(session, encoders, ids, dims)


def _first(neighbours: Neighbours, by: Mapping[UUID, UUID]) -> Neighbours:
    """Return the first neighbours that are among these works (work -> artist)."""
    return {
        space: [
            hit if hit.artist_id == by[hit.id] else replace(hit, artist_id=by[hit.id])
            for hit in hits
            if hit.id in by
        ][: voting.NEAREST]
        for space, hits in neighbours.items()
    }
