"""What a source says otherwise than before of works that are known, and what of it is followed.

Stricter is followed at once. Freer is asked for: a consent that was not granted, a licence that
lets people do more. What a person has corrected stays, but for a consent that is taken back.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.catalogue import queries
from attribution.catalogue.freedoms import is_freer
from attribution.catalogue.models import Artwork, Change, IngestJob
from attribution.catalogue.queries import Standing, Statement
from attribution.consents import Answer, ConsentSource
from attribution.images import forbidden_by
from ingest.consents import statements
from ingest.reading import Prepared

ASKED = "would become freer"
PERSON = ConsentSource.PERSON
FREER = "ingest it with --allow-freer to agree"


@dataclass(frozen=True)
class Corrections:
    """By work: columns that are followed, and columns that wait for somebody to agree."""

    followed: Mapping[UUID, dict[str, Any]] = field(default_factory=dict)
    asked: Mapping[UUID, dict[str, Any]] = field(default_factory=dict)
    # What is followed of consent, and what agrees with a default that nobody had confirmed.
    consents: Sequence[Statement] = ()


def corrections(
    session: Session,
    job: IngestJob,
    few: Sequence[Prepared],
    new: Mapping[str, Artwork],
    given: Mapping[UUID, str],
) -> Corrections:
    """Return what is said of works by their own artist; the first file of a job counts.

    `new` are the works of these files that were not known when they were read, by hash; `given` are
    works of nobody that have just become an artist's, by name. Where consent is taken back a
    refused file is heard too: by the work's artist, and of a work of nobody, by whomever it is.
    """
    known = [
        (done, row) for done in few if (row := done.known or new.get(done.sha256 or "")) is not None
    ]
    # Most works of a job are new and come once: what their file says was just written into them.
    times = Counter(row.id for _, row in known)
    known = [
        (done, row)
        for done, row in known
        if done.known or times[row.id] > 1 or _says_otherwise(done, row)
    ]
    rows = {row.id: row for _, row in known}
    own = [(done, row) for done, row in known if given.get(row.id, row.artist.name) == done.artist]
    heard = {row.id for _, row in own} | {row.id for row in rows.values() if row.artist.is_nobody}
    first: dict[UUID, dict[str, Any]] = {}
    for done, row in own:
        if not done.refused:
            first.setdefault(row.id, done.work.item.corrections)
    denied: dict[UUID, dict[str, Any]] = defaultdict(dict)
    for done, row in known:
        if row.id in heard:
            denied[row.id] |= done.work.item.denials
    said = {work: first.get(work, {}) | no for work, no in denied.items()}
    for work in queries.spoken_for(session, job.id, said.keys()):
        said[work] = {name: value for name, value in said[work].items() if value is False}
    by_hand = queries.corrected_by_hand(session, said.keys())
    stands = queries.standing_consents(session, [rows[work] for work in said])
    for work, named in stands.items():
        people = {one for one, said in named.items() if said and said.source == PERSON}
        by_hand.setdefault(work, set()).update(f"consent_{one}" for one in people)
    parts = {
        work: divided(rows[work], told, by_hand.get(work, ()), allow_freer=job.allow_freer)
        for work, told in said.items()
    }
    consents = [
        one
        for done, row in reversed(known)  # of several that say the same, the first counts
        if row.id in said
        for one in statements(done.work.item, job.id, row.id)
        if _is_taken(one, row, parts[row.id][0], stands[row.id])
        and said[row.id].get(f"consent_{one.purpose}") is (one.answer == Answer.ALLOW)
    ]
    return Corrections(
        {work: followed for work, (followed, _) in parts.items() if followed},
        {work: asked for work, (_, asked) in parts.items() if asked},
        list({one.id: one for one in consents}.values()),
    )


def _says_otherwise(done: Prepared, row: Artwork) -> bool:
    said = done.work.item.corrections | done.work.item.denials
    return any(getattr(row, name) != value for name, value in said.items())


def _is_taken(one: Statement, row: Artwork, followed: Mapping[str, Any], stands: Standing) -> bool:
    """Tell whether a statement is followed, or the first to say what holds by default."""
    name, may = f"consent_{one.purpose}", one.answer == Answer.ALLOW
    if name in followed:
        return followed[name] is may
    return stands[one.purpose] is None and getattr(row, name) is may


def divided(
    row: Artwork, said: Mapping[str, Any], by_hand: Sequence[str] | set[str], *, allow_freer: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Divide what is said of a work into what is followed and what is asked for."""
    forbidden = {f"consent_{purpose}" for purpose in forbidden_by(row.facts, row.rights)}
    followed, asked = dict[str, Any](), dict[str, Any]()
    for name, value in said.items():
        if getattr(row, name) == value or (value is not False and name in by_hand):
            continue
        if value is True and name in forbidden:  # the file's own no outweighs every yes
            continue
        (followed if allow_freer or not _frees(row, name, value) else asked)[name] = value
    return followed, asked


def _frees(row: Artwork, name: str, value: Any) -> bool:
    if name == "licence":
        return is_freer(value, row.licence)
    return name.startswith("consent_") and value is True


def told(change: Change) -> str:
    """Return in words what a correction has changed."""
    return "; ".join(
        f"{name}: {_shown(change.before.get(name))} → {_shown(new)}"
        for name, new in change.after.items()
    )


def shown(changes: Mapping[str, Any], row: Artwork) -> str:
    """Return changes of a work in words: what is now, and what it would be."""
    return "; ".join(
        f"{name}: {_shown(getattr(row, name))} → {_shown(new)}" for name, new in changes.items()
    )


def _shown(value: Any) -> str:
    if value is None or value == []:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else f"“{value}”"
