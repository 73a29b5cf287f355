"""Messages about batches and pictures: which task and queue. They carry ids; the work is in SQL."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from uuid import UUID

from celery import Celery
from kombu.exceptions import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from attribution.catalogue import queries
from attribution.catalogue.queries import LISTING, BatchKey
from attribution.errors import BackendUnavailable

log = logging.getLogger(__name__)

LIST_UPLOAD = "ingest.list_upload"
RUN_BATCH = "encode.run_batch"
TRAIN = "encode.train_classifier"
PROGRESS = "PROGRESS"  # the state of a training that is under way
DRAW = "generate.draw"
READYZ = "readyz"  # what a worker is asked, not through a queue
ANSWER_S = 10
PUBLISHING = {"max_retries": 2, "interval_start": 0.1, "interval_max": 0.5}


def send(app: Celery, sessions: sessionmaker[Session], keys: Sequence[BatchKey]) -> None:
    """Send a message about each batch and note that; a broker that is away loses nothing.

    What could not be sent stays unsent in SQL, and the sweep sends it later.
    """
    sent: list[BatchKey] = []
    try:
        for job_id, number in keys:
            task = LIST_UPLOAD if number == LISTING else RUN_BATCH
            app.send_task(task, (str(job_id), number), ignore_result=True, retry_policy=PUBLISHING)
            sent.append((job_id, number))
    except OperationalError as error:
        log.warning("the broker does not answer, %d batches wait: %s", len(keys) - len(sent), error)
    with sessions.begin() as session:
        queries.mark_sent(session, sent)


def send_generations(app: Celery, sessions: sessionmaker[Session], ids: Sequence[UUID]) -> None:
    """Send a message about each request for pictures, as `send` does about batches."""
    sent: list[UUID] = []
    try:
        for one in ids:
            app.send_task(DRAW, (str(one),), ignore_result=True, retry_policy=PUBLISHING)
            sent.append(one)
    except OperationalError as error:
        log.warning("the broker does not answer, %d requests wait: %s", len(ids) - len(sent), error)
    with sessions.begin() as session:
        queries.mark_generations_sent(session, sent)


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
