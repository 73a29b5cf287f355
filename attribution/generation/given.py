"""A picture that others are made from: whether the file and the work that it shows let it be used.

A no that somebody has said refuses the picture, in the file or of the work. Where nobody was asked
the picture is used and that is said, as of generated near copies; the setting that withholds those
refuses such a picture too.
"""

from __future__ import annotations

from dataclasses import dataclass

from attribution.answers import Attribution
from attribution.catalogue import queries
from attribution.catalogue.models import ArtworkStatus
from attribution.collection import Stores
from attribution.consents import ConsentPurpose, is_allowed
from attribution.errors import NotAllowed
from attribution.images import CheckedImage, ImageFacts
from attribution.lookup import wording
from attribution.lookup.subjects import Obtained

GENERATE = ConsentPurpose.GENERATE
OTHER = "give another picture"


@dataclass(frozen=True)
class Given:
    """A picture that others are to be made from."""

    image: CheckedImage
    data: bytes  # the file as it came
    obtained: Obtained


@dataclass(frozen=True)
class Objection:
    """Why the work that a given picture shows is not to steer generation."""

    says: str
    is_said: bool  # by somebody, of that very work as far as can be told; else nobody was asked


def check_file(facts: ImageFacts) -> None:
    """Raise NotAllowed for a file that forbids to be used, or may forbid it where nobody can read.

    What metadata forbids is read as it is for works that come in.
    """
    if said := facts.forbids.get(GENERATE):
        raise NotAllowed(
            f"the picture that was given forbids this in its metadata ({said}); {OTHER}"
        )
    if facts.credentials.is_unread:
        raise NotAllowed(
            f"the picture that was given has Content Credentials that could not be read "
            f"({facts.credentials.reason}), so they may forbid this; {OTHER}"
        )


def objection_to(stores: Stores, answer: Attribution) -> Objection | None:
    """Return why the work that a picture shows, by an answer, is not to steer generation now."""
    if answer.withdrawn_at:
        return Objection(wording.headline(answer).removesuffix("."), is_said=True)
    work = answer.laid_on
    if work is None:
        return None
    with stores.sessions() as session:
        rows = queries.artworks_by_id(session, [work.id], status=ArtworkStatus.INDEXED)
        if not rows:
            return Objection("the picture that was given shows a withdrawn work", is_said=True)
        said = queries.standing_consents(session, rows.values())[work.id][GENERATE]
    if is_allowed(GENERATE, said):
        return None
    is_sure = answer.copy_of is not None  # else a person has to look whether it is that work
    return Objection(wording.not_steering(work, said), is_said=is_sure and said is not None)
