"""What a source and its files say of consent, as statements about works."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from attribution.catalogue.queries import Statement
from attribution.consents import Answer, ConsentPurpose, ConsentSource
from ingest.picture import Picture
from ingest.sources import SourceItem


def statements(item: SourceItem, job_id: UUID, work: UUID) -> Iterator[Statement]:
    """Yield what the source of a work says, one for each purpose that it names."""
    for purpose in ConsentPurpose:
        if said := item.said_of(purpose):
            one = Statement(purpose, *said, by="", document=item.document)
            yield one.of_job(job_id, work)


def statements_of_file(picture: Picture, job_id: UUID, work: UUID) -> Iterator[Statement]:
    """Yield what a file forbids itself, with the words that say so."""
    for purpose, because in picture.forbids.items():
        no, where = Answer.DENY, ConsentSource.METADATA
        one = Statement(ConsentPurpose(purpose), no, where, by="", document=because)
        yield one.of_job(job_id, work)
