"""`lawful subjects`: the images that were asked about, and what is kept of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from api.cli.common import (
    check_writable,
    plain,
    print_json,
    settings_from_environment,
    status_console,
)
from attribution.custody import Kept

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from attribution.catalogue.models import Subject, SubjectUse

app = typer.Typer(
    help="Images that were asked about: list, show, image, forget.", no_args_is_help=True
)
Id = Annotated[UUID, typer.Argument(metavar="ID", help="Id of an image.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object each.")]


@app.command("list")
def list_subjects(
    sha256: Annotated[str | None, typer.Option(help="SHA-256 of the file.")] = None,
    attribution: Annotated[
        UUID | None, typer.Option(help="Only the image that this answer is about (id).")
    ] = None,
    kept: Annotated[Kept | None, typer.Option(help="Only those of which this is kept.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Images to show.")] = 20,
    *,
    as_json: Json = False,
) -> None:
    """List images that were asked about, newest first, and what is kept of each.

    Example: [bold]lawful subjects list --kept image[/]
    """
    from attribution.catalogue import queries
    from attribution.collection import open_stores

    with open_stores(settings_from_environment()) as stores, stores.sessions() as session:
        page = queries.list_subjects(
            session, sha256=sha256, attribution_id=attribution, kept=kept, limit=limit
        )
        for row in page.items:
            _show(row, as_json=as_json)
    if not (page.items or as_json):
        Console().print("no such image was asked about")


@app.command()
def show(subject: Id, *, as_json: Json = False) -> None:
    """Show an image's chain of custody: who asked about it when, how it came here, and what for.

    Example: [bold]lawful subjects show 0b1c2d3e-0000-4000-8000-000000000000[/]
    """
    from api.subjects import SubjectDetail
    from attribution.catalogue import queries
    from attribution.collection import open_stores

    with open_stores(settings_from_environment()) as stores, stores.sessions() as session:
        row = queries.subject_by_id(session, subject)
        uses = queries.uses_of_subject(session, subject)
    if as_json:
        print_json(SubjectDetail.of_uses(row, uses).model_dump(mode="json"))
    else:
        _print([*_lines(row, uses[0] if uses else None), *_custody(uses)])


@app.command()
def image(
    subject: Id,
    out: Annotated[Path, typer.Option("--out", "-o", help="Write the image here.")],
) -> None:
    """Write the very bytes of an image that was asked about; the audit says who has seen them.

    Example: [bold]lawful subjects image 0b1c2d3e-0000-4000-8000-000000000000 -o asked.png[/]
    """
    from attribution.collection import open_stores
    from attribution.lookup.subjects import seen

    check_writable(out, "--out")
    with open_stores(settings_from_environment()) as stores:
        _, data = seen(stores, subject)
    out.write_bytes(data)
    status_console().print(plain(f"image: {out}"), markup=False, soft_wrap=True)


@app.command()
def forget(
    subject: Id,
    reason: Annotated[str, typer.Option(help="Reason, kept with what is left of the image.")],
    *,
    as_json: Json = False,
) -> None:
    """Delete what is kept of an image, for good; the answers about it stay.

    Example: [bold]lawful subjects forget ID --reason "sent by mistake"[/]
    """
    from attribution.collection import open_stores
    from attribution.upkeep.subjects import forget as forget_in

    with open_stores(settings_from_environment()) as stores:
        _show(forget_in(stores, subject, reason), as_json=as_json)


def _show(row: Subject, *, as_json: bool) -> None:
    from api.subjects import SubjectOut

    if as_json:
        print_json(SubjectOut.of(row).model_dump(mode="json"))
    else:
        _print(_lines(row))


def _print(lines: Sequence[str] | Iterator[str]) -> None:
    first, *rest = map(plain, lines)
    Console().print(first, markup=False, highlight=False)
    Console().print(Padding(Text("\n".join(rest)), (0, 0, 1, 2), expand=False))


def _lines(row: Subject, last: SubjectUse | None = None) -> Iterator[str]:
    """Yield an image as a person reads it."""
    from attribution.lookup import wording

    yield f"{row.asked_at:%Y-%m-%d %H:%M}  {row.media_type}, {row.width} x {row.height} pixels"
    yield f"SHA-256 {row.image_sha256}"
    yield wording.image_kept(row, last) + (f" {row.reason}" if row.reason else "")
    yield f"id {row.id}"


def _custody(uses: Sequence[SubjectUse]) -> Iterator[str]:
    for use in uses:
        what_for = f", for {use.purpose}" if use.purpose else ""
        job = f", {use.job_id} number {use.position}" if use.job_id else ""
        yield f"{use.at:%Y-%m-%d %H:%M}  {use.how}{job}{what_for}, by {use.by}"
        yield f"  answer {use.id}"
