"""What a job would do, said before anything is written: `lawful ingest --dry-run`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from attribution.catalog import queries
from attribution.catalog.models import Outcome
from attribution.catalog.nobody import NOBODYS_NAME, is_nobody
from attribution.services import Stores
from ingest.corrections import ASKED, FREER, divided, shown
from ingest.joining import Spellings
from ingest.nobodys import GIVEN
from ingest.options import BY_RULE, Options
from ingest.reading import BLANK, DECODERS, Prepared, Work, prepare
from ingest.sources import Source
from ingest.summary import FileOutcome, Summary


def preview(stores: Stores, items: Source, options: Options = BY_RULE) -> Summary:
    """Read and check every file as a job would, and write nothing.

    The artist of every file is in its outcome, and what would be corrected, field by field.
    """
    outcomes: list[FileOutcome] = []
    seen: dict[str, str] = {}
    used: dict[str, None] = {}  # names of works that could come in, in order
    spellings = Spellings(options.name_rule(stores.settings))
    with ThreadPoolExecutor(DECODERS) as decoders:
        while chunk := list(islice(items, stores.settings.batch_size)):
            works = [Work(position, item) for position, item in enumerate(chunk)]
            ready = prepare(stores, decoders, works, spellings, reinstate=options.reinstate)
            hands = _by_hand(stores, ready)
            outcomes += [_preview_one(done, seen, hands, options) for done in ready]
            used |= {done.work.item.artist: None for done in ready if done.refused is None}
    artists = {one.artist for one in outcomes if not is_nobody(one.artist)}
    with stores.sessions() as session:
        remarks = [*items.remarks, *spellings.remarks(session, used)]
    return Summary(job=None, artists=len(artists), items=outcomes, remarks=remarks)


@dataclass(frozen=True)
class _ByHand:
    """What people have decided on works that are known."""

    corrected: Mapping[UUID, set[str]]  # columns
    placed: set[UUID]  # works


def _by_hand(stores: Stores, ready: Sequence[Prepared]) -> _ByHand:
    known = [done.known.id for done in ready if done.known]
    with stores.sessions() as session:
        return _ByHand(
            queries.corrected_by_hand(session, known), queries.placed_by_hand(session, known)
        )


def _preview_one(
    done: Prepared, seen: dict[str, str], by_hand: _ByHand, options: Options
) -> FileOutcome:
    """Say what would become of a file; `seen` holds the artist of every work so far."""
    path, item = str(done.work.item.path), done.work.item
    if done.refused is not None:
        reason = queries.WITHDREW if done.is_withdrawn else done.refused
        return FileOutcome(path, Outcome.REFUSED, reason, artist=done.artist)
    blank = BLANK if done.is_blank else None
    sha256 = done.image.facts.sha256 if done.image else done.known.sha256 if done.known else ""
    first = seen.get(sha256) or (done.known.artist.name if done.known else None)
    is_given = first == NOBODYS_NAME and not (done.known and done.known.id in by_hand.placed)
    is_given = is_given and done.artist != first
    is_repeated, seen[sha256] = sha256 in seen, done.artist if is_given else first or done.artist
    if first is None:
        return FileOutcome(path, Outcome.ADDED, blank, done.is_blank, done.artist)
    if is_given:
        became = Outcome.CORRECTED if done.known and not is_repeated else Outcome.REPEATED
        return FileOutcome(path, became, GIVEN, done.is_blank, done.artist)
    if first != done.artist:
        reason = f"the same file is registered under {first}"
        return FileOutcome(path, Outcome.CONFLICT, reason, artist=done.artist)
    if is_repeated or done.known is None:
        return FileOutcome(path, Outcome.REPEATED, blank, done.is_blank, done.artist)
    row = done.known
    followed, asked = divided(
        row, item.corrections, by_hand.corrected.get(row.id, ()), allow_freer=options.allow_freer
    )
    said = [shown(followed, row)] if followed else []
    said += [f"{ASKED} ({shown(asked, row)}); {FREER}"] if asked else []
    became = Outcome.CORRECTED if followed else Outcome.KNOWN
    return FileOutcome(path, became, "; ".join(said) or blank, done.is_blank, done.artist)
