"""`lawful index-server`: one process owns the index folder, the workers of this machine ask it."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.common import settings_from_environment, status_console
from api.loopback import is_loopback
from attribution.errors import BadInput


def index_server(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 6333,
) -> None:
    """Serve LAWFUL_HOME/index to several processes on this machine, without a Qdrant server.

    It answers like a Qdrant server, one request at a time. For more than one machine, for replicas
    or for millions of works, run a Qdrant server instead.

    Example: [bold]lawful index-server[/], and elsewhere LAWFUL_QDRANT_URL=http://127.0.0.1:6333
    """
    settings = settings_from_environment()
    key = settings.qdrant_api_key
    if not (key or is_loopback(host)):
        raise BadInput(
            f"anyone who can reach {host} could change the index; set LAWFUL_QDRANT_API_KEY, "
            f"or listen on 127.0.0.1"
        )

    import uvicorn

    from api.servers.index_server import create_index_app
    from attribution.index.owner import Owner

    folder = settings.home / "index"
    owner = Owner(folder, api_key=key.get_secret_value() if key else None)
    status_console().print(f"serving {folder} on http://{host}:{port}", markup=False)
    uvicorn.run(create_index_app(owner), host=host, port=port, log_level="warning", log_config=None)
