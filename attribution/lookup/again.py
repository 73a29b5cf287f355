"""An earlier question, asked today: with the image that was kept of it, as a new answer."""

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
from attribution.images import read_image
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

    `also` is done in the transaction that records it. Raises NotFound, Conflict where the image is
    not kept, or by another key; RecordAltered.
    """
    earlier = attributor.recall(attribution_id)
    with stores.sessions() as session:
        subject, use = queries.subject_of_answer(session, attribution_id)
    if subject is None or use is None or subject.kept is Kept.NOTHING:
        raise Conflict(
            f"answer {attribution_id} cannot be asked for again: {image_kept(subject, use)} Ask "
            f"with the image itself"
        )
    data = read_kept(stores, subject)
    image = read_image(data, stores.limits)
    differences = attributor.differences(attribution_id)
    obtained = Obtained(How.AGAIN, use.purpose, source={"attribution": str(attribution_id)})
    keep = keeping(stores, image, lambda: data, obtained)

    def both(session: Session, answer: Attribution) -> None:
        keep(session, answer)
        also(session, answer)

    return Again(earlier, attributor.attribute(image, limit=limit, also=both), differences)
