"""A process that cannot begin with a batch: noted on it, counted, and told to who asks."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from uuid import UUID

import pytest
from celery.exceptions import CPendingDeprecationWarning
from celery.signals import celeryd_after_setup
from celery.worker.consumer import consumer

from api.servers.programs import Program, running
from attribution.catalogue import queries
from attribution.catalogue.models import JobStatus, TaskStatus
from attribution.catalogue.queries.leases import MOST_ATTEMPTS
from attribution.collection import Stores, open_stores
from attribution.config import Settings
from attribution.errors import BackendUnavailable, LawfulError, ProfileMismatch
from attribution.services import Services, open_services
from ingest.listing import plan
from ingest.sources import read_source
from ingest.work import worker
from ingest.work.application import make_app
from ingest.work.dispatch import RUN_BATCH, send
from ingest.work.jobs import open_queue
from ingest.work.tasks import register
from ingest.work.worker import READY, Lazily, note_ready
from tests.commands import lawful
from tests.portfolios import batch_key, portfolio, wait_until


class Unopened:
    """A process that has the catalogue, and cannot open the rest."""

    def __init__(self, stores: Stores, error: Exception) -> None:
        self._stores, self._error = stores, error

    def stores(self) -> Stores:
        """Return the catalogue."""
        return self._stores

    def services(self) -> Services:
        """Fail."""
        raise self._error


@pytest.fixture
def job(tmp_path: Path, database: object, database_url: str) -> tuple[Settings, UUID]:
    """Give a job that waits, on each engine."""
    del database  # its tables are there
    settings = Settings(home=tmp_path / "home", database_url=database_url, profile="stub")
    with open_stores(settings) as stores:
        source = read_source(portfolio(tmp_path / "p", artists=1))
        return settings, plan(stores, "p", source, staged=False)


def try_once(stores: Stores, job_id: UUID, error: Exception) -> None:
    """Have a process that cannot begin take the batch."""
    app = make_app(stores.settings)
    register(
        app,
        Unopened(stores, error),
        stopping=lambda: False,
        submit=lambda _: None,
    )
    with pytest.raises(type(error)):
        app.tasks[RUN_BATCH].delay(str(job_id), 1)


def state(stores: Stores, job_id: UUID) -> tuple[TaskStatus, int, str | None]:
    """Return how the batch stands."""
    with stores.sessions() as session:
        batch = queries.task_by_key(session, batch_key(job_id))
    return batch.status, batch.attempts, batch.error


@pytest.mark.parametrize(
    "error", [ProfileMismatch("made with profile 'starter'"), ImportError("no module 'x'")]
)
def test_an_error_before_the_lease(job: tuple[Settings, UUID], error: Exception) -> None:
    """It is on the batch, counts as a try, and after a few the job has failed with it."""
    settings, job_id = job
    with open_stores(settings) as stores:
        try_once(stores, job_id, error)
        status, attempts, said = state(stores, job_id)
        assert (status, attempts) == (TaskStatus.QUEUED, 1)
        assert said
        assert str(error) in said
        with stores.sessions.begin() as session:
            assert queries.trouble_of(session, job_id) == said
            assert queries.sweep(session) == [batch_key(job_id)]  # another process may do better
        for _ in range(MOST_ATTEMPTS - 1):
            try_once(stores, job_id, error)
        with stores.sessions() as session:
            (failed,) = queries.list_jobs(session, status=JobStatus.FAILED).items
    assert failed.error == said


def test_an_outage_before_the_lease(job: tuple[Settings, UUID]) -> None:
    """It is noted and counts for nothing."""
    settings, job_id = job
    with open_stores(settings) as stores:
        for _ in range(2 * MOST_ATTEMPTS):
            try_once(stores, job_id, BackendUnavailable("the index is away"))
        assert state(stores, job_id) == (TaskStatus.QUEUED, 0, "the index is away")


def test_a_command_that_cannot_open(job: tuple[Settings, UUID]) -> None:
    """What an earlier one left is not waited for in silence: it fails with what is wrong."""
    settings, job_id = job
    wrong = settings.model_copy(update={"profile": "nowhere"})
    for _ in range(MOST_ATTEMPTS):
        with pytest.raises(LawfulError, match="nowhere"), open_queue(wrong):
            pass
    with open_stores(settings) as stores, stores.sessions() as session:
        failed = queries.job_by_id(session, job_id)
    assert failed.status is JobStatus.FAILED
    assert "nowhere" in (failed.error or "")


def test_a_worker_says_so(tmp_path: Path, redis_url: str) -> None:
    """Its check is red with the reason; the job fails with it, and nothing runs for ever."""
    home = tmp_path / "home"
    wrong = {"broker_url": redis_url, "profile": "nowhere"}
    settings = Settings(home=home, broker_url=redis_url, profile="stub")
    with open_services(settings):
        pass
    app = make_app(settings)
    app.control.purge()  # what other tests have left at the broker
    program = Program(
        name="worker",
        command=[sys.executable, "-m", "api.cli", "worker", "--queues", "encode"],
        environment={"LAWFUL_HOME": str(home), "TMPDIR": str(tmp_path)}
        | {f"LAWFUL_{name.upper()}": value for name, value in wrong.items()},
        log=tmp_path / "worker.log",
        is_ready=lambda program: " ready." in program.said(),
    )
    with running(program), open_stores(settings) as stores:
        ready = lawful(home, "worker", "--check", **wrong)
        assert (ready.returncode, json.loads(ready.stdout)["ready"]) == (0, True), ready
        wait_until((tmp_path / READY.name).exists)
        job_id = plan(stores, "p", read_source(portfolio(tmp_path / "p")), staged=True)

        def swept() -> bool:
            with stores.sessions.begin() as session:
                keys = queries.sweep(session)
            send(app, stores.sessions, keys)
            return state(stores, job_id)[0] is TaskStatus.DEAD

        wait_until(swept, timeout_s=240)  # six tries, on a busy machine
        failed = lawful(home, "worker", "--check", **wrong)
        answer = json.loads(failed.stdout)
        assert (failed.returncode, answer["ready"]) == (1, False)
        assert answer["checks"]["database"] == "ok"
        assert "nowhere" in answer["checks"]["models"]
        listed = json.loads(lawful(home, "jobs", "list", "--failed", "--json", **wrong).stdout)
    assert "nowhere" in listed["jobs"][0]["error"]
    assert "Traceback" not in program.said()


def test_a_worker_with_trouble_is_not_said_to_be_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its supervisor looks at is left alone, and touched again when it can work."""
    monkeypatch.setattr(worker, "READY", tmp_path / "ready")
    runtime = Lazily(Settings(home=tmp_path / "home", profile="nowhere"))
    with pytest.raises(LawfulError, match="nowhere"):
        runtime.services()

    note_ready(runtime)

    assert not worker.READY.exists()
    note_ready(Lazily(Settings(home=tmp_path / "home")))
    assert worker.READY.exists()


def test_no_worker_no_answer(tmp_path: Path, redis_url: str) -> None:
    """A worker that is not there is not ready."""
    done = lawful(tmp_path, "worker", "--check", broker_url=redis_url)
    assert done.returncode == 1
    assert "no worker celery@" in done.stderr


def test_an_outage_of_the_broker_warns_of_no_default_of_a_later_celery() -> None:
    """Celery says it at each outage to whoever keeps the default of this version, set or not."""
    with warnings.catch_warnings(record=True) as said:
        warnings.filterwarnings("always", category=CPendingDeprecationWarning)  # as Celery does
        celeryd_after_setup.send(sender="worker", instance=None, conf=worker.app.conf)
        text = vars(consumer)["CANCEL_TASKS_BY_DEFAULT"]  # which its stubs do not know
        warnings.warn(text, CPendingDeprecationWarning, stacklevel=1)

    assert said == []
    assert not worker.app.conf.worker_cancel_long_running_tasks_on_connection_loss
