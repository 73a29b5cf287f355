"""The last step of the pipeline: encoded files become rows, kept files, points and outcomes."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from uuid import UUID

from attribution.catalog import queries
from attribution.catalog.models import Artist, Artwork, ArtworkStatus, IngestJob, artwork_id
from attribution.catalog.queries import NewArtwork, Origin
from attribution.copies.description import encode_parts
from attribution.correction import finish
from attribution.images import CheckedImage, read_image, thumbnail
from attribution.points import follow
from attribution.projection import point_of
from attribution.services import Services, Stores
from attribution.types import Matrix, Vector
from attribution.withdrawal import withdraw_all
from ingest.corrections import corrections
from ingest.joining import has_joined, resembles
from ingest.nobodys import give_nobodys
from ingest.outcomes import outcomes_of, row_of
from ingest.reading import SETTLED, Prepared, bytes_of


def write(
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
        given = give_nobodys(session, job.id, [(one, row_of(one, rows)) for one in usable], artists)
        hers = {row.id: row.name for row in artists.values()}
        owners = {work: hers[artist] for work, artist in given.artists.items()}
        said = corrections(session, job, few, rows, owners)
        changes = queries.correct_works(session, said.followed, Origin.of_job(job.id))
        corrected = {change.artwork_id: change for change in changes if change.artwork_id}
        outcomes, claims = outcomes_of(
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


def _encode_parts(services: Services, few: Sequence[Prepared]) -> dict[UUID, Matrix]:
    """Encode the parts of the works that have any: strips, and transparent pictures."""
    encoded = {
        artwork_id(done.parts.facts.sha256): encode_parts(services.encoders, done.parts)
        for done in few
        if done.parts
    }
    return {work: rows for work, rows in encoded.items() if rows is not None}


def _forgotten(few: Sequence[Prepared], gone: Collection[str]) -> list[int]:
    """Return the positions of files of withdrawn works, whose paths and words are not kept."""
    return [one.work.position for one in few if one.is_forgotten or one.sha256 in gone]


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
