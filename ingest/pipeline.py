"""From files to findable works: read, encode, write, a few at a time. Which files: `listing`.

A batch is taken by its lease, so that two workers never do it at once, and each file's outcome is
written last. Every step may be repeated: ids derive from content, and the index takes the same
point twice. A file that cannot be used is recorded with its reason and the batch goes on; a backend
that does not answer ends it, and whoever takes it next goes on behind the last outcome.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.catalog import queries
from attribution.catalog.models import (
    Artist,
    Artwork,
    ArtworkStatus,
    IngestJob,
    Outcome,
    artwork_id,
)
from attribution.catalog.queries import (
    BatchKey,
    ItemOutcome,
    NewArtwork,
    NewClaim,
    Origin,
)
from attribution.copies.description import encode_parts
from attribution.correction import finish
from attribution.errors import BackendUnavailable
from attribution.images import CheckedImage, forbidden_by, read_image, thumbnail
from attribution.points import follow
from attribution.projection import point_of
from attribution.services import Services, Stores
from attribution.types import Matrix, Vector
from attribution.withdrawal import withdraw
from ingest.lease import leased
from ingest.listing import source_item
from ingest.reading import DECODERS, Prepared, Work, bytes_of, prepare, unprocessable

log = logging.getLogger(__name__)


def run_batch(services: Services, key: BatchKey, *, stopping: Callable[[], bool]) -> None:
    """Bring every pending file of a batch into the catalogue and the index.

    Does nothing when the batch is done, another worker has it, or its job was cancelled. What an
    earlier, interrupted run finished costs nothing. Ends early once `stopping()` is true. Raises
    BackendUnavailable when database, index or store do not answer: worth another try.
    """
    with leased(services, key) as lease:
        if lease is None:
            return
        started, files = time.monotonic(), 0
        with services.sessions() as session:
            job = queries.job_by_id(session, key[0])
        for few in _prepared(services, key, reinstate=job.reinstate):
            _process(services, job, few)
            files += len(few)
            if stopping() or lease.is_lost:
                lease.give_back()
                return
        services.index.flush()
        lease.finish()
        seconds = time.monotonic() - started
        log.info("batch %s of job %s: %d files in %.1f s", key[1], key[0], files, seconds)


def _process(services: Services, job: IngestJob, few: Sequence[Prepared]) -> None:
    """Encode and write some files; where that fails, find the one that is to blame and refuse it.

    When none of several can be done the fault is not theirs, and the error is raised.
    """
    try:
        _write(services, job, few, encode(services, few))
    except BackendUnavailable:
        raise
    except Exception:
        log.warning("some files of job %s failed together, now one by one", job.id, exc_info=True)
        failed = []
        for one in few:
            try:
                _write(services, job, [one], encode(services, [one]))
            except BackendUnavailable:
                raise
            except Exception as own:  # noqa: BLE001  whatever it is, this file is to blame
                failed.append((one, unprocessable(own)))
        if len(failed) == len(few) > 1:
            raise
        _refuse(services, job, failed)


def _refuse(services: Services, job: IngestJob, failed: Sequence[tuple[Prepared, str]]) -> None:
    with services.sessions.begin() as session:
        for one, reason in failed:
            if one.image:  # its row may be there already, waiting for a point
                queries.mark_failed(session, [artwork_id(one.image.facts.sha256)], reason)
        outcomes = [
            ItemOutcome(one.work.position, Outcome.REFUSED, reason) for one, reason in failed
        ]
        queries.record_outcomes(session, job.id, outcomes)


def encode(services: Services, few: Sequence[Prepared]) -> dict[str, dict[str, Vector]]:
    """Encode the images of some files, each picture once: sha256 -> named vectors."""
    images = {done.image.facts.sha256: done.image.rgb for done in few if done.image}
    if not images:
        return {}
    vectors: dict[str, dict[str, Vector]] = {sha256: {} for sha256 in images}
    for encoder in services.encoders:
        for name, rows in encoder.encode(list(images.values())).items():
            for sha256, row in zip(images, rows, strict=True):
                vectors[sha256][name] = row
    return vectors


def _encode_parts(services: Services, few: Sequence[Prepared]) -> dict[UUID, Matrix]:
    """Encode the parts of the works that have any: strips, and transparent pictures."""
    encoded = {
        artwork_id(done.parts.facts.sha256): encode_parts(services.encoders, done.parts)
        for done in few
        if done.parts
    }
    return {work: rows for work, rows in encoded.items() if rows is not None}


def _prepared(services: Services, key: BatchKey, *, reinstate: bool) -> Iterator[list[Prepared]]:
    """Yield the pending files of a batch, a few at a time, preparing the next few ahead."""
    job_id = key[0]
    with services.sessions() as session:
        batch = queries.batch_by_key(session, key)
    with ThreadPoolExecutor(DECODERS) as decoders, ThreadPoolExecutor(1) as ahead:

        def fetch(first: int) -> list[Prepared]:
            with services.sessions() as session:
                rows = queries.pending_items(
                    session,
                    job_id,
                    first=first,
                    stop=batch.stop,
                    limit=services.settings.batch_size,
                )
            works = [Work(row.position, source_item(row), job_id, row.sha256) for row in rows]
            return prepare(services, decoders, works, reinstate=reinstate)

        following = ahead.submit(fetch, batch.first)
        while few := following.result():
            following = ahead.submit(fetch, few[-1].work.position + 1)
            yield few


def _write(
    services: Services,
    job: IngestJob,
    few: Sequence[Prepared],
    vectors: dict[str, dict[str, Vector]],
) -> None:
    """Catalogue rows as pending, then files and points, then the rows as indexed with outcomes.

    Killed in between, the files are still pending: the next run does the same again. What is
    withdrawn in between is removed again.
    """
    usable = [done for done in few if done.refused is None]
    parts = _encode_parts(services, usable)
    with services.sessions.begin() as session:
        artists = queries.get_or_create_artists(session, {done.artist for done in usable})
        fresh = {
            done.image.facts.sha256: _new_artwork(done, done.image, artists[done.artist])
            for done in reversed(usable)
            if done.image
        }
        rows = queries.add_artworks(session, list(fresh.values()))
        if job.reinstate:
            rows |= queries.reinstate(session, list(fresh.values()))
    for done in usable:
        if done.image:
            _keep_files(services, done, rows[done.image.facts.sha256])
    points = {rows[sha256].id: named for sha256, named in vectors.items()}
    services.index.upsert([point_of(rows[sha256], vectors[sha256]) for sha256 in vectors])
    services.index.parts.upsert(parts)
    with services.sessions.begin() as session:
        added = queries.mark_indexed(session, list(points))
        found = queries.artworks_by_id(session, list(points), status=ArtworkStatus.INDEXED)
        gone = {row.sha256 for row in rows.values() if row.id not in found}
        kept = {work: named for work, named in points.items() if work in found}
        queries.keep_vectors(session, services.collection.fingerprint, kept)
        described = queries.artworks_by_id(session, parts, status=ArtworkStatus.INDEXED)
        queries.keep_part_vectors(
            session, services.collection.fingerprint, {work: parts[work] for work in described}
        )
        queries.keep_sketches(
            session, {part: kept for done in usable for part, kept in done.sketches.items()}
        )
        said = _corrections(session, job, few, artists)
        changes = queries.correct_works(session, said, Origin.of_job(job.id))
        corrected = {change.artwork_id for change in changes if change.artwork_id}
        outcomes, claims = _outcomes(
            job.id, few, rows, artists, added=added, corrected=corrected, gone=gone
        )
        queries.record_claims(session, claims)
        queries.record_outcomes(session, job.id, outcomes)
    follow(services, services.index, [rows[sha256] for sha256 in vectors])
    services.index.parts.delete(parts.keys() - described.keys())
    for sha256 in gone:
        services.store.forget(sha256)
    _follow_corrections(services, few)
    _withdraw_refused(services, few)


def _corrections(
    session: Session, job: IngestJob, few: Sequence[Prepared], artists: dict[str, Artist]
) -> dict[UUID, dict[str, Any]]:
    """Return what is said of known works by their own artist; the first file of a job counts.

    What a person has corrected stays, but for a consent that the source takes back.
    """
    said: dict[UUID, dict[str, Any]] = {}
    for done in few:
        if done.known and not done.refused and done.known.artist_id == artists[done.artist].id:
            said.setdefault(done.known.id, _allowed(done.work.item.corrections, done.known))
    for work in queries.spoken_for(session, job.id, said.keys()):
        del said[work]
    by_hand = queries.corrected_by_hand(session, said.keys())
    return {
        work: {
            name: value
            for name, value in new.items()
            if value is False or name not in by_hand.get(work, ())
        }
        for work, new in said.items()
    }


def _allowed(said: dict[str, Any], row: Artwork) -> dict[str, Any]:
    """Leave out what the file itself forbids."""
    forbidden = {f"consent_{purpose}" for purpose in forbidden_by(row.facts, row.rights)}
    return {name: value for name, value in said.items() if not (value and name in forbidden)}


def _follow_corrections(services: Services, few: Sequence[Prepared]) -> None:
    """Have the index follow what was corrected, now or by a run that was interrupted."""
    known = {done.known.id: done for done in few if done.known}
    if not known:
        return
    with services.sessions() as session:
        waiting = queries.unfinished_changes(session, artworks=known.keys())
    for change in waiting:
        if change.artwork_id and change.after.get("consent_display"):
            _show_again(services, known[change.artwork_id])
    finish(services, services.index, waiting)


def _show_again(services: Services, done: Prepared) -> None:
    """Make the picture of a work that was not to be shown so far."""
    if done.known and not services.store.has_thumbnail(done.known.sha256):
        image = read_image(bytes_of(services, done.work), services.limits)
        services.store.put_thumbnail(done.known.sha256, thumbnail(image.rgb))


def _withdraw_refused(services: Services, few: Sequence[Prepared]) -> None:
    """Obey a source that takes back the consent to be found for a work of the same artist."""
    for done in few:
        row = done.known
        if row and row.artist.name == done.artist and "index" not in done.work.item.consent:
            withdraw(services, services.index, str(row.id), reason="its source says so")


def _keep_files(stores: Stores, done: Prepared, row: Artwork) -> None:
    """Keep what the settings and the work's consent allow."""
    if done.image and row.consent_display:
        stores.store.put_thumbnail(row.sha256, thumbnail(done.image.rgb))
    if stores.settings.keep_originals:
        data = bytes_of(stores, done.work)
        if hashlib.sha256(data).hexdigest() == row.sha256:  # the file may be another by now
            stores.store.put_original(row.sha256, data)


def _outcomes(  # noqa: PLR0913  everything that decides on an outcome
    job_id: UUID,
    few: Sequence[Prepared],
    rows: dict[str, Artwork],
    artists: dict[str, Artist],
    *,
    added: set[UUID],
    corrected: set[UUID],
    gone: set[str],
) -> tuple[list[ItemOutcome], list[NewClaim]]:
    """Say what became of every file; the first file of a new work adds it, the others know it."""
    outcomes, claims = [], []
    for done in few:
        position = done.work.position
        if done.refused is not None:
            outcomes.append(ItemOutcome(position, Outcome.REFUSED, done.refused))
            continue
        row = done.known or rows[done.image.facts.sha256 if done.image else ""]
        artist = artists[done.artist]
        if row.sha256 in gone:
            outcomes.append(ItemOutcome(position, Outcome.REFUSED, "it was withdrawn meanwhile"))
        elif row.artist_id != artist.id:
            claims.append(NewClaim(row.id, artist.id, str(done.work.item.path), job_id))
            reason = f"the same file is registered under {row.artist.name}; recorded as a claim"
            outcomes.append(ItemOutcome(position, Outcome.CONFLICT, reason, row.id))
        elif row.id in added:
            added.remove(row.id)
            outcomes.append(ItemOutcome(position, Outcome.ADDED, None, row.id))
        elif row.id in corrected:
            corrected.remove(row.id)
            outcomes.append(ItemOutcome(position, Outcome.CORRECTED, None, row.id))
        else:
            outcomes.append(ItemOutcome(position, Outcome.KNOWN, None, row.id))
    return outcomes, claims


def _new_artwork(done: Prepared, image: CheckedImage, artist: Artist) -> NewArtwork:
    facts, item = image.facts, done.work.item
    # The file's own no outweighs every yes.
    consent = [purpose for purpose in item.consent if purpose not in facts.forbids]
    return NewArtwork(
        artist_id=artist.id,
        sha256=facts.sha256,
        pixel_sha256=facts.pixel_sha256,
        phash=facts.phash,
        title=item.title,
        caption=item.caption,
        tags=item.tags,
        year=item.year,
        licence=item.licence or facts.rights.licence,
        source=item.source,
        consent=consent,
        facts={
            name: value
            for name, value in facts.as_dict().items()
            if name not in {"sha256", "pixel_sha256", "phash", "rights"}
        },
        rights={name: value for name, value in vars(facts.rights).items() if value is not None},
        thumbnail=facts.sha256,
    )
