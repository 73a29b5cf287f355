"""Requests for pictures as tasks: taken by a lease, drawn, kept, or ended between two steps.

Pictures are written whole before their row says that they are there; drawn again after an
interruption, the same seeds give the same pictures.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any
from uuid import UUID

from attribution.actors import Actor, Scope, who
from attribution.catalogue import queries
from attribution.catalogue.models import JobStatus, TaskKind
from attribution.catalogue.queries import TaskKey
from attribution.collection import Stores
from attribution.errors import BackendUnavailable, TooMany
from attribution.generation.generator import ImageRequest
from attribution.generation.given import Given, check_file
from attribution.generation.studio import Generation, check_request, made_from
from attribution.lookup.again import KeptImage, image_of
from attribution.lookup.attributor import recalled
from attribution.services import Services
from ingest.lease import Lease, holding

log = logging.getLogger(__name__)

RETRY_AFTER_S = 60  # where the queue is full
NOTED_EVERY_S = 1.0  # how far a request is; then it is seen as well that it was cancelled


class Ended(Exception):
    """Raised between two steps: cancelled, taken over, or the process is about to stop."""


@dataclass
class Progress:
    """The steps of a request as they are noted; raises Ended once it is to stop."""

    lease: Lease
    stopping: Callable[[], bool]
    noted_s: float = -math.inf  # when, on the clock of this process

    def __call__(self, done: int, steps: int) -> None:
        """Note a step, but not all of them."""
        if time.monotonic() - self.noted_s >= NOTED_EVERY_S:
            self.noted_s = time.monotonic()
            with suppress(BackendUnavailable), self.lease.stores.sessions.begin() as session:
                if not queries.note_steps(session, self.lease.key.subject, done=done, steps=steps):
                    raise Ended
        if self.stopping() or self.lease.is_lost:
            raise Ended


def ask(stores: Stores, request: ImageRequest, *, begins_with: UUID | None = None) -> UUID:
    """Keep a request for pictures, to be submitted to a queue.

    `begins_with`: an earlier answer; they are made from the image that is kept of it. What can be
    seen at once refuses it here, the rest when it is drawn. Raises BadInput, TooMany where too many
    wait, and for the image NotFound, Conflict where it is not kept, NotAllowed.
    """
    check_request(request, is_given=begins_with is not None)
    said = {}
    if begins_with:
        said["given"] = _allowed(stores, begins_with).image.facts.sha256
    asked = asdict(request) | {"begins_with": str(begins_with) if begins_with else None}
    most = stores.settings.most_drawings
    with stores.sessions.begin() as session:
        if queries.waiting_drawings(session) >= most:
            raise TooMany(
                f"{most} requests for pictures wait already; ask again when some are drawn "
                f"(LAWFUL_MOST_DRAWINGS)",
                retry_after_s=RETRY_AFTER_S,
            )
        return queries.add_generation(session, asked, **said).id


def _allowed(stores: Stores, attribution_id: UUID) -> KeptImage:
    """Return the image of an earlier answer for whoever may make others from it.

    What is drawn may look like it, so it is theirs who asked about it or may see it.
    """
    with stores.sessions() as session:
        (answer,) = recalled(session, [attribution_id])
    found = image_of(stores, attribution_id)
    if Actor(found.asked_by).id != who().id:
        who().require(Scope.REVIEW)
    check_file(found.image.facts)
    made_from(stores, answer).check(withholds_copies=stores.settings.withhold_copies)
    return found


def run_generation(
    services: Services, generation_id: UUID, *, stopping: Callable[[], bool]
) -> None:
    """Draw one request and keep its pictures.

    Does nothing when it is done, another draws it, or it was cancelled. Ends between two steps once
    it is cancelled or `stopping()` is true. Raises BackendUnavailable: worth another try.
    """
    started = time.monotonic()
    with holding(services, TaskKey(TaskKind.DRAW, generation_id)) as lease:
        if lease is None:
            return
        with services.sessions.begin() as session:
            asked = dict(queries.begin_generation(session, generation_id))
        begins_with = asked.pop("begins_with", None)
        request = ImageRequest(**asked)
        given = _given(services, UUID(begins_with), generation_id) if begins_with else None
        with suppress(Ended):
            generation = services.studio.draw(
                request,
                on_step=Progress(lease, stopping),
                generation_id=generation_id,
                given=given,
            )
            _keep(lease, generation)
            seconds = time.monotonic() - started
            log.info("generation %s: %d pictures in %.1f s", generation_id, request.count, seconds)


def _given(stores: Stores, attribution_id: UUID, generation_id: UUID) -> Given:
    found = image_of(stores, attribution_id)
    return Given(found.image, found.data, replace(found.obtained, job_id=generation_id))


def _keep(lease: Lease, generation: Generation) -> None:
    """Write the pictures, then the row; of what was cancelled meanwhile nothing stays."""
    lease.renew()
    if lease.is_lost:
        raise Ended
    stores, generation_id = lease.stores, lease.key.subject
    for number, picture in enumerate(generation.pictures):
        if picture.png is not None:
            stores.store.put_generated(generation_id, number, picture.png)
    result = _recorded(generation)
    traces = list(_traces(generation))
    lease.finish(lambda session: queries.keep_result(session, generation_id, result, traces))
    with stores.sessions() as session:
        status = queries.generation_by_id(session, generation_id).status
    if status is JobStatus.CANCELLED:
        stores.store.forget_generated(generation_id)


def _traces(generation: Generation) -> Iterator[queries.Drawn]:
    """Yield by what the pictures that are handed out are found again."""
    for number, picture in enumerate(generation.pictures):
        if picture.png and picture.sha256 and (facts := picture.facts):
            yield queries.Drawn(
                number, picture.sha256, facts.pixel_sha256, facts.phash, picture.watermark
            )


def _recorded(generation: Generation) -> dict[str, Any]:
    return {
        "generator": asdict(generation.generator),
        "notes": list(generation.notes),
        "made_from": str(generation.made_from.answer.id) if generation.made_from else None,
        "images": [
            {
                "seed": picture.seed,
                "sha256": picture.sha256,
                "attribution": str(picture.attribution.id) if picture.attribution else None,
                "withheld": picture.withheld,
            }
            for picture in generation.pictures
        ],
    }
