"""`lawful index-server` in a process of its own, for tests."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

INDEX_SERVER = "import sys; from api.cli import main; sys.argv[0] = 'lawful'; main()"


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def index_server(home: Path, *, key: str = "") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run it on a free port, until its time is up or somebody ends it."""
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-c", INDEX_SERVER, "index-server", "--port", str(port)],
        env={**os.environ, "LAWFUL_HOME": str(home), "LAWFUL_QDRANT_API_KEY": key},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            while not is_ready(port):
                assert process.poll() is None, process.communicate()[1]
                time.sleep(0.05)
            yield process, f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def is_ready(port: int) -> bool:
    """Ask as a health check does."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except ConnectionRefusedError:
        return False
    finally:
        connection.close()
