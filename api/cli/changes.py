"""`lawful changes` and `undo`: what was put right, by whom and why, and how to take it back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from api.cli.common import in_utc, moment, plain, print_json, settings_from_environment
from attribution.actors import who

if TYPE_CHECKING:
    from attribution.catalogue.models import Change
    from attribution.catalogue.queries import Origin
    from attribution.collection import Collection

# Kept for an undo, not for reading; merges of earlier versions have identifiers.
ARTIST_ROW = ("aliases", "identifiers", "created_at")
COUNTS = {
    "stayed": "works that stay: moved since, or not chosen",
    "added_since": "works that were added since, and stay",
}
Reason = Annotated[str | None, typer.Option(help="Reason, kept in the record.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object per change.")]


def changes(
    artist: Annotated[str | None, typer.Option(help="Only changes of this artist (slug).")] = None,
    work: Annotated[UUID | None, typer.Option(help="Only changes of this artwork (id).")] = None,
    since: Annotated[
        datetime | None, moment("Only changes made at this time or later (UTC).")
    ] = None,
    until: Annotated[datetime | None, moment("Only changes made before this time (UTC).")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Changes to show.")] = 20,
    *,
    as_json: Json = False,
) -> None:
    """List corrections, moves, merges, splits, renames, aliases and undos, newest first.

    Declared non-copies and their revocations are listed as well.

    Example: [bold]lawful changes --artist ann-example --since 2026-11-01[/]
    """
    from attribution.catalogue import queries
    from attribution.catalogue.queries import ChangesWanted
    from attribution.collection import open_stores

    with open_stores(settings_from_environment()) as stores, stores.sessions() as session:
        artist_id = queries.artist_by_slug(session, artist).id if artist else None
        artwork_id = queries.artwork_by_id(session, work).id if work else None
        wanted = ChangesWanted(artist_id, artwork_id, in_utc(since), in_utc(until))
        page = queries.list_changes(session, wanted, limit=limit)
    show(page.items, as_json=as_json)
    if not (page.items or as_json):
        Console().print("no such change")


def undo(
    change: Annotated[UUID, typer.Argument(help="Id of a change, as `lawful changes` shows it.")],
    work: Annotated[
        list[UUID] | None,
        typer.Option(help="Undo a merge or split for this work only (id; repeatable)."),
    ] = None,
    reason: Reason = None,
    *,
    as_json: Json = False,
) -> None:
    """Undo a correction, move, split, merge, rename, alias or an earlier undo.

    Later changes are not overwritten: works that were moved or added since then stay where they
    are, and the answer says how many. An undo can itself be undone.

    Example: [bold]lawful undo CHANGE --reason "two artists after all"[/]
    """
    from attribution.upkeep.undoing import undo as undo_in

    perform(
        lambda collection: undo_in(collection, change, origin(reason), works=work or ()),
        as_json=as_json,
    )


def origin(reason: str | None, by: str | None = None) -> Origin:
    """Return whose change it is, and why, for its record."""
    from attribution.catalogue.queries import Origin

    return Origin(who().name, reason, by)


def perform(action: Callable[[Collection], Change | None], *, as_json: bool) -> None:
    """Make a change in the collection of the settings, and show it."""
    from attribution.catalogue import queries
    from attribution.collection import open_collection, open_stores

    with open_stores(settings_from_environment()) as stores:
        with open_collection(stores) as collection:
            made = action(collection)
        with stores.sessions() as session:
            shown = [queries.change_by_id(session, made.id)] if made else []
    show(shown, as_json=as_json)
    if not (shown or as_json):
        Console().print("nothing changed: it was already so")


def show(changes: Sequence[Change], *, as_json: bool) -> None:
    """Print changes, read with their artists."""
    for change in changes:
        if as_json:
            print_json(_as_json(change))
        else:
            first, *rest = map(plain, _lines(change))
            Console().print(first, markup=False, highlight=False)
            Console().print(Padding(Text("\n".join(rest)), (0, 0, 1, 2), expand=False))


def _lines(change: Change) -> list[str]:
    """Return a change as a person reads it: what, of whom, from what to what, by whom, why."""
    artist = f"{change.artist.name} ({change.artist.slug})"
    lines = [f"{change.made_at:%Y-%m-%d %H:%M}  {change.kind.value}  {artist}"]
    if change.artwork_id:
        lines.append(f"work {change.artwork_id}")
    elif change.works:
        lines.append("1 work" if change.works == 1 else f"{change.works} works")
    before, after = change.before, change.after
    names = sorted((before.keys() | after.keys()) - {*ARTIST_ROW, *COUNTS})
    lines += [f"{name}: {before.get(name, '—')} → {after.get(name, '—')}" for name in names]
    lines += [f"{said}: {after[name]}" for name, said in COUNTS.items() if after.get(name)]
    who = f"{change.by}, {change.origin}" if change.by else change.origin
    lines.append(f"by {who}" + (f": {change.reason}" if change.reason else ""))
    if change.undoes_id:
        lines.append(f"undoes {change.undoes_id}")
    if change.undone_by:
        lines.append(f"undone by {change.undone_by.id}")
    return [*lines, f"id {change.id}"]


def _as_json(change: Change) -> dict[str, Any]:
    return {
        "id": str(change.id),
        "kind": change.kind.value,
        "artist": change.artist.slug,
        "artist_name": change.artist.name,
        "artwork_id": change.artwork_id and str(change.artwork_id),
        "works": change.works,
        "origin": change.origin,
        "by": change.by,
        "reason": change.reason,
        "made_at": change.made_at.isoformat(),
        "undoes": change.undoes_id and str(change.undoes_id),
        "undone_by": change.undone_by and str(change.undone_by.id),
        "before": change.before,
        "after": change.after,
    }
