"""Watched images are asked about again when a work has come that they might show.

Each is compared every hour, by the vectors that its last answer was computed from: with one query
of the index, however many works have come. A work is worth a look where the copy lane would compare
it with the image now, and it was registered after the last answer. What was asked need not be noted
anywhere: a new answer is the last one from then on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy.orm import Session

from attribution.actors import acting
from attribution.answers import Attribution
from attribution.catalogue import queries
from attribution.catalogue.columns import now
from attribution.catalogue.models import ArtworkStatus, RecordedAttribution, Subject, Watch
from attribution.catalogue.queries import watches
from attribution.collection import Stores
from attribution.custody import Kept
from attribution.desk.alerting import DESK
from attribution.desk.watching import end_watch
from attribution.errors import BackendUnavailable, LawfulError
from attribution.lookup.again import ask_again
from attribution.lookup.attributor import Attributor
from attribution.lookup.workings import kept_vectors
from attribution.tenants import across, within

log = logging.getLogger(__name__)

EVERY = timedelta(hours=1)
COMPARED = 100  # images of a tenant in one run
ASKED = 10  # of them
UNDERWAY = timedelta(minutes=1)  # a work may have come while the last answer was looked for
GONE = "the image is not kept any more"


def ask_watched(stores: Stores, attributor: Callable[[], Attributor]) -> int:
    """Ask again about watched images that may show a new work; returns how many were asked about.

    The `attributor` is made where anything is due. Does nothing while another process is at it.
    """
    with stores.sessions() as holder:
        if not queries.take_turn(holder, "watched images"):
            return 0
        with across(), stores.sessions() as session:
            names = watches.tenants_with_due_images(session)
        asked = 0
        for name in names:
            with within(name), acting(DESK):
                asked += _ask_some(stores, attributor())
        return asked


def _ask_some(stores: Stores, attributor: Attributor) -> int:
    with stores.sessions() as session:
        due = watches.due_images(session, COMPARED)
    asked = 0
    for watch in due:
        if asked == ASKED:  # the others stay due
            break
        try:
            asked += _look_again(stores, attributor, watch)
        except BackendUnavailable:
            raise
        except LawfulError as error:
            log.warning("watch %s: %s", watch.id, error)
    return asked


def _look_again(stores: Stores, attributor: Attributor, watch: Watch) -> bool:
    """Compare a watched image; returns whether it was asked about."""
    with stores.sessions.begin() as session:
        row = watches.watch_to_change(session, watch.id)
        is_over = row.ended_at is not None or (row.until is not None and row.until <= now())
        row.compare_at = None if is_over else now() + EVERY  # first: what fails is not due at once
        subject = queries.subject_by_id(session, row.subject_id) if row.subject_id else None
    if is_over or subject is None:
        return False
    if subject.kept is Kept.NOTHING:
        end_watch(stores, watch.id, GONE)
        return False
    last = _worth_a_look(stores, attributor, subject)
    if last is None:
        return False
    earlier = attributor.recall(last.id)

    def alert(session: Session, answer: Attribution) -> None:
        work, known = answer.laid_on, earlier.laid_on
        if work and not (known and known.id == work.id):
            watches.alert_again(session, watch.id, answer.id, work.id)

    ask_again(stores, attributor, last.id, also=alert)
    return True


def _worth_a_look(
    stores: Stores, attributor: Attributor, subject: Subject
) -> RecordedAttribution | None:
    """Return the last answer about an image where asking again may say something else."""
    with stores.sessions() as session:
        found = watches.last_workings(session, subject.id)
        live = queries.live_collection(session)
    if found is None or live is None or subject.phash is None:
        return None
    last, row = found
    if last.fingerprint != live.fingerprint:  # vectors of other encoders
        return last
    compared = attributor.compared(subject.phash, kept_vectors(row))
    since = last.created_at - UNDERWAY
    with stores.sessions() as session:
        works = queries.artworks_by_id(session, compared, status=ArtworkStatus.INDEXED)
    is_new = any(work.indexed_at and work.indexed_at > since for work in works.values())
    return last if is_new else None
