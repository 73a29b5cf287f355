"""Requests for pictures as jobs: taken by a lease, drawn, kept, or ended between two steps.

Pictures are written whole before their row says that they are there; drawn again after an
interruption, the same seeds give the same pictures.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from threading import Event, Thread
from typing import Any
from uuid import UUID, uuid4

from attribution.catalogue import queries
from attribution.catalogue.models import JobStatus
from attribution.collection import Stores
from attribution.errors import BackendUnavailable, LawfulError
from attribution.generation.generator import ImageRequest
from attribution.generation.studio import Generation, check_request
from attribution.services import Services

log = logging.getLogger(__name__)

BEAT_S = 1.0  # between two looks at whether the request was cancelled


class Ended(Exception):
    """Raised between two steps: cancelled, taken over, or the process is about to stop."""


@dataclass
class Lease:
    """The right to draw one request, kept alive while its progress is noted."""

    stores: Stores
    id: UUID
    owner: str
    progress: tuple[int, int] = (0, 0)  # steps done, steps
    lost: Event = field(default_factory=Event)

    def renew(self) -> None:
        """Note the progress; learn whether the lease is lost."""
        with self.stores.sessions.begin() as session:
            kept = queries.renew_generation(
                session,
                self.id,
                owner=self.owner,
                lease_s=self.stores.settings.job_lease_s,
                progress=self.progress,
            )
        if not kept:
            self.lost.set()


def ask(stores: Stores, request: ImageRequest) -> UUID:
    """Keep a request for pictures, to be submitted to a queue; raises BadInput."""
    check_request(request)
    with stores.sessions.begin() as session:
        return queries.add_generation(session, asdict(request)).id


def run_generation(
    services: Services, generation_id: UUID, *, stopping: Callable[[], bool]
) -> None:
    """Draw one request and keep its pictures.

    Does nothing when it is done, another draws it, or it was cancelled. Ends between two steps once
    it is cancelled or `stopping()` is true. Raises BackendUnavailable: worth another try.
    """
    started = time.monotonic()
    with _leased(services, generation_id) as taken:
        if taken is None:
            return
        lease, request = taken

        def on_step(done: int, steps: int) -> None:
            lease.progress = (done, steps)
            if stopping() or lease.lost.is_set():
                raise Ended

        generation = services.studio.draw(request, on_step=on_step)
        _keep(lease, generation)
        seconds = time.monotonic() - started
        log.info("generation %s: %d pictures in %.1f s", generation_id, request.count, seconds)


def _keep(lease: Lease, generation: Generation) -> None:
    """Write the pictures, then the row; of what was cancelled meanwhile nothing stays."""
    lease.renew()
    if lease.lost.is_set():
        raise Ended
    for number, picture in enumerate(generation.pictures):
        if picture.png is not None:
            lease.stores.store.put_generated(lease.id, number, picture.png)
    with lease.stores.sessions.begin() as session:
        result = _recorded(generation)
        queries.finish_generation(session, lease.id, owner=lease.owner, result=result)
        status = queries.generation_by_id(session, lease.id).status
    if status is JobStatus.CANCELLED:
        lease.stores.store.forget_generated(lease.id)


def _recorded(generation: Generation) -> dict[str, Any]:
    return {
        "generator": asdict(generation.generator),
        "notes": list(generation.notes),
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


@contextmanager
def _leased(stores: Stores, generation_id: UUID) -> Iterator[tuple[Lease, ImageRequest] | None]:
    """Hold the lease during the block; what goes wrong inside is noted in the row."""
    lease = Lease(stores, generation_id, f"{socket.gethostname()}/{os.getpid()}/{uuid4().hex[:8]}")
    with stores.sessions.begin() as session:
        request = queries.claim_generation(
            session, generation_id, owner=lease.owner, lease_s=stores.settings.job_lease_s
        )
    if request is None:
        yield None
        return
    ended = Event()
    heart = Thread(target=_beat, args=(lease, ended), daemon=True)
    heart.start()
    try:
        yield lease, ImageRequest(**request)
    except Ended:
        _give_back(lease)  # without effect on one that was cancelled
    except BackendUnavailable:
        with suppress(BackendUnavailable):  # then the lease runs out
            _give_back(lease)
        raise
    except Exception as error:
        with suppress(BackendUnavailable):
            _fail(lease, error)
        if not isinstance(error, LawfulError):
            raise
    finally:
        ended.set()
        heart.join()


def _give_back(lease: Lease) -> None:
    with lease.stores.sessions.begin() as session:
        queries.give_generation_back(session, lease.id, owner=lease.owner)


def _fail(lease: Lease, error: Exception) -> None:
    said = str(error) if isinstance(error, LawfulError) else f"{type(error).__name__}: {error}"
    with lease.stores.sessions.begin() as session:
        queries.fail_generation(session, lease.id, owner=lease.owner, error=said)


def _beat(lease: Lease, ended: Event) -> None:
    while not ended.wait(BEAT_S) and not lease.lost.is_set():
        with suppress(BackendUnavailable):  # perhaps the next beat gets through in time
            lease.renew()
