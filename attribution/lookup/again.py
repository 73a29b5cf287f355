"""An earlier question, asked today: with the image that was kept of it, as a new answer.

Other use cases take the image of an earlier question as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.answers import Attribution
from attribution.catalogue import queries
from attribution.collection import Stores
from attribution.custody import How, Kept
from attribution.errors import Conflict
from attribution.images import CheckedImage, read_image
from attribution.lookup.attributor import Also, Attributor, nothing_else
from attribution.lookup.differences import Difference
from attribution.lookup.subjects import Obtained, keeping, read_kept
from attribution.lookup.wording import image_kept


@dataclass(frozen=True)
class Again:
    """An answer of today beside an earlier one about the same image."""

    earlier: Attribution
    answer: Attribution
    differences: Sequence[Difference]  # of what they rest on


def ask_again(
    stores: Stores,
    attributor: Attributor,
    attribution_id: UUID,
    *,
    limit: int = 5,
    also: Also = nothing_else,
) -> Again:
    """Attribute the image of an earlier answer anew; the new answer is recorded as any other.

    It is as thorough as the earlier one.
    `also` is done in the transaction that records it. Raises NotFound, Conflict where the image is
    not kept, or by another key; RecordAltered.
    """
    earlier = attributor.recall(attribution_id)
    found = image_of(stores, attribution_id)
    differences = attributor.differences(attribution_id)
    keep = keeping(stores, found.image, lambda: found.data, found.obtained)

    def both(session: Session, answer: Attribution) -> None:
        keep(session, answer)
        also(session, answer)

    answer = attributor.attribute(
        found.image, limit=limit, also=both, is_thorough=earlier.is_thorough
    )
    return Again(earlier, answer, differences)


@dataclass(frozen=True)
class KeptImage:
    """The image of an earlier question, as it was kept."""

    image: CheckedImage
    data: bytes
    asked_by: str  # the name of the actor
    obtained: Obtained  # for another question about it


def image_of(stores: Stores, attribution_id: UUID) -> KeptImage:
    """Return the image of an earlier answer.

    Raises Conflict where it is not kept, or by another key; RecordAltered.
    """
    with stores.sessions() as session:
        subject, use = queries.subject_of_answer(session, attribution_id)
    if subject is None or use is None or subject.kept is Kept.NOTHING:
        raise Conflict(
            f"the image of answer {attribution_id} cannot be used again: "
            f"{image_kept(subject, use)} Send the image itself"
        )
    data = read_kept(stores, subject)
    obtained = Obtained(How.AGAIN, use.purpose, source={"attribution": str(attribution_id)})
    return KeptImage(read_image(data, stores.limits), data, use.by, obtained)
