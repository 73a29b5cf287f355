"""From files to findable works: read, encode, write, a batch at a time.

A job is a row, its files are rows; a batch is done when its rows say so. Every step may be
repeated: ids derive from content, the index takes the same point twice, outcomes are written last.
A file that cannot be used is recorded with its reason and the job goes on; a backend that does not
answer stops the job, which goes on when it is run again.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.catalog import queries
from attribution.catalog.models import Artist, Artwork, ArtworkStatus, Outcome, artwork_id
from attribution.catalog.queries import ItemOutcome, NewArtwork, NewClaim, NewItem
from attribution.errors import BadImage, LawfulError, NotFound
from attribution.images import CheckedImage, read_image_file, thumbnail
from attribution.services import Services
from attribution.types import Point, Vector
from ingest.sources import SourceItem
from ingest.summary import FileOutcome, Summary

log = logging.getLogger(__name__)

PLAN_CHUNK = 1_000  # rows an insert while a job is being listed
DECODERS = 2  # threads; Pillow releases the GIL while it decodes


@dataclass(frozen=True)
class Prepared:
    """One file, read and checked: an image to encode, a work that is known, or a refusal."""

    position: int
    item: SourceItem
    image: CheckedImage | None = None
    known: Artwork | None = None
    refused: str | None = None


def plan(session: Session, source: str, items: Iterable[SourceItem]) -> UUID:
    """List a source as a job with a row a file; returns the job's id. The caller commits."""
    job = queries.create_job(session, source=source)
    rows, position = iter(items), 0
    while chunk := [_row(item) for item in islice(rows, PLAN_CHUNK)]:
        queries.add_items(session, job.id, chunk, start=position)
        position += len(chunk)
    return job.id


def run_job(services: Services, job_id: UUID, *, stopping: Callable[[], bool]) -> None:
    """Bring every pending file of a job into the catalogue and the index.

    What an earlier, interrupted run finished costs nothing. While one batch is encoded the next is
    read and decoded. Ends early, its job unfinished, once `stopping()` is true. Raises
    BackendUnavailable when database or index do not answer.
    """
    started = time.monotonic()
    with services.sessions.begin() as session:
        queries.start_job(session, job_id)
    try:
        for batch in _batches(services, job_id):
            _write(services, job_id, batch, encode(services, batch))
            if stopping():
                return
        services.index.flush()
    except LawfulError as error:
        with services.sessions.begin() as session:
            queries.fail_job(session, job_id, str(error))
        raise
    with services.sessions.begin() as session:
        queries.finish_job(session, job_id)
    log.info("job %s done in %.1f s", job_id, time.monotonic() - started)


def preview(services: Services, items: Iterable[SourceItem]) -> Summary:
    """Read and check every file as a job would, and write nothing."""
    outcomes, artists = [], set()
    rows, seen = iter(items), set[str]()
    with ThreadPoolExecutor(DECODERS) as decoders:
        while chunk := list(islice(rows, services.settings.batch_size)):
            for done in _prepare(services, decoders, list(enumerate(chunk))):
                artists.add(done.item.artist)
                outcomes.append(_preview_one(done, seen))
    return Summary(job=None, artists=len(artists), items=outcomes)


def encode(services: Services, batch: Sequence[Prepared]) -> dict[str, dict[str, Vector]]:
    """Encode the images of a batch, each picture once: sha256 -> named vectors."""
    images = {done.image.facts.sha256: done.image.rgb for done in batch if done.image}
    if not images:
        return {}
    vectors: dict[str, dict[str, Vector]] = {sha256: {} for sha256 in images}
    for encoder in services.encoders:
        for name, rows in encoder.encode(list(images.values())).items():
            for sha256, row in zip(images, rows, strict=True):
                vectors[sha256][name] = row
    return vectors


def _batches(services: Services, job_id: UUID) -> Iterator[list[Prepared]]:
    """Yield the pending files of a job in batches, preparing one batch ahead."""
    with ThreadPoolExecutor(DECODERS) as decoders, ThreadPoolExecutor(1) as ahead:

        def fetch(after: int) -> list[Prepared]:
            with services.sessions() as session:
                rows = queries.pending_items(
                    session, job_id, limit=services.settings.batch_size, after=after
                )
            items = [(row.position, _item(row.path, row.artist, row.details)) for row in rows]
            return _prepare(services, decoders, items)

        following = ahead.submit(fetch, -1)
        while batch := following.result():
            following = ahead.submit(fetch, batch[-1].position)
            yield batch


def _prepare(
    services: Services, decoders: ThreadPoolExecutor, items: Sequence[tuple[int, SourceItem]]
) -> list[Prepared]:
    """Read files; decode those whose bytes are not in the index yet."""
    hashes = list(decoders.map(_sha256, (item.path for _, item in items)))
    with services.sessions() as session:
        rows = queries.artworks_by_sha256(session, [one for one in hashes if one])
    known = {row.sha256: row for row in rows if row.status is ArtworkStatus.INDEXED}

    def read(position: int, item: SourceItem, sha256: str | None) -> Prepared:
        if "index" not in item.consent:
            return Prepared(position, item, refused="its consent forbids the index")
        if sha256 in known:
            return Prepared(position, item, known=known[sha256])
        try:
            return Prepared(position, item, image=read_image_file(item.path, services.limits))
        except (BadImage, NotFound) as error:
            return Prepared(position, item, refused=str(error))

    positions, sources = [one for one, _ in items], [item for _, item in items]
    return list(decoders.map(read, positions, sources, hashes))


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None  # the reader of images says what is wrong


def _write(
    services: Services,
    job_id: UUID,
    batch: Sequence[Prepared],
    vectors: dict[str, dict[str, Vector]],
) -> None:
    """Catalogue rows as pending, then points, then the rows as indexed with their outcomes.

    Killed in between, the files are still pending: the next run does the same again.
    """
    usable = [done for done in batch if done.refused is None]
    with services.sessions.begin() as session:
        artists = queries.get_or_create_artists(session, {done.item.artist for done in usable})
        fresh = {
            done.image.facts.sha256: _new_artwork(done, done.image, artists[done.item.artist])
            for done in reversed(usable)
            if done.image
        }
        rows = queries.add_artworks(session, list(fresh.values()))
    for done in usable:
        if done.image and done.image.facts.sha256 in vectors:
            services.thumbnails.put(done.image.facts.sha256, thumbnail(done.image.rgb))
    services.index.upsert([_point(rows[sha256], vectors[sha256]) for sha256 in vectors])
    outcomes, claims = _outcomes(job_id, batch, rows, artists)
    with services.sessions.begin() as session:
        queries.mark_indexed(session, [row.id for row in rows.values()])
        queries.record_claims(session, claims)
        queries.record_outcomes(session, job_id, outcomes)


def _outcomes(
    job_id: UUID,
    batch: Sequence[Prepared],
    rows: dict[str, Artwork],
    artists: dict[str, Artist],
) -> tuple[list[ItemOutcome], list[NewClaim]]:
    """Say what became of every file; the first file of a new work adds it, the others know it."""
    outcomes, claims, added = [], [], set[UUID]()
    for done in batch:
        if done.refused is not None:
            outcomes.append(ItemOutcome(done.position, Outcome.REFUSED, done.refused))
            continue
        row = done.known or rows[done.image.facts.sha256 if done.image else ""]
        artist = artists[done.item.artist]
        if row.artist_id != artist.id:
            claims.append(NewClaim(row.id, artist.id, str(done.item.path), job_id))
            reason = f"the same file is registered under {row.artist.name}; recorded as a claim"
            outcomes.append(ItemOutcome(done.position, Outcome.CONFLICT, reason, row.id))
        elif done.known or row.id in added:
            outcomes.append(ItemOutcome(done.position, Outcome.KNOWN, None, row.id))
        else:
            added.add(row.id)
            outcomes.append(ItemOutcome(done.position, Outcome.ADDED, None, row.id))
    return outcomes, claims


def _preview_one(done: Prepared, seen: set[str]) -> FileOutcome:
    path = str(done.item.path)
    if done.refused is not None:
        return FileOutcome(path, Outcome.REFUSED, done.refused)
    if done.known is not None and done.known.artist.name != done.item.artist:
        return FileOutcome(path, Outcome.CONFLICT, f"registered under {done.known.artist.name}")
    if done.known is not None or (done.image and done.image.facts.sha256 in seen):
        return FileOutcome(path, Outcome.KNOWN)
    if done.image:
        seen.add(done.image.facts.sha256)
    return FileOutcome(path, Outcome.ADDED)


def _new_artwork(done: Prepared, image: CheckedImage, artist: Artist) -> NewArtwork:
    facts, item = image.facts, done.item
    # The file's own word outweighs the default: a data-mining opt-out forbids training.
    consent = [one for one in item.consent if not (one == "train" and facts.rights.opts_out)]
    return NewArtwork(
        artist_id=artist.id,
        sha256=facts.sha256,
        pixel_sha256=facts.pixel_sha256,
        phash=facts.phash,
        title=item.title,
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


def _point(row: Artwork, vectors: dict[str, Vector]) -> Point:
    return Point(
        id=artwork_id(row.sha256),
        vectors=vectors,
        text=" ".join(filter(None, [row.title, *row.tags, row.artist.name])),
        artist_id=row.artist_id,
        licence=row.licence,
        year=row.year,
        consent=row.consent,
    )


def _row(item: SourceItem) -> NewItem:
    details = {name: value for name, value in vars(item).items() if name not in {"path", "artist"}}
    return NewItem(path=str(item.path.absolute()), artist=item.artist, details=details)


def _item(path: str, artist: str, details: dict[str, object]) -> SourceItem:
    known = {name: tuple(v) if isinstance(v, list) else v for name, v in details.items()}
    return SourceItem(Path(path), artist, **known)  # type: ignore[arg-type]  # as `_row` wrote it
