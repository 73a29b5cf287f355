"""The right to run one task: taken, kept alive while it runs, ended with what became of it.

SQL holds it, not the broker: a process that dies says nothing, and its lease runs out.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Thread
from uuid import uuid4

from sqlalchemy.orm import Session

from attribution.catalogue import queries
from attribution.catalogue.queries import TaskKey
from attribution.collection import Stores
from attribution.errors import BackendUnavailable, LawfulError, ShortOfMemory
from attribution.outages import disk_outages
from ingest.endings import clear_up

RENEWALS = 3  # of a lease before it would run out


@dataclass
class Lease:
    """The right to run one task, kept alive by `holding`."""

    stores: Stores
    key: TaskKey
    owner: str
    lost: Event = field(default_factory=Event)
    has_ended: bool = False

    @property
    def is_lost(self) -> bool:
        """Whether another may have it by now, or what it is for was cancelled: stop."""
        return self.lost.is_set()

    def renew(self) -> None:
        """Keep the lease for its time from now on; learn whether it is lost."""
        with self.stores.sessions.begin() as session:
            lease_s = self.stores.settings.job_lease_s
            if not queries.renew_task(session, self.key, owner=self.owner, lease_s=lease_s):
                self.lost.set()

    def hold(self, *, begun: int, alone: int | None = None) -> None:
        """Note which files are about to be read, in case one of them ends this process."""
        with self.stores.sessions.begin() as session:
            queries.hold_files(session, self.key, owner=self.owner, begun=begun, alone=alone)

    def finish(self, also: Callable[[Session], None] = lambda _: None) -> None:
        """Note that the task is done, and `also` what came of it; neither where it is lost."""
        with self.stores.sessions.begin() as session:
            if queries.finish_task(session, self.key, owner=self.owner):
                also(session)
                queries.settle(session, self.key)
        self._end()

    def give_back(self, error: str | None = None) -> None:
        """Let another go on."""
        with self.stores.sessions.begin() as session:
            queries.give_back(session, self.key, owner=self.owner, error=error)
        self.has_ended = True

    def bury(self, error: str) -> None:
        """Note that another try would not help."""
        with self.stores.sessions.begin() as session:
            queries.bury_task(session, self.key, owner=self.owner, error=error)
        self._end()

    def fail(self, error: str) -> None:
        """Note a failure that another try may not meet."""
        with self.stores.sessions.begin() as session:
            queries.fail_task(session, self.key, owner=self.owner, error=error)
        self._end()

    def _end(self) -> None:
        self.has_ended = True
        clear_up(self.stores, self.key)


@contextmanager
def holding(stores: Stores, key: TaskKey) -> Iterator[Lease | None]:
    """Hold the lease of a task during the block; None if the lease is unavailable.

    A block that does not finish the task gives it back, as an outage inside does; another error of
    ours buries it, a defect or too little memory fails it.
    """
    lease = Lease(stores, key, owner=f"{this_process()}{uuid4().hex[:8]}")
    lease_s = stores.settings.job_lease_s
    with stores.sessions.begin() as session:
        is_taken = queries.claim_task(session, key, owner=lease.owner, lease_s=lease_s)
    if not is_taken:
        yield None
        return
    ended = Event()
    heart = Thread(target=_beat, args=(lease, ended, lease_s / RENEWALS), daemon=True)
    heart.start()
    try:
        with disk_outages(f"LAWFUL_HOME={stores.settings.home}"):
            yield lease
            if not lease.has_ended:
                lease.give_back()
    except Exception as error:
        with suppress(BackendUnavailable):  # then the lease runs out
            _note(lease, error)
        raise
    finally:
        ended.set()
        heart.join()


def could_not_begin(stores: Stores, key: TaskKey, error: Exception) -> None:
    """Note on a task why this process cannot run it; anything but an outage counts as a try."""
    with holding(stores, key) as lease:
        if lease is None:
            return
        if isinstance(error, BackendUnavailable):
            lease.give_back(str(error))
        else:
            lease.fail(said_by(error))


def give_back_own(stores: Stores, key: TaskKey) -> None:
    """Give a task back that an outage has kept this process from giving back."""
    with stores.sessions.begin() as session:
        queries.give_back_unended(session, key, process=this_process())


def this_process() -> str:
    """Return how the owners of this process's leases begin."""
    return f"{socket.gethostname()}/{os.getpid()}/"


def said_by(error: Exception) -> str:
    """Return what an error says; one that is not ours with its kind."""
    return str(error) if isinstance(error, LawfulError) else f"{type(error).__name__}: {error}"


def _note(lease: Lease, error: Exception) -> None:
    if isinstance(error, BackendUnavailable):
        lease.give_back(str(error))
    elif isinstance(error, LawfulError) and not isinstance(error, ShortOfMemory):
        lease.bury(str(error))
    else:
        lease.fail(said_by(error))


def _beat(lease: Lease, ended: Event, every_s: float) -> None:
    while not ended.wait(every_s) and not lease.is_lost:
        with suppress(BackendUnavailable):  # perhaps the next beat gets through in time
            lease.renew()
