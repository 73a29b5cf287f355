"""What became of every file of a job, and the claims that follow from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from attribution.catalog import queries
from attribution.catalog.models import Artist, Artwork, Change, Outcome
from attribution.catalog.queries import ItemOutcome, NewClaim
from ingest.corrections import ASKED, FREER, shown, told
from ingest.nobodys import GIVEN
from ingest.reading import BLANK, Prepared


def outcomes_of(  # noqa: PLR0913  everything that decides on an outcome
    job_id: UUID,
    few: Sequence[Prepared],
    rows: dict[str, Artwork],
    artists: dict[str, Artist],
    asked: Mapping[UUID, dict[str, Any]],
    *,
    given: Mapping[UUID, UUID],
    added: set[UUID],
    corrected: Mapping[UUID, Change],
    gone: set[str],
    settled: set[UUID],
    brought: set[UUID],
) -> tuple[list[ItemOutcome], list[NewClaim]]:
    """Say what became of every file; `brought` are works of earlier files, also of this job.

    `settled` are works that can be found now: each is withdrawn by one file.
    """
    outcomes, claims = [], []
    names = {artist.id: artist.name for artist in artists.values()}
    for done in few:
        position = done.work.position
        if done.refused is not None:
            reason = done.refused
            if done.known and done.is_withdrawn and done.known.id in settled:
                settled.remove(done.known.id)
                reason = queries.WITHDREW
            outcomes.append(ItemOutcome(position, Outcome.REFUSED, reason, done.registered))
            continue
        row = row_of(done, rows)
        owner = given.get(row.id, row.artist_id)
        artist, why = artists[done.work.item.artist], BLANK if done.is_blank else None
        if row.sha256 in gone:
            outcomes.append(
                ItemOutcome(position, Outcome.REFUSED, "it was withdrawn meanwhile", row.id)
            )
        elif owner != artist.id:
            reason = f"the same file is registered under {names.get(owner, row.artist.name)}"
            if not artist.is_nobody:
                claims.append(NewClaim(row.id, artist.id, str(done.work.item.path), job_id))
                reason += "; recorded as a claim"
            outcomes.append(ItemOutcome(position, Outcome.CONFLICT, reason, row.id))
        else:
            why = GIVEN if row.id in given else why
            if row.id in brought:
                outcome = Outcome.REPEATED
            elif row.id in added:
                outcome = Outcome.ADDED
            else:
                is_other = row.id in corrected or row.id in given
                outcome = Outcome.CORRECTED if is_other else Outcome.KNOWN
                said = [told(corrected[row.id])] if row.id in corrected else []
                if row.id in asked:
                    said.append(f"{ASKED} ({shown(asked[row.id], row)}); {FREER}")
                why = "; ".join(said) or why
            brought.add(row.id)
            outcomes.append(ItemOutcome(position, outcome, why, row.id))
    return outcomes, claims


def row_of(done: Prepared, rows: Mapping[str, Artwork]) -> Artwork:
    """Return the row of a usable file's work."""
    return done.known or rows[done.image.facts.sha256 if done.image else ""]
