"""Who was refused what, for the audit: counted by caller, and written by a thread of its own.

The first refusal of a caller is written at once; while more come, one entry a minute says which and
how many. So neither a flood of wrong keys fills the disk, nor does any request wait for an entry.
"""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Condition, Lock, Thread
from uuid import UUID

from attribution.actors import Actor, acting
from attribution.catalogue import chain, queries
from attribution.collection import Stores
from attribution.tenants import within

log = logging.getLogger(__name__)

EVERY_S = 60.0
MOST_STRANGERS = 20  # callers that nobody knows who have entries of their own in a minute
MOST_KNOWN = 200  # callers of a tenant that are known
OTHERS = "other callers"  # in whose name the rest is counted
MOST_DIFFERENT = 10  # refusals of a caller that are told apart in a minute
ELSE = "something else"  # what the rest asked for
MOST_UNSEEN = 1_000  # requests for ids that nothing has which wait to be looked at
OTHER_TENANT = "other-tenant"


@dataclass(frozen=True)
class Caller:
    """Who was refused something."""

    name: str  # as records show it: a key, a person, or an address
    tenant: str  # in whose audit it is
    is_stranger: bool  # anybody can be one, and any number of them


@dataclass(frozen=True)
class Refused:
    """What was asked for, in the program's own words, and the keyword of why that may not be."""

    asked: str
    why: str


@dataclass
class _Window:
    """What is counted of one caller until it is written."""

    due_s: float
    counted: Counter[Refused] = field(default_factory=Counter)


class Refusals:
    """Counts what is refused; `write` has it recorded."""

    def __init__(self, stores: Stores) -> None:
        self.tenant = stores.settings.tenant  # whose audit says what strangers tried
        self._sessions = stores.sessions
        self._windows: dict[Caller, _Window] = {}
        self._unseen: list[tuple[Caller, str, Collection[UUID]]] = []
        self._changed, self._is_closing = Condition(), False
        self._writing = Lock()

    def note(self, caller: Caller, refused: Refused) -> None:
        """Count a refusal; returns at once."""
        with self._changed:
            caller = self._within_limits(caller)
            window = self._windows.setdefault(caller, _Window(time.monotonic()))
            if refused not in window.counted and len(window.counted) >= MOST_DIFFERENT:
                refused = replace(refused, asked=ELSE)
            window.counted[refused] += 1
            self._changed.notify()

    def note_unknown(self, caller: Caller, asked: str, ids: Collection[UUID]) -> None:
        """Have it looked whether ids that the caller's tenant does not have are another's."""
        with self._changed:
            if len(self._unseen) < MOST_UNSEEN:
                self._unseen.append((caller, asked, ids))
                self._changed.notify()

    def run(self) -> None:
        """Record what is due until `close` is called, and then the rest."""
        while self._wait():
            self.write(only_due=True)
        self.write()

    def close(self) -> None:
        """End `run`."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()

    def write(self, *, only_due: bool = False) -> None:
        """Record what was counted, an entry a caller; what cannot be recorded is counted on."""
        with self._writing:
            for caller, asked, ids in self._take_unseen():
                if self._are_of_another(caller, ids):
                    # Its own tenant is not to learn from its audit what others have.
                    self.note(replace(caller, tenant=self.tenant), Refused(asked, OTHER_TENANT))
            for caller, counted in self._take(only_due=only_due).items():
                try:
                    self._record(caller, counted)
                except Exception:
                    log.exception("refusals of %s are recorded later", caller.name)
                    with self._changed:
                        self._windows.setdefault(caller, _Window(_later())).counted += counted

    def _wait(self) -> bool:
        """Return True as soon as something is to be done, False when it is over."""
        with self._changed:
            while not self._is_closing:
                first = min((one.due_s for one in self._windows.values()), default=math.inf)
                pause_s = first - time.monotonic()
                if self._unseen or pause_s <= 0:
                    return True
                self._changed.wait(None if pause_s == math.inf else pause_s)
            return False

    def _within_limits(self, caller: Caller) -> Caller:
        if caller in self._windows:
            return caller
        kind = caller.tenant, caller.is_stranger
        alike = sum((one.tenant, one.is_stranger) == kind for one in self._windows)
        most = MOST_STRANGERS if caller.is_stranger else MOST_KNOWN
        return caller if alike < most else replace(caller, name=OTHERS)

    def _take_unseen(self) -> list[tuple[Caller, str, Collection[UUID]]]:
        with self._changed:
            taken, self._unseen = self._unseen, []
            return taken

    def _take(self, *, only_due: bool) -> dict[Caller, Counter[Refused]]:
        """Take what is to be written; a caller who was quiet for a whole minute is forgotten."""
        taken: dict[Caller, Counter[Refused]] = {}
        with self._changed:
            for caller, window in list(self._windows.items()):
                if only_due and window.due_s > time.monotonic():
                    continue
                if window.counted:
                    taken[caller] = window.counted
                    self._windows[caller] = _Window(_later())
                else:
                    del self._windows[caller]
        return taken

    def _are_of_another(self, caller: Caller, ids: Collection[UUID]) -> bool:
        try:
            with self._sessions() as session:
                return queries.are_of_another(session, ids, caller.tenant)
        except Exception:
            log.exception("whose ids %s has asked for is not known", caller.name)
            return False

    def _record(self, caller: Caller, counted: Counter[Refused]) -> None:
        said = [
            {"asked": one.asked, "why": one.why, "times": times}
            for one, times in sorted(counted.items(), key=lambda item: (item[0].asked, item[0].why))
        ]
        with (
            acting(Actor(caller.name)),
            within(caller.tenant),
            self._sessions.begin() as session,
        ):
            chain.note(session, chain.REFUSE, refused=said)


@contextmanager
def recorded(stores: Stores) -> Iterator[Refusals]:
    """Have refusals recorded in a thread, all of them by the end of the block."""
    refusals = Refusals(stores)
    thread = Thread(target=refusals.run, name="refusals", daemon=True)
    thread.start()
    try:
        yield refusals
    finally:
        refusals.close()
        thread.join()


def _later() -> float:
    return time.monotonic() + EVERY_S
