"""Compare catalogue, index and classifier, and repair: SQL is the truth, the rest is derived.

What differs between the works and their points is found by `comparison`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from attribution.catalogue import lifecycle, queries
from attribution.catalogue.models import Artist, Artwork, ArtworkStatus
from attribution.catalogue.nobody import nobody
from attribution.catalogue.queries import KeptSketch, Origin
from attribution.catalogue.queries.contacts import count_expired_contacts
from attribution.catalogue.queries.documents import count_expired_documents
from attribution.collection import Collection, Stores
from attribution.copies.description import describe
from attribution.errors import BadImage, Conflict, NotFound
from attribution.images import read_image
from attribution.points import write_points
from attribution.types import Part
from attribution.upkeep import contacts, documents, subjects
from attribution.upkeep.comparison import compare, follow_catalogue
from attribution.upkeep.consents import follow_due
from attribution.upkeep.correction import check_nothing_comes
from attribution.upkeep.correction import finish as finish_changes
from attribution.upkeep.holds import end_those_that_are_over
from attribution.upkeep.ledger import lost
from attribution.upkeep.rebuilding import rebuild_all
from attribution.upkeep.recovery import Recovered, recover
from attribution.upkeep.rolling import differing_vectors, verify_on
from attribution.upkeep.tenants import for_each
from attribution.upkeep.withdrawal import do_again, finish

SKETCHES_AT_ONCE = 100
SHOWN = 20  # ids of each kind in a report
BY_NAME = Origin("reconcile", "the name means nobody")


@dataclass(frozen=True)
class Report:
    """What was compared and what differed; ids are the first few of each kind."""

    works: int
    points: int
    missing: int  # works without a point
    orphaned: int  # points without a work
    stale: int  # points that say something else than the catalogue
    different: int  # of a sample of works: whose vectors are stored otherwise than they are kept
    wrong_parts: int  # works of whose parts the index has too few points, or too many
    miscounted: int  # artists whose number of works was wrong
    misheld: int  # tenants of whom it was counted wrong what they hold
    unfinished_withdrawals: int
    lost_withdrawals: int  # that a restored backup is older than: done again
    unfinished_changes: int  # corrections that the index does not follow yet
    called_as_nobody: int  # artists of an earlier version whose names mean nobody
    statistics: int  # artists of whom the classifier does not know what the catalogue does
    encoded: int  # of the missing: whose vectors were made from their originals
    unencoded: int  # of the missing: left alone; ingest them again to have them encoded
    lost: int  # of the missing: no vectors are left at all; ingest them again
    unsketched: int  # works whose altered copies are not recognised
    untiled: int  # strips of an earlier version, whose panels are not recognised: ingest them again
    expired: int  # images that were asked about and whose time is over: they go
    contacts: int  # of parties of cases, whose time is over: they go
    documents: int  # of closed cases, whose time is over: they go
    turned: int  # statements of consent that began or ended: their works follow
    wrong_images: int  # of the next ones that are kept: without a file; and files without a row
    altered: int  # records that do not say what was recorded, as far as they were looked at
    repaired: bool
    examples: dict[str, list[str]]

    @property
    def is_clean(self) -> bool:
        """Whether nothing differed."""
        return not (
            self.missing
            + self.orphaned
            + self.stale
            + self.different
            + self.wrong_parts
            + self.miscounted
            + self.misheld
            + self.unfinished_withdrawals
            + self.lost_withdrawals
            + self.unfinished_changes
            + self.called_as_nobody
            + self.statistics
            + self.wrong_images
            + self.altered
        )

    def __add__(self, other: Report) -> Report:
        """Return the report on what both are about."""
        numbers = {
            name: value + getattr(other, name)
            for name, value in vars(self).items()
            if isinstance(value, int) and not isinstance(value, bool)
        }
        examples = {
            kind: [*ids, *other.examples[kind]][:SHOWN] for kind, ids in self.examples.items()
        }
        return replace(self, **numbers, examples=examples)

    def as_json(self) -> dict[str, Any]:
        """Return the object that `lawful reconcile --json` prints."""
        return asdict(self) | {"clean": self.is_clean}


def reconcile(collection: Collection, *, repair: bool) -> Report:
    """Compare every indexed work of every tenant with its point; mend what differs on `repair`.

    Missing and stale points are written from the kept vectors, and so are those of parts, and those
    whose stored vectors differ (a sample, see `rolling`); orphaned
    ones are deleted, counts set right, the classifier's statistics mended, interrupted withdrawals
    and corrections finished, sketches for the copy lane drawn from kept pictures. Withdrawals that
    a restored backup knows nothing of are done again (`ledger`). A work without
    vectors of this collection's encoders is encoded from its original, or left alone (`recovery`).
    Works follow statements of consent that begin or end (`consents`).
    Holds end when their time is over (`holds`).
    Images that were asked about are deleted when their time is over, and compared with their files,
    some at a time (`subjects`); how parties of cases can be reached goes likewise (`contacts`),
    and so do documents of closed cases (`documents`).
    Artists of an earlier version whose names mean nobody become one, which can be undone. Records
    are verified by the audit, some at a time (`rolling`); what was altered cannot be mended. Works
    without a sketch, and strips without tiles, are told and are no difference: they may have no
    picture to draw from, until they are ingested again.
    """
    found = for_each(collection, lambda: _reconcile(collection, repair=repair))
    believed = verify_on(collection, goes_on=repair)
    whole = sum(found[1:], found[0])
    examples = whole.examples | {"altered": believed.told[:SHOWN]}
    return replace(whole, altered=believed.faults, examples=examples)


def _reconcile(collection: Collection, *, repair: bool) -> Report:
    """Compare what the tenant has; records are verified for all of them together."""
    with collection.sessions() as session:
        wrong_counts = queries.miscounted(session)
        is_held_right = queries.is_held_right(session)
        withdrawals = queries.unfinished_withdrawals(session)
        changes = queries.unfinished_changes(session)
        unsketched = queries.count_without_sketch(session)
        nameless = queries.called_as_nobody(session)
        expired = queries.count_expired(session)
        lapsed = count_expired_contacts(session)
        old_documents = count_expired_documents(session)
        turned = queries.count_due_consents(session)
    forgotten = lost(collection)
    if repair:
        for one in forgotten:
            do_again(collection, one)
    found, recovered = compare(collection), Recovered()
    different = differing_vectors(collection, repair=repair)
    if repair:
        write_points(collection, different)
        recovered = recover(collection, follow_catalogue(collection, found))
        with collection.sessions.begin() as session:
            lifecycle.recount(session, queries.miscounted(session))
            lifecycle.recount_held(session)
    statistics = rebuild_all(collection, repair=repair)
    wrong_images = subjects.compare(collection, repair=repair)
    if repair:
        finish(collection, withdrawals, has_time=True)
        finish_changes(collection, changes)
        join_nobody(collection, nameless)
        unsketched -= draw_sketches(collection)
        end_those_that_are_over(collection)
        expired = subjects.forget_expired(collection)
        lapsed = contacts.forget_expired(collection)
        old_documents = documents.forget_expired(collection)
        turned = follow_due(collection)
        collection.index.flush()
    return Report(
        works=found.works,
        points=found.points,
        missing=len(found.missing),
        orphaned=len(found.orphaned),
        stale=len(found.stale),
        different=len(different),
        wrong_parts=len(found.wrong_parts),
        miscounted=len(wrong_counts),
        misheld=int(not is_held_right),
        unfinished_withdrawals=len(withdrawals),
        lost_withdrawals=len(forgotten),
        unfinished_changes=len(changes),
        called_as_nobody=len(nameless),
        statistics=statistics,
        **asdict(recovered),
        unsketched=unsketched,
        untiled=found.untiled,
        expired=expired,
        contacts=lapsed,
        documents=old_documents,
        turned=turned,
        wrong_images=wrong_images,
        altered=0,
        repaired=repair,
        examples={
            name: [str(one) for one in ids[:SHOWN]]
            for name, ids in (
                ("missing", found.missing),
                ("orphaned", found.orphaned),
                ("stale", found.stale),
                ("different", different),
                ("wrong_parts", found.wrong_parts),
            )
        },
    )


def join_nobody(collection: Collection, artists: Sequence[Artist]) -> None:
    """Merge artists whose names mean nobody into the row that stands for it.

    One whose works are on their way in waits for the next time.
    """
    for artist in artists:
        with suppress(Conflict), collection.sessions.begin() as session:
            check_nothing_comes(session, artist)
            into = queries.get_or_create_nobody(session)
            queries.merge_artists(session, artist.id, into.id, BY_NAME)
    with collection.sessions() as session:
        finish_changes(collection, queries.unfinished_changes(session, artist_id=nobody()))


def draw_sketches(stores: Stores) -> int:
    """Draw the missing sketches of works from their originals or thumbnails; returns how many."""
    after, drawn = None, 0
    while True:
        with stores.sessions() as session:
            rows = queries.works_without_sketch(session, after=after, limit=SKETCHES_AT_ONCE)
        if not rows:
            return drawn
        made = {part: kept for row in rows for part, kept in _drawn(stores, row).items()}
        with stores.sessions.begin() as session:
            works = {part.work for part in made}
            found = queries.artworks_by_id(session, works, status=ArtworkStatus.INDEXED)
            queries.keep_sketches(session, made)
        after, drawn = rows[-1].id, drawn + len(found)


def _drawn(stores: Stores, row: Artwork) -> dict[Part, KeptSketch]:
    """Describe a work by what is kept of it; a thumbnail may show no parts."""
    for picture in (stores.store.original, stores.store.thumbnail):
        try:
            drawn = describe(row.id, read_image(picture(row.sha256), stores.limits))
        except (BadImage, NotFound):
            continue
        whole = Part(row.id, 0)
        return drawn | {whole: replace(drawn[whole], phash=row.phash)}
    return {}
