"""Where the time of an ingest goes is measured, and encoding does not wait for writing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from threading import Event

import pytest

from attribution.catalogue.models import IngestJob
from attribution.config import Settings
from attribution.encoders.encoder_set import EncoderSet
from attribution.images import CheckedImage
from attribution.services import Services, open_services
from attribution.stages import carried, measured, stage
from attribution.threads import Threads
from ingest import pipeline
from ingest.encoding import Encoded, encode
from ingest.reading import Prepared
from ingest.writing import write
from tests.commands import lawful
from tests.portfolios import ingest_at_once, portfolio

OF_A_WORK = {"read", "decode and hash", "sketch", "encode stub", "write rows", "write vectors"}


def test_threads_are_measured_with_whoever_has_begun() -> None:
    """Stages of a pool and of a carried call count; outside, and afterwards, nothing does."""

    def work(name: str) -> None:
        with stage(name):
            pass

    work("before")
    with measured() as stages, Threads(1) as threads:
        threads.submit(work, "in a pool").result()
        later = carried(work)
    work("after")
    assert list(stages.seconds) == ["in a pool"]

    later("carried")
    assert list(stages.seconds) == ["in a pool", "carried"]


def test_an_ingest_says_where_its_time_went(tmp_path: Path) -> None:
    """`--profile` lists every stage, the longest first; the shares are of all of them."""
    source = portfolio(tmp_path / "p", artists=1, works=2)

    done = lawful(tmp_path / "home", "ingest", str(source), "--profile", "--json")
    plain = lawful(tmp_path / "home", "ingest", str(source), "--json")
    shown = lawful(tmp_path / "home", "ingest", str(source), "--profile")

    stages = json.loads(done.stdout)["profile"]
    seconds = [one["seconds"] for one in stages]
    assert {one["stage"] for one in stages} >= OF_A_WORK
    assert seconds == sorted(seconds, reverse=True)
    assert sum(one["share"] for one in stages) == pytest.approx(1, abs=0.01)
    assert "profile" not in json.loads(plain.stdout)
    assert "works/s" in shown.stdout


def test_what_workers_do_is_not_measured(tmp_path: Path) -> None:
    """`--profile` with a broker is refused, as another process does the work."""
    source = portfolio(tmp_path / "p", artists=1, works=1)

    done = lawful(
        tmp_path / "home", "ingest", str(source), "--profile", broker_url="redis://127.0.0.1:1"
    )

    assert done.returncode != 0
    assert "LAWFUL_BROKER_URL" in done.stderr


def test_works_are_encoded_while_those_before_them_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first write ends after the second encoding has begun; all are written, in order."""
    begun, written = [Event(), Event()], list[int]()

    def encoding(
        encoders: EncoderSet, whole: Iterable[CheckedImage], with_parts: Iterable[CheckedImage]
    ) -> Encoded:
        next(one for one in begun if not one.is_set()).set()
        return encode(encoders, whole, with_parts)

    def writing(
        services: Services,
        job: IngestJob,
        files: Sequence[Prepared],
        encoded: Encoded,
        compared: set[str],
    ) -> None:
        assert begun[1].wait(30)
        write(services, job, files, encoded, compared)
        written.extend(one.work.position for one in files)

    monkeypatch.setattr(pipeline, "encode", encoding)
    monkeypatch.setattr(pipeline, "write", writing)
    settings = Settings(home=tmp_path / "home", profile="stub", batch_size=2)
    with open_services(settings) as services:
        done = ingest_at_once(services, portfolio(tmp_path / "p", artists=1, works=4))

    assert (done.added, done.refused) == (4, 0)
    assert written == sorted(written)
