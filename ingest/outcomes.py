"""What became of the files that were read together, and the claims that follow from it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from attribution.catalogue import queries
from attribution.catalogue.models import Artist, Artwork, Change, Outcome
from attribution.catalogue.queries import ItemOutcome, NewClaim
from ingest.corrections import ASKED, FREER, shown, told
from ingest.nobodys import GIVEN
from ingest.reading import BLANK, Prepared

MEANWHILE = "it was withdrawn meanwhile"


@dataclass(frozen=True)
class Rows:
    """The rows of some files: of their artists, and of works that were new when they were read."""

    artists: Mapping[str, Artist]  # by the name that a file gives
    new: Mapping[str, Artwork]  # by hash

    @property
    def names(self) -> dict[UUID, str]:
        """The names of the artists."""
        return {artist.id: artist.name for artist in self.artists.values()}

    def artist(self, done: Prepared) -> Artist:
        """Return the row of a usable file's artist."""
        return self.artists[done.work.item.artist]

    def work(self, done: Prepared) -> Artwork:
        """Return the row of a usable file's work."""
        return done.known or self.new[done.picture.sha256 if done.picture else ""]


@dataclass(frozen=True)
class Standing:
    """How the works of some files stand once their points are written."""

    works: Collection[UUID]  # all of them
    added: Collection[UUID]  # findable, or registered as blank, by these files
    findable: Collection[UUID]
    settled: Collection[UUID]  # findable, or registered as blank
    gone: Collection[str]  # withdrawn while they came in, by hash


@dataclass(frozen=True)
class Changed:
    """What else these files change or would change, by work."""

    given: Mapping[UUID, UUID]  # works of nobody, and the artists who have got them
    corrected: Mapping[UUID, Change]
    asked: Mapping[UUID, dict[str, Any]]  # what would become freer, and waits for an agreement


class Outcomes:
    """Says what became of one file after another; what the earlier ones brought or withdrew counts.

    `brought` are works of earlier files of the job; `claims` are those that have followed so far.
    """

    def __init__(
        self, job_id: UUID, rows: Rows, standing: Standing, changed: Changed, brought: set[UUID]
    ) -> None:
        self.claims: list[NewClaim] = []
        self._job_id, self._rows, self._standing, self._changed = job_id, rows, standing, changed
        self._settled, self._brought = set(standing.settled), set(brought)

    def of(self, done: Prepared) -> ItemOutcome:
        """Say what became of a file."""
        if done.refused is not None:
            return self._refused(done, done.refused)
        work = self._rows.work(done)
        if work.sha256 in self._standing.gone:
            return ItemOutcome(done.work.position, Outcome.REFUSED, MEANWHILE, work.id)
        if self._owner(work) != self._rows.artist(done).id:
            return self._conflict(done, work)
        return self._own(done, work)

    def _owner(self, work: Artwork) -> UUID:
        return self._changed.given.get(work.id, work.artist_id)

    def _refused(self, done: Prepared, reason: str) -> ItemOutcome:
        """Say why a file is refused; the first of a work that its source takes back withdraws."""
        if done.known and done.is_withdrawn and done.known.id in self._settled:
            self._settled.remove(done.known.id)
            reason = queries.WITHDREW
        return ItemOutcome(done.work.position, Outcome.REFUSED, reason, done.registered)

    def _conflict(self, done: Prepared, work: Artwork) -> ItemOutcome:
        """Say whose a work is that comes under another artist, who claims it unless nobody."""
        owner = self._rows.names.get(self._owner(work), work.artist.name)
        reason = f"the same file is registered under {owner}"
        artist = self._rows.artist(done)
        if not artist.is_nobody:
            path = str(done.work.item.path)
            self.claims.append(NewClaim(work.id, artist.id, path, self._job_id))
            reason += "; recorded as a claim"
        return ItemOutcome(done.work.position, Outcome.CONFLICT, reason, work.id)

    def _own(self, done: Prepared, work: Artwork) -> ItemOutcome:
        outcome = self._outcome(work)
        reason = GIVEN if work.id in self._changed.given else BLANK if done.is_blank else None
        if outcome in {Outcome.CORRECTED, Outcome.KNOWN}:
            reason = self._said_otherwise(work) or reason
        self._brought.add(work.id)
        return ItemOutcome(done.work.position, outcome, reason, work.id)

    def _outcome(self, work: Artwork) -> Outcome:
        if work.id in self._brought:
            return Outcome.REPEATED
        if work.id in self._standing.added:
            return Outcome.ADDED
        if work.id in self._changed.corrected or work.id in self._changed.given:
            return Outcome.CORRECTED
        return Outcome.KNOWN

    def _said_otherwise(self, work: Artwork) -> str:
        """Say what was corrected of a work, and what would become freer."""
        corrected, asked = self._changed.corrected, self._changed.asked
        said = [told(corrected[work.id])] if work.id in corrected else []
        if work.id in asked:
            said.append(f"{ASKED} ({shown(asked[work.id], work)}); {FREER}")
        return "; ".join(said)
