"""The kinds of problems in one table: what the API promises of its errors.

Error answers, their description in `/openapi.json` and the pages under `/problems/` all read it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from attribution.errors import LawfulError


@dataclass(frozen=True)
class Kind:
    """One kind of problem."""

    status: int
    when: str  # what has happened
    remedy: str  # what the caller can do


KINDS = {
    "bad-request": Kind(
        400,
        "a form that cannot be read",
        "Send a form as RFC 7578 describes it, with its boundary.",
    ),
    "unauthenticated": Kind(
        401,
        "no key or token, or one that is unknown, expired, revoked or altered",
        "Send `Authorization: Bearer lk_…`; whoever administers the service makes keys. Where it "
        "has an OpenID provider, send a new token of that.",
    ),
    "cross-site-request": Kind(
        403,
        "a page of another site wants to change something",
        "Ask from a program with a key, or have the site's name added to LAWFUL_ALLOWED_HOSTS.",
    ),
    "not-allowed": Kind(
        403,
        "rights, consent or the artists that a key is kept to forbid it, it is a case of one's "
        "own, or no group of a token has a role",
        "The consent of the work has to change first, or another key or person is needed.",
    ),
    "scope-missing": Kind(
        403,
        "the key or role is for other things; `detail` names the scope",
        "Ask whoever administers the service for the scope that `detail` names.",
    ),
    "not-found": Kind(404, "no such path, id or slug", "Lists show the ids and slugs there are."),
    "method-not-allowed": Kind(
        405, "a path that has no such method", "The header `Allow` names the methods it has."
    ),
    "request-timeout": Kind(
        408,
        "a body that does not arrive, or too slowly",
        "Send it again over a faster connection, or in smaller parts.",
    ),
    "conflict": Kind(
        409,
        "the present state does not allow it, or a quota is used up",
        "Read the state again; `detail` says what stands in the way.",
    ),
    "precondition-failed": Kind(
        412,
        "an edit of what has changed since it was read",
        "Read it again, see what has changed, and send the edit with its new `ETag`.",
    ),
    "too-large": Kind(
        413,
        "a limit on bytes or files; counted while it arrives",
        "Send less at once, or have the limit that `detail` names raised.",
    ),
    "misdirected-request": Kind(
        421,
        "called by a name that is not the API's",
        "Use an address, localhost or a name in LAWFUL_ALLOWED_HOSTS.",
    ),
    "invalid-request": Kind(
        422,
        "a field that is missing or of the wrong kind, a parameter that the path does not have; "
        "`errors` says which",
        "Correct the fields that `errors` lists.",
    ),
    "bad-input": Kind(422, "input that cannot be used", "`detail` names the value and a way out."),
    "bad-image": Kind(
        422,
        "no image, or one over a limit; `reason` is a keyword",
        "Send an image in a format that can be read; `detail` says what is wrong with this one.",
    ),
    "key-was-used": Kind(
        422,
        "an Idempotency-Key that was sent with another request",
        "Send a new key with a new request, and the same one only with the same request.",
    ),
    "too-many": Kind(
        429,
        "a limit on requests was passed, or a queue is full",
        "Try again after the seconds in `Retry-After`.",
    ),
    "record-altered": Kind(
        500,
        "a record does not say what it said when it was made",
        "Whoever runs the service looks for who has altered the database; waiting does not help.",
    ),
    "database-damaged": Kind(
        500,
        "the database's file cannot be read; it needs a backup",
        "Whoever runs the service restores a backup. Waiting does not help.",
    ),
    "index-damaged": Kind(
        500,
        "the files of the index are damaged",
        "Whoever runs the service rebuilds the index with `lawful reindex`. Waiting does not help.",
    ),
    "internal-error": Kind(
        500,
        "a defect; the server's log says more",
        "Report it with the header `X-Request-Id` of the answer, by which the log is searched.",
    ),
    "key-refused": Kind(
        503,
        "a server that this service uses wants another key",
        "Whoever runs the service sets the key that `detail` names. Waiting does not help.",
    ),
    "model-unavailable": Kind(
        503,
        "weights that cannot be reached, or too little memory for a model",
        "Whoever runs the service fetches the weights or makes room, as `detail` says.",
    ),
    "backend-unavailable": Kind(
        503,
        "database, index or file store cannot be used now: not running, locked, read-only, all "
        "connections busy, too many or too large pictures in work; `detail` names the cause; try "
        "again",
        "Try again after the seconds in `Retry-After`.",
    ),
    "insufficient-storage": Kind(
        507,
        "a disk is full; `detail` names the folder: make room, then try again",
        "Whoever runs the service makes room in the folder that `detail` names.",
    ),
}


def kind_of(error: LawfulError) -> str:
    """Return the kind of an error: that of its class, or of the nearest one above it."""
    names = (re.sub(r"(?<=.)(?=[A-Z])", "-", one.__name__).lower() for one in type(error).__mro__)
    return next((name for name in names if name in KINDS), "internal-error")


def title(kind: str) -> str:
    """Return a kind in words: "Bad image"."""
    return kind.replace("-", " ").capitalize()
