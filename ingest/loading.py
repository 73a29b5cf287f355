"""The files of a job and their bytes: each is read once, and as few are in memory as can be."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from attribution.chunks import chunks
from attribution.collection import Stores
from attribution.errors import BadImage, NotFound
from attribution.images import Limits, read_file, read_image
from attribution.stages import stage
from attribution.threads import Threads
from ingest.picture import Looked
from ingest.sources import SourceItem

DECODERS = 2  # threads; Pillow releases the GIL while it decodes
MOST_BYTES = 128 * 2**20  # held from reading a few files until they are written


@dataclass(frozen=True)
class Work:
    """One file to be done: where it stands in its job, and where its bytes are."""

    position: int
    item: SourceItem
    job_id: UUID | None = None  # of bytes in the store
    sha256: str | None = None  # of bytes in the store
    is_denied_elsewhere: bool = False  # by a file of its source with the same bytes, and not here

    def heeding(self, denied: Collection[str]) -> Work:
        """Return it as if its own row denied what another one denies of the same bytes."""
        elsewhere = "index" in denied and "index" in self.item.consent
        return replace(self, item=self.item.without(denied), is_denied_elsewhere=elsewhere)


@dataclass(frozen=True)
class Loaded:
    """The bytes of a file, or the reason why they cannot be read."""

    data: bytes = b""
    sha256: str | None = None  # None where it is not known
    error: BadImage | NotFound | None = None

    def look(self, limits: Limits) -> Looked:
        """Decode it and say what it shows; raises BadImage, NotFound."""
        if self.error is not None:
            raise self.error
        with stage("decode and hash"):
            image = read_image(self.data, limits.patient())
        return Looked.at(image)


def load(stores: Stores, work: Work) -> Loaded:
    """Read a file from the store or from its path; one that is lost is left alone."""
    if work.item.is_lost:
        return Loaded()
    if not (work.sha256 and work.job_id):
        return load_file(work.item.path, stores.limits)
    try:
        return Loaded(stores.store.incoming(work.job_id, work.sha256), work.sha256)
    except (BadImage, NotFound) as error:
        return Loaded(sha256=work.sha256, error=error)


def load_file(path: Path, limits: Limits) -> Loaded:
    """Read a file from its path."""
    try:
        data = read_file(path, limits)
    except (BadImage, NotFound) as error:
        return Loaded(error=error)
    return Loaded(data, hashlib.sha256(data).hexdigest())


def load_few(stores: Stores, decoders: Threads, works: Sequence[Work]) -> list[tuple[Work, Loaded]]:
    """Read the first of these files: at least one, and no more once they have MOST_BYTES."""

    def timed(work: Work) -> Loaded:
        with stage("read"):
            return load(stores, work)

    few: list[tuple[Work, Loaded]] = []
    for some in chunks(works, DECODERS):
        few += zip(some, decoders.map(timed, some), strict=True)
        if sum(len(file.data) for _, file in few) >= MOST_BYTES:
            break
    return few
