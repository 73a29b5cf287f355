"""Uploads on their way into a job: a worker unpacks, checks and lists what the API only stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, Self
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.catalog import queries
from attribution.catalog.encodings import check_encoding
from attribution.catalog.models import Outcome
from attribution.catalog.names import tidy
from attribution.catalog.queries import LISTING, ItemOutcome, NewItem
from attribution.errors import BadInput, TooLarge
from attribution.services import Stores
from ingest.archives import LeftOut, UnpackLimits, is_archive, unpack
from ingest.lease import leased
from ingest.listing import listed, record
from ingest.reading import preview
from ingest.sources import GRANTED_BY_DEFAULT, SourceItem, one_line, read_source
from ingest.summary import FileOutcome, Summary

LIMIT = "LAWFUL_MAX_ARCHIVE_MB"
UPLOAD = "upload"  # what the store calls it
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
    *,
    names_encoding: str | None = None,
    reinstate: bool = False,
) -> UUID:
    """Store an upload and open a job whose first batch lists it; returns the job's id.

    `names_encoding` is of the names in an archive that say nothing themselves. Raises BadInput for
    what can be seen at once: a work without artist, fields that an archive cannot have.
    """
    is_packed = is_archive(file)
    _check(is_packed, said)
    _check_encoding(is_packed, names_encoding)
    shown = shown_name(name)
    with stores.sessions.begin() as session:
        job_id = queries.create_job(
            session,
            source=f"upload:{shown}",
            reinstate=reinstate,
            upload={"name": shown, "said": asdict(said), "names_encoding": names_encoding},
        ).id
    try:
        stores.store.put_incoming(job_id, UPLOAD, file)
        with stores.sessions.begin() as session:
            queries.add_listing(session, job_id)
    except BaseException:
        with stores.sessions.begin() as session:
            queries.fail_job(session, job_id, "the upload could not be stored; send it again")
        raise
    return job_id


def accept_archive(
    stores: Stores,
    archive: Path,
    artist: str | None,
    *,
    names_encoding: str | None,
    reinstate: bool,
) -> UUID:
    """Take in an archive of this machine as if it were uploaded; raises TooLarge like the API."""
    limit = stores.settings.max_archive_mb
    if archive.stat().st_size > limit * 2**20:
        raise TooLarge(f"{archive} has more than {limit:g} MiB; split it, or raise {LIMIT}")
    with archive.open("rb") as file:
        said = Described(artist=artist)
        return accept(
            stores, file, archive.name, said, names_encoding=names_encoding, reinstate=reinstate
        )


def list_upload(stores: Stores, job_id: UUID) -> None:
    """Give the files of an upload rows and batches: the first batch of its job.

    Raises BadInput, TooLarge for an archive that cannot be used; the job has failed then.
    """
    with leased(stores, (job_id, LISTING)) as lease, TemporaryDirectory() as temporary:
        if lease is None:
            return
        with stores.sessions() as session:
            upload = queries.job_by_id(session, job_id).upload
        folder = Path(temporary)
        items, left_out, shown = _open(stores, job_id, folder, upload)
        with stores.sessions.begin() as session:
            queries.clear_items(session, job_id)  # of an earlier try
        files = 0
        for chunk in listed(stores, job_id, items, staged=True, shown=shown):
            with stores.sessions.begin() as session:
                record(session, job_id, chunk, start=files)
            files += len(chunk)
        with stores.sessions.begin() as session:
            _record_left_out(session, job_id, left_out, start=files)
            queries.add_batches(session, job_id, files)
        lease.finish()


def preview_archive(
    stores: Stores, archive: Path, artist: str | None, names_encoding: str | None
) -> Summary:
    """Unpack and check an archive as a job would, and write nothing into the catalogue."""
    _check_encoding(is_packed=True, encoding=names_encoding)
    with TemporaryDirectory() as temporary:
        files = Path(temporary)
        left_out = unpack(archive, files, _limits(stores), names_encoding=names_encoding)
        try:
            summary = preview(stores, read_source(files, artist=artist))
        except BadInput as error:
            raise _about_archive(error, files, left_out) from None
    items = [replace(one, path=one.path.removeprefix(f"{files}/")) for one in summary.items]
    items += [FileOutcome(one.name, Outcome.REFUSED, one.reason) for one in left_out]
    return replace(summary, items=items)


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


def _check_encoding(is_packed: bool, encoding: str | None) -> None:  # noqa: FBT001  a fact
    if encoding is not None and not is_packed:
        raise BadInput("names_encoding is about the names in an archive; a single work has none")
    if encoding is not None:
        check_encoding(encoding)


def _open(
    stores: Stores, job_id: UUID, folder: Path, upload: dict[str, Any]
) -> tuple[Iterator[SourceItem], list[LeftOut], Callable[[Path], str]]:
    """Return the files of an upload, what was left out, and how paths are shown."""
    said, name = Described.of(upload["said"]), upload["name"]
    packed, files = folder / "packed", folder / "files"
    stores.store.fetch_incoming(job_id, UPLOAD, packed)
    with packed.open("rb") as file:
        is_packed = is_archive(file)
    if not is_packed:
        return iter([_one_work(packed, name, said)]), [], lambda _: name
    files.mkdir()
    encoding = upload.get("names_encoding")
    left_out = unpack(packed, files, _limits(stores), names_encoding=encoding)
    packed.unlink()
    try:
        items = read_source(files, artist=said.artist)
    except BadInput as error:
        raise _about_archive(error, files, left_out) from None
    return items, left_out, lambda path: path.relative_to(files).as_posix()


def _one_work(path: Path, name: str, said: Described) -> SourceItem:
    return SourceItem(
        path=path,
        artist=tidy(said.artist or ""),
        title=one_line(said.title or Path(name).stem) or name,
        caption=one_line(said.caption or "") or None,
        tags=tuple(text for one in said.tags if (text := one_line(one))),
        year=said.year,
        licence=one_line(said.licence or "") or None,
        consent=said.consent,
        said=said.said,
    )


def _limits(stores: Stores) -> UnpackLimits:
    settings = stores.settings
    return UnpackLimits(
        max_files=settings.max_archive_files,
        max_member_bytes=stores.limits.max_bytes,
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
    if left_out:
        said += f" ({len(left_out)} left out, such as {left_out[0].name!r}: {left_out[0].reason})"
    return BadInput(said)
