"""A real worker of one thread whose task hangs: it ends itself, and another has the batch."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from api.servers.programs import Program, running
from attribution.catalogue import queries
from attribution.catalogue.models import TaskStatus
from attribution.collection import open_stores
from attribution.config import Settings
from attribution.services import open_services
from ingest.listing import plan
from ingest.sources import read_source
from ingest.work.application import make_app
from ingest.work.jobs import BrokerQueue
from tests.portfolios import batch_key, portfolio, wait_until

LIMIT_S = 1  # less than settings allow
WORKER = f"""
import re, time
from attribution.config import Settings
from ingest import pipeline
from ingest.lease import holding
from ingest.work.worker import worker_app

def never_ends(services, key, *, stopping):
    with holding(services, key):
        {{hang}}

pipeline.run_batch = never_ends
settings = Settings().model_copy(update={{{{"batch_time_limit_s": {LIMIT_S}}}}})
words = "worker --pool solo --queues encode --loglevel INFO"
worker_app(settings).worker_main(words.split())
"""
HANGS = {
    "waits": "time.sleep(600)",
    "keeps the interpreter": "re.match('(a+)+b', 'a' * 64)",
}


@pytest.mark.parametrize("hang", HANGS)
def test_a_solo_worker_that_hangs(tmp_path: Path, redis_url: str, hang: str) -> None:
    """It says where it hung and ends, though its lease is kept; then the batch is another's."""
    settings = Settings(home=tmp_path / "home", broker_url=redis_url, profile="stub", job_lease_s=1)
    make_app(settings).control.purge()  # what other tests have left at the broker
    worker = Program(
        name="worker",
        command=[sys.executable, "-c", WORKER.format(hang=HANGS[hang])],
        environment={
            "LAWFUL_HOME": str(settings.home),
            "LAWFUL_BROKER_URL": redis_url,
            "LAWFUL_PROFILE": "stub",
            "LAWFUL_JOB_LEASE_S": "1",
        },
        log=tmp_path / "worker.log",
        is_ready=lambda program: " ready." in program.said(),
    )
    with open_services(settings) as services:
        job = plan(services, "p", read_source(portfolio(tmp_path / "p")), staged=True)
    with open_stores(settings) as stores, running(worker):
        BrokerQueue(stores).submit(job)

        def is_ended() -> bool:
            return not worker.is_running

        wait_until(is_ended, timeout_s=60)
        assert "Timeout (0:00:0" in worker.said()
        assert "in never_ends" in worker.said()

        def is_free() -> bool:
            with stores.sessions.begin() as session:
                return batch_key(job) in queries.sweep(session)

        wait_until(is_free)
        with stores.sessions() as session:
            task = queries.task_by_key(session, batch_key(job))
        assert (task.status, task.deaths) == (TaskStatus.QUEUED, 1)
