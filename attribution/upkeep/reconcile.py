"""Compare catalogue, index and classifier, and repair: SQL is the truth, the rest is derived.

What differs between the works and their points is found range by range (`rounds`). What is counted
along is compared with all that it counts (`compare_statistics`). What is due is seen to (`see_to`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from attribution import tenants
from attribution.catalogue import lifecycle, queries
from attribution.catalogue.database import snapshot
from attribution.catalogue.models import Artist
from attribution.catalogue.nobody import nobody
from attribution.catalogue.queries import Origin
from attribution.catalogue.queries.contacts import count_expired_contacts
from attribution.catalogue.queries.documents import count_expired_documents
from attribution.collection import Collection
from attribution.errors import Conflict
from attribution.points import write_points
from attribution.upkeep import contacts, documents, subjects
from attribution.upkeep.archiving import archive_old
from attribution.upkeep.consents import follow_due
from attribution.upkeep.correction import check_nothing_comes
from attribution.upkeep.correction import finish as finish_changes
from attribution.upkeep.holds import end_those_that_are_over
from attribution.upkeep.ledger import lost
from attribution.upkeep.rebuilding import rebuild_all
from attribution.upkeep.report import SHOWN, Report, examples
from attribution.upkeep.rolling import differing_vectors, verify_on
from attribution.upkeep.rounds import Progress, go_round
from attribution.upkeep.tenants import for_each
from attribution.upkeep.thinning import thin_old
from attribution.upkeep.withdrawal import do_again, finish

BY_NAME = Origin("reconcile", "the name means nobody")


def reconcile(
    collection: Collection,
    *,
    repair: bool,
    progress: Progress = lambda _done, _all: None,
) -> Report:
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
    and so do documents of closed cases (`documents`). Answers of long ago move to the file store
    (`archiving`).
    Artists of an earlier version whose names mean nobody become one, which can be undone. Records
    are verified by the audit, some at a time (`rolling`); what was altered cannot be mended. Works
    without a sketch, and strips without tiles, are told and are no difference: they may have no
    picture to draw from, until they are ingested again.

    Interrupted, it goes on where it was when it is called again within a day. Raises Conflict while
    another process does the same.
    """

    def all_of_one() -> Report:
        found = go_round(collection, repair=repair, progress=progress)
        found += compare_statistics(collection, repair=repair)
        return found + see_to(collection, repair=repair)

    return _of_all(collection, all_of_one, repair=repair)


def see_to_all(collection: Collection) -> Report:
    """See to what is due of every tenant, and verify the next records."""
    return _of_all(collection, lambda: see_to(collection, repair=True), repair=True)


def _of_all(collection: Collection, of_one: Callable[[], Report], *, repair: bool) -> Report:
    """Add up what is found of each tenant; records are verified for all of them together."""
    whole = sum(for_each(collection, of_one), Report(repaired=repair))
    believed = verify_on(collection, goes_on=repair)
    told = whole.examples | {"altered": believed.told[:SHOWN]}
    return replace(whole, altered=believed.faults, examples=told)


def compare_statistics(collection: Collection, *, repair: bool) -> Report:
    """Compare what is counted along with what it counts: reads every kept vector of the tenant.

    In a snapshot, some at a time; what differs is added afterwards, so nobody waits meanwhile.
    Raises Conflict while another process does the same: both would add it.
    """
    with collection.sessions() as holder:
        if not queries.take_turn(holder, f"count {tenants.current()}"):
            raise Conflict("another process counts again; wait for it")
        with snapshot(collection.sessions) as session:
            unheld, untallied = queries.unheld(session), queries.untallied(session)
        if repair:
            with collection.sessions.begin() as session:
                lifecycle.tally(session, works=untallied.works, artists=untallied.artists)
                lifecycle.count_held(session, works=unheld.works, size=unheld.bytes)
        statistics = rebuild_all(collection, repair=repair)
    return Report(misheld=int(any((*unheld, *untallied))), statistics=statistics)


def see_to(collection: Collection, *, repair: bool) -> Report:
    """Look at what is due, some at a time: interrupted requests, what expires, a sample of vectors.

    It costs the same however much is registered.
    """
    with collection.sessions() as session:
        withdrawals = queries.unfinished_withdrawals(session)
        changes = queries.unfinished_changes(session)
        nameless = queries.called_as_nobody(session)
        expired = queries.count_expired(session)
        lapsed = count_expired_contacts(session)
        old_documents = count_expired_documents(session)
        turned = queries.count_due_consents(session)
    forgotten = lost(collection)
    if repair:
        for one in forgotten:
            do_again(collection, one)
    archived = 0
    different = differing_vectors(collection, repair=repair)
    wrong_images = subjects.compare(collection, repair=repair)
    if repair:
        write_points(collection, different)
        finish(collection, withdrawals, has_time=True)
        finish_changes(collection, changes)
        join_nobody(collection, nameless)
        end_those_that_are_over(collection)
        expired = subjects.forget_expired(collection)
        lapsed = contacts.forget_expired(collection)
        old_documents = documents.forget_expired(collection)
        turned = follow_due(collection)
        archived = archive_old(collection)
        thin_old(collection)
        collection.index.flush()
    return Report(
        different=len(different),
        unfinished_withdrawals=len(withdrawals),
        lost_withdrawals=len(forgotten),
        unfinished_changes=len(changes),
        called_as_nobody=len(nameless),
        expired=expired,
        contacts=lapsed,
        documents=old_documents,
        turned=turned,
        wrong_images=wrong_images,
        archived=archived,
        examples=examples(different=different),
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
