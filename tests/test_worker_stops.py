"""A worker that is told to stop ends behind the files in hand, not behind its batch."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from sqlalchemy import func, select

from api.servers.programs import Program, running
from attribution.catalogue import queries
from attribution.catalogue.models import IngestItem, Outcome, TaskStatus
from attribution.collection import open_stores
from attribution.config import Settings
from attribution.services import open_services
from ingest.listing import plan
from ingest.sources import read_source
from ingest.work.application import make_app
from ingest.work.jobs import BrokerQueue
from tests.portfolios import batch_key, portfolio, wait_until

FILES = 40
SLOWLY = """
import time
from attribution.config import Settings
from ingest import pipeline
from ingest.work.worker import worker_app

def process(*given, real=pipeline.process):
    time.sleep(0.5)
    real(*given)

pipeline.process = process
words = "worker --pool prefork --concurrency 1 --queues encode --loglevel INFO"
worker_app(Settings()).worker_main(words.split())
"""


def test_a_stop_waits_for_the_files_in_hand(tmp_path: Path, redis_url: str) -> None:
    """It ends with 0; what is left of the batch waits for another worker, as if never tried."""
    environment = {
        "LAWFUL_HOME": str(tmp_path / "home"),
        "LAWFUL_BROKER_URL": redis_url,
        "LAWFUL_PROFILE": "stub",
        "LAWFUL_BATCH_SIZE": "2",
    }
    settings = Settings(
        home=tmp_path / "home",
        broker_url=redis_url,
        profile="stub",
        batch_size=2,
    )
    make_app(settings).control.purge()  # what other tests have left at the broker
    with open_services(settings) as services:
        source = read_source(portfolio(tmp_path / "p", artists=4, works=FILES // 4))
        job = plan(services, "p", source, staged=True)
    worker = Program(
        name="worker",
        command=[sys.executable, "-c", SLOWLY],
        environment=environment,
        log=tmp_path / "worker.log",
        is_ready=lambda program: " ready." in program.said(),
    )
    with open_stores(settings) as stores, running(worker):

        def done() -> int:
            is_done = IngestItem.outcome != Outcome.PENDING
            with stores.sessions() as session:
                return session.scalar(select(func.count()).where(is_done)) or 0

        BrokerQueue(stores).submit(job)
        wait_until(lambda: done() > 0)
        process = worker._process
        assert process is not None
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0

        assert 0 < done() < FILES
        with stores.sessions() as session:
            batch = queries.task_by_key(session, batch_key(job))
        assert (batch.status, batch.attempts, batch.deaths) == (TaskStatus.QUEUED, 0, 0)
