"""The first step of the pipeline: files are checked, and compared with what is known."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.catalogue import queries
from attribution.catalogue.models import Artwork, ArtworkStatus
from attribution.catalogue.queries import KeptSketch
from attribution.catalogue.spellings import Whose
from attribution.collection import Stores
from attribution.copies.description import untiled
from attribution.errors import BackendUnavailable, BadImage, NotFound
from attribution.images import CheckedImage
from attribution.outages import disk_outages
from attribution.threads import Threads
from attribution.types import Part
from ingest.joining import Spellings
from ingest.loading import Loaded, Work, load_few
from ingest.picture import Looked, Picture

log = logging.getLogger(__name__)

REINSTATE = "ingest it with --reinstate to take it in again"
DEADLY = (
    "it ended two processes that read it alone (a crash, or too little memory); save it again from "
    "an image editor, or bring it again after a day"
)
FORBIDS = "its source says no to finding it (consent_index, or words such as “withdrawn”)"
ELSEWHERE = "a file with the same bytes elsewhere in its source says no to finding it"
BLANK = "it is blank: registered, and never found"
SETTLED = (ArtworkStatus.INDEXED, ArtworkStatus.BLANK)


@dataclass(frozen=True)
class Prepared:
    """One file, read and checked: an image to encode, a work that is known, or a refusal."""

    work: Work
    file: Loaded
    artist: str  # by the name that the catalogue has, or will have, of its spelling
    picture: Picture | None = None  # of a new work
    known: Artwork | None = None
    seen: Picture | None = None  # of a known work whose picture nobody had seen before
    # For the copy lane: of a new work, and of a known one of which nothing is kept.
    sketches: Mapping[Part, KeptSketch] = field(default_factory=dict)
    image: CheckedImage | None = None  # to be encoded; None where that was done elsewhere
    lacks_vectors: bool = False  # a new work that shows something, a known one that has none
    refused: str | None = None
    registered: UUID | None = None  # the work of these bytes, in whatever state
    # Whether it is of a withdrawn work or artist: nothing that its source says is kept.
    is_forgotten: bool = False

    @property
    def sha256(self) -> str | None:
        """The hash of its bytes, where they are known."""
        return self.file.sha256

    @property
    def has_parts(self) -> bool:
        """Whether copies of it are recognised by more than the whole."""
        return len(self.sketches) > 1

    @property
    def is_own(self) -> bool:
        """Whether it is a known work that comes under its own artist."""
        return self.known is not None and self.known.artist.name == self.artist

    @property
    def is_withdrawn(self) -> bool:
        """Whether a work is known that its source takes back."""
        known = self.known
        return (
            known is not None
            and "index" not in self.work.item.consent
            and (self.is_own or known.artist.is_nobody)
        )

    @property
    def is_blank(self) -> bool:
        """Whether it shows nothing, as far as it was looked at."""
        if self.known:
            return self.known.status is ArtworkStatus.BLANK
        return self.picture is not None and self.picture.is_blank


def prepare(
    stores: Stores,
    decoders: Threads,
    works: Sequence[Work],
    spellings: Spellings,
    denied_of: Callable[[Session, Collection[str]], Mapping[str, Collection[str]]],
    *,
    reinstate: bool,
) -> list[Prepared]:
    """Read the first files, as many as memory is meant for; decode those that are not indexed yet.

    `denied_of` is that of `judge`.
    """
    loaded = load_few(stores, decoders, works)
    ready = judge(stores, loaded, spellings, denied_of, reinstate=reinstate)
    return list(decoders.map(lambda one: one(), ready))


def judge(
    stores: Stores,
    loaded: Sequence[tuple[Work, Loaded]],
    spellings: Spellings,
    denied_of: Callable[[Session, Collection[str]], Mapping[str, Collection[str]]],
    *,
    reinstate: bool,
) -> list[Callable[[], Prepared]]:
    """Compare files with what is known; returns what looks at each that has to be looked at.

    `denied_of` returns what their source denies of files under any name, by their hashes.
    """
    hashes = [file.sha256 for _, file in loaded if file.sha256]
    with stores.sessions() as session:
        rows = queries.artworks_by_sha256(session, hashes)
        ids = [row.id for row in rows]
        found = spellings.of(session, [work.item.artist for work, _ in loaded])
        bare = queries.without_sketch(session, ids) | untiled(session, rows)
        live = queries.live_collection(session)
        unencoded = queries.without_vectors(session, live.fingerprint, ids) if live else set()
        deadly = queries.deadly_files(session, hashes)
        denied = denied_of(session, hashes)
    known = {row.sha256: row for row in rows}

    def read(work: Work, file: Loaded) -> Prepared:
        sha256 = file.sha256 or ""
        work, row = work.heeding(denied.get(sha256, ())), known.get(sha256)
        theirs = found[work.item.artist]
        artist = theirs.of_work(row.artist.name) if row is not None else theirs.artist
        made = partial(Prepared, work, file, artist)
        is_known = row is not None and row.status in SETTLED
        refused = _refusal(work, row, theirs, reinstate=reinstate)
        if refused is not None or (row is not None and is_known and row.id not in bare | unencoded):
            return made(
                known=row if is_known else None,
                refused=refused,
                registered=row.id if row else None,
                is_forgotten=not reinstate and _is_withdrawn(row, theirs),
            )
        try:
            looked = _look(stores, file, is_deadly=sha256 in deadly)
            made = partial(made, sketches=looked.sketches, image=looked.image)
            if row is not None and is_known:
                is_first = row.is_unseen and bool(looked.picture.phash)
                seen = looked.picture if is_first else None
                return made(known=row, seen=seen, lacks_vectors=row.id in unencoded)
            if refused := _policy(stores, looked.picture):
                return made(refused=refused, sketches={}, image=None)
            return made(picture=looked.picture, lacks_vectors=not looked.picture.is_blank)
        except (BadImage, NotFound) as error:
            return made(refused=str(error))
        except BackendUnavailable:
            raise
        except Exception as error:
            log.warning("%s", work.item.path, exc_info=True)
            return made(refused=unprocessable(error))

    return [partial(read, *one) for one in loaded]


def _look(stores: Stores, file: Loaded, *, is_deadly: bool) -> Looked:
    if is_deadly:
        raise BadImage("deadly", DEADLY)
    with disk_outages("while files were read"):
        return file.look(stores.limits)


def _refusal(work: Work, row: Artwork | None, theirs: Whose, *, reinstate: bool) -> str | None:
    """Return why a file may not come in, whatever is in it."""
    if not reinstate and row is not None and row.status is ArtworkStatus.WITHDRAWN:
        return f"it was withdrawn ({row.reason}); {REINSTATE}"
    if not reinstate and theirs.is_closed:
        return f"{queries.CLOSED}; {REINSTATE}"
    if work.item.refused is not None:
        return work.item.refused
    if "index" not in work.item.consent:
        return ELSEWHERE if work.is_denied_elsewhere else FORBIDS
    return theirs.refused


def _is_withdrawn(row: Artwork | None, theirs: Whose) -> bool:
    return theirs.is_closed or (row is not None and row.status is ArtworkStatus.WITHDRAWN)


def _policy(stores: Stores, picture: Picture) -> str | None:
    """Return why a file that may not be used for training is not taken in to be protected."""
    said = picture.forbids.get("train")
    if said is None or stores.settings.opted_out == "protect":
        return None
    return f"it says no to AI training ({said}), and LAWFUL_OPTED_OUT=refuse"


def unprocessable(error: Exception) -> str:
    """Return the reason for a file that breaks what should read or encode it."""
    return f"it cannot be processed: {type(error).__name__}: {error}"
