"""Ingest: every file has an outcome, nothing is done twice, nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from uuid import UUID

import pytest
from PIL import Image

from attribution.catalogue import queries
from attribution.config import Settings
from attribution.encoders.encoder_set import EncoderSet
from attribution.encoders.stub import StubEncoder
from attribution.errors import (
    BackendUnavailable,
    IndexLocked,
    NotFound,
    ProfileMismatch,
    ShortOfMemory,
)
from attribution.images import read_image_file
from attribution.services import Services, open_services
from attribution.types import Matrix
from ingest import pipeline
from ingest.listing import plan
from ingest.preview import preview
from ingest.sources import read_source
from ingest.summary import summarise
from ingest.work.jobs import LocalQueue
from tests.portfolios import batch_key, finish, has_ended, ingest, picture, portfolio, wait_until


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Give a collection of its own, with the torch-free encoder and small batches."""
    return Settings(home=tmp_path / "home", profile="stub", batch_size=4)


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    """Open everything."""
    with open_services(settings) as opened:
        yield opened


def indexed(services: Services) -> tuple[int, int]:
    """Return how many works the catalogue and the index hold."""
    with services.sessions() as session:
        return queries.counts(session).indexed, services.index.count()


def test_a_portfolio_becomes_findable(services: Services, tmp_path: Path) -> None:
    """Every file is added, in the catalogue and in the index alike."""
    summary = ingest(services, portfolio(tmp_path / "p"))

    assert (summary.added, summary.known, summary.refused, summary.artists) == (12, 0, 0, 3)
    assert indexed(services) == (12, 12)


def test_again_does_nothing_twice(services: Services, tmp_path: Path) -> None:
    """The second run knows every file; a new file is the only one added."""
    source = portfolio(tmp_path / "p")
    ingest(services, source)
    picture(999).save(source / "artist-0" / "new.png")

    summary = ingest(services, source)

    assert (summary.added, summary.known) == (1, 12)
    assert indexed(services) == (13, 13)


def test_bad_files_are_refused_with_reasons(services: Services, tmp_path: Path) -> None:
    """A bad file never stops a job, and its reason is kept."""
    source = portfolio(tmp_path / "p", artists=1)
    own = source / "artist-0"
    (own / "text.png").write_text("no image")
    (own / "empty.png").write_bytes(b"")
    (own / "drawing.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    Image.new("RGB", (3, 2)).save(own / "tiny.png")

    summary = ingest(services, source)

    assert (summary.added, summary.refused) == (4, 4)
    reasons = {Path(item.path).name: item.reason or "" for item in summary.items if item.reason}
    assert "SVG is refused" in reasons["drawing.svg"]
    assert "0 bytes" in reasons["empty.png"]
    assert "3 × 2 pixels" in reasons["tiny.png"]
    assert "not an image" in reasons["text.png"]


def test_same_bytes_of_one_artist_are_one_work(services: Services, tmp_path: Path) -> None:
    """A second copy of a file is told from works known before, within a batch and across them."""
    source = tmp_path / "p"
    (source / "ana").mkdir(parents=True)
    for name in ("a.png", "b.png", "z.png"):
        picture(1).save(source / "ana" / name)

    summary = ingest(services, source)

    assert (summary.added, summary.known, summary.repeated) == (1, 0, 2)
    assert indexed(services) == (1, 1)
    again = ingest(services, source)
    shown = preview(services, read_source(source))
    assert (again.added, again.known, again.repeated) == (0, 1, 2)
    assert (shown.added, shown.known, shown.repeated) == (0, 1, 2)


def test_same_bytes_of_two_artists_are_a_conflict(services: Services, tmp_path: Path) -> None:
    """The second artist's claim is recorded and shown; the work stays with the first."""
    source = tmp_path / "p"
    for artist in ("ana", "boris"):
        (source / artist).mkdir(parents=True)
        picture(1).save(source / artist / "same.png")

    summary = ingest(services, source)

    assert (summary.added, summary.known, summary.conflicts) == (1, 1, 1)
    answer = services.attributor.attribute(
        read_image_file(source / "ana" / "same.png", services.limits)
    )
    assert answer.copy_of is not None
    assert (answer.copy_of.slug, answer.copy_of.also_claimed_by) == ("ana", ("boris",))


def test_no_consent_no_index(services: Services, tmp_path: Path) -> None:
    """A work whose consent forbids the index is refused and leaves no trace in it."""
    source = portfolio(tmp_path / "p", artists=1, works=1)
    row = '{"file_name": "artist-0/work-0.png", "consent_index": false}\n'
    (source / "metadata.jsonl").write_text(row)

    summary = ingest(services, source)

    assert (summary.added, summary.refused) == (0, 1)
    assert indexed(services) == (0, 0)


def test_dry_run_writes_nothing(services: Services, tmp_path: Path) -> None:
    """A preview says what would happen, and leaves everything as it was."""
    source = portfolio(tmp_path / "p", artists=1)
    (source / "artist-0" / "bad.png").write_text("no image")

    summary = preview(services, read_source(source))

    assert (summary.job, summary.added, summary.refused) == (None, 4, 1)
    assert indexed(services) == (0, 0)


class Poisoned:
    """An encoder that one picture breaks."""

    def __init__(self, width: int) -> None:
        self._real, self._width = StubEncoder(), width
        self.info = self._real.info

    def encode(self, images: Sequence[Image.Image]) -> Mapping[str, Matrix]:
        """Fail as a model would, without a word about which picture."""
        if any(image.width == self._width for image in images):
            raise ValueError("height and width must be > 0")
        return self._real.encode(images)


def test_one_poison_file_is_refused_alone(services: Services, tmp_path: Path) -> None:
    """What breaks a model is found among the others, refused with the error, and they go on."""
    source = portfolio(tmp_path / "p", artists=1, works=6)
    picture(5, side=77).save(source / "artist-0" / "poison.png")
    object.__setattr__(services, "encoders", EncoderSet([Poisoned(width=77)]))

    summary = ingest(services, source)

    assert (summary.added, summary.refused) == (6, 1)
    (poison,) = [item for item in summary.items if item.reason]
    assert poison.path.endswith("poison.png")
    assert "ValueError: height and width must be > 0" in (poison.reason or "")


def test_a_broken_model_refuses_nobody(services: Services, tmp_path: Path) -> None:
    """When no file of several can be encoded, the job fails and the files stay to be done."""
    object.__setattr__(services, "encoders", EncoderSet([Poisoned(width=64)]))
    source = portfolio(tmp_path / "p", artists=1)
    job_id = plan(services, "p", read_source(source), staged=False)

    summary = finish(services, job_id)

    assert (summary.added, summary.refused) == (0, 0)
    with services.sessions() as session:
        job = queries.job_by_id(session, job_id)
    assert job.status == "failed"
    assert "height and width" in (job.error or "")


class BrokenOnce:
    """An encoder whose first call fails."""

    def __init__(self, error: Exception) -> None:
        self._real, self._error = StubEncoder(), error
        self.info = self._real.info
        self.calls = 0

    def encode(self, images: Sequence[Image.Image]) -> Mapping[str, Matrix]:
        """Fail, then work."""
        self.calls += 1
        if self.calls == 1:
            raise self._error
        return self._real.encode(images)


@pytest.mark.parametrize(
    "error", [BackendUnavailable("the model server is away"), ShortOfMemory("the card is full")]
)
def test_what_fails_for_a_moment_is_tried_again(
    services: Services, tmp_path: Path, error: Exception
) -> None:
    """No file is refused for it, not even one that is alone."""
    broken = BrokenOnce(error)
    object.__setattr__(services, "encoders", EncoderSet([broken]))

    summary = ingest(services, portfolio(tmp_path / "p", artists=1, works=1))

    assert (summary.added, summary.refused, broken.calls) == (1, 0, 2)


def test_interrupted_job_goes_on(settings: Settings, tmp_path: Path) -> None:
    """A queue that closes mid-job leaves the rest to the next one, which begins with it."""
    source = portfolio(tmp_path / "p")
    with open_services(settings) as services:
        job_id = plan(services, "p", read_source(source), staged=False)
        # It ends after a few files.
        pipeline.run_batch(services, batch_key(job_id), stopping=lambda: True)
        assert indexed(services) == (4, 4)
    with open_services(settings) as services:
        queue = LocalQueue(services)
        assert queue.resumed == (job_id,)
        wait_until(lambda: has_ended(services, job_id))
        queue.close()
        assert indexed(services) == (12, 12)
        assert summarise(services, job_id).added == 12


KILLED = """
import sys
from pathlib import Path
from attribution.config import Settings
from attribution.services import open_services
from ingest import pipeline
from ingest.listing import plan
from ingest.sources import read_source
from tests.portfolios import batch_key
settings = Settings(home=Path(sys.argv[1]), profile="stub", batch_size=2)
with open_services(settings) as services:
    job = plan(services, "p", read_source(Path(sys.argv[2])), staged=False)
    def stopping():
        print(services.index.count(), flush=True)
        return False
    pipeline.run_batch(services, batch_key(job), stopping=stopping)
"""


@pytest.mark.parametrize("batches", [1, 3, 8])
def test_killed_and_run_again(tmp_path: Path, batches: int) -> None:
    """Killed with −9 at any batch and run again: nothing lost, nothing doubled."""
    source = portfolio(tmp_path / "p", artists=4, works=6)
    command = [sys.executable, "-c", KILLED, str(tmp_path / "home"), str(source)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for _ in range(batches):
            assert child.stdout.readline()
        os.kill(child.pid, signal.SIGKILL)
        child.stdout.read()

    with open_services(Settings(home=tmp_path / "home", profile="stub")) as services:
        summary = ingest(services, source)
        assert indexed(services) == (24, 24)
        assert summary.added + summary.known == 24
        assert len(services.index.entries(limit=100)) == 24


def test_second_process_is_told_who_owns_the_index(services: Services) -> None:
    """The owner's pid is in the message."""
    code = (
        "from attribution.config import Settings; from pathlib import Path; import sys\n"
        "from attribution.services import open_services\n"
        "with open_services(Settings(home=Path(sys.argv[1]), profile='stub')): pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(services.settings.home)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert IndexLocked.__name__ in done.stderr
    assert f"process {os.getpid()}" in done.stderr


def test_an_empty_collection_is_nobodys(settings: Settings) -> None:
    """What holds no work yet does not insist on the encoders of the first look."""
    with open_services(settings):
        pass
    with open_services(settings.model_copy(update={"profile": "starter"})) as services:
        assert services.row.profile == "starter"


def test_other_encoders_are_refused(settings: Settings, tmp_path: Path) -> None:
    """A collection made with one profile cannot be opened with another."""
    with open_services(settings) as services:
        ingest(services, portfolio(tmp_path / "p", artists=1))
    with (
        pytest.raises(ProfileMismatch, match="LAWFUL_PROFILE=stub"),
        open_services(settings.model_copy(update={"profile": "starter"})),
    ):
        pass


def test_unknown_job_is_not_found(services: Services) -> None:
    """A wrong id names itself."""
    with services.sessions() as session, pytest.raises(NotFound, match="00000001"):
        queries.job_by_id(session, UUID(int=1))
