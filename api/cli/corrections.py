"""`lawful correct`, `move`, `merge`, `split`, `rename`, `alias`: what was wrong is put right."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from api.cli.changes import Json, Reason, origin, perform
from api.cli.common import plain, settings_from_environment, status_console
from attribution.errors import BadInput

WorkId = Annotated[UUID, typer.Argument(help="Id of an artwork, as `lawful search` shows it.")]
Slug = Annotated[str, typer.Argument(help="Slug of an artist, as `lawful artists` shows it.")]


class Purpose(StrEnum):
    """What consent is given for or taken back."""

    DISPLAY = "display"
    EVIDENCE = "evidence"
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
    title: Annotated[str | None, typer.Option(help="New title.")] = None,
    caption: Annotated[str | None, typer.Option(help="What the picture shows.")] = None,
    tag: Annotated[
        list[str] | None, typer.Option(help="Keyword (repeatable); replaces all tags.")
    ] = None,
    year: Annotated[
        int | None, typer.Option(min=-10_000, max=10_000, help="Year of the work.")
    ] = None,
    dated: Annotated[str | None, typer.Option(help='Date in words, such as "ca. 1901".')] = None,
    licence: Annotated[str | None, typer.Option(help="Licence, such as CC-BY-4.0.")] = None,
    source: Annotated[str | None, typer.Option(help="Where it comes from.")] = None,
    grant: Annotated[
        list[Purpose] | None, typer.Option(help="Give this consent (repeatable).")
    ] = None,
    deny: Annotated[
        list[Purpose] | None, typer.Option(help="Withdraw this consent (repeatable).")
    ] = None,
    clear: Annotated[list[Said] | None, typer.Option(help="Empty this field (repeatable).")] = None,
    reason: Reason = None,
    *,
    as_json: Json = False,
) -> None:
    """Edit a work's metadata; options you leave out are unchanged.

    To withdraw the consent to be found at all, use `lawful withdraw`. To correct many works, ingest
    them again with new metadata.

    Example: [bold]lawful correct ID --title "Red boat" --tag boat --tag sea --grant train[/]
    """
    from attribution.catalogue.names import visible
    from attribution.upkeep.correction import correct as correct_in

    texts = {
        "title": title,
        "caption": caption,
        "dated": dated,
        "licence": licence,
        "source": source,
    }
    said: dict[str, Any] = {
        name: visible(text) or None for name, text in texts.items() if text is not None
    }
    if tag:
        said["tags"] = [text for one in tag if (text := visible(one))]
    if year is not None:
        said["year"] = year
    said |= {name.value: [] if name is Said.TAGS else None for name in clear or ()}
    said |= {f"consent_{purpose.value}": True for purpose in grant or ()}
    said |= {f"consent_{purpose.value}": False for purpose in deny or ()}
    perform(
        lambda collection: correct_in(collection, work, said, origin(reason)),
        as_json=as_json,
    )


def move(work: WorkId, artist: Slug, reason: Reason = None, *, as_json: Json = False) -> None:
    """Move a work to another artist, if it was filed under the wrong one.

    Example: [bold]lawful move ID ann-example[/]
    """
    from attribution.upkeep.correction import move as move_in

    perform(
        lambda collection: move_in(collection, work, artist, origin(reason)),
        as_json=as_json,
    )


def merge(
    artist: Slug,
    into: Annotated[str, typer.Argument(help="Slug of the artist who remains.")],
    reason: Reason = None,
    *,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask if the names differ a lot.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Merge two artists, such as two spellings of a name; `lawful undo` reverses it.

    Works, names and claims of the first artist become those of the second; the first slug then
    leads to the second.

    Example: [bold]lawful merge ann-exampel ann-example[/]
    """
    from attribution.collection import open_stores
    from attribution.upkeep.correction import merge as merge_in
    from attribution.upkeep.correction import plan_merge

    with open_stores(settings_from_environment()) as stores:
        planned = plan_merge(stores, artist, into)
    if planned.gone != planned.kept:
        status_console().print(plain(planned), markup=False, highlight=False)
    if not (planned.is_likely or yes) and sys.stdin.isatty():
        question = "The names do not resemble each other. Are they one artist?"
        yes = typer.confirm(question, abort=True, err=True)
    perform(
        lambda collection: merge_in(collection, artist, into, origin(reason), is_confirmed=yes),
        as_json=as_json,
    )


def split(
    artist: Slug,
    into: Annotated[str, typer.Option(help="Name or slug of the other artist, known or new.")],
    works: Annotated[list[UUID] | None, typer.Argument(help="Ids of artworks.")] = None,
    works_from: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="File with one id per line.")
    ] = None,
    reason: Reason = None,
    *,
    as_json: Json = False,
) -> None:
    """Move some works of an artist to another one, as one change that can be undone.

    To reverse a merge for some works, undo it for these works: `lawful undo --work ID`.

    Example: [bold]lawful split linda-kim --into "Linda Kim (b. 1980)" ID ID[/]
    """
    from attribution.upkeep.correction import split as split_in

    chosen = [*(works or ()), *(_ids(works_from) if works_from else ())]
    perform(
        lambda collection: split_in(collection, artist, chosen, into, origin(reason)),
        as_json=as_json,
    )


def rename(
    artist: Slug,
    name: Annotated[str, typer.Argument(help="New name.")],
    reason: Reason = None,
    *,
    as_json: Json = False,
) -> None:
    """Rename an artist; the slug stays, and the old name becomes an alias.

    Example: [bold]lawful rename ann-example "Ann B. Example"[/]
    """
    from attribution.upkeep.correction import rename as rename_in

    perform(
        lambda collection: rename_in(collection, artist, name, origin(reason)),
        as_json=as_json,
    )


def alias(
    artist: Slug,
    name: Annotated[str, typer.Argument(help="Another name of this artist.")],
    reason: Reason = None,
    *,
    as_json: Json = False,
) -> None:
    """Confirm another name of an artist; works ingested under it go to that artist.

    Example: [bold]lawful alias ann-example "A. Example"[/]
    """
    from attribution.upkeep.correction import confirm_alias

    perform(
        lambda collection: confirm_alias(collection, artist, name, origin(reason)),
        as_json=as_json,
    )


def _ids(path: Path) -> list[UUID]:
    """Read the ids of a file; raises BadInput naming the line that is none."""
    ids = []
    try:
        for number, line in enumerate(path.read_text("utf-8-sig").splitlines(), 1):
            if text := line.strip():
                try:
                    ids.append(UUID(text))
                except ValueError:
                    raise BadInput(
                        f"{path}, line {number}: {text[:60]!r} is not the id of an artwork; give "
                        f"one id per line"
                    ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read as text: {error}") from error
    return ids
