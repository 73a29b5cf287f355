"""`lawful ingest`: a portfolio becomes findable."""

from __future__ import annotations

import time
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from api.cli.common import (
    SOME_REFUSED,
    print_json,
    progress_bar,
    settings_from_environment,
    status_console,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from attribution.services import Services
    from ingest.sources import SourceItem
    from ingest.summary import Summary

POLL_S = 0.2
SHOWN = 20  # refusals listed in the terminal; --json has them all


def ingest(
    source: Annotated[Path, typer.Argument(help="A folder, or a CSV/JSONL/Parquet manifest.")],
    artist: Annotated[str | None, typer.Option(help="Every work is by this artist.")] = None,
    *,
    dry_run: Annotated[bool, typer.Option(help="Read and check, write nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One object with every file.")] = False,
) -> None:
    """Bring a portfolio into the catalogue and the index.

    A folder has one folder per artist, or a Hugging Face metadata.jsonl or .csv at its root.
    Run it again after an interruption or with new works: nothing is done twice.
    Exit code 0: every file is known now; 3: some were refused; 1: nothing could be done.

    Example: [bold]lawful ingest ~/portfolios[/]
    """
    from attribution.services import open_services
    from ingest import pipeline
    from ingest.sources import read_source
    from ingest.summary import summarise

    console = status_console()
    started = time.monotonic()
    items = read_source(source, artist=artist)
    with open_services(settings_from_environment()) as services:
        if dry_run:
            summary = pipeline.preview(services, items)
        else:
            job_id = run(services, console, source, items)
            summary = summarise(services, job_id)
    if as_json:
        print_json(summary.as_json(seconds=time.monotonic() - started))
    else:
        show(Console(), summary, time.monotonic() - started, dry_run=dry_run)
    if summary.refused:
        raise typer.Exit(SOME_REFUSED)


def run(services: Services, console: Console, source: Path, items: Iterable[SourceItem]) -> UUID:
    """List the files, queue the job and watch its rows until it ends."""
    from ingest import pipeline
    from ingest.jobs import JobQueue

    with services.sessions.begin() as session:
        job_id = pipeline.plan(session, str(source.resolve()), items)
    with JobQueue(services) as jobs:
        for earlier in jobs.resumed:
            if earlier != job_id:
                console.print(f"first finishing the interrupted job {earlier}")
        _watch(services, console, jobs.submit(job_id), job_id)
    return job_id


def _watch(services: Services, console: Console, work: Future[object], job_id: UUID) -> None:
    from attribution.catalog import queries

    with progress_bar(console) as bar:
        task = bar.add_task("ingesting")
        while not work.done():
            time.sleep(POLL_S)
            with services.sessions() as session:
                done, total = queries.job_progress(session, job_id)
            bar.update(task, completed=done, total=total)
    work.result()


def show(console: Console, summary: Summary, seconds: float, *, dry_run: bool = False) -> None:
    """Print the counts of a job, and what was refused or claimed twice."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_row("would be added" if dry_run else "added", str(summary.added), style="green")
    table.add_row("already known", str(summary.known))
    if summary.conflicts:
        table.add_row("  of these claimed by two artists", str(summary.conflicts), style="yellow")
    table.add_row("refused", str(summary.refused), style="red" if summary.refused else None)
    table.add_row("artists", str(summary.artists))
    table.add_row("seconds", f"{seconds:.1f}")
    console.print(table)
    odd = [item for item in summary.items if item.reason]
    for item in odd[:SHOWN]:
        console.print(
            f"  {item.outcome.value}: {item.path}: {item.reason}", markup=False, soft_wrap=True
        )
    if len(odd) > SHOWN:
        console.print(f"  … and {len(odd) - SHOWN} more; --json lists every file")
