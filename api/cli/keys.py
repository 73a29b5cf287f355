"""`lawful keys`: who may do what over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api.cli.common import (
    ending,
    plain,
    print_json,
    settings_from_environment,
    status_console,
)
from attribution.actors import Role, Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attribution.catalogue.models import ApiKey
    from attribution.upkeep.keys import IssuedKey

app = typer.Typer(help="Keys to the HTTP API: create, list, revoke, rotate.", no_args_is_help=True)
Prefix = Annotated[
    str, typer.Argument(metavar="KEY", help="How its token begins, such as lk_1a2b3c4d.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object per key.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What the key is for; records show it.")],
    role: Annotated[Role | None, typer.Option(help="What it may do.")] = None,
    scope: Annotated[
        list[Scope] | None, typer.Option(help="May do this as well (repeatable).")
    ] = None,
    artist: Annotated[
        list[str] | None,
        typer.Option(help="May upload works of this artist only (slug; repeatable)."),
    ] = None,
    expires: Annotated[
        datetime | None,
        ending("When it ends (UTC; a date: with that day); without it, never."),
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Make a key and print its token, which is shown only this once.

    From the first key on, every call of the API needs one. A reader reads and looks images up; a
    contributor uploads works as well; a reviewer declares non-copies; an operator does everything
    but read the audit, which is what an auditor does.

    Example: [bold]lawful keys create "rights desk" --role reviewer --expires 2027-12-31[/]
    """
    from attribution.collection import open_stores
    from attribution.upkeep import keys

    new = keys.NewKey(name, role, scope or (), artist or (), expires)
    with open_stores(settings_from_environment()) as stores:
        _show_issued(keys.create(stores, new), as_json=as_json)


@app.command("list")
def list_keys(
    limit: Annotated[int, typer.Option(min=1, max=500, help="Keys to show.")] = 100,
    *,
    as_json: Json = False,
) -> None:
    """List keys, newest first; expired and revoked ones stay in the list.

    Example: [bold]lawful keys list[/]
    """
    from api.keys import KeyOut
    from attribution import tenants
    from attribution.catalogue import queries
    from attribution.collection import open_stores
    from attribution.upkeep.keys import FIRST

    with open_stores(settings_from_environment()) as stores, stores.sessions() as session:
        rows = queries.list_keys(session, limit=limit).items
    if as_json:
        for row in rows:
            print_json(KeyOut.of(row).model_dump(mode="json"))
    elif rows:
        Console().print(_table(rows))
    else:
        said = f"no keys of the tenant {tenants.current()}; {FIRST}"
        Console(soft_wrap=True).print(said, markup=False)


@app.command()
def revoke(key: Prefix, *, as_json: Json = False) -> None:
    """Revoke a key: it opens nothing from now on.

    Example: [bold]lawful keys revoke lk_1a2b3c4d[/]
    """
    from api.keys import KeyOut
    from attribution.collection import open_stores
    from attribution.upkeep import keys

    with open_stores(settings_from_environment()) as stores:
        row = keys.revoke(stores, keys.find(stores, key).id)
    if as_json:
        print_json(KeyOut.of(row).model_dump(mode="json"))
    else:
        Console(soft_wrap=True).print(plain(f"revoked: {row.prefix} ({row.name})"), markup=False)


@app.command()
def rotate(key: Prefix, *, as_json: Json = False) -> None:
    """Revoke a key and print the token of another that may do the same.

    A key that was to end after some time ends that much later than now.

    Example: [bold]lawful keys rotate lk_1a2b3c4d[/]
    """
    from attribution.collection import open_stores
    from attribution.upkeep import keys

    with open_stores(settings_from_environment()) as stores:
        _show_issued(keys.rotate(stores, keys.find(stores, key).id), as_json=as_json)


def _show_issued(issued: IssuedKey, *, as_json: bool) -> None:
    """Print the token on stdout, alone or in its object, so that a script can take it."""
    from api.keys import IssuedKeyOut

    if as_json:
        print_json(IssuedKeyOut.of_issued(issued).model_dump(mode="json"))
        return
    status_console().print(_table([issued.row]))
    status_console().print("Its token, shown only this once:", markup=False)
    print(issued.token)  # noqa: T201  a script reads stdout


def _table(rows: Sequence[ApiKey]) -> Table:
    table = Table()
    table.add_column("key", no_wrap=True)
    table.add_column("for")
    table.add_column("may")
    table.add_column("state")
    table.add_column("last used")
    for row in rows:
        table.add_row(
            row.prefix,
            escape(plain(row.name)),
            escape(_allowed(row)),
            _state(row),
            f"{row.last_used_at:%Y-%m-%d %H:%M}" if row.last_used_at else "never",
        )
    return table


def _allowed(row: ApiKey) -> str:
    """Return what a key may do, in short."""
    parts = ([row.role.value] if row.role else []) + row.scopes
    only = f" (works of {', '.join(row.artists)} only)" if row.artists else ""
    return " + ".join(parts) + only


def _state(row: ApiKey) -> str:
    from attribution.catalogue.models import KeyState

    if row.state is KeyState.ACTIVE and row.expires_at:
        return f"active until {row.expires_at:%Y-%m-%d}"
    over = row.revoked_at or row.expires_at
    return f"{row.state.value} {over:%Y-%m-%d}" if over else row.state.value
