"""The right to run one batch: taken, kept alive while it runs, ended with what became of it.

SQL holds it, not the broker: a process that dies says nothing, and its lease runs out.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread
from uuid import UUID, uuid4

from attribution.catalogue import queries
from attribution.catalogue.database import empty_log
from attribution.catalogue.models import JobStatus
from attribution.catalogue.queries import LISTING, BatchKey
from attribution.collection import Stores
from attribution.errors import BackendUnavailable, LawfulError
from attribution.outages import disk_outages

RENEWALS = 3  # of a lease before it would run out


@dataclass
class Lease:
    """The right to run one batch, kept alive by `leased`."""

    stores: Stores
    key: BatchKey
    owner: str
    lost: Event

    @property
    def is_lost(self) -> bool:
        """Whether another may have it by now, or the job was cancelled: stop."""
        return self.lost.is_set()

    def renew(self) -> bool:
        """Keep the lease for its time from now on; False when it is lost."""
        with self.stores.sessions.begin() as session:
            return queries.renew_lease(
                session, self.key, owner=self.owner, lease_s=self.stores.settings.job_lease_s
            )

    def hold(self, *, begun: int, alone: int | None = None) -> None:
        """Note which files are about to be read, in case one of them ends this process."""
        with self.stores.sessions.begin() as session:
            queries.hold_files(session, self.key, owner=self.owner, begun=begun, alone=alone)

    def note_progress(self) -> None:
        """Note that files have got their outcome: earlier attempts count no longer."""
        with self.stores.sessions.begin() as session:
            queries.note_progress(session, self.key, owner=self.owner)

    def finish(self) -> None:
        """Note that the batch is done; after the last one nothing of the job has to wait."""
        with self.stores.sessions.begin() as session:
            queries.finish_batch(session, self.key, owner=self.owner)
            if self.key[1] == LISTING:
                queries.forget_upload(session, self.key[0])  # its lines say it from now on
        self._settle()

    def give_back(self, error: str | None = None) -> None:
        """Let another go on."""
        with self.stores.sessions.begin() as session:
            queries.give_back(session, self.key, owner=self.owner, error=error)

    def bury(self, error: str) -> None:
        """Note that another try would not help."""
        with self.stores.sessions.begin() as session:
            queries.bury_batch(session, self.key, owner=self.owner, error=error)
        self._settle()

    def fail(self, error: str) -> None:
        """Note a failure that another try may not meet."""
        with self.stores.sessions.begin() as session:
            queries.fail_batch(session, self.key, owner=self.owner, error=error)
        self._settle()

    def _settle(self) -> None:
        with self.stores.sessions() as session:
            status = queries.job_by_id(session, self.key[0]).status
        is_unlisted = status is JobStatus.FAILED and self.key[1] == LISTING
        if status is JobStatus.DONE or is_unlisted:
            self.stores.store.clear_incoming(self.key[0])
        if status is JobStatus.DONE:
            forget_withdrawn(self.stores, self.key[0])
        elif is_unlisted:
            with self.stores.sessions.begin() as session:
                queries.forget_upload(session, self.key[0])


def forget_withdrawn(stores: Stores, job_id: UUID) -> None:
    """Forget what a job said of files that turned out to be withdrawn works."""
    with stores.sessions.begin() as session:
        has_any = queries.wipe_jobs(session, [job_id])
    if has_any:
        empty_log(stores.sessions)


@contextmanager
def leased(stores: Stores, key: BatchKey) -> Iterator[Lease | None]:
    """Hold the lease of a batch during the block; None when it is not to be had.

    An outage inside gives the batch back, another error of ours buries it, a defect fails it.
    """
    settings = stores.settings
    owner = f"{this_process()}{uuid4().hex[:8]}"
    with stores.sessions.begin() as session:
        taken = queries.claim_batch(session, key, owner=owner, lease_s=settings.job_lease_s)
    if not taken:
        yield None
        return
    lease, ended = Lease(stores, key, owner, Event()), Event()
    heart = Thread(target=_beat, args=(lease, ended, settings.job_lease_s / RENEWALS), daemon=True)
    heart.start()
    try:
        with disk_outages(f"LAWFUL_HOME={settings.home}, or the folder for temporary files"):
            yield lease
    except Exception as error:
        with suppress(BackendUnavailable):  # then the lease runs out
            if isinstance(error, BackendUnavailable):
                lease.give_back(str(error))
            elif isinstance(error, LawfulError):
                lease.bury(str(error))
            else:
                lease.fail(said_by(error))
        raise
    finally:
        ended.set()
        heart.join()


def could_not_begin(stores: Stores, key: BatchKey, error: Exception) -> None:
    """Note on a batch why this process cannot run it; anything but an outage counts as a try."""
    with leased(stores, key) as lease:
        if lease is None:
            return
        if isinstance(error, BackendUnavailable):
            lease.give_back(str(error))
        else:
            lease.fail(said_by(error))


def give_back_own(stores: Stores, key: BatchKey) -> None:
    """Give a batch back that an outage has kept this process from giving back."""
    with stores.sessions.begin() as session:
        queries.give_back_unended(session, key, process=this_process())


def this_process() -> str:
    """Return how the owners of this process's leases begin."""
    return f"{socket.gethostname()}/{os.getpid()}/"


def said_by(error: Exception) -> str:
    """Return what an error says; one that is not ours with its kind."""
    return str(error) if isinstance(error, LawfulError) else f"{type(error).__name__}: {error}"


def _beat(lease: Lease, ended: Event, every_s: float) -> None:
    while not ended.wait(every_s):
        with suppress(BackendUnavailable):  # perhaps the next beat gets through in time
            if not lease.renew():
                lease.lost.set()
                return
