"""Messages about tasks: under which name, to which queue. They carry ids; the work is in SQL."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from celery import Celery
from kombu.exceptions import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from attribution.catalogue import queries
from attribution.catalogue.models import TaskKind
from attribution.catalogue.queries import TaskKey
from attribution.errors import BackendUnavailable
from attribution.tenants import across

log = logging.getLogger(__name__)

LIST_UPLOAD = "ingest.list_upload"
RUN_BATCH = "encode.run_batch"
TRAIN = "encode.train_classifier"
PROGRESS = "PROGRESS"  # the state of a training that is under way
DRAW = "generate.draw"
LOOK_UP = "lookup.look_up"
NAMES = {
    TaskKind.LIST: LIST_UPLOAD,
    TaskKind.INGEST: RUN_BATCH,
    TaskKind.DRAW: DRAW,
    TaskKind.LOOKUP: LOOK_UP,
}
READYZ = "readyz"  # what a worker is asked, not through a queue
ANSWER_S = 10
PUBLISHING = {"max_retries": 2, "interval_start": 0.1, "interval_max": 0.5}
# In a queue: what workers do between two sweeps, and some 1 MB of Redis. Bulk leaves as much room
# again for all else, which workers take first.
MOST_MESSAGES = 1_000
BULK = 9  # the priority of its messages; of others 0, which Redis gives out first


def send(app: Celery, sessions: sessionmaker[Session], keys: Sequence[TaskKey]) -> None:
    """Send a message about each task while its queue has room, and note that.

    What could not be sent stays unsent in SQL, and the sweep sends it later: neither a broker that
    is away loses it, nor does a queue without workers fill the broker.
    """
    sent: list[TaskKey] = []
    waiting: dict[str, int] = {}
    try:
        for key in keys:
            name = NAMES[key.kind]
            queue, _, _ = name.partition(".")
            if queue not in waiting:
                waiting[queue] = _messages_in(app, queue)
            if waiting[queue] >= (MOST_MESSAGES if key.is_bulk else 2 * MOST_MESSAGES):
                continue
            app.send_task(
                name,
                (str(key.subject), key.number),
                priority=BULK if key.is_bulk else 0,
                ignore_result=True,
                retry_policy=PUBLISHING,
            )
            waiting[queue] += 1
            sent.append(key)
    except OperationalError as error:
        log.warning("the broker does not answer, %d tasks wait: %s", len(keys) - len(sent), error)
    with across(), sessions.begin() as session:
        queries.mark_sent(session, sent)


def _messages_in(app: Celery, queue: str) -> int:
    """Count the messages that wait in a queue; raises OperationalError."""
    with app.connection_or_acquire() as connection:
        connection.ensure_connection(**PUBLISHING)
        bound = app.amqp.queues[queue].bind(connection)
        # Declaring what is there changes nothing, and a pooled connection may have died meanwhile.
        declare = connection.ensure(bound, bound.queue_declare, **PUBLISHING)
        return int(declare().message_count)


def worker_readiness(app: Celery, worker: str) -> dict[str, str]:
    """Ask a worker what it rests on: "ok" or what is wrong, by part; raises BackendUnavailable."""
    try:
        answers = app.control.broadcast(
            READYZ, destination=[worker], reply=True, timeout=ANSWER_S, limit=1
        )
    except OperationalError as error:
        raise BackendUnavailable(f"the broker does not answer: {error}") from error
    if not answers:
        raise BackendUnavailable(f"no worker {worker} has answered within {ANSWER_S} s")
    checks: dict[str, str] = answers[0][worker]
    return checks
