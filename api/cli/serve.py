"""`lawful serve`: the HTTP API with everything embedded."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.common import plain, settings_from_environment, status_console
from api.loopback import is_loopback
from attribution.errors import Conflict

if TYPE_CHECKING:
    from fastapi import FastAPI

    from attribution.config import Settings


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; default: LAWFUL_HOST.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; default: LAWFUL_PORT.")
    ] = None,
) -> None:
    """Serve the console and the HTTP API: database, index, jobs and models in this one process.

    Callers need a key (`lawful keys`), or a token of LAWFUL_OIDC_ISSUER. Without either, anyone on
    this machine can read and write, and an address that other machines reach is refused.

    Example: [bold]lawful serve --port 8000[/], then open http://127.0.0.1:8000/console
    """
    from api.http.serving import run
    from attribution.collection import open_stores
    from attribution.upkeep import keys

    settings = settings_from_environment()
    host, port = host or settings.host, port or settings.port
    with open_stores(settings) as stores:
        is_closed = keys.are_needed(stores)
    if not is_closed and not is_loopback(host):
        raise Conflict(
            f"other machines may reach {host}, and no key was made yet to keep strangers out; "
            f"{keys.FIRST}, or serve on 127.0.0.1"
        )
    if not is_closed:
        status_console().print(
            plain(f"no key was made yet: anyone on this machine is let in; {keys.FIRST}"),
            style="yellow",
            markup=False,
            soft_wrap=True,
        )
    said = f"the console: {_address(host, port)}/console"
    run(
        partial(_app, settings),
        host=host,
        port=port,
        when_ready=lambda: status_console().print(said, markup=False),
    )


def _app(settings: Settings) -> FastAPI:
    """Make the application; loaded only here, as that takes longer than to listen."""
    from api.http.app import create_app

    return create_app(settings)


def _address(host: str, port: int) -> str:
    """Return where a browser on this machine finds what listens on a host."""
    name = "localhost" if host in {"0.0.0.0", "::"} else host  # noqa: S104  what is asked about
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"
