"""`lawful consents`: what was said about the use of works, by whom and on which paper."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from api.cli.common import (
    check_writable,
    ending,
    in_utc,
    moment,
    plain,
    print_json,
    settings_from_environment,
    status_console,
)
from attribution.consents import Answer, ConsentPurpose, ConsentSource, is_in_force
from attribution.whole import written_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attribution.catalogue.models import Consent

app = typer.Typer(
    help="What was said about the use of works: list, show, say, export.", no_args_is_help=True
)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object each.")]


class Form(StrEnum):
    """How consent is written for crawlers."""

    TDMREP = "tdmrep"
    ROBOTS = "robots"
    AIPREF = "aipref"
    CAWG = "cawg"


@app.command("list")
def list_consents(
    artist: Annotated[
        str | None, typer.Option(help="Only of this artist's portfolio and works (slug).")
    ] = None,
    work: Annotated[UUID | None, typer.Option(help="Only of this artwork (id).")] = None,
    purpose: Annotated[ConsentPurpose | None, typer.Option(help="Only about this purpose.")] = None,
    source: Annotated[ConsentSource | None, typer.Option(help="Only from this source.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Statements to show.")] = 20,
    *,
    as_json: Json = False,
) -> None:
    """List statements of consent, newest first: who said what, when, and where it is written.

    Example: [bold]lawful consents list --artist ann-example --purpose train[/]
    """
    from attribution.catalogue import queries
    from attribution.catalogue.queries import ConsentsWanted
    from attribution.collection import open_stores

    with open_stores(settings_from_environment()) as stores, stores.sessions() as session:
        wanted = ConsentsWanted(
            artist_id=queries.artist_by_slug(session, artist).id if artist else None,
            artwork_id=queries.artwork_by_id(session, work).id if work else None,
            purpose=purpose,
            source=source,
        )
        page = queries.list_consents(session, wanted, limit=limit)
        for row in page.items:
            _show(row, as_json=as_json)
    if not (page.items or as_json):
        Console().print("nobody has said anything of that")


@app.command()
def show(
    work: Annotated[UUID, typer.Argument(help="Id of an artwork.")], *, as_json: Json = False
) -> None:
    """Show what may be done with a work now, and who said so.

    Example: [bold]lawful consents show ID[/]
    """
    from api.consents import StandingOut
    from attribution.catalogue import queries
    from attribution.collection import open_stores

    with open_stores(settings_from_environment()) as stores, stores.sessions() as session:
        row = queries.artwork_by_id(session, work)
        stands = queries.standing_consents(session, [row])[row.id]
    for one in StandingOut.all_of(stands):
        if as_json:
            print_json(one.model_dump(mode="json"))
        else:
            Console().print(plain(one.summary), markup=False, highlight=False, soft_wrap=True)


@app.command()
def say(
    purpose: Annotated[ConsentPurpose, typer.Argument(help="What it is about.")],
    answer: Annotated[Answer, typer.Argument(help="What is said.")],
    work: Annotated[UUID | None, typer.Option(help="The artwork (id).")] = None,
    artist: Annotated[
        str | None, typer.Option(help="The artist whose whole portfolio it is about (slug).")
    ] = None,
    document: Annotated[
        str | None, typer.Option(help="Where it is written: an address, or words.")
    ] = None,
    valid_from: Annotated[
        datetime | None, moment("When it begins (UTC); without it, at once.")
    ] = None,
    valid_until: Annotated[
        datetime | None, ending("When it ends (UTC; a date: with that day); without it, never.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Say what may be done with a work, or with an artist's whole portfolio.

    Works follow at once, and when it begins or ends. What is said of a work outweighs what is said
    of its artist. `ask` means that somebody is to be asked first: no for a machine. A no to `index`
    withdraws the works, for good.

    Example: [bold]lawful consents say train deny --artist ann-example --document "e-mail, 3 May"[/]
    """
    from attribution.collection import open_collection, open_stores
    from attribution.upkeep.consents import Saying
    from attribution.upkeep.consents import say as say_in

    said = Saying(
        purpose,
        answer,
        artwork_id=work,
        artist=artist,
        document=document,
        valid_from=in_utc(valid_from),
        valid_until=valid_until,
    )
    with open_stores(settings_from_environment()) as stores, open_collection(stores) as collection:
        _show(say_in(collection, said), as_json=as_json)


@app.command()
def export(
    form: Annotated[Form, typer.Option("--as", help="How it is written.")],
    site: Annotated[
        str | None,
        typer.Option(help="Only works whose source is on this site; tdmrep and robots need it."),
    ] = None,
    artist: Annotated[str | None, typer.Option(help="Only works of this artist (slug).")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write it here.")] = None,
) -> None:
    """Write what was said for crawlers: tdmrep.json, robots.txt, Content-Usage, CAWG assertions.

    Only works of which somebody has said something are in it, with what stands now.

    Example: [bold]lawful consents export --as tdmrep --site https://ann.example -o tdmrep.json[/]
    """
    from attribution.catalogue import queries
    from attribution.catalogue.queries import WorksWanted
    from attribution.collection import open_stores
    from ingest.exports import publish

    if out:
        check_writable(out, "--out")
    with open_stores(settings_from_environment()) as stores:
        with stores.sessions() as session:
            artist_id = queries.artist_by_slug(session, artist).id if artist else None
        pieces = publish(form, stores, WorksWanted(artist_id), site)
        if out is None:
            sys.stdout.buffer.writelines(pieces)
            sys.stdout.buffer.flush()
            return
        with written_whole(out) as new, new.open("wb") as file:
            file.writelines(pieces)
    status_console().print(plain(f"written: {out}"), markup=False, soft_wrap=True)


def _show(row: Consent, *, as_json: bool) -> None:
    from api.consents import ConsentOut

    if as_json:
        print_json(ConsentOut.of(row).model_dump(mode="json"))
    else:
        first, *rest = map(plain, _lines(row))
        Console().print(first, markup=False, highlight=False, soft_wrap=True)
        Console().print(Padding(Text("\n".join(rest)), (0, 0, 1, 2), expand=False))


def _lines(row: Consent) -> Iterator[str]:
    from attribution.lookup import wording

    yield wording.consent_said(row.purpose, row)
    yield f"work {row.artwork_id}" if row.artist is None else f"all works of {row.artist.slug}"
    if row.valid_from:
        yield f"from {row.valid_from:%Y-%m-%d %H:%M}"
    if not is_in_force(row, datetime.now(UTC)):
        yield "not in force now"
    if row.ended_at:
        yield f"ended by a withdrawal on {row.ended_at:%Y-%m-%d}"
    yield f"id {row.id}"
