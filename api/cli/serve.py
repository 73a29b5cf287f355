"""`lawful serve`: the HTTP API with everything embedded."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.common import plain, settings_from_environment, status_console

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; default: LAWFUL_HOST.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; default: LAWFUL_PORT.")
    ] = None,
) -> None:
    """Serve the HTTP API: database, index, jobs and models in this one process.

    The API has no accounts: anyone who can reach the address can read and write.

    Example: [bold]lawful serve --port 8000[/], then open http://127.0.0.1:8000/docs
    """
    import uvicorn

    from api.http.app import create_app
    from api.http.logs import CONFIG

    settings = settings_from_environment()
    host, port = host or settings.host, port or settings.port
    if host not in LOOPBACK:
        status_console().print(
            plain(f"warning: {host} is not loopback and the API has no accounts"),
            style="yellow",
            markup=False,
        )
    uvicorn.run(create_app(settings), host=host, port=port, log_config=CONFIG)
