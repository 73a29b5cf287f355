"""Where jobs run: in this process, one after another, or by the workers of a broker.

A job is in the catalogue before it is submitted, so nothing is lost with a process or a message.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from threading import Event
from typing import Protocol
from uuid import UUID

from kombu.exceptions import OperationalError

from attribution.catalogue import queries
from attribution.catalogue.queries.batches import MOST_ATTEMPTS
from attribution.collection import Stores, open_stores
from attribution.config import Settings
from attribution.errors import BackendUnavailable, IndexLocked, LawfulError
from attribution.services import Services, open_services
from attribution.upkeep.calibrating import calibrate_if_due
from ingest.lease import give_back_own, said_by
from ingest.patience import Patience
from ingest.uploads import forget_given_up
from ingest.work.application import make_app
from ingest.work.dispatch import DRAW, LIST_UPLOAD, RUN_BATCH, send, send_generations
from ingest.work.tasks import register

log = logging.getLogger(__name__)

AGAIN_S = 0.5  # between two looks at batches that are still open


class JobQueue(Protocol):
    """Accepts jobs."""

    stores: Stores
    staged: bool  # whether files have to be in the store for whoever runs the jobs
    waiting: str | None  # what this process waits for before it goes on with its jobs

    def submit(self, job_id: UUID) -> None:
        """Have a job run, from where it stands; returns at once."""
        ...

    def calibrate(self) -> None:
        """Have the votes calibrated anew where that is due; returns at once."""
        ...

    def wait(self) -> None:
        """Wait for what this process does itself."""

    def draw(self, generation_id: UUID) -> None:
        """Have a request for pictures drawn; returns at once."""
        ...

    def check(self) -> None:
        """Raise BackendUnavailable unless jobs can be run now."""
        ...


class LocalQueue:
    """Runs the Celery tasks of one job after another in a thread of this process.

    On opening, jobs that an earlier process left unfinished are queued first.
    """

    staged = False

    def __init__(self, services: Services) -> None:
        self.stores: Stores = services
        self._services = services
        self._app = make_app(services.settings.model_copy(update={"broker_url": ""}))
        self.waiting: str | None = None
        self._stopping = Event()
        self._patiently = Patience(self._stopping, tell=self._tell)
        register(
            self._app,
            _Opened(services),
            stopping=self._stopping.is_set,
            submit=lambda _: None,  # the loop in `_run` sees them
            draw=lambda _: None,  # they are in this thread's queue
        )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ingest")
        # Its own thread: nobody who brings a work or wants a picture waits for it.
        self._calibrator = ThreadPoolExecutor(1, thread_name_prefix="calibrate")
        with services.sessions.begin() as session:
            queries.release_all(session)
            queries.release_generations(session)
            unfinished = queries.open_batches(session)
            undrawn = queries.open_generations(session)
        self.resumed = tuple(dict.fromkeys(job_id for job_id, _ in unfinished))
        for job_id in self.resumed:
            self.submit(job_id)
        for generation_id in undrawn:
            self.draw(generation_id)
        self.calibrate()
        self._calibrator.submit(self._forget_given_up)

    def submit(self, job_id: UUID) -> None:
        """Queue a job that is already committed; the votes are calibrated behind it."""
        self._thread.submit(self._run, job_id)

    def calibrate(self) -> None:
        """Queue a look at whether the votes have to be calibrated."""
        if not self._stopping.is_set():
            self._calibrator.submit(self._calibrate)

    def wait(self) -> None:
        """Wait until everything that is queued by now is done."""
        for thread in (self._thread, self._calibrator):
            thread.submit(lambda: None).result()

    def draw(self, generation_id: UUID) -> None:
        """Queue a request that is already committed."""
        self._thread.submit(self._draw, generation_id)

    def check(self) -> None:
        """Jobs can be run as long as this process lives."""

    def close(self) -> None:
        """Finish the files in hand, leave the rest to the next opening."""
        self._stopping.set()
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._calibrator.shutdown(wait=True, cancel_futures=True)

    def _tell(self, waiting: str | None) -> None:
        self.waiting = waiting

    def _run(self, job_id: UUID) -> None:
        """Run the batches of a job until none is left; note what stopped them, for who waits."""
        failures: Counter[queries.BatchKey] = Counter()
        before: list[queries.BatchKey] = []
        try:
            while keys := self._patiently(lambda: self._open(job_id)):
                if keys == before:  # they have failed, or another process has them
                    self._stopping.wait(AGAIN_S)
                before = keys
                for key in keys:
                    if self._stopping.is_set():
                        return
                    self._run_batch(key, failures)
        except BackendUnavailable:  # only when it has to end: the next opening goes on
            return
        except Exception as error:
            log.exception("job %s", job_id)
            with suppress(BackendUnavailable), self.stores.sessions.begin() as session:
                queries.interrupt_job(session, job_id, said_by(error))
        self.calibrate()

    def _run_batch(self, key: queries.BatchKey, failures: Counter[queries.BatchKey]) -> None:
        """Run a batch as soon as it can be; its row notes a failure, or too many are raised."""
        task = self._app.tasks[RUN_BATCH if key[1] else LIST_UPLOAD]

        def attempt() -> None:
            give_back_own(self.stores, key)
            task.delay(str(key[0]), key[1])

        try:
            self._patiently(attempt)
        except BackendUnavailable:
            raise
        except Exception as error:
            failures[key] += 1
            if failures[key] > MOST_ATTEMPTS:  # not even that could be noted
                raise
            if isinstance(error, LawfulError):
                log.info("batch %s of job %s: %s", key[1], key[0], error)
            else:
                log.exception("batch %s of job %s", key[1], key[0])

    def _calibrate(self) -> None:
        try:
            calibrate_if_due(self._services, stopping=self._stopping.is_set)
        except LawfulError as error:  # it is looked at again after the next job
            log.warning("calibration: %s", error)
        except Exception:
            log.exception("calibration")

    def _forget_given_up(self) -> None:
        with suppress(BackendUnavailable):  # the next opening does it
            forget_given_up(self.stores)

    def _draw(self, generation_id: UUID) -> None:
        """Draw one request; note what stopped it, for who waits."""
        if self._stopping.is_set():
            return
        try:
            self._patiently(lambda: self._app.tasks[DRAW].delay(str(generation_id)))
        except BackendUnavailable:  # only when it has to end: the next opening goes on
            return
        except Exception as error:
            log.exception("generation %s", generation_id)
            with suppress(BackendUnavailable), self.stores.sessions.begin() as session:
                queries.interrupt_generation(session, generation_id, str(error))

    def _open(self, job_id: UUID) -> list[queries.BatchKey]:
        with self.stores.sessions() as session:
            return queries.open_batches(session, job_id)


class _Opened:
    """What the tasks of this process use: what it has opened anyway."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def stores(self) -> Stores:
        """Return the catalogue and the files."""
        return self._services

    def services(self) -> Services:
        """Return everything, models included."""
        return self._services


class BrokerQueue:
    """Sends jobs to the workers of `LAWFUL_BROKER_URL`."""

    staged = True
    waiting: str | None = None  # its workers do

    def __init__(self, stores: Stores) -> None:
        self.stores = stores
        self._app = make_app(stores.settings)

    def submit(self, job_id: UUID) -> None:
        """Send the batches of a job that is already committed; what is not sent is swept up."""
        with self.stores.sessions() as session:
            keys = queries.open_batches(session, job_id)
        send(self._app, self.stores.sessions, keys)

    def calibrate(self) -> None:
        """Leave it to the beat, which looks every minute."""

    def wait(self) -> None:
        """Wait for nothing: the workers go on by themselves."""

    def draw(self, generation_id: UUID) -> None:
        """Send a request that is already committed; what is not sent is swept up."""
        send_generations(self._app, self.stores.sessions, [generation_id])

    def check(self) -> None:
        """Raise BackendUnavailable unless the broker answers."""
        try:
            with self._app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, interval_start=0, timeout=3)
        except OperationalError as error:
            raise BackendUnavailable(
                f"the broker {connection.as_uri()} does not answer: {error}; is it running? "
                f"(LAWFUL_BROKER_URL)"
            ) from error


@contextmanager
def job_queue(services: Services) -> Iterator[JobQueue]:
    """Open the queue that the settings ask for, for a process that has everything open."""
    if services.settings.broker_url:
        yield BrokerQueue(services)
        return
    queue = LocalQueue(services)
    try:
        yield queue
    finally:
        queue.close()


@contextmanager
def open_queue(settings: Settings) -> Iterator[JobQueue]:
    """Open the queue and no more than it needs: models only where jobs run in this process."""
    if settings.broker_url:
        with open_stores(settings) as stores:
            yield BrokerQueue(stores)
    else:
        with _opened_for_jobs(settings) as services, job_queue(services) as queue:
            yield queue


@contextmanager
def _opened_for_jobs(settings: Settings) -> Iterator[Services]:
    """Open everything; what keeps it from opening is noted on the jobs that wait for it."""
    with ExitStack() as stack:
        try:
            services = stack.enter_context(open_services(settings))
        except (BackendUnavailable, IndexLocked):  # over soon, or another process runs them
            raise
        except LawfulError as error:
            with open_stores(settings) as stores, stores.sessions.begin() as session:
                queries.fail_unopened(session, str(error))
            raise
        yield services
