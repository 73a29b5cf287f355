"""The last step of the pipeline: encoded files become rows, kept files, points and outcomes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.catalogue import lifecycle, queries
from attribution.catalogue.models import Artist, ArtworkStatus, IngestJob, artwork_id
from attribution.catalogue.queries import NewArtwork, Origin, Statement
from attribution.collection import Stores, check_encoders
from attribution.points import follow, write_again, write_points
from attribution.projection import point_of
from attribution.services import Services
from attribution.stages import stage
from attribution.types import Matrix, Vector
from attribution.upkeep.correction import finish
from attribution.upkeep.withdrawal import withdraw_all
from ingest.consents import statements, statements_of_file
from ingest.corrections import corrections
from ingest.encoding import Encoded
from ingest.joining import has_joined, resembles
from ingest.nobodys import Given, give_nobodys
from ingest.outcomes import Changed, Outcomes, Rows, Standing
from ingest.picture import Picture
from ingest.quotas import check_within
from ingest.reading import SETTLED, Prepared
from ingest.sightings import Seen, keep_file, keep_pictures, see
from ingest.sources import SourceItem


@dataclass(frozen=True)
class Few:
    """Some files of a job that are written together, with what was encoded of them."""

    job: IngestJob
    files: Sequence[Prepared]
    vectors: Mapping[str, Mapping[str, Vector]]  # of new works that show something, by hash
    parts: Mapping[UUID, Matrix]  # of works that have any: strips, and transparent pictures

    @property
    def usable(self) -> list[Prepared]:
        """The files that were not refused."""
        return [done for done in self.files if done.refused is None]


def write(
    services: Services,
    job: IngestJob,
    files: Sequence[Prepared],
    encoded: Encoded,
    compared: set[str],
) -> None:
    """Write rows as pending, then files and points, then mark the rows and record the outcomes.

    Killed in between, the files are still pending: the next run does the same again. What is
    withdrawn in between is removed again.
    """
    again = {
        one.known.id: encoded.vectors[one.known.sha256]
        for one in files
        if one.known and one.lacks_vectors
    }
    new = {one.picture.sha256 for one in files if one.picture and one.lacks_vectors}
    divided = {one.sha256 for one in files if one.has_parts}
    few = Few(
        job,
        files,
        {sha256: named for sha256, named in encoded.vectors.items() if sha256 in new},
        {artwork_id(sha256): rows for sha256, rows in encoded.parts.items() if sha256 in divided},
    )
    with stage("write rows"), services.sessions.begin() as session:
        check_encoders(session, services.row)
        before = queries.held(session)
        rows = _register(session, few)
        check_within(services, session, before)
    with stage("keep files"):
        _keep_files(services, few, rows)
    with stage("write rows"), services.sessions() as session:
        likely = _likely_aliases(session, rows, rows.artists.keys() - compared)
    with stage("write vectors"):
        _write_points(services, few, rows)
    with stage("write rows"), services.sessions.begin() as session:
        check_encoders(session, services.row)
        standing = _settle(session, few, rows)
        parts = _keep_encoded(session, services.row.fingerprint, few, rows, standing)
        queries.keep_vectors(session, services.row.fingerprint, again)
        given = _give_nobodys(session, few, rows)
        seen = see(session, job.id, few.usable)
        changed = _correct(session, few, rows, given, seen)
        _record(session, few, rows, standing, changed)
        lifecycle.count_held(session, works=0, size=seen.size)
        queries.add_name_remarks(session, job.id, [resembles(*pair) for pair in likely])
    compared.update(rows.artists)
    with stage("follow changes"):
        written = [rows.new[sha256] for sha256 in few.vectors]
        write_again(services, [row.id for row in written])
        follow(services, written)
        write_points(services, again.keys() | seen.works.keys())
        keep_pictures(services, few.usable, seen)
        services.index.parts.delete(few.parts.keys() - set(parts))
        for sha256 in standing.gone:
            services.store.forget(sha256)
        finish(services, given.changes)
        _follow_corrections(services, files)
        _withdraw_denied(services, files)


def _register(session: Session, few: Few) -> Rows:
    """Find or make the rows of the artists, and those of new works, as pending."""
    job = few.job
    names = list(dict.fromkeys(done.work.item.artist for done in few.usable))
    joined = queries.join_spellings(session, names, job.names, Origin.of_job(job.id))
    artists = queries.get_or_create_artists(session, names)
    fresh = _new_artworks(session, few, artists)
    works = queries.add_artworks(session, [work for work, _ in fresh.values()])
    if job.reinstate:
        works |= queries.reinstate(session, [work for work, _ in fresh.values()])
    queries.keep_consents(session, [one for _, said in fresh.values() for one in said])
    queries.project(
        session,
        # that an earlier run has brought, which had no time to take them in
        [row for sha256, row in works.items() if row.consent != fresh[sha256][0].consent],
    )
    queries.add_name_remarks(session, job.id, [has_joined(*one) for one in joined])
    return Rows(artists, works)


def _likely_aliases(
    session: Session, rows: Rows, names: Collection[str]
) -> list[tuple[Artist, Artist]]:
    """Return those of the artists who come under these names with others who may be the same."""
    own = {name: artist.id for name, artist in rows.artists.items() if name in names}
    return [(rows.artists[name], one) for name, one in queries.likely_aliases(session, own)]


def _write_points(services: Services, few: Few, rows: Rows) -> None:
    services.index.upsert([point_of(rows.new[one], named) for one, named in few.vectors.items()])
    services.index.parts.upsert(few.parts)


def _settle(session: Session, few: Few, rows: Rows) -> Standing:
    """Mark new works as indexed or blank, and look how all works of these files stand."""
    blank = {one.picture.sha256 for one in few.usable if one.picture and one.is_blank}
    added = lifecycle.become_indexed(session, [rows.new[sha256].id for sha256 in few.vectors])
    added |= lifecycle.become_blank(session, [artwork_id(sha256) for sha256 in blank])
    new = {row.id: sha256 for sha256, row in rows.new.items()}
    works = new.keys() | {done.known.id for done in few.files if done.known}
    now = queries.states_of(session, works)
    return Standing(
        works,
        added=added,
        findable={work for work, state in now.items() if state is ArtworkStatus.INDEXED},
        settled={work for work, state in now.items() if state in SETTLED},
        gone={sha256 for work, sha256 in new.items() if now[work] not in SETTLED},
    )


def _keep_encoded(
    session: Session, fingerprint: str, few: Few, rows: Rows, standing: Standing
) -> Collection[UUID]:
    """Keep what was encoded of works that can be found; returns those whose parts are kept."""
    vectors = {rows.new[sha256].id: named for sha256, named in few.vectors.items()}
    found = {work: named for work, named in vectors.items() if work in standing.findable}
    queries.keep_vectors(session, fingerprint, found)
    parts = [work for work in few.parts if work in standing.findable]
    queries.keep_part_vectors(session, fingerprint, {work: few.parts[work] for work in parts})
    sketches = [done.sketches for done in few.usable]
    queries.keep_sketches(session, {part: one for each in sketches for part, one in each.items()})
    return parts


def _give_nobodys(session: Session, few: Few, rows: Rows) -> Given:
    brought = [(done, rows.work(done)) for done in few.usable]
    return give_nobodys(session, few.job.id, brought, rows.artists)


def _correct(session: Session, few: Few, rows: Rows, given: Given, seen: Seen) -> Changed:
    """Follow what is said otherwise of works that are known, and of those just given away."""
    owners = {work: rows.names[artist] for work, artist in given.artists.items()}
    said = corrections(session, few.job, few.files, rows.new, owners)
    changes = queries.correct_works(
        session, said.followed, Origin.of_job(few.job.id), consents=said.consents
    )
    corrected = {change.artwork_id: change for change in changes if change.artwork_id}
    return Changed(given.artists, {**seen.changes, **corrected}, said.asked)


def _record(session: Session, few: Few, rows: Rows, standing: Standing, changed: Changed) -> None:
    """Write what became of every file; of withdrawn works neither paths nor words are kept."""
    job_id = few.job.id
    brought = queries.spoken_for(session, job_id, standing.works)
    told = Outcomes(job_id, rows, standing, changed, brought)
    outcomes = [told.of(done) for done in few.files]
    queries.record_claims(session, told.claims)
    queries.record_outcomes(session, job_id, outcomes)
    forgotten = [
        done.work.position
        for done in few.files
        if done.is_forgotten or done.sha256 in standing.gone
    ]
    queries.wipe_lines(session, job_id, forgotten)


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
    finish(services, waiting)


def _show_again(services: Services, done: Prepared) -> None:
    """Make the picture of a work that was not to be shown so far."""
    if done.known and not services.store.has_thumbnail(done.known.sha256):
        picture = done.file.look(services.limits).picture
        keep_file(services, picture, b"", is_shown=True)


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
    if not denied:
        return
    with services.sessions() as session:
        rows = queries.artworks_by_sha256(session, {sha256 for sha256, _ in denied})
    taken_back = [
        str(row.id)
        for row in rows
        if row.status in SETTLED
        and (row.artist.is_nobody or (row.sha256, row.artist.name) in denied)
    ]
    if taken_back:
        withdraw_all(services, taken_back, reason="its source says so")


def _keep_files(stores: Stores, few: Few, rows: Rows) -> None:
    """Keep what the settings and the consents of new works allow."""
    for done in few.usable:
        if done.picture:
            is_shown = rows.new[done.picture.sha256].consent_display
            keep_file(stores, done.picture, done.file.data, is_shown=is_shown)


def _new_artworks(
    session: Session, few: Few, artists: Mapping[str, Artist]
) -> dict[str, tuple[NewArtwork, list[Statement]]]:
    """Return the works that files bring, by hash, with what is said of their consent."""
    ids = {one.id for one in artists.values()}
    queries.lock_portfolios(session, ids)  # what is just being said of them counts too
    portfolios = queries.portfolio_consents(session, ids)
    fresh = {}
    for done in reversed(few.usable):  # of the same bytes twice the first file counts
        if picture := done.picture:
            artist = artists[done.work.item.artist]
            job, work = few.job.id, artwork_id(picture.sha256)
            said = [*statements(done.work.item, job, work), *statements_of_file(picture, job, work)]
            allowed = queries.allowed_to_new(said, portfolios.get(artist.id, ()))
            fresh[picture.sha256] = (_new_artwork(done.work.item, picture, artist, allowed), said)
    return fresh


def _new_artwork(
    item: SourceItem, picture: Picture, artist: Artist, consent: Sequence[str]
) -> NewArtwork:
    return NewArtwork(
        artist_id=artist.id,
        sha256=picture.sha256,
        pixel_sha256=picture.pixel_sha256,
        phash=picture.phash,
        title=item.title,
        caption=item.caption,
        tags=item.tags,
        year=item.year,
        dated=item.dated,
        licence=item.licence or picture.rights.get("licence"),
        source=item.source,
        consent=consent,
        facts=picture.facts,
        rights=picture.rights,
        thumbnail=picture.sha256 if picture.thumbnail else None,
    )
