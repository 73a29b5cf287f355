"""`lawful search`: works by words, by an image, or by both."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from api.cli.common import print_json, settings_from_environment
from api.cli.loading import open_services
from attribution.lookup.search_query import SearchBy, SearchQuery, check_query

Year = partial(typer.Option, min=-10_000, max=10_000)


def search(
    words: Annotated[str, typer.Argument(help="Words to search for.")] = "",
    image: Annotated[Path | None, typer.Option(help="Image to search for.")] = None,
    by: Annotated[
        list[SearchBy] | None,
        typer.Option(
            help="Compare what is shown, how it is drawn (needs --image), or the words of title, "
            "tags and artist (repeatable). By default subject and words."
        ),
    ] = None,
    artist: Annotated[
        list[str] | None, typer.Option(help="Only works of this artist (slug; repeatable).")
    ] = None,
    licence: Annotated[
        list[str] | None, typer.Option(help="Only works under this licence (repeatable).")
    ] = None,
    year_from: Annotated[int | None, Year(help="Earliest year.")] = None,
    year_to: Annotated[int | None, Year(help="Latest year.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="Works to show.")] = 10,
    cursor: Annotated[
        str | None, typer.Option(help="Continue the same search: `next` of its --json output.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Find works by words, by an image or by both, and show what each component contributed.

    Example: [bold]lawful search "red sailing boat" --artist nicu-buculei[/]

    Example: [bold]lawful search --image boat.png --by style[/]
    """
    from api.answers import SearchOut
    from api.cli.render import show_search
    from attribution.collection import image_limits
    from attribution.images import read_image_file

    settings = settings_from_environment()
    query = SearchQuery(
        text=words,
        image=read_image_file(image, image_limits(settings)) if image else None,
        by=tuple(by) if by else SearchQuery.by,
        artists=tuple(artist or ()),
        licences=tuple(licence or ()),
        year_from=year_from,
        year_to=year_to,
    )
    check_query(query)
    with open_services(settings, as_json=as_json) as services:
        result = services.attributor.search(query, limit=limit, cursor=cursor)
    if as_json:
        print_json(SearchOut.of(result).model_dump(mode="json"))
    else:
        show_search(Console(), result)
