"""The Celery tasks. A task is a shell: ids in, one function called, safe to run twice.

Queues are by kind: `ingest` for what reads and unpacks, `encode` for what takes works in and
trains, `lookup` for lookup batches, `generate` for what draws, `maintenance` for what is soon
done, `upkeep` for what compares the stores and takes its time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from celery import Celery, Task
from structlog.contextvars import bound_contextvars

from attribution.catalogue import queries
from attribution.catalogue.models import TaskKind
from attribution.catalogue.queries import TaskKey
from attribution.collection import Stores, open_collection
from attribution.desk.alerting import see_to_alerts
from attribution.desk.asking import ask_watched
from attribution.errors import BackendUnavailable, Conflict, LawfulError, NotFound
from attribution.services import Services
from attribution.tenants import DEFAULT, across, within
from attribution.upkeep.calibrating import calibrate_if_due
from attribution.upkeep.correction import finish_all
from attribution.upkeep.deliveries import Sender, deliver, forget_old
from attribution.upkeep.mapping import update_map
from attribution.upkeep.reconcile import compare_statistics, see_to_all
from attribution.upkeep.report import Report
from attribution.upkeep.rounds import go_on
from attribution.upkeep.tenants import for_each
from ingest import pipeline
from ingest.generations import run_generation
from ingest.lease import could_not_begin
from ingest.lookups import run_lookups
from ingest.uploads import forget_given_up, list_upload
from ingest.work.dispatch import DRAW, LIST_UPLOAD, LOOK_UP, PROGRESS, RUN_BATCH, TRAIN

log = logging.getLogger(__name__)

TOLD_EVERY_S = 1.0  # how far a training is
SWEEP = "maintenance.sweep"
RECONCILE = "upkeep.reconcile"
SEE_TO = "upkeep.see_to"
COUNT = "upkeep.count"
FOLLOW = "upkeep.follow"
CALIBRATE = "maintenance.calibrate"
MAP = "maintenance.map"
DELIVER = "maintenance.deliver"
WATCH = "maintenance.watch"
RANGES_S = 30.0  # for which one message goes on comparing, of all tenants
ROUND = timedelta(hours=1)  # between the beginnings of two comparisons of everything
COUNT_LIMIT_S = 12 * 3600  # every kept vector is read, in one snapshot of many statements
TASK: dict[str, Any] = {
    "acks_late": True,
    "throws": (LawfulError,),  # their message says all: no traceback in the log
    # Two queues in one process would run each other's services.
    "shared": False,
}
# Of what the beat sends: an outage, or a database that was emptied, is a line each time.
UPKEEP: dict[str, Any] = {"shared": False, "throws": (LawfulError,)}
BACKEND_TRIES: dict[str, Any] = {
    "autoretry_for": (BackendUnavailable,),  # nothing else gets better by itself
    "retry_backoff": True,
    "retry_backoff_max": 60,
    "retry_jitter": True,
    "max_retries": 5,  # then the sweep sends it again
}


class Runtime(Protocol):
    """What a process that runs tasks has opened, or opens when a task first needs it."""

    def stores(self) -> Stores:
        """Return the catalogue and the files."""
        ...

    def services(self) -> Services:
        """Return everything, models included."""
        ...


class _TimeIsUpError(Exception):
    """A task has run for as long as one message may; another one goes on."""


class _Telling:
    """Progress of a task for whoever waits for it; ends the task when its time is up."""

    def __init__(self, task: Task[..., Any], until: float, stopping: Callable[[], bool]) -> None:
        self._task, self._until, self._stopping = task, until, stopping
        self._told = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        moment = time.monotonic()
        if moment > self._until or self._stopping():
            raise _TimeIsUpError
        if moment - self._told >= TOLD_EVERY_S:
            self._told = moment
            self._task.update_state(state=PROGRESS, meta={"what": what, "done": done, "of": total})


def register(
    app: Celery,
    runtime: Runtime,
    *,
    stopping: Callable[[], bool],
    submit: Callable[[Sequence[TaskKey]], None],
) -> None:
    """Add the tasks to `app`; what runs ends early once `stopping()` is true.

    `submit` has the batches run that a listing has made, and what waits. A worker hands its outages
    back to the broker; in process who sends a task waits (`patience`).
    """
    task = TASK if app.conf.task_always_eager else TASK | BACKEND_TRIES

    @app.task(name=LIST_UPLOAD, **task)
    def list_one(job_id: str, _number: int) -> None:
        with _for_whom(runtime, TaskKey(TaskKind.LIST, UUID(job_id))):
            list_upload(runtime.stores(), UUID(job_id))
        with across(), runtime.stores().sessions() as session:
            keys = queries.open_tasks(session, UUID(job_id))
        submit(keys)

    @app.task(name=RUN_BATCH, **task)
    def run_batch(job_id: str, number: int) -> None:
        key = TaskKey(TaskKind.INGEST, UUID(job_id), number)
        with _for_whom(runtime, key):
            is_done = _in_time(pipeline.run_batch, runtime, key, stopping)
        if not is_done:
            submit([key])

    @app.task(name=TRAIN, bind=True, **task)
    def train(self: Task[..., dict[str, Any]], plan: dict[str, Any]) -> dict[str, Any]:
        from ingest.training import Plan, train_classifier

        stores = runtime.stores()
        slice_s = stores.settings.batch_time_limit_s / 2  # beyond the whole it would be killed
        try:
            tell = _Telling(self, time.monotonic() + slice_s, stopping)
            chosen = Plan.of(plan)
            with within(chosen.tenant):
                return asdict(train_classifier(stores, chosen, progress=tell))
        except _TimeIsUpError:  # it goes on from its last epoch
            raise self.retry(countdown=0, max_retries=None) from None

    @app.task(name=DRAW, **task)
    def draw_one(generation_id: str, _number: int) -> None:
        key = TaskKey(TaskKind.DRAW, UUID(generation_id))
        with _for_whom(runtime, key):
            run_generation(_opened(runtime, key), key.subject, stopping=stopping)

    @app.task(name=LOOK_UP, **task)
    def look_up(batch_id: str, number: int) -> None:
        key: TaskKey | None = TaskKey(TaskKind.LOOKUP, UUID(batch_id), number)
        if not app.conf.task_always_eager:  # in process, who sends it has chosen
            key = next_in_line(runtime)
        if key is not None:
            submit(_take_turn(runtime, key, stopping))

    _register_upkeep(app, runtime, submit, stopping)
    _register_comparing(app, runtime)


def _register_upkeep(
    app: Celery,
    runtime: Runtime,
    submit: Callable[[Sequence[TaskKey]], None],
    stopping: Callable[[], bool],
) -> None:
    """Add the tasks that the beat sends."""

    @app.task(name=SWEEP, **UPKEEP)
    def sweep() -> int:
        """Send what waits and has no message, or lost it."""
        with across(), runtime.stores().sessions.begin() as session:
            keys = queries.sweep(session)
        submit(keys)
        return len(keys)

    @app.task(name=DELIVER, **UPKEEP)
    def deliver_events() -> int:
        """Tell webhooks what happened."""
        stores = runtime.stores()
        return deliver(stores, Sender.of(stores.settings))

    @app.task(name=WATCH, **UPKEEP)
    def watch() -> int:
        """Open cases for what watches have found, and ask again about watched images."""
        seen = see_to_alerts(runtime.stores())  # first: it needs neither index nor models
        ask_watched(runtime.stores(), lambda: runtime.services().attributor)
        return seen

    @app.task(name=CALIBRATE, **UPKEEP)
    def calibrate() -> None:
        """Find out anew what the votes mean, where enough has changed."""
        stores = runtime.stores()
        with suppress(NotFound), open_collection(stores) as collection:
            for_each(
                stores, lambda: calibrate_if_due(collection, stopping=stopping, comes_again=True)
            )

    @app.task(name=MAP, **UPKEEP)
    def draw_map() -> None:
        """Put new works on the map, or lay it out anew where enough has changed."""
        stores = runtime.stores()
        with suppress(NotFound), open_collection(stores) as collection:
            for_each(stores, lambda: update_map(collection, stopping=stopping))


def _register_comparing(app: Celery, runtime: Runtime) -> None:
    """Add the tasks of the queue `upkeep`, which the beat sends."""

    @app.task(name=RECONCILE, **UPKEEP)
    def reconcile_on() -> None:
        """Compare the next works of catalogue and index, and repair."""
        stores = runtime.stores()
        with suppress(NotFound), open_collection(stores) as collection:
            until = time.monotonic() + RANGES_S
            for report in for_each(stores, lambda: go_on(collection, until=until, every=ROUND)):
                if report is not None:
                    _tell("compared", report)

    @app.task(name=FOLLOW, **UPKEEP)
    def follow_changes() -> None:
        """Have the index follow merges, splits and renames of many works."""
        stores = runtime.stores()
        with suppress(NotFound), open_collection(stores) as collection:
            for_each(stores, lambda: finish_all(collection))

    @app.task(name=SEE_TO, **UPKEEP)
    def see_to_what_is_due() -> None:
        """Finish what was interrupted, end what is over, forget what is of long ago."""
        stores = runtime.stores()
        for_each(stores, lambda: forget_given_up(stores))
        for_each(stores, lambda: forget_old(stores))
        with suppress(NotFound), open_collection(stores) as collection:
            _tell("seen to", see_to_all(collection))

    # Acknowledged before: its message would come back while it runs, and the next night another.
    @app.task(name=COUNT, **UPKEEP, acks_late=False, time_limit=COUNT_LIMIT_S)
    def count_again() -> None:
        """Compare what is counted along with what it counts, and mend it."""
        stores = runtime.stores()
        with suppress(NotFound, Conflict), open_collection(stores) as collection:
            found = for_each(stores, lambda: compare_statistics(collection, repair=True))
            _tell("counted again", sum(found, Report(repaired=True)))


def _tell(what: str, report: Report) -> None:
    log.log(logging.INFO if report.is_clean else logging.WARNING, "%s: %s", what, report)


def next_in_line(runtime: Runtime) -> TaskKey | None:
    """Return the task of a lookup batch whose turn it is, of all tenants; None where none waits."""
    with across(), runtime.stores().sessions() as session:
        return queries.next_lookup(session)


def _take_turn(runtime: Runtime, key: TaskKey, stopping: Callable[[], bool]) -> Sequence[TaskKey]:
    """Look up images of a task for a while; returns the tasks that now need a turn."""
    with _for_whom(runtime, key):
        is_done = run_lookups(_opened(runtime, key), key, stopping=stopping)
    if not is_done:
        return [key]
    if key.number != 0:
        return []
    with across(), runtime.stores().sessions() as session:
        return queries.open_tasks(session, key.subject)


@contextmanager
def _for_whom(runtime: Runtime, key: TaskKey) -> Iterator[None]:
    """Have a task done for the tenant whose it is; one that is gone is nobody's, and not done."""
    with across(), runtime.stores().sessions() as session:
        tenant = queries.tenant_of(session, key)
    with within(tenant or DEFAULT), bound_contextvars(job=str(key.subject)):
        yield


def _opened(runtime: Runtime, key: TaskKey) -> Services:
    """Return everything, models included; what keeps it from being opened is noted on the task."""
    try:
        return runtime.services()
    except Exception as error:
        could_not_begin(runtime.stores(), key, error)
        raise


def _in_time(
    run: Callable[..., None], runtime: Runtime, key: TaskKey, stopping: Callable[[], bool]
) -> bool:
    """Run a task, orderly ended before its message would be killed: False when time was up."""
    services = _opened(runtime, key)
    until = time.monotonic() + services.settings.batch_time_limit_s / 2

    def is_late() -> bool:
        return time.monotonic() > until

    run(services, key, stopping=lambda: stopping() or is_late())
    return not is_late()
