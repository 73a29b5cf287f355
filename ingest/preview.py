"""What a job would do, said before anything is written: `lawful ingest --dry-run`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from attribution.catalogue import queries
from attribution.catalogue.models import Outcome
from attribution.catalogue.nobody import NOBODYS_NAME, is_nobody
from attribution.collection import Stores
from attribution.threads import Threads
from ingest.corrections import ASKED, FREER, divided, shown
from ingest.denials import Denials
from ingest.joining import Spellings, foreseen
from ingest.loading import DECODERS, Work
from ingest.nobodys import GIVEN
from ingest.options import BY_RULE, Options
from ingest.reading import BLANK, Prepared, prepare
from ingest.sources import Source
from ingest.summary import FileOutcome, Summary


def preview(stores: Stores, items: Source, options: Options = BY_RULE) -> Summary:
    """Read and check every file as a job would, and write nothing.

    The artist of every file is in its outcome, and what would be corrected, field by field.
    """
    denials = Denials(stores.limits)
    works = [Work(position, item) for position, item in enumerate(denials.noting(items))]
    denied = denials.by_hash()
    outcomes: list[FileOutcome] = []
    so_far = _SoFar()
    used: dict[str, None] = {}  # names of works that could come in, in order
    rule = options.name_rule(stores.settings)
    spellings = Spellings(rule)
    with Threads(DECODERS) as decoders:
        while few := works[len(outcomes) : len(outcomes) + stores.settings.batch_size]:
            ready = prepare(
                stores, decoders, few, spellings, lambda *_: denied, reinstate=options.reinstate
            )
            hands = _by_hand(stores, ready)
            outcomes += [_preview_one(done, so_far, hands, options) for done in ready]
            used |= {done.work.item.artist: None for done in ready if done.refused is None}
    artists = {one.artist for one in outcomes if not is_nobody(one.artist)}
    with stores.sessions() as session:
        remarks = [*items.remarks, *foreseen(session, used, rule)]
    return Summary(job=None, artists=len(artists), items=outcomes, remarks=remarks)


@dataclass
class _SoFar:
    """What would have become of the works of earlier files, by their hashes."""

    artists: dict[str, str] = field(default_factory=dict)
    brought: set[str] = field(default_factory=set)  # under the work's own artist
    withdrawn: set[str] = field(default_factory=set)


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


def _preview_one(done: Prepared, so_far: _SoFar, by_hand: _ByHand, options: Options) -> FileOutcome:
    """Say what would become of the next file."""
    path, item, sha256 = str(done.work.item.path), done.work.item, done.sha256 or ""
    if done.refused is not None:
        reason = done.refused
        if done.is_withdrawn and sha256 not in so_far.withdrawn:
            so_far.withdrawn.add(sha256)
            reason = queries.WITHDREW
        return FileOutcome(path, Outcome.REFUSED, reason, artist=done.artist)
    blank = BLANK if done.is_blank else None
    first = so_far.artists.get(sha256) or (done.known.artist.name if done.known else None)
    is_given = first == NOBODYS_NAME and not (done.known and done.known.id in by_hand.placed)
    is_given = is_given and done.artist != first
    so_far.artists[sha256] = done.artist if is_given else first or done.artist
    if first not in {None, done.artist} and not is_given:
        reason = f"the same file is registered under {first}"
        return FileOutcome(path, Outcome.CONFLICT, reason, artist=done.artist)
    is_repeated = sha256 in so_far.brought
    so_far.brought.add(sha256)
    if first is None:
        return FileOutcome(path, Outcome.ADDED, blank, done.is_blank, done.artist)
    if is_given:
        became = Outcome.CORRECTED if done.known and not is_repeated else Outcome.REPEATED
        return FileOutcome(path, became, GIVEN, done.is_blank, done.artist)
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
