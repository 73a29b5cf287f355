"""Uploaded files on their way to an ingest job: stored, unpacked, listed, queued, cleared away.

A file name of a client is shown and never used as a path. Each upload waits in a folder of its own
under `LAWFUL_HOME/uploads` until its job has ended.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import IO
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from attribution.catalog import queries
from attribution.catalog.models import Outcome
from attribution.catalog.queries import ItemOutcome, NewItem
from attribution.errors import BadInput, TooLarge
from attribution.images import CheckedImage, Limits, read_image
from attribution.services import Services
from ingest import pipeline
from ingest.archives import LeftOut, UnpackLimits, is_archive, unpack
from ingest.jobs import JobQueue
from ingest.sources import GRANTED_BY_DEFAULT, SourceItem, read_source

log = logging.getLogger(__name__)

LONGEST_SHOWN = 120
UNPACKED_PER_PACKED = 4  # pictures hardly shrink in an archive: four times its limit is generous


@dataclass(frozen=True)
class Described:
    """What the sender says about an upload; all but the artist is about a single work."""

    artist: str | None = None
    title: str | None = None
    tags: tuple[str, ...] = ()
    year: int | None = None
    licence: str | None = None
    consent: tuple[str, ...] = GRANTED_BY_DEFAULT

    @property
    def is_about_one_work(self) -> bool:
        """Whether it says more than an archive can be told."""
        return self != Described(artist=self.artist)


class Uploads:
    """Takes files in and clears them away; one for each application."""

    def __init__(self, services: Services, jobs: JobQueue) -> None:
        self._services, self._jobs = services, jobs
        self._folder = services.settings.uploads_path
        self._arriving: set[str] = set()
        self._lock = Lock()
        self.clean()

    def accept(self, file: IO[bytes], name: str | None, said: Described) -> UUID:
        """Store one image or archive and queue it as a job; returns the job's id.

        Raises BadInput for what cannot be listed, TooLarge for an archive that passes a limit.
        """
        with self._arrival() as folder:
            packed = folder / "upload"
            with packed.open("xb") as stored:
                shutil.copyfileobj(file, stored)
            items, left_out = self._list(packed, folder / "files", said)
            source = f"upload:{folder.name}/{shown_name(name)}"
            with self._services.sessions.begin() as session:
                job_id = pipeline.plan(session, source, items)
                _record_left_out(session, job_id, left_out)
        self._jobs.submit(job_id).add_done_callback(lambda _: self.clean())
        return job_id

    def clean(self) -> None:
        """Delete the folders that no arriving upload and no unfinished job needs."""
        with self._lock:
            found = {path.name for path in self._folder.glob("*")} - self._arriving
        with self._services.sessions() as session:
            sources = [job.source for job in queries.unfinished_jobs(session)]
        needed = {source.removeprefix("upload:").split("/")[0] for source in sources}
        for name in found - needed:
            shutil.rmtree(self._folder / name, ignore_errors=True)

    @contextmanager
    def _arrival(self) -> Iterator[Path]:
        """Make a folder that stays if the block succeeds, by then named in its job."""
        name = str(uuid4())
        folder = self._folder / name
        with self._lock:
            self._arriving.add(name)
        try:
            folder.mkdir(parents=True)
            yield folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            with self._lock:
                self._arriving.discard(name)

    def _list(
        self, packed: Path, files: Path, said: Described
    ) -> tuple[Iterator[SourceItem], list[LeftOut]]:
        if not is_archive(packed):
            return iter([_one_work(packed, said)]), []
        if said.is_about_one_work:
            raise BadInput(
                "an archive takes no field but `artist`; put title, tags, year, licence and "
                "consent of each work into a metadata.jsonl or metadata.csv at its root"
            )
        files.mkdir()
        left_out = unpack(packed, files, _limits(self._services))
        packed.unlink()
        try:
            return read_source(files, artist=said.artist), left_out
        except BadInput as error:
            raise _about_archive(error, files, left_out) from None


def shown_name(name: str | None) -> str:
    """Return a client's file name as it may be shown: no folders, no control characters."""
    last = (name or "").replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(one for one in last if one.isprintable())[:LONGEST_SHOWN] or "unnamed"


def shown_path(path: str, uploads: Path) -> str:
    """Return the path of a job's file as it may be shown: inside the upload, not on our disk."""
    if Path(path).is_relative_to(uploads):
        inside = Path(path).relative_to(uploads).parts[1:]
        return "/".join(inside).removeprefix("files/")
    return path


def read_upload(file: IO[bytes], limits: Limits) -> CheckedImage:
    """Decode an uploaded image; raises TooLarge, BadImage."""
    data = file.read(limits.max_bytes + 1)
    if len(data) > limits.max_bytes:
        raise TooLarge(
            f"the image has more than {limits.max_bytes / 2**20:.1f} MiB; make it smaller, "
            f"or raise LAWFUL_MAX_IMAGE_MB"
        )
    return read_image(data, limits)


def _one_work(path: Path, said: Described) -> SourceItem:
    if said.artist is None:
        raise BadInput("a single work needs an artist; fill in the field `artist`")
    return SourceItem(
        path=path,
        artist=said.artist,
        title=said.title or path.stem,
        tags=said.tags,
        year=said.year,
        licence=said.licence,
        consent=said.consent,
    )


def _limits(services: Services) -> UnpackLimits:
    settings = services.settings
    return UnpackLimits(
        max_files=settings.max_archive_files,
        max_member_bytes=services.limits.max_bytes,
        max_total_bytes=int(UNPACKED_PER_PACKED * settings.max_archive_mb * 2**20),
    )


def _record_left_out(session: Session, job_id: UUID, left_out: list[LeftOut]) -> None:
    """Append what was not unpacked to the job, as refused files."""
    _, start = queries.job_progress(session, job_id)
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
