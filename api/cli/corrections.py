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
    from attribution.catalog.names import visible
    from attribution.correction import correct as correct_in

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
        lambda stores, index: correct_in(stores, index, work, said, origin(reason)),
        as_json=as_json,
    )


def move(work: WorkId, artist: Slug, reason: Reason = None, *, as_json: Json = False) -> None:
    """Give a work to another artist: it was filed under the wrong hand.

    Example: [bold]lawful move ID ann-example[/]
    """
    from attribution.correction import move as move_in

    perform(
        lambda stores, index: move_in(stores, index, work, artist, origin(reason)),
        as_json=as_json,
    )


def merge(
    artist: Slug,
    into: Annotated[str, typer.Argument(help="Slug of the artist who remains.")],
    reason: Reason = None,
    *,
    yes: Annotated[
        bool, typer.Option("--yes", help="Don't ask when the names do not resemble each other.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make one artist of two, such as two spellings of a name; `lawful undo` takes it back.

    Works, names and claims of the first become those of the second; the first slug leads there.

    Example: [bold]lawful merge ann-exampel ann-example[/]
    """
    from attribution.correction import merge as merge_in
    from attribution.correction import plan_merge
    from attribution.services import open_stores

    with open_stores(settings_from_environment()) as stores:
        planned = plan_merge(stores, artist, into)
    if planned.gone != planned.kept:
        status_console().print(plain(planned), markup=False, highlight=False)
    if not (planned.is_likely or yes) and sys.stdin.isatty():
        question = "The names do not resemble each other. Are they one artist?"
        yes = typer.confirm(question, abort=True, err=True)
    perform(
        lambda stores, index: merge_in(
            stores, index, artist, into, origin(reason), is_confirmed=yes
        ),
        as_json=as_json,
    )


def split(
    artist: Slug,
    into: Annotated[str, typer.Option(help="Name or slug of the other artist, known or new.")],
    works: Annotated[list[UUID] | None, typer.Argument(help="Ids of artworks.")] = None,
    works_from: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="File with one id a line.")
    ] = None,
    reason: Reason = None,
    *,
    as_json: Json = False,
) -> None:
    """Give some works of an artist to another one, as one change that can be undone.

    To give back what a merge brought, undo the merge for these works: `lawful undo --work ID`.

    Example: [bold]lawful split linda-kim --into "Linda Kim (b. 1980)" ID ID[/]
    """
    from attribution.correction import split as split_in

    chosen = [*(works or ()), *(_ids(works_from) if works_from else ())]
    perform(
        lambda stores, index: split_in(stores, index, artist, chosen, into, origin(reason)),
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
    from attribution.correction import rename as rename_in

    perform(
        lambda stores, index: rename_in(stores, index, artist, name, origin(reason)),
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
    from attribution.correction import confirm_alias

    perform(
        lambda stores, _: confirm_alias(stores, artist, name, origin(reason)),
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
                        f"one id a line"
                    ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read as text: {error}") from error
    return ids
