"""Where bytes live: a folder, or a bucket that all workers reach (fsspec). No HTTP, no catalogue.

Eight kinds of things under names of our own making, so that no path from outside leads here:

- `incoming/JOB/SHA256`: files on their way in, until their job has ended;
- `originals/SH/SHA256`: the files of indexed works, where the settings say that they are kept;
- `thumbnails/SH/SHA256.webp`: small pictures;
- `generations/ID/N.png`: generated pictures;
- `subjects/SH/SHA256`: images that were asked about, encrypted where the settings say so;
- `answers/ID3/ID`: answers of long ago, where the settings say that they leave the database;
- `documents/ID`: documents of cases, encrypted likewise;
- `withdrawals/YYYY-MM/ID.json`: what was withdrawn, by ids alone, for a catalogue that was restored
  from a backup of before.

Those of another tenant than the default one lie under `tenants/NAME/`.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any
from uuid import UUID

import fsspec
from fsspec.implementations.local import LocalFileSystem

from attribution import tenants
from attribution.errors import BackendUnavailable, BadInput, NotFound
from attribution.outages import disk_outage, disk_outages
from attribution.whole import forget_unfinished, written_whole

log = logging.getLogger(__name__)

CHUNK = 1 << 20
SHA256 = 64  # hexadecimal digits
JSON = ".json"
ID = len(str(UUID(int=0)))  # characters; what is shorter or longer is not ours
RECEIPT = ID + len(JSON)


class Store:
    """Files by content under one URL; a file appears whole or not at all."""

    def __init__(self, url: str) -> None:
        """Open `url`, a folder or an address like s3://BUCKET/PREFIX; raises BadInput."""
        self.url = url
        try:
            self._files, root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise BadInput(
                f"LAWFUL_STORAGE_URL={url!r} cannot be opened: {error}; give a folder, or "
                f"s3://BUCKET/PREFIX after pip install 'lawful-diffusion[s3]'"
            ) from None
        self._root = str(root).rstrip("/")

    def put_original(self, sha256: str, data: bytes) -> None:
        """Keep the file of a work."""
        self._put(self._original(sha256), data)

    def original(self, sha256: str) -> bytes:
        """Return the file of a work; raises NotFound."""
        return self._get(self._original(sha256), "its original was not kept; ingest it again")

    def has_original(self, sha256: str) -> bool:
        """Whether the file of a work was kept."""
        return bool(self._asked(lambda: self._files.exists(self._original(sha256))))

    def put_thumbnail(self, sha256: str, webp: bytes) -> None:
        """Keep the small picture of a work."""
        self._put(self._thumbnail(sha256), webp)

    def thumbnail(self, sha256: str) -> bytes:
        """Return the small picture of a work; raises NotFound."""
        return self._get(self._thumbnail(sha256), "it has no thumbnail; ingest it again")

    def has_thumbnail(self, sha256: str) -> bool:
        """Whether a work has a small picture."""
        return bool(self._asked(lambda: self._files.exists(self._thumbnail(sha256))))

    def forget_thumbnail(self, sha256: str) -> None:
        """Delete the small picture of a work."""
        self._delete(self._thumbnail(sha256))

    def forget(self, sha256: str) -> tuple[int, int]:
        """Delete what is kept of a work; returns how many (originals, thumbnails) went."""
        return self._delete(self._original(sha256)), self._delete(self._thumbnail(sha256))

    def put_incoming(self, job_id: UUID, name: str, source: IO[bytes]) -> None:
        """Keep a file until its job has ended; `name` is its hash or another of our own."""
        self._put_stream(self._incoming(job_id, name), source)

    def incoming(self, job_id: UUID, name: str) -> bytes:
        """Return a file on its way in; raises NotFound."""
        return self._get(self._incoming(job_id, name), "what was uploaded is gone; send it again")

    def fetch_incoming(self, job_id: UUID, name: str, target: Path) -> None:
        """Copy a file on its way in, of any size, to a path; raises NotFound."""
        path = self._incoming(job_id, name)
        missing = "what was uploaded is gone; send it again"
        with (
            self._opened(path, missing) as source,
            disk_outages(target.parent),
            target.open("wb") as file,
        ):
            shutil.copyfileobj(source, file, CHUNK)

    def clear_incoming(self, job_id: UUID) -> None:
        """Delete all that waited for a job."""
        self._clear(f"{self._of_tenant()}/incoming/{job_id}")

    def forget_incoming(self, job_id: UUID, name: str) -> int:
        """Delete one file that waited for a job; returns how many there were."""
        return self._delete(self._incoming(job_id, name))

    def jobs_with_incoming(self) -> list[UUID]:
        """Return the jobs for which something waits."""
        return [UUID(name) for name in self._names(f"{self._of_tenant()}/incoming")]

    def put_generated(self, generation_id: UUID, number: int, png: bytes) -> None:
        """Keep a generated picture."""
        self._put(self._generated(generation_id, number), png)

    def generated(self, generation_id: UUID, number: int) -> bytes:
        """Return a generated picture; raises NotFound."""
        return self._get(self._generated(generation_id, number), "it was not kept; draw it again")

    def forget_generated(self, generation_id: UUID) -> None:
        """Delete the pictures of one request."""
        self._clear(f"{self._of_tenant()}/generations/{generation_id}")

    def put_subject(self, sha256: str, data: bytes) -> None:
        """Keep an image that was asked about, by the hash of what it is."""
        self._put(self._subject(sha256), data)

    def subject(self, sha256: str) -> bytes:
        """Return an image that was asked about, as it was put; raises NotFound."""
        return self._get(
            self._subject(sha256), "its file is missing; `lawful reconcile --repair` notes that"
        )

    def has_subject(self, sha256: str) -> bool:
        """Whether an image that was asked about was kept."""
        return bool(self._asked(lambda: self._files.exists(self._subject(sha256))))

    def forget_subject(self, sha256: str) -> int:
        """Delete an image that was asked about; returns how many there were."""
        return self._delete(self._subject(sha256))

    def subjects(self, after: str, to: str) -> list[str]:
        """Return the hashes behind `after` and up to `to` of the images that were asked about."""
        folder = f"{self._of_tenant()}/subjects"
        parts = [one for one in self._names(folder) if after[:2] <= one <= to[:2]]
        names = [name for part in parts for name in self._names(f"{folder}/{part}")]
        return [name for name in names if len(name) == SHA256 and after < name <= to]

    def subject_put_at(self, sha256: str) -> datetime:
        """Return when an image that was asked about was put; raises NotFound."""
        try:
            at: datetime = self._asked(lambda: self._files.modified(self._subject(sha256)))
        except BackendUnavailable:
            if self.has_subject(sha256):
                raise
            raise NotFound(f"{sha256[:12]}…: its file is missing") from None
        return at

    def put_answer(self, attribution_id: UUID, data: bytes) -> None:
        """Keep an answer of long ago."""
        self._put(self._answer(attribution_id), data)

    def answer(self, attribution_id: UUID) -> bytes:
        """Return an answer of long ago, as it was put; raises NotFound."""
        return self._get(self._answer(attribution_id), "its file is missing")

    def forget_answer(self, attribution_id: UUID) -> int:
        """Delete the file of an answer; returns how many there were."""
        return self._delete(self._answer(attribution_id))

    def answers_behind(self, part: str) -> tuple[str | None, list[UUID]]:
        """Return the part of the answers' folder behind this one, and whose files are in it.

        None and nothing behind the last part.
        """
        folder = f"{self._of_tenant()}/answers"
        behind = min((one for one in self._names(folder) if one > part), default=None)
        names = self._names(f"{folder}/{behind}") if behind else []
        return behind, [UUID(name) for name in names if len(name) == ID]

    def put_document(self, document_id: UUID, data: bytes) -> None:
        """Keep a document of a case."""
        self._put(self._document(document_id), data)

    def document(self, document_id: UUID) -> bytes:
        """Return a document of a case, as it was put; raises NotFound."""
        return self._get(self._document(document_id), "its file is missing; add it again")

    def forget_document(self, document_id: UUID) -> None:
        """Delete a document of a case."""
        self._delete(self._document(document_id))

    def put_withdrawal(self, at: datetime, receipt: UUID, said: bytes) -> None:
        """Keep what was withdrawn beside the catalogue."""
        self._put(f"{self._of_tenant()}/withdrawals/{at:%Y-%m}/{receipt}{JSON}", said)

    def months_of_withdrawals(self) -> list[str]:
        """Return in which months something was withdrawn, the last one first."""
        return sorted(self._names(f"{self._of_tenant()}/withdrawals"), reverse=True)

    def withdrawals(self, month: str) -> list[UUID]:
        """Return the receipts of a month."""
        names = self._names(f"{self._of_tenant()}/withdrawals/{month}")
        return [UUID(name.removesuffix(JSON)) for name in names if len(name) == RECEIPT]

    def withdrawal(self, month: str, receipt: UUID) -> bytes:
        """Return what was withdrawn; raises NotFound."""
        return self._get(
            f"{self._of_tenant()}/withdrawals/{month}/{receipt}{JSON}",
            "it is not in the file store",
        )

    def check(self) -> None:
        """Raise BackendUnavailable unless files can be written here."""
        self._put(f"{self._root}/.check", b"ok")

    def _of_tenant(self) -> str:
        return tenants.own_place(self._root)

    def _original(self, sha256: str) -> str:
        return f"{self._of_tenant()}/originals/{sha256[:2]}/{sha256}"

    def _thumbnail(self, sha256: str) -> str:
        return f"{self._of_tenant()}/thumbnails/{sha256[:2]}/{sha256}.webp"

    def _generated(self, generation_id: UUID, number: int) -> str:
        return f"{self._of_tenant()}/generations/{generation_id}/{number}.png"

    def _subject(self, sha256: str) -> str:
        return f"{self._of_tenant()}/subjects/{sha256[:2]}/{sha256}"

    def _answer(self, attribution_id: UUID) -> str:
        return f"{self._of_tenant()}/answers/{attribution_id.hex[:3]}/{attribution_id}"

    def _document(self, document_id: UUID) -> str:
        return f"{self._of_tenant()}/documents/{document_id}"

    def _incoming(self, job_id: UUID, name: str) -> str:
        return f"{self._of_tenant()}/incoming/{job_id}/{name}"

    def _put(self, path: str, data: bytes) -> None:
        with self._written(path) as file:
            file.write(data)

    def _put_stream(self, path: str, source: IO[bytes]) -> None:
        with self._written(path) as file:
            shutil.copyfileobj(source, file, CHUNK)

    @contextmanager
    def _written(self, path: str) -> Iterator[Any]:
        """Open a file for writing; a bucket shows it when it is closed, a folder when renamed."""
        with self._translated():
            if not isinstance(self._files, LocalFileSystem):
                with self._files.open(path, "wb") as file:
                    yield file
                return
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            with written_whole(Path(path)) as new, new.open("xb") as file:
                yield file

    @contextmanager
    def _opened(self, path: str, missing: str) -> Iterator[Any]:
        with self._translated():
            try:
                file = self._files.open(path, "rb")
            except FileNotFoundError:
                raise NotFound(f"{path.rsplit('/', 1)[-1][:12]}…: {missing}") from None
            with file:
                yield file

    def _get(self, path: str, missing: str) -> bytes:
        with self._opened(path, missing) as file:
            return bytes(file.read())

    def _delete(self, path: str) -> int:
        with self._translated():
            if isinstance(self._files, LocalFileSystem):
                forget_unfinished(Path(path))
            if not self._files.exists(path):
                return 0
            self._files.rm_file(path)
            return 1

    def _clear(self, folder: str) -> None:
        if self._asked(lambda: self._files.exists(folder)):
            self._asked(lambda: self._files.rm(folder, recursive=True))

    def _names(self, folder: str) -> list[str]:
        """Return the names of what lies in a folder; of one that is not there, none."""
        if not self._asked(lambda: self._files.exists(folder)):
            return []
        paths = self._asked(lambda: self._files.ls(folder, detail=False))
        return [str(path).rstrip("/").rsplit("/", 1)[-1] for path in paths]

    def _asked(self, question: Callable[[], Any]) -> Any:
        with self._translated():
            return question()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Raise BackendUnavailable in place of what a full disk or an absent bucket raises."""
        try:
            yield
        except OSError as error:
            raise disk_outage(error, f"the file store {self.url}") or BackendUnavailable(
                f"the file store {self.url} failed: {error}; is it there, and may this user "
                f"write to it? (LAWFUL_STORAGE_URL)"
            ) from error
