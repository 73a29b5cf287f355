"""`lawful map`: a map of the works, alike ones near each other."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from api.cli.common import print_json, settings_from_environment, status_console
from attribution.errors import BadInput

app = typer.Typer(help="The map of the works that the console shows: build.", no_args_is_help=True)


@app.command()
def build(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False
) -> None:
    """Lay the map out again now; this happens by itself when a tenth of the works has changed.

    Example: [bold]lawful map build[/]
    """
    from attribution.collection import open_collection, open_stores
    from attribution.upkeep.mapping import build_map

    with (
        open_stores(settings_from_environment()) as stores,
        open_collection(stores) as collection,
        status_console().status("laying out the works"),
    ):
        made = build_map(collection)
        if made is None:
            raise BadInput(
                "no work can be found, so there is nothing to lay out; ingest some first"
            )
        with stores.sessions() as session:
            session.add(made)
            session.refresh(made)
            said = {"works": made.works, "space": made.space}
    if as_json:
        print_json(said)
    else:
        Console().print(f"{made.works} works were laid out by their vectors in {made.space}")
