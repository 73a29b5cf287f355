"""Works that come with vectors: taken in by the process of the command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.cli.common import end_on_sigterm, progress_bar, status_console
from api.cli.loading import open_services

if TYPE_CHECKING:
    from pathlib import Path

    from attribution.config import Settings
    from ingest.options import Options
    from ingest.summary import Summary


def take_vectors(
    settings: Settings,
    source: Path,
    options: Options,
    artist: str | None = None,
    model: str | None = None,
    *,
    as_json: bool,
) -> Summary:
    """Take in works with their vectors, in this process."""
    from ingest.bulk.loading import load, opened
    from ingest.summary import summarise
    from ingest.work.jobs import job_queue

    end_on_sigterm()
    with open_services(settings, as_json=as_json) as services:
        with (
            progress_bar(status_console()) as bar,
            opened(services, source, artist=artist, model=model) as given,
        ):
            task = bar.add_task("running", total=given.total)
            job_id = load(
                services,
                str(source.resolve()),
                given,
                options,
                lambda done: bar.update(task, completed=done),
            )
        with status_console().status("recalibrating"), job_queue(services) as queue:
            queue.calibrate()
            queue.wait()
        return summarise(services, job_id)
