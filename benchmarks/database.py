"""What the database holds of a work and of an answer: `python benchmarks/database.py DATA`.

On a PostgreSQL server of its own. The images of a folder are taken in, and looked up again as a
batch would; then their rows are copied, with ids and hashes of their own, until there are many.
Prints bytes by table, with indexes and what is stored out of line, and bytes of the log; then what
is left in the table of answers when they are archived.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

from sqlalchemy import Column, Table, Uuid, func, select, text

from api.servers.local_servers import running_postgres
from attribution.catalogue.columns import now
from attribution.catalogue.models import Artwork, Base, RecordedAttribution
from attribution.collection import open_database
from attribution.config import Settings
from attribution.custody import How
from attribution.images import read_image
from attribution.lookup.subjects import Obtained, keeping
from attribution.services import Services, open_services
from attribution.upkeep import archiving
from attribution.upkeep.calibrating import calibrate
from benchmarks.audit import register

OF_WORKS = ("artworks", "ingest_items", "embeddings", "part_vectors", "copy_sketches", "consents")
OF_ANSWERS = (
    *("attributions", "cited_works", "subjects", "subject_uses", "workings", "audit_entries"),
)
SHARED = {"artist_id", "job_id", "batch_id"}  # ids that the copies have too
HASHES = {"sha256", "pixel_sha256", "image_sha256", "digest"}
SPREAD = {"bits": -1, "third_0": 0x9249249249249249 - (1 << 64), "third_1": 0x2492492492492492}
SPREAD |= {"third_2": 0x4924924924924924}
APART = 1_000_000  # numbers of rows of two copies


def main() -> None:
    """Fill the database, and print what it holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--works", type=int, default=5_000)
    parser.add_argument("--answers", type=int, default=1_000)
    parser.add_argument("--profile", default="starter")
    asked = parser.parse_args()
    with opened(asked.profile) as services:
        before = logged(services)
        register(services, asked.data)
        works = count(services, Artwork.__table__)
        calibrate(services)
        after = logged(services)
        print(f"log: {(after - before) / works:,.0f} bytes a work, as it is taken in")
        look_up(services, asked.data)
        answers = count(services, RecordedAttribution.__table__)
        print(f"log: {(logged(services) - after) / answers:,.0f} bytes an answer")
        multiply(services, OF_WORKS, -(-asked.works // works))
        multiply(services, OF_ANSWERS, -(-asked.answers // answers))
        tell(services, "work", OF_WORKS, count(services, Artwork.__table__))
        answers = count(services, RecordedAttribution.__table__)
        tell(services, "answer", OF_ANSWERS, answers)
        archive(services)
        tell(services, "answer", OF_ANSWERS[:1], answers)


@contextmanager
def opened(profile: str) -> Iterator[Services]:
    """Open services over an empty database of a server of their own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        with running_postgres(Path(folder) / "postgres") as server:
            settings = Settings(
                home=Path(folder) / "home", database_url=server.url, profile=profile
            )
            with open_database(settings) as database:
                database.upgrade()
            with open_services(settings) as services:
                yield services


def look_up(services: Services, data: Path) -> None:
    """Ask about every image of a folder, as an upload does."""
    for path in sorted(data.rglob("*.png")):
        content = path.read_bytes()
        image = read_image(content)
        keep = keeping(services, image, lambda content=content: content, Obtained(How.FILE))
        services.attributor.attribute(image, also=keep)


def multiply(services: Services, tables: Sequence[str], times: int) -> None:
    """Copy the rows of some tables so often, less once: they are the first of them."""
    with services.sessions.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        for name in tables:
            table = Base.metadata.tables[name]
            columns = ", ".join(column.name for column in table.columns)
            values = ", ".join(copied(column) for column in table.columns)
            which = f"FROM {name}, generate_series(1, {times - 1}) AS copy"
            if name == "audit_entries":
                which += " WHERE object LIKE 'attribution:%' OR object LIKE 'subject%'"
            session.execute(text(f"INSERT INTO {name} ({columns}) SELECT {values} {which}"))


def copied(column: Column[object]) -> str:
    """Return what a copy has in a column."""
    name = column.name
    if isinstance(column.type, Uuid) and name not in SHARED:
        return f"md5({name}::text || copy)::uuid"
    if name in HASHES:
        return f"md5({name} || copy) || md5(copy || {name})"
    if name in SPREAD:
        number = "('x' || substr(md5(artwork_id::text || part || copy), 1, 16))::bit(64)::bigint"
        return f"{number} & {SPREAD[name]}::bigint"
    if name in ("sequence", "sealed", "position"):
        return f"{name} + {APART} * copy"
    if name == "object":
        return "split_part(object, ':', 1) || ':' || md5(split_part(object, ':', 2) || copy)::uuid"
    return name


def tell(services: Services, what: str, tables: Sequence[str], number: int) -> None:
    """Print bytes and rows of each table, by work or by answer."""
    whole = 0
    with services.sessions() as session:
        for name in tables:
            size, heap, indexes = session.execute(
                text(
                    "SELECT pg_total_relation_size(:name), pg_relation_size(:name), "
                    "pg_indexes_size(:name)"
                ),
                {"name": name},
            ).one()
            rows = session.scalar(select(func.count()).select_from(Base.metadata.tables[name])) or 0
            whole += size
            print(
                f"{name}: {size / number:,.0f} B a {what} ({heap / number:,.0f} in line, "
                f"{indexes / number:,.0f} indexes, {(size - heap - indexes) / number:,.0f} out of "
                f"line), {rows / number:.1f} rows"
            )
    print(f"together: {whole / number:,.0f} B a {what}, of {number:,}")


def archive(services: Services) -> None:
    """Archive all answers as if they were of long ago, and give back the space of their rows."""
    settings = services.settings.model_copy(update={"answer_days": 1})
    with patch.object(archiving, "now", lambda: now() + timedelta(days=2)):
        archiving.archive_old(replace(services, settings=settings))
    files = [path for path in (settings.home / "answers").rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files) / len(files)
    print(f"archived, in files of {size:,.0f} B:")
    with open_database(services.settings) as database:
        apart = database.engine.execution_options(isolation_level="AUTOCOMMIT")
        with apart.connect() as connection:
            connection.execute(text("VACUUM FULL attributions"))


def count(services: Services, table: Table) -> int:
    """Count rows."""
    with services.sessions() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def logged(services: Services) -> int:
    """Return how many bytes the log of the database has had."""
    with services.sessions() as session:
        return int(session.scalar(text("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")) or 0)


if __name__ == "__main__":
    main()
