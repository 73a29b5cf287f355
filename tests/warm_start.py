"""A process that has imported what commands use, and forks for each: see `commands.py`.

Reads requests from the socket that it is given, a line of JSON each; answers with exit codes.
"""

import contextlib
import gc
import json
import os
import socket
import sys
import warnings
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

import typer.main
from sqlalchemy.orm import configure_mappers

# What every command imports in any case; and of others, what many import. Nothing that starts
# threads or takes memory for itself, such as torch.
PACKAGES = (
    "api.cli",
    "attribution.collection",
    "PIL.Image",
    "alembic.command",
    "celery",
    "celery.app.amqp",
    "celery.app.trace",
    "celery.loaders.app",
    "cryptography.x509",
    "cv2",
    "filelock",
    "fsspec",
    "httpcore",
    "httpx",
    "imagehash",
    "iscc_lib",
    "jinja2",
    "kombu",
    "kombu.transport.memory",
    "numpy",
    "pydantic_settings",
    "qdrant_client",
    "qdrant_edge",
    "rich.progress",
    "safetensors",
    "scipy.fftpack",
    "scipy.optimize",
    "sqlalchemy.dialects.sqlite",
    "sqlalchemy.orm",
    "tenacity",
    "typer.rich_utils",
)


def know_commands() -> None:
    """Have the commands known: typer works all of them out at the start of each process."""
    from api.cli import app

    typer.main.get_command = cache(typer.main.get_command)
    typer.main.get_command(app)


def know_tables() -> None:
    """Have the commands make the tables of an empty home at once: see `tables.py`."""
    from attribution.catalogue import schema
    from attribution.catalogue.database import connect
    from tests.tables import KnownTables

    known = KnownTables()
    schema.upgrade = known.upgrade
    database = connect("sqlite://")
    database.upgrade()
    database.dispose()


def next_request(requests: socket.socket) -> dict[str, Any] | None:
    """Return what this process is to run: a fork for each request; None at the end of all."""
    with requests, requests.makefile(encoding="utf-8") as lines:
        for line in lines:
            child = os.fork()
            if child == 0:
                return json.loads(line)  # type: ignore[no-any-return]
            _, status = os.waitpid(child, 0)
            requests.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    return None


def become(request: dict[str, Any]) -> ModuleType:
    """Make this process what `python -c` would have made; return its main module."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["env"])
    for stream, path in enumerate(request["streams"]):
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOCTTY)
        os.dup2(file, stream)
        os.close(file)
    sys.argv = ["-c", *request["words"]]
    main = sys.modules["__main__"] = ModuleType("__main__")
    return main


if __name__ == "__main__":
    sys.path.insert(0, "")  # as with `python -c`
    for package in PACKAGES:
        with contextlib.suppress(ImportError):  # an extra that is not installed here
            import_module(package)
    configure_mappers()
    know_commands()
    know_tables()
    gc.freeze()  # or the children would copy what they count
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the threads of numpy survive a fork
        asked = next_request(socket.socket(fileno=int(sys.argv[1])))
    if asked is not None:
        exec(compile(asked["program"], "<string>", "exec"), vars(become(asked)))  # noqa: S102  as -c
