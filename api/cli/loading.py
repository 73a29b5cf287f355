"""Opening what loads models: at a terminal, a line on stderr says so for as long as it takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, TypeVar

from rich.live import Live
from rich.text import Text

from api.cli.common import plain, status_console

if TYPE_CHECKING:
    from attribution.config import Settings
    from attribution.services import Services
    from ingest.work.jobs import JobQueue

Opened = TypeVar("Opened")


def open_services(settings: Settings, *, as_json: bool = False) -> AbstractContextManager[Services]:
    """Open everything, models too; see `attribution.services.open_services`."""
    from attribution import services

    opening = services.open_services(settings)
    return opening if as_json else _told(opening, settings)


def open_queue(settings: Settings, *, as_json: bool = False) -> AbstractContextManager[JobQueue]:
    """Open the queue of jobs, see `ingest.work.jobs`; with a broker it loads no models."""
    from ingest.work import jobs

    opening = jobs.open_queue(settings)
    return opening if as_json or settings.broker_url else _told(opening, settings)


@contextmanager
def _told(opening: AbstractContextManager[Opened], settings: Settings) -> Iterator[Opened]:
    """Enter `opening`, and name the models meanwhile; rich shows nothing without a terminal."""
    from attribution.encoders.profiles import models_of

    said = f"loading models: {', '.join(models_of(settings))} …"
    with ExitStack() as opened:
        # A still line, and stderr as it is: weights that are downloaded now have bars of their own.
        with Live(
            Text(plain(said), no_wrap=True, overflow="ellipsis"),
            console=status_console(),
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        ):
            entered = opened.enter_context(opening)
        yield entered
