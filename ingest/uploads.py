"""Uploads on their way into a job: a worker unpacks, checks and lists what the API only stored."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, Self
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.actors import Actor, Scope, acting, who
from attribution.catalogue import queries
from attribution.catalogue.chain import REFUSE, note
from attribution.catalogue.columns import now
from attribution.catalogue.encodings import check_encoding
from attribution.catalogue.models import PURPOSES, Outcome, TaskKind
from attribution.catalogue.names import tidy, visible
from attribution.catalogue.queries import ItemOutcome, NewItem, TaskKey
from attribution.collection import Stores
from attribution.config import Settings
from attribution.consents import ConsentSource
from attribution.errors import BackendUnavailable, BadInput, NotAllowed, TooLarge
from attribution.images import Limits
from attribution.temporary import temporary_folder
from ingest.denials import Denials
from ingest.lease import holding
from ingest.listing import conclude, listed, record
from ingest.options import AS_IT_IS, BY_RULE, Options, Reading
from ingest.own_artists import OTHER_ARTIST, OwnArtists
from ingest.patience import Patience
from ingest.preview import preview
from ingest.quotas import check_room
from ingest.sources import GRANTED_BY_DEFAULT, Level, NoArtist, Source, SourceItem, read_source
from ingest.sources.archives import LeftOut, is_archive, unpack
from ingest.sources.members import UnpackLimits
from ingest.summary import FileOutcome, Summary

LIMIT = "LAWFUL_MAX_ARCHIVE_MB"
UPLOAD = "upload"  # what the store calls it
KEPT_FOR = timedelta(days=7)  # what was uploaded for a job that can still be gone on with
PATIENCE_S = 60  # a short outage is no reason to unpack it all again
LONGEST_SHOWN = 120
UNPACKED_PER_PACKED = 4  # pictures hardly shrink in an archive: four times its limit is generous


@dataclass(frozen=True)
class Described:
    """What the sender says about an upload; all but the artist is about a single work."""

    artist: str | None = None
    title: str | None = None
    caption: str | None = None
    tags: tuple[str, ...] = ()
    year: int | None = None
    licence: str | None = None
    consent: tuple[str, ...] = GRANTED_BY_DEFAULT
    said: tuple[str, ...] = ()  # which of these the sender has filled in

    @property
    def is_about_one_work(self) -> bool:
        """Whether it says more than an archive can be told."""
        return self != Described(artist=self.artist, said=self.said)

    @classmethod
    def of(cls, kept: dict[str, Any]) -> Self:
        """Return what a job's row has kept."""
        lists = {name: tuple(kept.get(name, ())) for name in ("tags", "consent", "said")}
        return cls(**kept | lists)


def accept(
    stores: Stores,
    file: IO[bytes],
    name: str | None,
    said: Described,
    reading: Reading = AS_IT_IS,
    options: Options = BY_RULE,
) -> UUID:
    """Store an upload and open a job whose first task lists it; returns the job's id.

    `reading` says how an archive is to be read; its artist is that of `said`. Raises BadInput for
    what can be seen at once: a work without artist, fields that an archive cannot have; and
    NotAllowed for what the caller's key is not for, such as the works of another artist; Conflict
    where the quota of the tenant has no room.
    """
    is_packed = is_archive(file)
    _check(is_packed, said)
    _check_reading(is_packed, reading)
    artists = sorted(who().artists)
    _check_allowed(stores, said, options, artists)
    check_room(stores, file, is_packed=is_packed)
    shown = shown_name(name)
    with stores.sessions.begin() as session:
        job_id = queries.create_job(
            session,
            source=f"upload:{shown}",
            **options.of_job(stores.settings),
            upload={
                "name": shown,
                "said": asdict(said),
                "reading": asdict(reading),
                "artists": artists,
                "by": who().name,
            },
        ).id
    try:
        stores.store.put_incoming(job_id, UPLOAD, file)
        with stores.sessions.begin() as session:
            queries.add_listing(session, job_id)
    except BaseException:
        with suppress(BackendUnavailable):  # what went wrong is to be said, not this
            stores.store.clear_incoming(job_id)
        with stores.sessions.begin() as session:
            queries.fail_job(session, job_id, "the upload could not be stored; send it again")
        raise
    return job_id


def accept_archive(stores: Stores, archive: Path, reading: Reading, options: Options) -> UUID:
    """Take in an archive of this machine as if it were uploaded; raises TooLarge like the API."""
    limit = stores.settings.max_archive_mb
    if archive.stat().st_size > limit * 2**20:
        raise TooLarge(f"{archive} has more than {limit:g} MiB; split it, or raise {LIMIT}")
    with archive.open("rb") as file:
        said = Described(artist=reading.artist)
        return accept(stores, file, archive.name, said, reading, options)


def list_upload(stores: Stores, job_id: UUID) -> None:
    """Give the files of an upload rows and batches: the first task of its job.

    Raises BadInput, TooLarge for an archive that cannot be used; the job has failed then.
    """
    key = TaskKey(TaskKind.LIST, job_id)
    with holding(stores, key) as lease, temporary_folder(stores.settings.home) as folder:
        if lease is None:
            return
        with stores.sessions() as session:
            job = queries.job_by_id(session, job_id)
        upload = job.upload
        items, left_out, shown = _open(stores, job_id, folder, upload)
        with stores.sessions.begin() as session:
            queries.clear_items(session, job_id)  # of an earlier try
        files, denials = 0, Denials(stores.limits)
        patiently = Patience(at_most_s=PATIENCE_S)
        own = OwnArtists(stores, upload.get("artists", []), job.names)
        rest = denials.noting(own.only(items) if own.slugs else items)
        for chunk in listed(stores, job_id, rest, staged=True, patiently=patiently, shown=shown):
            with stores.sessions.begin() as session:
                record(session, job_id, chunk, start=files)
            files += len(chunk)
        denied = denials.by_hash()

        def also(session: Session) -> None:
            _record_left_out(session, job_id, left_out, start=files)
            conclude(session, job_id, items.remarks, denied, files=files)
            queries.forget_upload(session, job_id)  # its lines say it from now on
            if own.refused:
                told = {"asked": "works in an upload", "why": OTHER_ARTIST, "times": own.refused}
                with acting(Actor(upload.get("by", who().name))):
                    note(session, REFUSE, f"job:{job_id}", refused=[told])

        lease.finish(also)


def preview_archive(stores: Stores, archive: Path, reading: Reading, options: Options) -> Summary:
    """Unpack and check an archive as a job would, and write nothing into the catalogue."""
    _check_reading(is_packed=True, reading=reading)
    with temporary_folder(stores.settings.home) as files:
        items, left_out = _unpacked(stores, archive, files, reading)
        if artists := sorted(who().artists):
            own = OwnArtists(stores, artists, options.name_rule(stores.settings))
            items = Source(own.only(items), items.remarks)
        summary = preview(stores, items, options)
    shown = [replace(one, path=one.path.removeprefix(f"{files}/")) for one in summary.items]
    shown += [FileOutcome(one.name, Outcome.REFUSED, one.reason) for one in left_out]
    return replace(summary, items=shown)


def preview_upload(
    stores: Stores,
    file: IO[bytes],
    name: str | None,
    said: Described,
    reading: Reading = AS_IT_IS,
    options: Options = BY_RULE,
) -> Summary:
    """Say what `accept` would have a job do; raises as it does, and writes nothing."""
    is_packed = is_archive(file)
    _check(is_packed, said)
    _check_reading(is_packed, reading)
    artists = sorted(who().artists)
    _check_allowed(stores, said, options, artists)
    with temporary_folder(stores.settings.home) as folder:
        packed = folder / "packed"
        with packed.open("wb") as copy:
            shutil.copyfileobj(file, copy)
        if is_packed:
            reading = replace(reading, artist=said.artist)
            return preview_archive(stores, packed, reading, options)
        shown = shown_name(name)
        summary = preview(stores, Source([_one_work(packed, shown, said)]), options)
        return replace(summary, items=[replace(one, path=shown) for one in summary.items])


def names_in_archive(stores: Stores, archive: Path, reading: Reading) -> list[str]:
    """Return the artists of an archive as it spells them, each once, in order."""
    _check_reading(is_packed=True, reading=reading)
    with temporary_folder(stores.settings.home) as files:
        items, _ = _unpacked(stores, archive, files, reading)
        return list(dict.fromkeys(item.artist for item in items if item.refused is None))


def forget_given_up(stores: Stores) -> None:
    """Delete what was uploaded for jobs that failed or were cancelled and not gone on with.

    For jobs that are done as well: the process that finished one may have ended before it did this.
    """
    jobs = stores.store.jobs_with_incoming()
    with stores.sessions() as session:
        over = queries.jobs_over(session, jobs, now() - KEPT_FOR)
    for job_id in over:
        stores.store.clear_incoming(job_id)
        with stores.sessions.begin() as session:
            queries.forget_upload(session, job_id)


def shown_name(name: str | None) -> str:
    """Return a client's file name as it may be shown: no folders, no control characters."""
    last = (name or "").replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(one for one in last if one.isprintable())[:LONGEST_SHOWN] or "unnamed"


def _check(is_packed: bool, said: Described) -> None:  # noqa: FBT001  a fact, not a switch
    if is_packed and said.is_about_one_work:
        raise BadInput(
            "an archive takes no field but `artist`; put title, tags, year, licence and "
            "consent of each work into a metadata.jsonl or metadata.csv in any of its folders"
        )
    if not is_packed and said.artist is None:
        raise BadInput("a single work needs an artist; fill in the field `artist`")
    if said.artist is not None:
        tidy(said.artist)  # raises for what is no name


def _check_allowed(
    stores: Stores, said: Described, options: Options, artists: Sequence[str]
) -> None:
    """Raise NotAllowed for what the caller may not: an archive's works are looked at later."""
    if options.reinstate:
        who().require(Scope.OPERATE)  # it takes back what a withdrawal did
    if artists and said.artist is not None:
        own = OwnArtists(stores, artists, options.name_rule(stores.settings))
        if refusal := own.refusal(said.artist):
            raise NotAllowed(refusal, why=OTHER_ARTIST)


def _check_reading(is_packed: bool, reading: Reading) -> None:  # noqa: FBT001  a fact
    if not is_packed and reading != AS_IT_IS:
        raise BadInput("names_encoding and layout are about an archive; a single work has none")
    if reading.names_encoding is not None:
        check_encoding(reading.names_encoding)


def _open(
    stores: Stores, job_id: UUID, folder: Path, upload: dict[str, Any]
) -> tuple[Source, list[LeftOut], Callable[[Path], str]]:
    """Return the files of an upload, what was left out, and how paths are shown."""
    said, name = Described.of(upload["said"]), upload["name"]
    packed, files = folder / "packed", folder / "files"
    stores.store.fetch_incoming(job_id, UPLOAD, packed)
    with packed.open("rb") as file:
        is_packed = is_archive(file)
    if not is_packed:
        return Source([_one_work(packed, name, said)]), [], lambda _: name
    files.mkdir()
    kept = upload.get("reading", {})
    level = Level(kept["layout"]) if kept.get("layout") else None
    reading = Reading(said.artist, level, kept.get("names_encoding"))
    items, left_out = _unpacked(stores, packed, files, reading)
    packed.unlink()
    return items, left_out, lambda path: path.relative_to(files).as_posix()


def _unpacked(
    stores: Stores, archive: Path, files: Path, reading: Reading
) -> tuple[Source, list[LeftOut]]:
    """Unpack an archive into a folder and read that; returns what was left out as well."""
    left_out = unpack(archive, files, unpack_limits(stores), names_encoding=reading.names_encoding)
    lost = [(one.name, one.reason) for one in left_out]
    try:
        items = read_source(files, artist=reading.artist, level=reading.layout, lost=lost)
    except BadInput as error:
        raise _about_archive(error, files, left_out) from None
    return items, left_out


def _one_work(path: Path, name: str, said: Described) -> SourceItem:
    return SourceItem(
        path=path,
        artist=tidy(said.artist or ""),
        title=visible(said.title or Path(name).stem) or name,
        caption=visible(said.caption or "") or None,
        tags=tuple(text for one in said.tags if (text := visible(one))),
        year=said.year,
        licence=visible(said.licence or "") or None,
        consent=said.consent,
        said=said.said,
        heard=dict.fromkeys(PURPOSES, ConsentSource.UPLOAD.value),
    )


def unpack_limits(stores: Stores) -> UnpackLimits:
    """Return what an uploaded archive may hold."""
    return limits_of(stores.settings, stores.limits)


def limits_of(settings: Settings, limits: Limits) -> UnpackLimits:
    """Return what an archive may hold where images have these limits."""
    return UnpackLimits(
        max_files=settings.max_archive_files,
        max_member_bytes=limits.max_bytes,
        max_total_bytes=int(UNPACKED_PER_PACKED * settings.max_archive_mb * 2**20),
    )


def _record_left_out(
    session: Session, job_id: UUID, left_out: list[LeftOut], *, start: int
) -> None:
    """Append what was not unpacked to the job, as refused files."""
    rows = [NewItem(path=one.name, artist=one.name.split("/")[0]) for one in left_out]
    queries.add_items(session, job_id, rows, start=start)
    outcomes = [
        ItemOutcome(position, Outcome.REFUSED, one.reason)
        for position, one in enumerate(left_out, start)
    ]
    queries.record_outcomes(session, job_id, outcomes)


def _about_archive(error: BadInput, files: Path, left_out: list[LeftOut]) -> BadInput:
    """Say the same without our paths, and why members may be missing."""
    said = str(error).replace(f"{files}/", "").replace(str(files), "the archive")
    if isinstance(error, NoArtist):
        said += ". To name one for all files: the field `artist`, on the command line --artist NAME"
    if left_out:
        said += f" ({len(left_out)} left out, such as {left_out[0].name!r}: {left_out[0].reason})"
    return BadInput(said)
