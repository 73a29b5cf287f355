"""What goes once a job has ended: its uploads, and what it said of withdrawn works."""

from __future__ import annotations

from uuid import UUID

from attribution.catalogue import queries
from attribution.catalogue.database import empty_log
from attribution.catalogue.models import JobStatus, TaskKind
from attribution.catalogue.queries import TaskKey
from attribution.collection import Stores


def clear_up(stores: Stores, key: TaskKey) -> None:
    """Clear up behind a task, should its job be done, or have failed before it was listed."""
    if key.kind is TaskKind.DRAW:
        return
    if key.kind is TaskKind.LOOKUP:
        _clear_lookups(stores, key)
        return
    job_id = key.subject
    with stores.sessions() as session:
        status = queries.job_by_id(session, job_id).status
    is_unlisted = status is JobStatus.FAILED and key.kind is TaskKind.LIST
    if status is JobStatus.DONE or is_unlisted:
        stores.store.clear_incoming(job_id)
    if status is JobStatus.DONE:
        _forget_withdrawn(stores, job_id)
    elif is_unlisted:
        with stores.sessions.begin() as session:
            queries.forget_upload(session, job_id)


def _clear_lookups(stores: Stores, key: TaskKey) -> None:
    with stores.sessions() as session:
        status = queries.lookup_batch_by_id(session, key.subject).status
    if status is JobStatus.DONE or (status is JobStatus.FAILED and key.number == 0):
        stores.store.clear_incoming(key.subject)


def _forget_withdrawn(stores: Stores, job_id: UUID) -> None:
    """Forget what a job said of files that turned out to be withdrawn works."""
    with stores.sessions.begin() as session:
        has_any = queries.wipe_jobs(session, [job_id])
    if has_any:
        empty_log(stores.sessions)
