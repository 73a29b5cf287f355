"""What the machine says for a case, by lane: frozen when a subject is added, without titles.

A title could be withdrawn; ids, slugs and figures stay in recorded answers as well.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

from attribution.answers import Attribution, Verdict
from attribution.cases import Lane
from attribution.catalogue.models import Artwork, Claim
from attribution.lookup.wording import lanes

NAMING = (Verdict.ATTRIBUTED, Verdict.CANDIDATES)


@dataclass(frozen=True)
class Finding:
    """A statement of the machine, and what it is about."""

    lane: Lane
    statement: str
    about: dict[str, Any]


def of_answer(answer: Attribution) -> Iterator[Finding]:
    """Yield a finding for each lane in which a recorded answer says something."""
    said = lanes(_without_titles(answer))
    if work := answer.laid_on:
        figures = {"distance": work.distance, "agreement": work.agreement}
        named = {"work": str(work.id), "artist": work.slug, "kind": work.kind, "match": work.match}
        yield Finding(Lane.COPY, said["copy"], named | figures)
    if answer.verdict in NAMING:
        likely = [
            {"artist": one.slug, "share": one.score, "probability": one.probability}
            for one in answer.artists
        ]
        yield Finding(Lane.STYLE, said["style"], {"artists": likely})
    if answer.credentials != "absent":
        yield Finding(Lane.PROVENANCE, said["provenance"], {"credentials": answer.credentials})
    if work and work.also_claimed_by:
        yield _claimed(str(work.id), work.slug, work.also_claimed_by)
    if answer.withdrawn_at:
        yield Finding(
            Lane.RIGHTS,
            f"The bytes of the image were registered until {answer.withdrawn_at:%Y-%m-%d}, when "
            f"the work was withdrawn.",
            {"withdrawn_at": answer.withdrawn_at.isoformat()},
        )


def of_work(work: Artwork, claims: Collection[Claim]) -> Iterator[Finding]:
    """Yield what is said of a work that several artists claim, read with its artist."""
    if claims:
        yield _claimed(str(work.id), work.artist.slug, [one.artist.slug for one in claims])


def _claimed(work: str, registered: str, others: Collection[str]) -> Finding:
    return Finding(
        Lane.RIGHTS,
        f"Work {work} is registered under {registered}; {', '.join(others)} claimed the same file.",
        {"work": work, "registered": registered, "claimed_by": list(others)},
    )


def _without_titles(answer: Attribution) -> Attribution:
    def untitled(work: Any) -> Any:
        return work and replace(work, title=None)

    artists = (replace(one, works=tuple(map(untitled, one.works))) for one in answer.artists)
    return replace(
        answer,
        copy_of=untitled(answer.copy_of),
        related_to=untitled(answer.related_to),
        artists=tuple(artists),
        declared=(),  # their reasons are words of people, and go with a withdrawal
    )
