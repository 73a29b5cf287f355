"""`lawful watches`: artists whose copies the desk wants to see, images to ask about again."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from rich.console import Console

from api.cli.common import ending, plain, print_json, settings_from_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from api.watches import WatchOut
    from attribution.catalogue.models import Watch
    from attribution.collection import Stores

app = typer.Typer(
    help="What the desk watches, an artist's works or an image: add, list, end; release works.",
    no_args_is_help=True,
)
Id = Annotated[
    UUID, typer.Argument(metavar="ID", help="Id of a watch, as `lawful watches list` shows it.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object each.")]
Why = Annotated[str, typer.Option(help="Reason, kept in the record.")]


@app.command()
def add(
    why: Why,
    artist: Annotated[
        str | None, typer.Option(help="Artist whose copies to look out for (slug).")
    ] = None,
    image: Annotated[
        UUID | None, typer.Option(help="Image that was asked about (id in `lawful subjects list`).")
    ] = None,
    until: Annotated[datetime | None, ending("When it ends (UTC; a date: with that day).")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Watch the works of an artist, or an image that was asked about.

    Example: [bold]lawful watches add --artist ann-example --why "prints were sold before"[/]
    """
    from attribution.collection import open_stores
    from attribution.desk.watching import NewWatch, watch

    new = NewWatch(why, artist, image, until)
    with open_stores(settings_from_environment()) as stores:
        _show(stores, [watch(stores, new)], as_json=as_json)


@app.command("list")
def list_watches(
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many to show.")] = 100,
    *,
    as_json: Json = False,
) -> None:
    """List watches, newest first; those that ended stay in the list.

    Example: [bold]lawful watches list[/]
    """
    from attribution.catalogue.queries import watches
    from attribution.collection import open_stores

    with open_stores(settings_from_environment()) as stores:
        with stores.sessions() as session:
            rows = watches.list_watches(session, limit=limit).items
        _show(stores, rows, as_json=as_json)
    if not (rows or as_json):
        Console().print("nothing is watched")


@app.command()
def end(watch: Id, why: Why, *, as_json: Json = False) -> None:
    """End a watch.

    Example: [bold]lawful watches end ID --why "the contract is over"[/]
    """
    from attribution.collection import open_stores
    from attribution.desk.watching import end_watch

    with open_stores(settings_from_environment()) as stores:
        _show(stores, [end_watch(stores, watch, why)], as_json=as_json)


@app.command()
def release(
    watch: Id,
    work: Annotated[UUID, typer.Argument(help="Work in quarantine (id).")],
    why: Why,
    *,
    as_json: Json = False,
) -> None:
    """Have a work that was quarantined open cases again, from now on.

    Example: [bold]lawful watches release ID WORK --why "a campaign with many reposts"[/]
    """
    from attribution.collection import open_stores
    from attribution.desk.watching import release as release_in

    with open_stores(settings_from_environment()) as stores:
        _show(stores, [release_in(stores, watch, work, why)], as_json=as_json)


@app.command()
def check() -> None:
    """Ask again about watched images, and open cases for what watches have found.

    Servers and workers do so every minute.

    Example: [bold]lawful watches check[/]
    """
    from attribution.desk.alerting import see_to_alerts
    from attribution.desk.asking import ask_watched
    from attribution.services import open_services

    with open_services(settings_from_environment()) as services:
        asked = ask_watched(services, lambda: services.attributor)
        Console().print(f"images asked about: {asked}")
        Console().print(f"alerts seen to: {see_to_alerts(services)}")


def _show(stores: Stores, rows: Sequence[Watch], *, as_json: bool) -> None:
    from api.watches import WatchOut

    with stores.sessions() as session:
        shown = WatchOut.read(session, rows)
    for row in shown:
        if as_json:
            print_json(row.model_dump(mode="json"))
            continue
        for line in _lines(row):
            Console(soft_wrap=True).print(plain(line), markup=False, highlight=False)


def _lines(row: WatchOut) -> Iterator[str]:
    until = f" until {row.until:%Y-%m-%d %H:%M UTC}" if row.until else ""
    what = f"artist {row.artist}" if row.artist else f"image {row.subject_id}"
    yield f"{what}{until}"
    yield f"  {row.at:%Y-%m-%d} {row.by}: {row.why}"
    if row.ended_at:
        yield f"  ended {row.ended_at:%Y-%m-%d} by {row.ended_by}: {row.ended_why}"
    for one in row.quarantined:
        yield (
            f"  in quarantine since {one.at:%Y-%m-%d %H:%M}: work {one.artwork_id}, {one.cases} "
            f"cases in 24 hours, usually {one.usual:.1f} a day"
        )
    yield f"  id {row.id}"
