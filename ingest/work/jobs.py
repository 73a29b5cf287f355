"""Where tasks run: in threads of this process, or by the workers of a broker.

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
from attribution.catalogue.models import TaskKind
from attribution.catalogue.queries import TaskKey
from attribution.catalogue.queries.leases import MOST_ATTEMPTS
from attribution.collection import Stores, open_stores
from attribution.config import Settings
from attribution.desk.alerting import see_to_alerts
from attribution.desk.asking import ask_watched
from attribution.encoders.memory import give_back_memory
from attribution.errors import BackendUnavailable, IndexLocked, LawfulError
from attribution.services import Services, open_services
from attribution.stages import carried
from attribution.tenants import across
from attribution.upkeep.calibrating import calibrate_if_due
from attribution.upkeep.deliveries import Sender, deliver, forget_old
from attribution.upkeep.mapping import update_map
from attribution.upkeep.tenants import for_each
from ingest.lease import give_back_own, said_by
from ingest.patience import Patience
from ingest.uploads import forget_given_up
from ingest.work.application import WATCH_EVERY_S, make_app
from ingest.work.dispatch import NAMES, send
from ingest.work.tasks import next_in_line, register

log = logging.getLogger(__name__)

AGAIN_S = 0.5  # between two looks at batches that are still open
TOLD_EVERY_S = 2.0  # between two looks at what is to be told to webhooks


class JobQueue(Protocol):
    """Accepts jobs and requests for pictures."""

    stores: Stores
    staged: bool  # whether files have to be in the store for whoever runs the jobs
    waiting: str | None  # what this process waits for before it goes on with its jobs

    def submit(self, job_id: UUID) -> None:
        """Start or resume a job without waiting for it."""
        ...

    def draw(self, generation_id: UUID) -> None:
        """Start or resume a request for pictures without waiting for it."""
        ...

    def look_up(self, batch_id: UUID) -> None:
        """Start or resume a lookup batch without waiting for it."""
        ...

    def calibrate(self) -> None:
        """Recalibrate the votes if that is due, without waiting for it."""
        ...

    def wait(self) -> None:
        """Wait for the jobs and calibrations that this process runs itself."""

    def check(self) -> None:
        """Raise BackendUnavailable unless jobs can be run now."""
        ...


class LocalQueue:
    """Runs the Celery tasks in threads of this process: one for each kind of job.

    On opening, what an earlier process left unfinished is queued first.
    """

    staged = False

    def __init__(self, services: Services) -> None:
        self.stores: Stores = services
        self._services = services
        self._app = make_app(services.settings.model_copy(update={"broker_url": ""}))
        self.waiting: str | None = None
        self._stopping = Event()
        self._opened = _Opened(services)
        register(
            self._app,
            self._opened,
            stopping=self._stopping.is_set,
            submit=lambda _: None,  # the loop in `_run` sees them
        )
        # A thread each: nobody who brings a work waits for a picture, nor for the calibration.
        self._ingesting = ThreadPoolExecutor(1, thread_name_prefix="ingest")
        self._drawing = ThreadPoolExecutor(1, thread_name_prefix="draw")
        self._looking_up = ThreadPoolExecutor(1, thread_name_prefix="lookup")
        self._calibrating = ThreadPoolExecutor(1, thread_name_prefix="calibrate")
        self._telling = ThreadPoolExecutor(1, thread_name_prefix="tell")
        self._watching = ThreadPoolExecutor(1, thread_name_prefix="watch")
        with across(), services.sessions.begin() as session:
            queries.release_all(session)
            unfinished = queries.open_tasks(session)
        own = {TaskKind.DRAW: self.draw, TaskKind.LOOKUP: self.look_up}
        self.resumed = tuple(
            dict.fromkeys(key.subject for key in unfinished if key.kind not in own)
        )
        for job_id in self.resumed:
            self.submit(job_id)
        for kind, subject in dict.fromkeys(key[:2] for key in unfinished if key.kind in own):
            own[kind](subject)
        self.calibrate()
        self._calibrating.submit(self._forget_old)
        self._telling.submit(self._tell_webhooks)
        self._watching.submit(self._watch)

    def submit(self, job_id: UUID) -> None:
        """Queue a job that is already committed; the votes are calibrated behind it."""
        self._ingesting.submit(carried(self._ingest), job_id)

    def draw(self, generation_id: UUID) -> None:
        """Queue a request that is already committed."""
        self._drawing.submit(self._run, generation_id, Patience(self._stopping))

    def look_up(self, batch_id: UUID) -> None:
        """Have a lookup batch that is already committed take its turns among the others."""
        del batch_id  # it is found in the line
        self._looking_up.submit(self._take_turns)

    def calibrate(self) -> None:
        """Queue a look at whether the votes have to be calibrated, and what the map lacks."""
        if not self._stopping.is_set():
            self._calibrating.submit(self._calibrate)

    def wait(self) -> None:
        """Wait until the jobs and calibrations that are queued by now are done."""
        for thread in (self._ingesting, self._calibrating):
            thread.submit(lambda: None).result()

    def check(self) -> None:
        """Jobs can be run as long as this process lives."""

    def close(self) -> None:
        """Finish the files and the step in hand, leave the rest to the next opening."""
        self._stopping.set()
        working = (self._ingesting, self._drawing, self._looking_up, self._calibrating)
        for thread in (*working, self._telling, self._watching):
            thread.shutdown(wait=True, cancel_futures=True)

    def _tell(self, waiting: str | None) -> None:
        self.waiting = waiting

    def _ingest(self, job_id: UUID) -> None:
        self._run(job_id, Patience(self._stopping, tell=self._tell))
        self.calibrate()

    def _run(self, subject: UUID, patiently: Patience) -> None:
        """Run the tasks of a job or request until none is left; note what stopped them."""
        failures: Counter[TaskKey] = Counter()
        before: list[TaskKey] = []
        with self._noting(subject):
            while keys := patiently(lambda: self._open(subject)):
                if keys == before:  # they have failed, or another process has them
                    self._stopping.wait(AGAIN_S)
                before = keys
                for key in keys:
                    if self._stopping.is_set():
                        return
                    self._run_task(key, failures, patiently)

    def _take_turns(self) -> None:
        """Look up images of whoever is next in line until nobody waits; note what stopped them."""
        failures: Counter[TaskKey] = Counter()
        patiently = Patience(self._stopping)
        with suppress(BackendUnavailable):
            while not self._stopping.is_set() and (
                key := patiently(lambda: next_in_line(self._opened))
            ):
                if failures[key]:
                    self._stopping.wait(AGAIN_S)
                with self._noting(key.subject):
                    self._run_task(key, failures, patiently)

    @contextmanager
    def _noting(self, subject: UUID) -> Iterator[None]:
        """Note what stops a job; an outage does only when this process has to end.

        The next opening goes on then.
        """
        try:
            yield
        except BackendUnavailable:
            log.debug("job %s waits for the next opening", subject)
        except Exception as error:
            log.exception("job %s", subject)
            with suppress(BackendUnavailable), across(), self.stores.sessions.begin() as session:
                queries.interrupt(session, subject, said_by(error))

    def _run_task(self, key: TaskKey, failures: Counter[TaskKey], patiently: Patience) -> None:
        """Run a task as soon as it can be; its row notes a failure, or too many are raised."""

        def attempt() -> None:
            with across():
                give_back_own(self.stores, key)
            self._app.tasks[NAMES[key.kind]].delay(str(key.subject), key.number)

        try:
            patiently(attempt)
        except BackendUnavailable:
            raise
        except Exception as error:
            failures[key] += 1
            if failures[key] > MOST_ATTEMPTS:  # not even that could be noted
                raise
            if isinstance(error, LawfulError):
                log.info("task %s %s of %s: %s", key.kind, key.number, key.subject, error)
            else:
                log.exception("task %s %s of %s", key.kind, key.number, key.subject)

    def _calibrate(self) -> None:
        try:
            stopping = self._stopping.is_set
            for_each(self.stores, lambda: calibrate_if_due(self._services, stopping=stopping))
            for_each(self.stores, lambda: update_map(self._services, stopping=stopping))
        except LawfulError as error:  # it is looked at again after the next job
            log.warning("calibration or map: %s", error)
        except Exception:
            log.exception("calibration or map")
        give_back_memory()  # of the job before it, too

    def _forget_old(self) -> None:
        with suppress(BackendUnavailable):  # the next opening does it
            for_each(self.stores, lambda: forget_given_up(self.stores))
            for_each(self.stores, lambda: forget_old(self.stores))

    def _tell_webhooks(self) -> None:
        """Tell webhooks what happened, as long as this process lives."""
        sender = Sender.of(self.stores.settings)
        while not self._stopping.wait(TOLD_EVERY_S):
            try:
                deliver(self.stores, sender, stopping=self._stopping.is_set)
            except BackendUnavailable:
                log.warning("what happened cannot be told to webhooks now", exc_info=True)
            except Exception:
                log.exception("webhooks")

    def _watch(self) -> None:
        """Open cases for what watches have found, and ask again about watched images."""
        while not self._stopping.wait(WATCH_EVERY_S):
            try:
                see_to_alerts(self.stores)
                ask_watched(self.stores, lambda: self._services.attributor)
            except BackendUnavailable:
                log.warning("what watches have found cannot be seen to now", exc_info=True)
            except Exception:
                log.exception("watches")

    def _open(self, subject: UUID) -> list[TaskKey]:
        with across(), self.stores.sessions() as session:
            return queries.open_tasks(session, subject)


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
        """Send the tasks of a job that is already committed; what is not sent is swept up."""
        self._send(job_id)

    def draw(self, generation_id: UUID) -> None:
        """Send a request that is already committed; what is not sent is swept up."""
        self._send(generation_id)

    def look_up(self, batch_id: UUID) -> None:
        """Send a batch that is already committed; what is not sent is swept up."""
        self._send(batch_id)

    def calibrate(self) -> None:
        """Leave it to the beat, which looks every minute."""

    def wait(self) -> None:
        """Wait for nothing: the workers go on by themselves."""

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

    def _send(self, subject: UUID) -> None:
        with self.stores.sessions() as session:
            keys = queries.open_tasks(session, subject)
        send(self._app, self.stores.sessions, keys)


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
            with open_stores(settings) as stores, across(), stores.sessions.begin() as session:
                queries.fail_unopened(session, str(error))
            raise
        yield services
