"""`lawful non-copies`: what a person has looked at and declared to be no copy."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from api.cli.changes import origin
from api.cli.common import (
    ending,
    existing_file,
    plain,
    print_json,
    settings_from_environment,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attribution.catalogue.models import NonCopy

app = typer.Typer(
    help="Images declared not to be a copy of a work: declare, list, revoke.", no_args_is_help=True
)
By = Annotated[str, typer.Option(help="Your name, as later answers show it.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object per declaration.")]


@app.command()
def declare(
    image: Annotated[Path, typer.Argument(help="Image file.")],
    work: Annotated[UUID, typer.Argument(help="Id of the artwork that an answer named.")],
    by: By,
    reason: Annotated[str, typer.Option(help="Reason, shown in later answers.")],
    until: Annotated[
        datetime | None, ending("When it ends (UTC; a date: with that day); without it, never.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Declare that IMAGE was compared with a work by a person and is a different picture.

    Answers about this image, or about one that is nearly the same, no longer name the work as
    copied. They say instead who declared that, when and why, and what they would name without it.

    Example: [bold]lawful non-copies declare found.png ID --by "Ann B." --reason "two photos"[/]
    """
    from attribution.collection import image_limits, open_stores
    from attribution.images import read_image_file
    from attribution.upkeep.non_copies import declare as declare_in

    settings = settings_from_environment()
    facts = read_image_file(existing_file(image), image_limits(settings)).facts
    with open_stores(settings) as stores:
        _show(
            declare_in(stores, facts, work, origin(reason, by), until=until),
            as_json=as_json,
        )


@app.command("list")
def list_non_copies(
    work: Annotated[UUID | None, typer.Option(help="Only for this artwork (id).")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Declarations to show.")] = 20,
    *,
    in_force: Annotated[
        bool, typer.Option("--in-force", help="Only those that are neither over nor revoked.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List declared non-copies, newest first, with who declared and who revoked them.

    Example: [bold]lawful non-copies list --in-force[/]
    """
    from attribution.catalogue import queries
    from attribution.collection import open_stores

    with open_stores(settings_from_environment()) as stores, stores.sessions() as session:
        about = queries.artwork_by_id(session, work).id if work else None
        page = queries.list_non_copies(
            session, artwork_id=about, in_force=in_force or None, limit=limit
        )
        for row in page.items:
            _show(row, as_json=as_json)
    if not (page.items or as_json):
        Console().print("no such declaration")


@app.command()
def revoke(
    declaration: Annotated[
        UUID, typer.Argument(help="Id of a declaration, as `lawful non-copies list` shows it.")
    ],
    by: By,
    reason: Annotated[str, typer.Option(help="Reason, kept in the record.")],
    *,
    as_json: Json = False,
) -> None:
    """Revoke a declared non-copy, so that answers may name the work again.

    Example: [bold]lawful non-copies revoke ID --by "Ann Example" --reason "cropped from it"[/]
    """
    from attribution.collection import open_stores
    from attribution.upkeep.non_copies import revoke as revoke_in

    with open_stores(settings_from_environment()) as stores:
        _show(revoke_in(stores, declaration, origin(reason, by)), as_json=as_json)


def _show(row: NonCopy, *, as_json: bool) -> None:
    from api.non_copies import NonCopyOut

    if as_json:
        print_json(NonCopyOut.of(row).model_dump(mode="json"))
        return
    first, *rest = map(plain, _lines(row))
    Console().print(first, markup=False, highlight=False)
    Console().print(Padding(Text("\n".join(rest)), (0, 0, 1, 2), expand=False))


def _lines(row: NonCopy) -> Iterator[str]:
    """Yield a declaration as a person reads it: which pair, by whom, why, until when."""
    said, work = row.declared, row.artwork
    yield f"{said.made_at:%Y-%m-%d %H:%M}  {row.state.value.replace('_', ' ')}"
    yield f"work {work.id}: “{work.title or 'untitled'}”, {work.artist.name} ({work.artist.slug})"
    yield f"image SHA-256 {row.image_sha256}"
    yield f"declared by {said.by}, {said.origin}" + (f": {said.reason}" if said.reason else "")
    if row.until:
        yield f"until {row.until:%Y-%m-%d %H:%M UTC}"
    if revoked := row.revoked:
        why = f": {revoked.reason}" if revoked.reason else ""
        yield f"revoked {revoked.made_at:%Y-%m-%d %H:%M} by {revoked.by}, {revoked.origin}{why}"
    yield f"id {row.id}"
