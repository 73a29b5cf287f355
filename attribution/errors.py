"""Every error that a user can meet, as one tree with the HTTP status beside it.

LawfulError 500
├── BadInput 422            the caller sent something we cannot use
│   ├── AddressRefused      a server that is not to be reached from here
│   ├── BadImage            not an image, or one that breaks a limit
│   ├── NotFetched          a URL whose picture cannot be had
│   └── TooLarge 413        a limit on bytes was passed
├── AccessRefused           who asks may not; the audit says who it was, and why
│   ├── Unauthenticated 401     nobody knows who asks: no key, or one that does not hold
│   │   └── InvalidToken        a token of an OpenID provider that does not hold
│   └── NotAllowed 403          rights, consent or the caller's key forbid it
│       └── ScopeMissing        the caller's key, or role, is for other things
├── NotFound 404
├── Conflict 409            the state does not allow it (another profile, another process)
│   ├── ProfileMismatch     the collection was made with other encoders
│   ├── IndexLocked         another process owns the index
│   ├── IndexLost           the index is gone, the catalogue is not
│   └── SchemaMismatch      the database belongs to another version
├── TooMany 429             a queue is full, or a limit on requests was passed; later again
├── RecordAltered 500       a record does not say what it said when it was made
├── DatabaseDamaged 500     the database's file cannot be read; waiting does not help
├── IndexDamaged 500        the files of the index are damaged; `lawful reindex` makes it anew
├── KeyRefused 503          a server wants another key; waiting does not help
├── ModelUnavailable 503    weights that cannot be reached
│   └── ShortOfMemory       a loaded model had no memory for one image; a later try may have it
└── BackendUnavailable 503  database, index or broker does not answer; worth a retry
    ├── InsufficientStorage 507  a disk is full; a retry helps once there is room
    └── ProfileChanged      the collection has other encoders than this process; another has them

A message names the value and the way out. Where the way out is a command here and a route there,
the error has a hint, which each door says in its own words. Nothing here knows HTTP beyond a
number.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Way(Enum):
    """What a user may do next; every door has its own words for it (`api.hints`)."""

    INGEST = auto()
    ADD = auto()
    LIST_ARTISTS = auto()
    LIST_WORKS = auto()
    LIST_WORKS_OF = auto()  # slug
    LIST_JOBS = auto()
    LIST_ANSWERS = auto()
    LIST_LOOKUP_BATCHES = auto()
    LIST_CHANGES = auto()
    LIST_CHANGES_OF_ARTIST = auto()  # slug
    LIST_CHANGES_OF_WORK = auto()  # id
    LIST_NON_COPIES = auto()
    LIST_SUBJECTS = auto()
    LIST_CONSENTS = auto()
    LIST_CASES = auto()
    LIST_WATCHES = auto()
    UNDO_FOR_WORKS = auto()  # slug of the artist who got them
    GIVE_WORKS = auto()
    MERGE = auto()  # slugs: who goes, who remains
    CONFIRM_MERGE = auto()
    WITHDRAW = auto()  # id of a work
    REINSTATE = auto()
    DECLARE_NON_COPY = auto()
    REVOKE_NON_COPY = auto()  # its id


@dataclass(frozen=True)
class Hint:
    """A way out, and what it is about."""

    way: Way
    about: tuple[object, ...] = ()


class LawfulError(Exception):
    """Anything that this project raises on purpose."""

    status = 500

    def __init__(self, message: str, *, hint: Hint | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class BadInput(LawfulError):
    """The caller sent something that cannot be used."""

    status = 422


class AddressRefused(BadInput):
    """A server that strangers name, on a network that is not for them."""


class BadImage(BadInput):
    """Bytes that are not an image, or one that breaks a limit.

    `reason` is a stable keyword for scripts and counts, the message is for people.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class NotFetched(BadInput):
    """A URL whose picture cannot be had; `reason` is a stable keyword."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class TooLarge(BadInput):
    """A limit on bytes was passed."""

    status = 413


class AccessRefused(LawfulError):
    """Who asks may not do this.

    `why` is a stable keyword for the audit. `who` is whom the caller has shown or claimed to be,
    where the error knows that better than the door, and `tenant` to whom these belong.
    """

    why = "not-allowed"

    def __init__(
        self,
        message: str,
        *,
        why: str | None = None,
        who: str | None = None,
        tenant: str | None = None,
    ) -> None:
        super().__init__(message)
        self.why, self.who, self.tenant = why or self.why, who, tenant


class Unauthenticated(AccessRefused):
    """Who asks is not known: they sent no key, or one that does not hold."""

    status = 401
    why = "unauthenticated"


class InvalidToken(Unauthenticated):
    """A token that is not, or no longer, one of the OpenID provider's for this service."""

    why = "invalid-token"


class NotAllowed(AccessRefused):
    """Rights, consent or the caller's key forbid it."""

    status = 403


class ScopeMissing(NotAllowed):
    """The caller's key, or role, is for other things."""

    why = "scope-missing"


class NotFound(LawfulError):
    """An id, slug or path that does not exist."""

    status = 404


class Conflict(LawfulError):
    """The present state does not allow the request."""

    status = 409


class PreconditionFailed(LawfulError):
    """What is to be edited is not as the caller has read it."""

    status = 412


class ProfileMismatch(Conflict):
    """The collection holds vectors of other encoders."""


class IndexLocked(Conflict):
    """Another process owns the index."""


class IndexLost(Conflict):
    """The index is gone while the catalogue has works."""


class DatabaseLost(Conflict):
    """The catalogue has nothing while the index has works."""


class SchemaMismatch(Conflict):
    """The database belongs to another version of the program."""


class TooMany(LawfulError):
    """A queue is full, or a limit on requests was passed: worth another try after a while."""

    status = 429

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RecordAltered(LawfulError):
    """A record does not say what it said when it was made: somebody has altered the database."""


class DatabaseDamaged(LawfulError):
    """The file of the database cannot be read as one. Waiting does not help."""


class IndexDamaged(LawfulError):
    """The files of the index are damaged. Waiting does not help."""


class KeyRefused(LawfulError):
    """A server wants an API key, or another one. Waiting does not help."""

    status = 503


class ModelUnavailable(LawfulError):
    """Weights that cannot be reached."""

    status = 503


class ShortOfMemory(ModelUnavailable):
    """A loaded model had no memory for one image; a later try may have it: cards are shared."""


class BackendUnavailable(LawfulError):
    """Database, index or broker does not answer; worth a retry."""

    status = 503


class InsufficientStorage(BackendUnavailable):
    """A disk is full, or a quota is used up."""

    status = 507


class ProfileChanged(BackendUnavailable):
    """The collection was given other encoders than this process has; another one may go on."""
