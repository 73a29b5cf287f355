"""`lawful correct`, `move`, `merge`, `rename`, `alias`, `changes`: what was wrong is put right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api.cli.common import plain, print_json, settings_from_environment

if TYPE_CHECKING:
    from attribution.catalog.models import Change
    from attribution.index.vector_index import VectorIndex
    from attribution.services import Stores

DOOR = "command line"
WorkId = Annotated[UUID, typer.Argument(help="Id of an artwork, as `lawful search` shows it.")]
Slug = Annotated[str, typer.Argument(help="Slug of an artist, as `lawful artists` shows it.")]
Reason = Annotated[str | None, typer.Option(help="For the record.")]
Json = Annotated[bool, typer.Option("--json", help="One object.")]


class Purpose(StrEnum):
    """What consent is given for or taken back."""

    DISPLAY = "display"
    TRAIN = "train"
    GENERATE = "generate"


class Said(StrEnum):
    """What can be said of a work, and emptied."""

    TITLE = "title"
    CAPTION = "caption"
    TAGS = "tags"
    YEAR = "year"
    DATED = "dated"
    LICENCE = "licence"
    SOURCE = "source"


def correct(
    work: WorkId,
    title: Annotated[str | None, typer.Option(help="Another title.")] = None,
    caption: Annotated[str | None, typer.Option(help="What is to be seen.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A keyword; all of them anew.")] = None,
    year: Annotated[
        int | None, typer.Option(min=-10_000, max=10_000, help="When it was made.")
    ] = None,
    dated: Annotated[str | None, typer.Option(help='The date in words: "ca. 1901".')] = None,
    licence: Annotated[str | None, typer.Option(help="Such as CC-BY-4.0.")] = None,
    source: Annotated[str | None, typer.Option(help="Where it comes from.")] = None,
    grant: Annotated[list[Purpose] | None, typer.Option(help="Consent given; repeatable.")] = None,
    deny: Annotated[list[Purpose] | None, typer.Option(help="Consent taken back.")] = None,
    clear: Annotated[list[Said] | None, typer.Option(help="Empty this; repeatable.")] = None,
    reason: Reason = None,
    *,
    as_json: Json = False,
) -> None:
    """Correct what is said of a work; what is not named stays.

    Consent to be found at all is taken back by `lawful withdraw`. Many works at once: ingest them
    again with other metadata.

    Example: [bold]lawful correct ID --title "Red boat" --tag boat --tag sea --grant train[/]
    """
    from attribution.catalog.queries import Origin
    from attribution.correction import correct as correct_in
    from ingest.sources import one_line

    texts = {
        "title": title,
        "caption": caption,
        "dated": dated,
        "licence": licence,
        "source": source,
    }
    said: dict[str, Any] = {
        name: one_line(text) or None for name, text in texts.items() if text is not None
    }
    if tag:
        said["tags"] = [text for one in tag if (text := one_line(one))]
    if year is not None:
        said["year"] = year
    said |= {name.value: [] if name is Said.TAGS else None for name in clear or ()}
    said |= {f"consent_{purpose.value}": True for purpose in grant or ()}
    said |= {f"consent_{purpose.value}": False for purpose in deny or ()}
    _do(
        lambda stores, index: correct_in(stores, index, work, said, Origin(DOOR, reason)),
        as_json=as_json,
    )


def move(work: WorkId, artist: Slug, reason: Reason = None, *, as_json: Json = False) -> None:
    """Give a work to another artist: it was filed under the wrong hand.

    Example: [bold]lawful move ID ann-example[/]
    """
    from attribution.catalog.queries import Origin
    from attribution.correction import move as move_in

    _do(
        lambda stores, index: move_in(stores, index, work, artist, Origin(DOOR, reason)),
        as_json=as_json,
    )


def merge(
    artist: Slug,
    into: Annotated[str, typer.Argument(help="Slug of the artist who remains.")],
    reason: Reason = None,
    *,
    as_json: Json = False,
) -> None:
    """Make one artist of two, such as two spellings of a name; it cannot be undone.

    Works, names and claims of the first become those of the second; the first slug leads there.

    Example: [bold]lawful merge ann-exampel ann-example[/]
    """
    from attribution.catalog.queries import Origin
    from attribution.correction import merge as merge_in

    _do(
        lambda stores, index: merge_in(stores, index, artist, into, Origin(DOOR, reason)),
        as_json=as_json,
    )


def rename(
    artist: Slug,
    name: Annotated[str, typer.Argument(help="The name from now on.")],
    reason: Reason = None,
    *,
    as_json: Json = False,
) -> None:
    """Call an artist by another name; the slug stays, the old name becomes an alias.

    Example: [bold]lawful rename ann-example "Ann B. Example"[/]
    """
    from attribution.catalog.queries import Origin
    from attribution.correction import rename as rename_in

    _do(
        lambda stores, index: rename_in(stores, index, artist, name, Origin(DOOR, reason)),
        as_json=as_json,
    )


def alias(
    artist: Slug,
    name: Annotated[str, typer.Argument(help="Another name of theirs.")],
    reason: Reason = None,
    *,
    as_json: Json = False,
) -> None:
    """Confirm another name of an artist: works that come under it are theirs.

    Example: [bold]lawful alias ann-example "A. Example"[/]
    """
    from attribution.catalog.queries import Origin
    from attribution.correction import confirm_alias
    from attribution.services import open_stores

    with open_stores(settings_from_environment()) as stores:
        change = confirm_alias(stores, artist, name, Origin(DOOR, reason))
    _show([change], as_json=as_json)


def changes(
    limit: Annotated[int, typer.Option(min=1, max=500, help="Changes to show.")] = 20,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One object a change.")] = False,
) -> None:
    """List what was corrected, moved, merged and renamed, the newest first.

    Example: [bold]lawful changes --limit 100[/]
    """
    from attribution.catalog import queries
    from attribution.services import open_stores

    with open_stores(settings_from_environment()) as stores, stores.sessions() as session:
        page = queries.list_changes(session, limit=limit)
    _show(page.items, as_json=as_json)


def _do(action: Callable[[Stores, VectorIndex], Change | None], *, as_json: bool) -> None:
    from attribution.services import open_collection, open_stores

    with open_stores(settings_from_environment()) as stores, open_collection(stores) as index:
        change = action(stores, index)
    _show([change] if change else [], as_json=as_json)


def _show(made: Sequence[Change], *, as_json: bool) -> None:
    for one in made if as_json else ():
        print_json(
            {
                "id": str(one.id),
                "kind": one.kind.value,
                "artwork_id": one.artwork_id and str(one.artwork_id),
                "origin": one.origin,
                "reason": one.reason,
                "made_at": one.made_at.isoformat(),
                "before": one.before,
                "after": one.after,
            }
        )
    if as_json:
        return
    table = Table("when", "what", "work", "from", "to", box=None, pad_edge=False)
    for one in made:
        when, work = f"{one.made_at:%Y-%m-%d %H:%M}", str(one.artwork_id or "")
        table.add_row(when, one.kind.value, work, *map(_said, (one.before, one.after)))
    Console().print(table if made else "nothing has changed: it says so already")


def _said(values: dict[str, Any]) -> str:
    shown = {name: len(value) if name == "works" else value for name, value in values.items()}
    return escape(plain(", ".join(f"{name}: {value}" for name, value in shown.items())))
