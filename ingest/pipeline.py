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
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from attribution.catalog import queries
from attribution.catalog.models import (
    Artist,
    Artwork,
    ArtworkStatus,
    Change,
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
from attribution.errors import BackendUnavailable, Conflict
from attribution.images import CheckedImage, read_image, thumbnail
from attribution.outages import disk_outages
from attribution.points import follow
from attribution.projection import point_of
from attribution.services import Services, Stores
from attribution.types import Matrix, Vector
from attribution.withdrawal import withdraw_all
from ingest.corrections import ASKED, FREER, corrections, shown, told
from ingest.in_hand import prepared
from ingest.joining import has_joined, resembles
from ingest.lease import leased
from ingest.nobodys import GIVEN, give_nobodys
from ingest.reading import BLANK, SETTLED, Prepared, bytes_of, unprocessable

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
        for few in prepared(services, lease, job.names, reinstate=job.reinstate):
            _process(services, job, few)
            lease.note_progress()
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
        _encode_and_write(services, job, few)
    except BackendUnavailable:
        raise
    except Exception:
        log.warning("some files of job %s failed together, now one by one", job.id, exc_info=True)
        failed, unclear = [], []
        for one in few:
            try:
                _encode_and_write(services, job, [one])
            except BackendUnavailable:
                raise
            except Conflict as own:  # its spelling may be that of an artist who came just now
                unclear.append((one, str(own)))
            except Exception as own:  # noqa: BLE001  whatever it is, this file is to blame
                failed.append((one, unprocessable(own)))
        if len(failed) == len(few) > 1:
            raise
        _refuse(services, job, [*failed, *unclear])


def _encode_and_write(services: Services, job: IngestJob, few: Sequence[Prepared]) -> None:
    with disk_outages("while works were encoded and written"):  # no file is to blame for that
        _write(services, job, few, encode(services, few))


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
    """Encode the images that show something, each picture once: sha256 -> named vectors."""
    images = {
        done.image.facts.sha256: done.image.rgb for done in few if done.image and not done.is_blank
    }
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
    names = list(dict.fromkeys(done.work.item.artist for done in usable))
    with services.sessions.begin() as session:
        joined = queries.join_spellings(session, names, job.names, Origin.of_job(job.id))
        artists = queries.get_or_create_artists(session, names)
        fresh = {
            done.image.facts.sha256: _new_artwork(done, done.image, artists[done.work.item.artist])
            for done in reversed(usable)
            if done.image
        }
        rows = queries.add_artworks(session, list(fresh.values()))
        if job.reinstate:
            rows |= queries.reinstate(session, list(fresh.values()))
        queries.add_name_remarks(session, job.id, [has_joined(*one) for one in joined])
    for done in usable:
        if done.image:
            _keep_files(services, done, rows[done.image.facts.sha256])
    with services.sessions() as session:
        own = {name: artist.id for name, artist in artists.items()}
        likely = [(artists[name], one) for name, one in queries.likely_aliases(session, own)]
    points = {rows[sha256].id: named for sha256, named in vectors.items()}
    services.index.upsert([point_of(rows[sha256], vectors[sha256]) for sha256 in vectors])
    services.index.parts.upsert(parts)
    with services.sessions.begin() as session:
        added = queries.mark_indexed(session, list(points))
        added |= queries.mark_blank(session, [artwork_id(one) for one in _blank(usable)])
        ids = {row.id for row in rows.values()} | {done.known.id for done in few if done.known}
        now = queries.artworks_by_id(session, ids)
        gone = {row.sha256 for row in rows.values() if now[row.id].status not in SETTLED}
        kept = {
            work: named
            for work, named in points.items()
            if now[work].status is ArtworkStatus.INDEXED
        }
        queries.keep_vectors(session, services.collection.fingerprint, kept)
        described = queries.artworks_by_id(session, parts, status=ArtworkStatus.INDEXED)
        queries.keep_part_vectors(
            session, services.collection.fingerprint, {work: parts[work] for work in described}
        )
        queries.keep_sketches(
            session, {part: kept for done in usable for part, kept in done.sketches.items()}
        )
        given = give_nobodys(session, job.id, [(one, _row(one, rows)) for one in usable], artists)
        hers = {row.id: row.name for row in artists.values()}
        owners = {work: hers[artist] for work, artist in given.artists.items()}
        said = corrections(session, job, few, rows, owners)
        changes = queries.correct_works(session, said.followed, Origin.of_job(job.id))
        corrected = {change.artwork_id: change for change in changes if change.artwork_id}
        outcomes, claims = _outcomes(
            job.id,
            few,
            rows,
            artists,
            said.asked,
            given=given.artists,
            added=added,
            corrected=corrected,
            gone=gone,
            settled={work for work, row in now.items() if row.status in SETTLED},
            brought=queries.spoken_for(session, job.id, ids),
        )
        queries.record_claims(session, claims)
        queries.record_outcomes(session, job.id, outcomes)
        queries.wipe_lines(session, job.id, _forgotten(few, gone))
        queries.add_name_remarks(session, job.id, [resembles(*pair) for pair in likely])
    follow(services, services.index, [rows[sha256] for sha256 in vectors])
    services.index.parts.delete(parts.keys() - described.keys())
    for sha256 in gone:
        services.store.forget(sha256)
    finish(services, services.index, given.changes)
    _follow_corrections(services, few)
    _withdraw_denied(services, few)


def _forgotten(few: Sequence[Prepared], gone: Collection[str]) -> list[int]:
    """Return the positions of files of withdrawn works, whose paths and words are not kept."""
    return [one.work.position for one in few if one.is_forgotten or one.sha256 in gone]


def _row(done: Prepared, rows: Mapping[str, Artwork]) -> Artwork:
    """Return the row of a usable file's work."""
    return done.known or rows[done.image.facts.sha256 if done.image else ""]


def _blank(usable: Sequence[Prepared]) -> set[str]:
    """Return the hashes of new works that show nothing."""
    return {done.image.facts.sha256 for done in usable if done.image and done.is_blank}


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


def _withdraw_denied(services: Services, few: Sequence[Prepared]) -> None:
    """Obey a source that takes back the consent to be found for a work that it has.

    It has it where a file of it names the work's artist: each says what any of them denies. Of a
    work by nobody, whoever says no is heard.
    """
    denied = {
        (done.sha256, done.artist)
        for done in few
        if done.sha256 and "index" in done.work.item.denied
    }
    with services.sessions() as session:
        hashes = {sha256 for sha256, _ in denied}
        rows = queries.artworks_by_sha256(session, hashes) if hashes else []
    taken_back = [
        str(row.id)
        for row in rows
        if row.status in SETTLED
        and (row.artist.is_nobody or (row.sha256, row.artist.name) in denied)
    ]
    withdraw_all(services, services.index, taken_back, reason="its source says so")


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
    asked: Mapping[UUID, dict[str, Any]],
    *,
    given: Mapping[UUID, UUID],
    added: set[UUID],
    corrected: Mapping[UUID, Change],
    gone: set[str],
    settled: set[UUID],
    brought: set[UUID],
) -> tuple[list[ItemOutcome], list[NewClaim]]:
    """Say what became of every file; `brought` are works of earlier files, also of this job.

    `settled` are works that can be found now: each is withdrawn by one file.
    """
    outcomes, claims = [], []
    names = {artist.id: artist.name for artist in artists.values()}
    for done in few:
        position = done.work.position
        if done.refused is not None:
            reason = done.refused
            if done.known and done.is_withdrawn and done.known.id in settled:
                settled.remove(done.known.id)
                reason = queries.WITHDREW
            outcomes.append(ItemOutcome(position, Outcome.REFUSED, reason, done.registered))
            continue
        row = _row(done, rows)
        owner = given.get(row.id, row.artist_id)
        artist, why = artists[done.work.item.artist], BLANK if done.is_blank else None
        if row.sha256 in gone:
            outcomes.append(
                ItemOutcome(position, Outcome.REFUSED, "it was withdrawn meanwhile", row.id)
            )
        elif owner != artist.id:
            reason = f"the same file is registered under {names.get(owner, row.artist.name)}"
            if not artist.is_nobody:
                claims.append(NewClaim(row.id, artist.id, str(done.work.item.path), job_id))
                reason += "; recorded as a claim"
            outcomes.append(ItemOutcome(position, Outcome.CONFLICT, reason, row.id))
        else:
            why = GIVEN if row.id in given else why
            if row.id in brought:
                outcome = Outcome.REPEATED
            elif row.id in added:
                outcome = Outcome.ADDED
            else:
                is_other = row.id in corrected or row.id in given
                outcome = Outcome.CORRECTED if is_other else Outcome.KNOWN
                said = [told(corrected[row.id])] if row.id in corrected else []
                if row.id in asked:
                    said.append(f"{ASKED} ({shown(asked[row.id], row)}); {FREER}")
                why = "; ".join(said) or why
            brought.add(row.id)
            outcomes.append(ItemOutcome(position, outcome, why, row.id))
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
        dated=item.dated,
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
