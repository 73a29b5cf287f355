"""Redis behind TLS, behind Sentinels and on a socket: messages, results and counted requests."""

from __future__ import annotations

import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from kombu.exceptions import OperationalError
from redis import Redis, RedisError

from api.servers.local_servers import redis
from api.servers.programs import LOOPBACK, Program, running
from attribution.config import Settings
from attribution.errors import BadInput
from ingest.work.application import make_app
from ingest.work.broker import counter
from tests.authorities import certificate
from tests.portfolios import wait_until

WORKER = """
import sys
from attribution.config import Settings
from ingest.work.application import make_app

app = make_app(Settings(broker_url=sys.argv[1]))

@app.task(name="encode.answer", ignore_result=False)
def answer():
    return "answered"

app.worker_main(["worker", "--pool=solo", "--loglevel=INFO", "--queues=encode"])
"""
PASSWORD = "a secret"  # noqa: S105
ENCODED = "a%20secret"
TLS = f"""
import asyncio, ssl, sys

async def pour(source, into):
    while some := await source.read(65536):
        into.write(some)
        await into.drain()
    into.close()

async def join(reader, writer):
    inner, inwards = await asyncio.open_connection({LOOPBACK!r}, int(sys.argv[3]))
    await asyncio.gather(pour(reader, inwards), pour(inner, writer), return_exceptions=True)

async def serve():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1])
    server = await asyncio.start_server(join, {LOOPBACK!r}, int(sys.argv[2]), ssl=context)
    print("listening", flush=True)
    await server.serve_forever()

asyncio.run(serve())
"""


def test_results_and_counts_travel_in_tls(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate of one's own authority is taken with SSL_CERT_FILE, and refused without."""
    url, chain = urlsplit(redis_url), certificate(tmp_path, "localhost")
    with running(encrypted(tmp_path, chain, url.port)) as outside:
        address = f"rediss://:{url.password}@localhost:{outside.port}/0"

        assert not counter(address).check()
        with (
            make_app(Settings(broker_url=address)).connection() as connection,
            pytest.raises(OperationalError, match="CERTIFICATE_VERIFY_FAILED"),
        ):
            connection.ensure_connection(max_retries=1)

        monkeypatch.setenv("SSL_CERT_FILE", str(chain))
        assert counter(address).check()
        check_work(address, tmp_path)


def test_a_broker_behind_sentinels_may_die(tmp_path: Path) -> None:
    """Its replica takes over: what is sent afterwards is done."""
    with ExitStack() as stack:
        first = stack.enter_context(running(server(tmp_path / "first")))
        second = stack.enter_context(running(server(tmp_path / "second", of=first)))
        guard = stack.enter_context(running(sentinel(tmp_path / "guard", of=first)))
        wait_until(lambda: replicas(guard) == 1)
        address = f"redis+sentinel://:{ENCODED}@{LOOPBACK}:{guard.port}/lawful"

        assert counter(address).check()
        first.kill()
        wait_until(lambda: leader(guard) == second.port)

        assert counter(address).check()
        check_work(address, tmp_path)


def test_a_socket_counts_too(tmp_path: Path) -> None:
    """The address of a socket has other names for Celery and for the counter."""
    with running(server(tmp_path / "socket", socket=tmp_path / "valkey.sock")):
        address = f"redis+socket://:{ENCODED}@{tmp_path}/valkey.sock"

        assert counter(address).check()
        with make_app(Settings(broker_url=address)).connection() as connection:
            connection.ensure_connection(max_retries=1)


@pytest.mark.parametrize(
    "url", ["redis+sentinel://:secret@a,b", "redis+sentinel://:secret@a,,b/lawful", "redis://[a"]
)
def test_an_incomplete_address(url: str) -> None:
    """It is refused before anything is sent, and the password is not repeated."""
    with pytest.raises(BadInput, match=r"PASSWORD@HOST:26379,HOST:26379/SERVICE") as caught:
        make_app(Settings(broker_url=url))

    assert ":secret" not in str(caught.value)


def check_work(address: str, folder: Path) -> None:
    """Send a task there, and take its result; a worker of the same address does it."""
    worker = Program(
        name="worker",
        command=[sys.executable, "-c", WORKER, address],
        log=folder / "worker.log",
        is_ready=lambda program: " ready." in program.said(),
    )
    with running(worker), make_app(Settings(broker_url=address)) as app:
        asked = app.send_task("encode.answer")
        # Celery takes a process for a task in which another test has run one.
        assert asked.get(timeout=20, disable_sync_subtasks=False) == "answered"


def encrypted(folder: Path, chain: Path, port: int | None) -> Program:
    """Prepare what takes TLS for a port of this machine: the bundled Redis has none."""
    return Program(
        name="tls",
        command=[sys.executable, "-c", TLS, str(chain), "{port}", str(port)],
        log=folder / "tls.log",
        is_ready=lambda program: "listening" in program.said(),
        address="{port}",
    )


def server(folder: Path, *, of: Program | None = None, socket: Path | None = None) -> Program:
    """Prepare Redis with a password that all share, perhaps as the replica of another."""
    program = redis(folder)
    settings = folder / "valkey.conf"
    lines = [f'dir "{folder}"', f'requirepass "{PASSWORD}"', f'masterauth "{PASSWORD}"']
    lines += [f"bind {LOOPBACK}", 'save ""', "repl-diskless-sync-delay 0"]
    if of is not None:
        lines.append(f"replicaof {LOOPBACK} {of.port}")
    if socket is not None:
        lines.append(f'unixsocket "{socket}"')
    settings.write_text("\n".join(lines))
    program.address = f"redis://:{ENCODED}@{LOOPBACK}:{{port}}/0"
    return program


def sentinel(folder: Path, *, of: Program) -> Program:
    """Prepare the one Sentinel that watches a server and puts its replica in its place."""
    program = redis(folder)
    (folder / "valkey.conf").write_text(
        f"bind {LOOPBACK}\n"
        f'dir "{folder}"\n'
        f'requirepass "{PASSWORD}"\n'
        f"sentinel monitor lawful {LOOPBACK} {of.port} 1\n"
        f'sentinel auth-pass lawful "{PASSWORD}"\n'
        "sentinel down-after-milliseconds lawful 500\n"
        "sentinel failover-timeout lawful 2000\n"
    )
    program.command = [*program.command, "--sentinel"]
    program.address = f"redis://:{ENCODED}@{LOOPBACK}:{{port}}"
    return program


def replicas(guard: Program) -> int:
    """Return how many stand ready, as the Sentinel sees it."""
    with Redis.from_url(guard.url) as client:
        return sum(
            one["slave-repl-offset"] > 0 and not one["is_disconnected"]
            for one in client.sentinel_slaves("lawful")
        )


def leader(guard: Program) -> int | None:
    """Return the port of the server that takes writes, as the Sentinel sees it."""
    with Redis.from_url(guard.url) as client, suppress(RedisError):
        port = client.sentinel_get_master_addr_by_name("lawful")[1]
        with Redis(host=LOOPBACK, port=port, password=PASSWORD) as chosen:
            return int(port) if chosen.role()[0] == b"master" else None
    return None
