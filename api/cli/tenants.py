"""`lawful tenants`: the organisations that share this deployment."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from api.cli.common import print_json, settings_from_environment

app = typer.Typer(
    help="Organisations that share this deployment: create, list.", no_args_is_help=True
)


@app.command()
def create(
    name: Annotated[
        str, typer.Argument(help="Up to 40 small letters, digits and hyphens; it stays.")
    ],
) -> None:
    """Make a tenant: an organisation with works, keys and records that no other one sees.

    Set LAWFUL_TENANT to act for it on the command line, first of all to make its first key; every
    key then opens what is its own tenant's.

    Example: [bold]lawful tenants create city-museum[/]
    """
    from attribution.collection import open_stores
    from attribution.upkeep import tenants

    with open_stores(settings_from_environment()) as stores:
        tenants.create(stores, name)
    Console(soft_wrap=True).print(
        f"tenant {name}; its first key: "
        f"LAWFUL_TENANT={name} lawful keys create NAME --role operator",
        markup=False,
    )


@app.command("list")
def list_tenants(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object each.")] = False,
) -> None:
    """List the tenants, with how much each one has registered, and used of its quota.

    Example: [bold]lawful tenants list[/]
    """
    from attribution.collection import open_stores
    from attribution.upkeep import tenants

    with open_stores(settings_from_environment()) as stores:
        rows = tenants.holdings(stores)
    if as_json:
        for row in rows:
            print_json(row.as_json())
        return
    names = ("tenant", "since", "artists", "works", "held", "MiB")
    table = Table(*names, box=None, pad_edge=False)
    for row in rows:
        table.add_row(
            *(row.name, f"{row.created_at:%Y-%m-%d}", f"{row.artists:,}", f"{row.works:,}"),
            _used(f"{row.held_works:,}", row.quota_works),
            _used(f"{row.held_mb:,.1f}", row.quota_mb),
        )
    Console().print(table)


def _used(held: str, quota: float | None) -> str:
    return held if quota is None else f"{held} of {quota:,}"
