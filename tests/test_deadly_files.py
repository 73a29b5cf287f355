"""Files that end the process that reads them: found one by one, refused, and the rest goes on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import UUID

import pytest
from PIL import Image
from sqlalchemy import select, update

from attribution.catalogue import queries
from attribution.catalogue.database import Database
from attribution.catalogue.models import Artwork, ArtworkStatus, IngestItem, JobStatus, Outcome
from attribution.config import Settings
from attribution.encoders.encoder_set import EncoderSet
from attribution.encoders.stub import StubEncoder
from attribution.services import Services, open_services
from attribution.types import Matrix
from ingest import in_hand, pipeline
from ingest.listing import plan
from ingest.sources import read_source
from ingest.summary import Summary, summarise
from tests.portfolios import batch_key, finish, ingest, picture, portfolio, wait_until

WORKS = 9
KILLED = -9

# Whatever looks at a picture 77 wide is killed, as for want of memory.
DEADLY = """
import os, signal, sys
from pathlib import Path
from attribution.config import Settings
from attribution.encoders.encoder_set import EncoderSet
from attribution.services import open_services
from ingest import in_hand, loading, pipeline

def die(image):
    if image.width == 77:
        os.kill(os.getpid(), signal.SIGKILL)

def decode(data, limits, real=loading.read_image):
    image = real(data, limits)
    die(image.rgb)
    return image

class Encoder:
    def __init__(self, real):
        self.real, self.info = real, real.info
    def encode(self, images):
        for image in images:
            die(image)
        return self.real.encode(images)

home, url, part = sys.argv[1:4]
settings = Settings(
    home=Path(home), database_url=url, profile="stub", batch_size=4, job_lease_s=1
)
if part == "decoder":
    loading.read_image = decode
"""
IN_PROCESS = """
from tests.portfolios import ingest
with open_services(settings) as services:
    if part == "encoder":
        object.__setattr__(services, "encoders", EncoderSet([Encoder(*services.encoders)]))
    ingest(services, Path(sys.argv[4]))
"""
AS_WORKER = """
from uuid import UUID
from tests.portfolios import batch_key
with open_services(settings) as services:
    object.__setattr__(services, "encoders", EncoderSet([Encoder(*services.encoders)]))
    pipeline.run_batch(services, batch_key(UUID(sys.argv[4])), stopping=lambda: False)
"""


def run(script: str, *arguments: object) -> int:
    """Run a process that a picture may end; return its exit code."""
    command = [sys.executable, "-c", DEADLY + script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode in {0, KILLED}, done.stderr
    return done.returncode


def poisoned(folder: Path) -> Path:
    """Write a portfolio with one picture that is deadly."""
    source = portfolio(folder, artists=1, works=WORKS)
    picture(5, side=77).save(source / "artist-0" / "work-3-deadly.png")
    return source


def only_one_refused(summary: Summary) -> None:
    """State that the deadly file was refused and nothing else."""
    (refused,) = [item for item in summary.items if item.reason]
    assert refused.path.endswith("deadly.png")
    assert "it ended two processes that read it alone" in (refused.reason or "")
    assert (summary.added + summary.known, summary.refused) == (WORKS, 1)


@pytest.mark.parametrize("part", ["decoder", "encoder"])
def test_in_process(tmp_path: Path, part: str) -> None:
    """The fourth `lawful ingest` gets to the end, and so does every one from then on."""
    settings = Settings(home=tmp_path / "home", profile="stub")
    source = poisoned(tmp_path / "p")
    arguments = (settings.home, settings.database_url, part, source)

    assert [run(IN_PROCESS, *arguments) for _ in range(4)] == [KILLED, KILLED, KILLED, 0]

    with open_services(settings) as services:
        only_one_refused(ingest(services, source))
        with services.sessions() as session:
            assert queries.open_tasks(session) == []
            jobs = queries.list_jobs(session).items
        assert {job.status for job in jobs} == {JobStatus.DONE}
        for job in jobs:
            only_one_refused(summarise(services, job.id))


def swept(services: Services, job_id: UUID) -> bool:
    """Void the lease of a worker that is gone, once it has run out."""
    with services.sessions.begin() as session:
        return batch_key(job_id) in queries.sweep(session)


def test_as_worker(tmp_path: Path, database: Database, database_url: str) -> None:
    """The worker that takes over from the third one that died refuses the file."""
    del database
    settings = Settings(home=tmp_path / "home", database_url=database_url, profile="stub")
    with open_services(settings) as services:
        job_id = plan(services, "p", read_source(poisoned(tmp_path / "p")), staged=True)
    for _ in range(3):
        assert run(AS_WORKER, tmp_path / "home", database_url, "encoder", job_id) == KILLED
        with open_services(settings) as services:
            wait_until(lambda opened=services: swept(opened, job_id))  # type: ignore[misc]

    assert run(AS_WORKER, tmp_path / "home", database_url, "encoder", job_id) == 0
    with open_services(settings) as services:
        only_one_refused(summarise(services, job_id))


def test_kills_that_let_it_get_on_bury_nothing(tmp_path: Path) -> None:
    """A process that dies again and again, each time behind a few more files, gets to the end."""
    settings = Settings(home=tmp_path / "home", profile="stub", batch_size=2)
    with open_services(settings) as services:
        source = portfolio(tmp_path / "p", artists=1, works=20)
        job_id = plan(services, "p", read_source(source), staged=False)
        for _ in range(8):
            dies_behind_a_few(services, job_id)
            with services.sessions.begin() as session:
                queries.release_all(session)

        summary = finish(services, job_id)
        assert (summary.added, summary.refused) == (20, 0)


def test_the_first_file_of_a_batch_is_deadly(tmp_path: Path) -> None:
    """Found out alone, it is refused; the batch is not given up, though nothing else got on."""

    class Gone(BaseException):
        """The process is gone."""

    class Deadly:
        def __init__(self) -> None:
            self._real = StubEncoder()
            self.info = self._real.info

        def encode(self, images: Sequence[Image.Image]) -> Mapping[str, Matrix]:
            if any(image.width == 77 for image in images):
                raise Gone
            return self._real.encode(images)

    with open_services(Settings(home=tmp_path / "home", profile="stub")) as services:
        source = portfolio(tmp_path / "p", artists=1, works=3)
        picture(5, side=77).save(source / "artist-0" / "a-first.png")
        job_id = plan(services, "p", read_source(source), staged=False)
        object.__setattr__(services, "encoders", EncoderSet([Deadly()]))
        for _ in range(3):
            with pytest.raises(Gone):
                pipeline.run_batch(services, batch_key(job_id), stopping=lambda: False)
            with services.sessions.begin() as session:
                queries.release_all(session)

        summary = finish(services, job_id)

    (refused,) = [item for item in summary.items if item.reason]
    assert refused.path.endswith("a-first.png")
    assert (summary.added, summary.refused) == (3, 1)


def test_kills_of_processes_that_read_a_file_alone_refuse_no_other(tmp_path: Path) -> None:
    """A power cut hits whichever file is in hand: each may be hit once, and is added."""

    class Gone(BaseException):
        """The process is gone."""

    class Doomed:
        """Ends its process after so many times that it encodes."""

        def __init__(self, times: int) -> None:
            self._real = StubEncoder()
            self.info = self._real.info
            self._left = times

        def encode(self, images: Sequence[Image.Image]) -> Mapping[str, Matrix]:
            if not self._left:
                raise Gone
            self._left -= 1
            return self._real.encode(images)

    with open_services(Settings(home=tmp_path / "home", profile="stub", batch_size=8)) as services:
        source = portfolio(tmp_path / "p", artists=1, works=8)
        job_id = plan(services, "p", read_source(source), staged=False)
        for times in (0, *[1] * 7):  # all in hand together, then each alone
            object.__setattr__(services, "encoders", EncoderSet([Doomed(times)]))
            with pytest.raises(Gone):
                pipeline.run_batch(services, batch_key(job_id), stopping=lambda: False)
            with services.sessions.begin() as session:
                queries.release_all(session)
        object.__setattr__(services, "encoders", EncoderSet([StubEncoder()]))
        summary = finish(services, job_id)

    assert (summary.added, summary.refused) == (8, 0)


def dies_behind_a_few(services: Services, job_id: UUID) -> None:
    """Run a batch to its next files and end without a word."""

    class Gone(BaseException):
        """The process is gone."""

    def gone() -> bool:
        raise Gone

    with pytest.raises(Gone):
        pipeline.run_batch(services, batch_key(job_id), stopping=gone)


def test_a_point_that_was_written_already_goes(tmp_path: Path) -> None:
    """A process may end between the index and the catalogue: the two agree all the same."""
    with open_services(Settings(home=tmp_path / "home", profile="stub")) as services:
        ingest(services, portfolio(tmp_path / "p", artists=1, works=1))
        with services.sessions.begin() as session:  # as the process left them
            session.execute(update(Artwork).values(status=ArtworkStatus.PENDING))
            session.execute(update(IngestItem).values(outcome=Outcome.PENDING))
            item = session.scalars(select(IngestItem)).one()
        assert services.index.count() == 1

        in_hand._refuse_unread(services, item.job_id, item.position)

        assert services.index.count() == 0
        with services.sessions() as session:
            assert session.scalars(select(Artwork.status)).one() is ArtworkStatus.FAILED
